# SPDX-License-Identifier: MIT
"""npm's warcio, a reader by others, reads what we write: every record, with the digests that the record says."""
import base64
import fcntl
import gzip
import json
import os
import shutil
import subprocess

import harness

LIMIT_S = 300
OWN = {'preset': 'own'}
READER = os.path.join(harness.HERE, 'warcio_read.mjs')


def npm_folder():
    """A folder with warcio, below the build; fetched once."""
    if not shutil.which('node') or not shutil.which('npm'):
        raise harness.Skip('node and npm are not installed')
    folder = os.path.join(harness.build_dir(), 'tests', 'npm')
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, 'lock'), 'w', encoding='ascii') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(os.path.join(folder, 'node_modules', 'warcio', 'package.json')):
            done = subprocess.run(['npm', 'install', '--prefix', folder, '--no-save', '--no-audit', '--no-fund', '--ignore-scripts', 'warcio'],
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True)
            if done.returncode:
                raise harness.Skip(f'npm does not get warcio: {" ".join(done.stderr.split())[-200:]}')
    return folder


def warcio_reads(daemon, job):
    """What it says of every record of the job."""
    harness.wait_until(lambda: not any(path.endswith('.open') for path in daemon.warc_paths(job)), 'the files are closed', 10)
    done = subprocess.run(['node', READER, npm_folder(), *daemon.warc_paths(job)], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def base32(hexadecimal):
    return base64.b32encode(bytes.fromhex(hexadecimal)).decode()


def crawl(daemon, urls, **spec):
    job = daemon.submit({'seeds': list(urls), 'pace': OWN, 'retry': {'attempts': 1}, **spec})
    daemon.wait_done(job)
    return job, daemon.check_pages(job)


def check_with_warcio(daemon, job, rows, server=None):
    """Blocks, payloads, links between records, and that rows point at their records. Returns the responses by URL.
    server: the one of play(), of whose answers warcio misreads some."""
    records = warcio_reads(daemon, job)
    daemon.ctl('verify', job)
    ids = {record['headers']['WARC-Record-ID']: record for record in records}
    assert len(ids) == len(records)
    for record in records:
        told = record['headers']
        assert told['WARC-Block-Digest'] == 'sha1:' + base32(record['block']) and int(told['Content-Length']) == record['block_bytes'], record
        if told['WARC-Type'] == 'warcinfo':
            continue
        other = ids[told['WARC-Concurrent-To']]
        assert {told['WARC-Type'], other['headers']['WARC-Type']} == {'request', 'response'} and other['file'] == record['file'], record
        assert all(told[name] == other['headers'][name] for name in ('WARC-Target-URI', 'WARC-Date', 'WARC-IP-Address')), record
        assert ids[told['WARC-Warcinfo-ID']]['headers']['WARC-Type'] == 'warcinfo' and record['version'] == 'WARC/1.1', record
    responses = [record for record in records if record['headers']['WARC-Type'] == 'response']
    for record in responses:
        told, url = record['headers']['WARC-Payload-Digest'], record['headers']['WARC-Target-URI']
        name = url.removeprefix(server.url('/')) if server else None
        assert (told == 'sha1:' + base32(record['http']['payload'])) != (name in HEAD_MISREAD + CHUNKS_MISREAD), record
        assert (told == 'sha1:' + base32(record['payload_by_lines'])) != (name in CHUNKS_MISREAD), record
    # Of a plain file it says the length without the two line ends behind the block.
    places = {(record['file'], record['offset'], record['length'] + (0 if record['file'].endswith('.gz') else 4)): record for record in responses}
    for row in rows:
        if 'warc' in row:
            record = places[row['warc']['file'], row['warc']['offset'], row['warc']['length']]
            assert record['headers']['WARC-Target-URI'] == row.get('final_url', row['url']), (record, row)
            assert record['headers']['WARC-Payload-Digest'] == 'sha1:' + row['sha1'] and record['headers'].get('WARC-Truncated') == row.get('truncated'), (record, row)
    return {record['headers']['WARC-Target-URI']: record for record in responses}


def answer(head, body=b'', status='200 OK'):
    return f'HTTP/1.1 {status}\r\n{head}\r\n' + (body if isinstance(body, str) else body.decode('latin-1'))


def of_length(body, head='', status='200 OK'):
    return answer(f'{head}Content-Length: {len(body)}\r\n', body, status)


CHUNKED = 'Transfer-Encoding: chunked\r\n'
PACKED = gzip.compress(b'packed ' * 100, mtime=0).decode('latin-1')
ANSWERS = {
    'plain': of_length('hello', 'Content-Type: text/plain\r\n'),
    'empty': of_length(''),
    'blank_lines': of_length('\r\n\r\na\r\n\r\n\r\n\r\n'),
    'like_a_record': of_length('WARC/1.1\r\nWARC-Type: response\r\nContent-Length: 3\r\n\r\nabc\r\n\r\n' * 3),
    'to_the_end': answer('Content-Type: text/html\r\n', '<p>until it closes'),
    'http_1_0': 'HTTP/1.0 200 OK\r\nServer: old\r\n\r\nold',
    'chunked': answer(CHUNKED, '5\r\nhello\r\n1\r\n \r\nA\r\n0123456789\r\n0\r\n\r\n'),
    'chunked_empty': answer(CHUNKED, '0\r\n\r\n'),
    'chunk_extensions': answer(CHUNKED, '5;a=b\r\nhello\r\n1; c\r\n!\r\n0;d\r\n\r\n'),
    'interim': 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n' + of_length('final'),
    'folded': of_length('folded', 'X-Long: one\r\n two\r\n\tthree\r\n'),
    'no_phrase': 'HTTP/1.1 200\r\nContent-Length: 4\r\n\r\nnone',
    'odd_fields': of_length('odd', 'Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Latin: \xe4\xf6\xfc\r\nno colon here\r\nBad name: 1\r\nX-Empty:\r\n'),
    'status_204': answer('', status='204 No Content'),
    'status_304': answer('ETag: "a"\r\nContent-Length: 100\r\n', status='304 Not Modified'),
    'status_404': of_length('nothing', status='404 Not Found'),
    'long': of_length('long ' * 100000),
    'redirect': of_length('moved', 'Location: /redirect_again\r\n', '301 Moved Permanently'),
    'redirect_again': answer('Location: /plain?hop\r\n' + CHUNKED, '3\r\n303\r\n0\r\n\r\n', '303 See Other'),
    'plain?hop': of_length('hop'),
    'gzip': of_length(PACKED, 'Content-Type: text/plain\r\nContent-Encoding: gzip\r\n'),
    'gzip_chunked': answer('Content-Encoding: gzip\r\n' + CHUNKED, f'{len(PACKED):x}\r\n{PACKED}\r\n0\r\n\r\n'),
    # cut by the server
    'cut_length': answer('Content-Length: 100\r\n', 'only this'),
    'cut_chunk': answer(CHUNKED, '5\r\nhello\r\n64\r\nonly this'),
    'cut_between_chunks': answer(CHUNKED, '5\r\nhello\r\n'),
    'lf_only': 'HTTP/1.1 200 OK\nContent-Type: text/plain\nContent-Length: 7\n\nlf only',
    'lf_chunked': 'HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n5\r\nhello\r\n0\r\n\r\n',
    'no_fields': 'HTTP/1.1 200 OK\r\n\r\nno fields',
    'chunked_loud': answer('TRANSFER-ENCODING: CHUNKED\r\n', '5\r\nhello\r\n0\r\n\r\n'),
    'trailers': answer(CHUNKED, '5\r\nhello\r\n0\r\nX-After: 1\r\n\r\n'),
    'cut_first_chunk': answer(CHUNKED, '64\r\nonly this'),
}
# warcio's parser of heads looks for CR LF CR LF, from the second line on: without it there, the head goes on to the
# record's end. And it knows `chunked` in small letters only. Its line reader reads these, too.
HEAD_MISREAD = ('lf_only', 'lf_chunked', 'no_fields', 'chunked_loud')
# It takes a trailer section for body (RFC 9112, section 7.1.2), and a body cut in its first chunk for one without chunks.
CHUNKS_MISREAD = ('trailers', 'cut_first_chunk')


def rich_crawl(daemon, server, cut_is_failed=(), **spec):
    """cut_is_failed: what else does not end as it should."""
    reached = ('redirect_again', 'plain?hop')
    job, rows = crawl(daemon, [server.url('/' + name) for name in ANSWERS if name not in reached], **spec)
    bad = [row for row in rows if row['outcome'] == 'failed' and '/cut_' not in row['url']]
    assert {row['url'].removeprefix(server.url('/')) for row in bad} == set(cut_is_failed), bad
    return job, rows


def play(stage, **options):
    return stage.scripted(by_target={'/' + name: [['send', text], ['close']] for name, text in ANSWERS.items()}, **options)


def test_warcio_reads_every_kind_of_answer(stage):
    daemon, server = stage.crawld(), play(stage)
    for compress in ('gzip', 'none'):
        job, rows = rich_crawl(daemon, server, store={'compress': compress})
        responses = check_with_warcio(daemon, job, rows, server)
        assert {url.removeprefix(server.url('/')) for url in responses} == set(ANSWERS)
        for name in ('interim', 'folded', 'no_phrase', 'status_204', 'redirect_again'):
            sent = ANSWERS[name][ANSWERS[name].rindex('HTTP/1.1'):].encode('latin-1')
            assert responses[server.url('/' + name)]['block_bytes'] == len(sent), name
        assert responses[server.url('/folded')]['http']['fields']['x-long'].split() == ['one', 'two', 'three']


def test_warcio_reads_what_was_asked_by_head_and_post(stage):
    daemon, server = stage.crawld(), play(stage)
    job, rows = crawl(daemon, [server.url('/' + name) for name in ('plain', 'empty', 'status_404', 'gzip', 'long')], request={'method': 'HEAD'})
    heads = stage.scripted([['send', answer(CHUNKED + 'Content-Encoding: gzip\r\n')]])
    other_job, other_rows = crawl(daemon, [heads.url('/a'), heads.url('/b')], request={'method': 'HEAD'})
    for responses in (check_with_warcio(daemon, job, rows), check_with_warcio(daemon, other_job, other_rows)):
        assert responses and all(record['http']['payload_bytes'] == 0 for record in responses.values()), responses
    job, rows = crawl(daemon, [server.url('/plain'), server.url('/chunked')], request={'method': 'POST', 'body': 'a=1\r\n\r\nb=2'})
    check_with_warcio(daemon, job, rows)
    assert {r['http']['payload_bytes'] for r in warcio_reads(daemon, job) if r['headers']['WARC-Type'] == 'request'} == {len('a=1\r\n\r\nb=2')}


def test_warcio_reads_bodies_that_were_cut(stage):
    daemon = stage.crawld(settings={'allow_cidr': '127.0.0.0/8,::1/128'})
    origin, six = stage.origin(), stage.origin(listen='[::1]:0')
    half = stage.scripted([['send', of_length('x' * 100)[:-50]], ['hang']])
    drips = stage.scripted([['send', answer(CHUNKED, '5\r\nhello\r\n')], ['every_ms', 100, '1\r\nx\r\n']])
    urls = [origin.url(f'/bytes/{n}') for n in (999, 1000, 1001, 100000)] + [origin.url('/close/5000'), six.url('/bytes/7'), six.url('/redirect/3'),
                                                                             half.url('/half'), drips.url('/drips')]
    job, rows = crawl(daemon, urls + [origin.url('/chunked/5000')], max_body_bytes=1000, timeouts={'total_ms': 1500, 'idle_ms': 1000})
    responses = check_with_warcio(daemon, job, rows)
    assert len(responses) == len(urls) + 1 + 3
    assert {responses[url]['headers'].get('WARC-Truncated') for url in urls[:2]} == {None}
    assert {responses[url]['headers'].get('WARC-Truncated') for url in urls[2:5]} == {'length'}
    assert {responses[url]['headers'].get('WARC-Truncated') for url in urls[-2:]} == {'time'}
    assert {record['headers']['WARC-IP-Address'] for url, record in responses.items() if '[::1]' in url} == {'::1'}


def test_warcio_reads_what_came_over_tls(stage):
    authority = stage.ca()
    daemon = stage.crawld(settings={'ca_file': authority.path})
    server = play(stage, tls=authority.issue('127.0.0.1'))
    job, rows = rich_crawl(daemon, server, cut_is_failed=('to_the_end', 'http_1_0', 'no_fields'))
    check_with_warcio(daemon, job, rows, server)
    exchanges = [record for record in warcio_reads(daemon, job) if record['headers']['WARC-Type'] != 'warcinfo']
    assert len(exchanges) == 2 * len(ANSWERS)
    assert all(record['headers']['WARC-Protocol'].startswith('tls/1.') and record['headers']['WARC-Cipher-Suite'] for record in exchanges)
