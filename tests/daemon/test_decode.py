# SPDX-License-Identifier: MIT
"""Content codings and charsets: pages are looked into as text, and kept as they came."""
import gzip
import os
import zlib

import harness
from scripted import Unsupported, encode

MISSING = '页面不存在'
TEXT_RULE = {'body_lacks': ['不存在']}
CODINGS = ['identity', 'gzip', 'x-gzip', 'deflate', 'rawdeflate', 'br', 'zstd']


def answer(body, *headers, chunks=None):
    """The steps of one answer; chunks: sizes of the first ones."""
    head = 'HTTP/1.1 200 OK\r\n' + ''.join(f'{line}\r\n' for line in headers)
    if chunks is None:
        data = (head + f'Content-Length: {len(body)}\r\n\r\n').encode() + body
    else:
        data, at = (head + 'Transfer-Encoding: chunked\r\n\r\n').encode(), 0
        for size in [*chunks, len(body)]:
            piece = body[at:at + size]
            data += b'%x\r\n%s\r\n' % (len(piece), piece) if piece else b''
            at += size
        data += b'0\r\n\r\n'
    return [['send', data.decode('latin-1')]]


def crawl(stage, pages, **spec):
    """The daemon, the job and its rows by target, of pages {target: steps}."""
    server = stage.scripted(by_target=pages)
    daemon = stage.crawld()
    job = daemon.submit({'seeds': [server.url(target) for target in pages], 'pace': {'preset': 'own'}, 'retry': {'attempts': 1}, **spec})
    daemon.wait_done(job)
    return daemon, job, {row['url'].removeprefix(server.url('').rstrip('/')): row for row in daemon.rows(job)}


def test_texts_are_found_in_pages_of_every_coding_and_charset(stage):
    pages, wanted = {}, {}
    for charset in ('utf-8', 'gbk', 'gb18030'):
        for text in (MISSING, '欢迎光临本站'):
            plain = {'header': f'<p>{text}</p>', 'meta': f'<meta charset="{charset}"><p>{text}</p>', 'bytes': f'<h1>{text}</h1>'}
            for declared, page in plain.items():
                for coding in CODINGS:
                    try:
                        body = encode(coding, page.encode(charset))
                    except Unsupported:
                        continue
                    target = f'/{charset}/{declared}/{coding}/{len(pages)}'
                    label = {'rawdeflate': 'deflate'}.get(coding, coding)
                    kind = f'text/html; charset={charset}' if declared == 'header' else 'text/html'
                    pages[target] = answer(body, f'Content-Type: {kind}', f'Content-Encoding: {label}', chunks=[1, 3])
                    found = {'gbk': 'gb18030'}.get(charset, charset) if declared == 'bytes' else charset
                    wanted[target] = ('dropped' if text == MISSING else 'stored', found, coding != 'identity', len(page.encode(charset)))
    daemon, job, rows = crawl(stage, pages, keep=TEXT_RULE, store={'pages': 'all'})
    for target, (outcome, charset, coded, plain_bytes) in wanted.items():
        row = rows[target]
        assert (row['outcome'], row['charset']) == (outcome, charset), row
        assert row.get('reason') == ('keep.body_lacks' if outcome == 'dropped' else None), row
        assert row.get('decoded_bytes') == (plain_bytes if coded else None), row
        daemon.page(job, row)


def test_a_text_is_found_wherever_the_page_is_cut(stage):
    pages = {}
    for charset in ('utf-8', 'gbk', 'gb18030'):
        page = f'<p>{MISSING}</p>'.encode(charset)
        for coding in ('identity', 'gzip'):
            body = encode(coding, page)
            for cut in range(1, len(body)):
                pages[f'/{charset}/{coding}/{cut}'] = answer(body, f'Content-Type: text/html; charset={charset}',
                                                             f'Content-Encoding: {coding}', chunks=[cut])
    _, _, rows = crawl(stage, pages, keep=TEXT_RULE, store={'format': 'none'})
    assert {row.get('reason') for row in rows.values()} == {'keep.body_lacks'}, rows


def broken_pages():
    plain = b'the petrel and the dunlin ' * 40
    whole = gzip.compress(plain, mtime=0)
    flipped = bytearray(whole)
    flipped[-6] ^= 1
    bomb = gzip.compress(bytes(40 << 20), 9, mtime=0)
    return {'/crc': ('bad_encoding', 'gzip', bytes(flipped)),
            '/cut': ('bad_encoding', 'gzip', whole[:-9]),
            '/plain': ('bad_encoding', 'gzip', plain),
            '/three': ('bad_encoding', 'gzip, gzip, gzip', gzip.compress(gzip.compress(whole))),
            '/bomb': ('bomb', 'gzip', bomb),
            '/nested': ('bomb', 'gzip, gzip', gzip.compress(bomb))}


def test_broken_codings_and_bombs_fail_and_are_kept_as_they_came(stage):
    broken = broken_pages()
    pages = {target: answer(body, 'Content-Type: text/plain', f'Content-Encoding: {label}') for target, (_, label, body) in broken.items()}
    daemon, job, rows = crawl(stage, pages, keep=TEXT_RULE)
    for target, (reason, _, body) in broken.items():
        row = rows[target]
        assert (row['outcome'], row['reason']) == ('failed', reason) and row['detail'] and 'decoded_bytes' not in row, row
        assert daemon.page(job, row).payload() == body and 'truncated' not in row, row


def test_a_body_nobody_looks_into_is_not_decoded(stage):
    broken = broken_pages()
    pages = {target: answer(body, 'Content-Type: text/plain', f'Content-Encoding: {label}') for target, (_, label, body) in broken.items()}
    daemon, job, rows = crawl(stage, pages, keep={'status': [200], 'mime': ['text/']})
    assert {row['outcome'] for row in rows.values()} == {'stored'} and not any('decoded_bytes' in row for row in rows.values()), rows
    _, _, rows = crawl(stage, {'/gone': [['send', 'HTTP/1.1 404 No\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nfour']]},
                       keep={**TEXT_RULE, 'status': [200]})
    assert rows['/gone']['reason'] == 'keep.status', rows


def test_a_coded_body_is_stored_without_compressing_it_again(stage):
    body = gzip.compress(os.urandom(300).hex().encode(), mtime=0)
    daemon, job, rows = crawl(stage, {'/a': answer(body, 'Content-Encoding: gzip'), '/b': answer(b'x' * 5000)})
    where = rows['/a']['warc']
    with open(daemon.warc_paths(job)[0], 'rb') as file:
        data = file.read()
    assert body in data[where['offset']:where['offset'] + where['length']]
    assert daemon.page(job, rows['/a']).payload() == body
    assert rows['/b']['warc']['length'] < 1000, rows['/b']


def test_what_came_of_a_cut_body_is_looked_into(stage):
    page = MISSING.encode('gbk') + os.urandom(30000)
    headers = ('Content-Type: text/html; charset=gbk', 'Content-Encoding: gzip')
    _, _, rows = crawl(stage, {'/a': answer(gzip.compress(page), *headers)}, keep=TEXT_RULE, max_body_bytes=5000)
    row = rows['/a']
    assert (row['outcome'], row['reason'], row['truncated'], row['body_bytes']) == ('dropped', 'keep.body_lacks', 'length', 5000), row
    assert 0 < row['decoded_bytes'] < 10000, row


def test_accept_encoding_is_what_the_job_says(stage):
    server = stage.scripted(answer(b'hello'))
    daemon = stage.crawld()
    for n, (spec, sent) in enumerate([({}, 'gzip, deflate, br, zstd'), ({'accept_encoding': 'identity'}, 'identity'), ({'accept_encoding': ''}, None)]):
        job = daemon.submit({'seeds': [server.url(f'/{n}')], 'pace': {'preset': 'own'}, 'request': spec})
        daemon.wait_done(job)
        assert server.requests[-1].header('Accept-Encoding') == sent, server.requests[-1].raw


def test_extract_writes_decoded_files(stage):
    plain = f'<p>{MISSING}</p>'.encode('gbk') * 50
    pages = {f'/{coding}.html': answer(encode(coding, plain), f'Content-Encoding: {label}', chunks=[7])
             for coding, label in (('gzip', 'gzip'), ('deflate', 'deflate'), ('rawdeflate', 'deflate'))}
    pages['/twice.html'] = answer(zlib.compress(gzip.compress(plain)), 'Content-Encoding: gzip', 'Content-Encoding: deflate')
    daemon, job, _ = crawl(stage, pages)
    daemon.ctl('extract', job, stage.path('out'))
    names = [name for name in os.listdir(stage.path('out')) if name.endswith('.html')]
    assert len(names) == len(pages), names
    for name in names:
        with open(stage.path('out/' + name), 'rb') as file:
            assert file.read() == plain, name
