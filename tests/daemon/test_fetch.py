# SPDX-License-Identifier: MIT
"""What comes of a URL: its one row, its reason, its bytes."""
import base64
import hashlib
import re
import time

import harness

OWN = {'preset': 'own'}
QUICK = {'connect_ms': 2000, 'first_byte_ms': 2000, 'idle_ms': 2000, 'total_ms': 6000}
ABSENT = '%E4%B8%8D%E5%AD%98%E5%9C%A8'
PRESENT = '%E5%AD%98%E5%9C%A8'


def by_target(rows, origin):
    return {row['url'].removeprefix(origin.url('')): row for row in rows}


def crawl(daemon, urls, **spec):
    """The rows by URL of a job that fetched them."""
    job = daemon.submit({'seeds': list(urls), **{'pace': OWN, **spec}})
    daemon.wait_done(job)
    rows = {row['url']: row for row in daemon.check_pages(job)}
    assert len(rows) == len(set(urls)), (len(rows), len(urls))
    return job, rows


def ended(row):
    return row['outcome'], row.get('reason')


def test_every_body_is_kept_byte_for_byte(stage):
    origin, daemon = stage.origin(), stage.crawld()
    sizes = {'/bytes/0': 0, '/bytes/1': 1, '/bytes/20000': 20000, '/bytes/3000000': 3000000, '/chunked/0': 0, '/chunked/123456': 123456,
             '/close/70000': 70000, '/slow/200000/50000': 50000, **{f'/p/{i}': 1024 for i in range(500)}}
    job = daemon.submit({'seeds': [origin.url(target) for target in sizes], 'pace': OWN})
    daemon.wait_done(job)
    rows = by_target(daemon.check_pages(job), origin)
    assert set(rows) == set(sizes)
    for target, size in sizes.items():
        body, row = harness.origin_body(target, size), rows[target]
        assert row['outcome'] == 'stored' and row['status'] == 200 and row['body_bytes'] == size, row
        assert row['sha1'] == base64.b32encode(hashlib.sha1(body).digest()).decode(), row
        assert daemon.page(job, row).payload() == body, target


def test_nginx_pages_are_kept_byte_for_byte(stage):
    files = {'index.html': '<h1>不存在</h1>', 'a.css': 'p{}', 'plain.txt': 'x' * 70000, 'empty.txt': '', 'big.bin': bytes(range(256)) * 8000,
             'with blank.txt': 'b', '%41.txt': 'percent'}
    nginx = stage.nginx('server {{ listen 127.0.0.1:{port}; root {root}; location = /moved {{ return 301 /a.css; }} '
                        'location = /away {{ return 307 http://127.0.0.1:{port}/empty.txt; }} location /gone {{ return 410; }} '
                        'location /close {{ alias {root}/; keepalive_timeout 0; }} }}', files=files)
    daemon = stage.crawld()
    contents = {'/': files['index.html'], '/a.css': 'p{}', '/plain.txt': files['plain.txt'], '/empty.txt': '', '/big.bin': files['big.bin'],
                '/with%20blank.txt': 'b', '/%2541.txt': 'percent', '/moved': 'p{}', '/away': '', '/close/a.css': 'p{}'}
    job, rows = crawl(daemon, [nginx.url(path) for path in [*contents, '/gone', '/nothing']])
    for path, content in contents.items():
        row = rows[nginx.url(path)]
        body = content if isinstance(content, bytes) else content.encode()
        assert ended(row) == ('stored', None) and row['status'] == 200, row
        assert daemon.page(job, row).payload() == body, path
    assert rows[nginx.url('/')]['mime'] == 'text/html' and rows[nginx.url('/a.css')]['mime'] == 'text/css'
    assert rows[nginx.url('/moved')]['final_url'] == nginx.url('/a.css') and rows[nginx.url('/moved')]['redirects'] == [nginx.url('/a.css')]
    assert [rows[nginx.url(p)]['status'] for p in ('/gone', '/nothing')] == [410, 404]


def test_every_failure_has_its_reason(stage):
    origin, daemon = stage.origin(), stage.crawld()
    closed = f'http://127.0.0.1:{harness.free_port()}/'
    full, silent = stage.scripted([['noaccept']]), stage.scripted([['hang']])
    stops = stage.scripted([['send', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc'], ['hang']])
    half_head = stage.scripted([['send', 'HTTP/1.1 200 OK\r\nContent-'], ['hang']])
    drips = stage.scripted([['send', 'HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n'], ['every_ms', 100, 'x']])
    resets = stage.scripted([['send', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc'], ['sleep_ms', 50], ['rst']])
    garbage = stage.scripted([['send', 'SSH-2.0-OpenSSH_9\r\n'], ['close']])
    ends = {origin.url('/drop/50'): 'body_incomplete', origin.url('/rst'): 'conn_reset', origin.url('/empty'): 'empty_reply',
            closed: 'connect_refused', full.url('/'): 'connect_timeout', silent.url('/'): 'first_byte_timeout', stops.url('/'): 'idle_timeout',
            half_head.url('/'): 'idle_timeout', drips.url('/'): 'total_timeout', resets.url('/'): 'body_incomplete', garbage.url('/'): 'bad_response'}
    job, rows = crawl(daemon, ends, timeouts={'connect_ms': 700, 'first_byte_ms': 600, 'idle_ms': 600, 'total_ms': 2000}, retry={'attempts': 1})
    for url, reason in ends.items():
        assert ended(rows[url]) == ('failed', reason), (reason, rows[url])
        assert rows[url]['attempts'] == 1, rows[url]
    for url in (origin.url('/drop/50'), resets.url('/'), stops.url('/'), drips.url('/')):
        record = daemon.page(job, rows[url])
        assert record.header('WARC-Truncated') == ('time' if 'timeout' in ends[url] else 'disconnect'), record.headers
        assert rows[url]['truncated'] == record.header('WARC-Truncated'), rows[url]


def test_a_timeout_is_kept_to(stage):
    servers, daemon = [stage.scripted([['hang']]) for _ in range(5)], stage.crawld()
    begun = time.monotonic()
    _, rows = crawl(daemon, [s.url() for s in servers], timeouts={'total_ms': 400, 'first_byte_ms': 300}, retry={'attempts': 1})
    assert time.monotonic() - begun < 10
    assert all(300 <= row['ms']['total'] < 5000 for row in rows.values()), rows


def test_what_is_tried_again_is_said_by_its_cause(stage):
    origin, daemon = stage.origin(), stage.crawld()
    targets = {'/flaky/3/a': (200, 3), '/flaky/9/b': (500, 3), '/status/502': (502, 3), '/status/504': (504, 3), '/status/408': (408, 3),
               '/status/501': (501, 1), '/status/404': (404, 1), '/drop/5': (200, 3), '/rst': (None, 3), '/empty': (None, 3)}
    _, rows = crawl(daemon, [origin.url(t) for t in targets], retry={'attempts': 3, 'backoff_ms': 30, 'factor': 1})
    for target, (status, attempts) in targets.items():
        row = rows[origin.url(target)]
        assert (row.get('status'), row['attempts']) == (status, attempts), row
    counted = {target: sum(t == target for t in origin.stop().targets()) for target in targets}
    for target, (status, attempts) in targets.items():
        # Where a kept connection was closed instead of an answer, the same attempt is made on another one.
        assert counted[target] == attempts or status is None and attempts <= counted[target] <= 2 * attempts, counted


def test_the_wait_grows_between_attempts(stage):
    server, daemon = stage.scripted([['send', 'HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n']]), stage.crawld()
    _, rows = crawl(daemon, [server.url()], retry={'attempts': 4, 'backoff_ms': 100, 'factor': 3})
    times = [r.time_ns / 1e6 for r in server.requests]
    gaps = [b - a for a, b in zip(times, times[1:])]
    assert len(gaps) == 3 and all(gap >= 85 * 3 ** n for n, gap in enumerate(gaps)), gaps


def test_any_whole_answer_is_a_result_whatever_its_status(stage):
    origin, daemon = stage.origin(), stage.crawld()
    _, rows = crawl(daemon, [origin.url(f'/status/{status}') for status in (200, 201, 203, 204, 304, 400, 401, 403, 404, 410, 418, 451, 501, 505, 599)])
    for row in rows.values():
        assert row['outcome'] == 'stored' and row['url'].endswith(str(row['status'])), row


def test_a_redirect_that_comes_after_the_cancel_ends_its_url(stage):
    away = stage.scripted([['sleep_ms', 1500], ['send', 'HTTP/1.1 302 Found\r\nLocation: /next\r\nContent-Length: 0\r\n\r\n']])
    daemon = stage.crawld()
    job = daemon.submit({'seeds': [away.url()], 'pace': OWN})
    harness.wait_until(lambda: away.requests, 'it was asked')
    daemon.call('job.cancel', job=job)
    daemon.wait_state(job, 'cancelled')
    assert [ended(row) for row in daemon.rows(job)] == [('excluded', 'cancelled')]


def test_redirects_are_followed_inline_to_one_row(stage):
    origin, other, daemon = stage.origin(), stage.origin(), stage.crawld()
    def to(url, status=302):
        return origin.url(f'/redirect-to?status={status}&url=' + url.replace('%', '%25').replace(':', '%3A').replace('/', '%2F').replace('#', '%23'))
    closed = f'http://127.0.0.1:{harness.free_port()}/'
    ends = {origin.url('/redirect/3'): ('stored', None), origin.url('/redirect/99'): ('failed', 'redirect_limit'),
            to('ftp://a/'): ('excluded', 'scheme'), to('wss://127.0.0.1/'): ('excluded', 'scheme'), to('javascript:alert(1)'): ('excluded', 'scheme'),
            to('http://[::1'): ('failed', 'bad_redirect'), to('http://a:99999/'): ('failed', 'bad_redirect'), to('http://10.0.0.1/'): None,
            to(other.url('/moved'), 301): ('stored', None), to(other.url('/see'), 303): ('stored', None), to(other.url('/t'), 307): ('stored', None),
            to(other.url('/p'), 308): ('stored', None), to('//127.0.0.1:%d/relative' % other.port): ('stored', None),
            to(closed): ('failed', 'connect_refused'), to(other.url('/status/404')): ('stored', None), to(other.url('/x#part')): ('stored', None)}
    job, rows = crawl(daemon, ends, retry={'attempts': 1})
    for url, end in ends.items():
        row = rows[url]
        assert end is None or ended(row) == end, (url, row)
        assert 'redirects' in row or end == ('failed', 'bad_redirect'), row
        assert end is None or end[1] or row['final_url'] == row['redirects'][-1], row
    assert ended(rows[to('http://10.0.0.1/')]) in (('excluded', 'address_denied'), ('excluded', 'contact'))
    good = rows[origin.url('/redirect/3')]
    assert good['final_url'] == origin.url('/redirect/0') and len(good['redirects']) == 3, good
    assert len(rows[origin.url('/redirect/99')]['redirects']) == 11, rows[origin.url('/redirect/99')]
    assert rows[to(other.url('/x#part'))]['final_url'] == other.url('/x')
    responses = [r for r in daemon.warc_records(job) if r.type == 'response']
    hops = [r for r in responses if r.http()[0].split(' ')[1][0] == '3']
    assert len(hops) == 3 + 11 + len(ends) - 2, len(hops)


def test_a_chain_of_long_redirects_ends_without_a_limit_too(stage):
    asked = iter(range(10000))
    far = stage.scripted(choose=lambda number, request: [['send', f'HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /{next(asked)}/' + 'x' * 8000 + '\r\n\r\n']])
    daemon = stage.crawld()
    _, rows = crawl(daemon, [far.url('/')], redirects={'max': 0})
    row = rows[far.url('/')]
    assert ended(row) == ('failed', 'redirect_limit') and 20 < len(row['redirects']) < 50, len(row['redirects'])


def test_a_redirect_loop_is_seen(stage):
    location = 'HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: %s\r\n\r\n'
    own, pair, none = (stage.scripted([['send', location % word]]) for word in ('@SELF', '@PINGPONG', '@NEXT'))
    empty, missing = stage.scripted([['send', location % '']]), stage.scripted([['send', 'HTTP/1.1 302 Found\r\nContent-Length: 2\r\n\r\nhi']])
    daemon = stage.crawld()
    _, rows = crawl(daemon, [s.url('/ping') for s in (own, pair, none, empty, missing)], redirects={'max': 4})
    assert ended(rows[own.url('/ping')]) == ended(rows[pair.url('/ping')]) == ('failed', 'redirect_loop')
    assert ended(rows[none.url('/ping')]) == ('failed', 'redirect_limit') and len(none.requests) == 5
    assert ended(rows[missing.url('/ping')]) == ('stored', None) and rows[missing.url('/ping')]['status'] == 302
    assert rows[empty.url('/ping')]['outcome'] in ('stored', 'failed')


def test_only_the_first_origin_gets_the_jobs_headers(stage):
    daemon, other = stage.crawld(settings={'allow_cidr': '127.0.0.0/8,::1/128'}), stage.origin(listen='[::1]:0')
    own = stage.scripted(choose=lambda number, request: [['send', 'HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: ' + (
        own.url('/second') if request.target == '/first' else other.url('/echo')) + '\r\n\r\n']])
    job, rows = crawl(daemon, [own.url('/first')], request={'headers': {'Authorization': 'Basic c2VjcmV0', 'Cookie': 'a=b', 'X-Key': 'k', 'Accept-Language': 'la'}})
    [row] = rows.values()
    assert [r.header('authorization') for r in own.requests] == ['Basic c2VjcmV0'] * 2
    echo = daemon.page(job, row).payload().decode().lower()
    assert [r.header('x-key') for r in own.requests] == ['k'] * 2
    assert 'accept-language: la' in echo and not {'authorization', 'cookie', 'x-key'} & set(re.findall('^[a-z-]+', echo, re.M)), echo


def test_keep_rules_decide_what_is_stored(stage):
    origin, daemon = stage.origin(), stage.crawld()
    absent, present = origin.url(f'/text?a%20{ABSENT}%20b'), origin.url(f'/text?{PRESENT}')
    job, rows = crawl(daemon, [absent, present, origin.url('/status/404')], keep={'status': [200], 'body_lacks': ['不存在']})
    assert {url: ended(row) for url, row in rows.items()} == {
        absent: ('dropped', 'keep.body_lacks'), present: ('stored', None), origin.url('/status/404'): ('dropped', 'keep.status')}, rows
    assert all('warc' not in row for row in rows.values() if row['outcome'] == 'dropped')
    assert sum(r.type == 'response' for r in daemon.warc_records(job)) == 1


def test_every_keep_rule_has_its_word(stage):
    origin, daemon = stage.origin(), stage.crawld()
    text = [origin.url(f'/text?{word}') for word in ('alpha', 'alphabeta', 'beta', 'gammaalpha')]
    def ends(**keep):
        _, rows = crawl(daemon, [*text, origin.url('/bytes/10'), origin.url('/status/201')], keep=keep)
        return [rows[url].get('reason', 'stored').removeprefix('keep.') for url in [*text, origin.url('/bytes/10'), origin.url('/status/201')]]
    assert ends(body_has=['alpha', 'beta']) == ['body_has', 'stored'] + ['body_has'] * 4
    assert ends(body_lacks=['beta', 'gamma']) == ['stored'] + ['body_lacks'] * 3 + ['stored'] * 2
    assert ends(status=['2xx'], mime=['text/html'])[:4] == ['stored'] * 4
    assert ends(min_bytes=6) == ['min_bytes', 'stored', 'min_bytes', 'stored', 'stored', 'stored']
    assert ends(max_bytes=8) == ['stored', 'max_bytes', 'stored', 'max_bytes', 'max_bytes', 'max_bytes']
    assert ends(status=[201]) == ['status'] * 5 + ['stored']


def test_a_text_cut_by_the_network_is_found(stage):
    whole = '不存在'.encode().decode('latin-1')
    head = 'HTTP/1.1 200 OK\r\nContent-Length: 29\r\n\r\n' + 'x' * 10
    cut = [stage.scripted([['send', head + whole[:n]], ['sleep_ms', 30], ['send', whole[n:] + 'y' * 10]]) for n in range(1, 9)]
    chunks = ''.join(f'1\r\n{c}\r\n' for c in whole)
    cut.append(stage.scripted([['send', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n' + chunks + '0\r\n\r\n']]))
    daemon = stage.crawld()
    _, rows = crawl(daemon, [s.url() for s in cut], keep={'body_lacks': ['不存在']})
    assert {ended(row) for row in rows.values()} == {('dropped', 'keep.body_lacks')}, rows


def test_pages_all_keeps_what_is_dropped(stage):
    origin, daemon = stage.origin(), stage.crawld()
    urls = [origin.url('/bytes/10'), origin.url('/status/404')]
    job, rows = crawl(daemon, urls, keep={'status': [200]}, store={'pages': 'all'})
    dropped = rows[origin.url('/status/404')]
    assert ended(dropped) == ('dropped', 'keep.status'), dropped
    assert daemon.page(job, dropped).payload() == b'status 404\n'


def test_store_none_makes_rows_and_no_files(stage):
    origin, daemon = stage.origin(), stage.crawld()
    job, rows = crawl(daemon, [origin.url('/bytes/1000'), origin.url('/drop/10')], store={'format': 'none'}, retry={'attempts': 1})
    good = rows[origin.url('/bytes/1000')]
    assert ended(good) == ('stored', None) and 'warc' not in good and good['body_bytes'] == 1000, good
    assert good['sha1'] == harness.warcfile.sha1_base32(harness.origin_body('/bytes/1000', 1000))
    assert ended(rows[origin.url('/drop/10')]) == ('failed', 'body_incomplete')
    assert not daemon.warc_paths(job)


def check_warc(daemon, job, rows, gzipped):
    """Every file: warcinfo first, then response and request pairs that name each other and the address."""
    harness.wait_until(lambda: not any(path.endswith('.open') for path in daemon.warc_paths(job)), 'the files are closed', 10)
    for path in daemon.warc_paths(job):
        assert path.endswith('.warc.gz' if gzipped else '.warc'), path
        first, *records = harness.warcfile.read(path)
        assert first.type == 'warcinfo', first.headers
        info = first.block.decode()
        assert 'robots: ignore' in info and 'software: crawld/' in info, info
        ids = [record.header('WARC-Record-ID') for record in [first, *records]]
        assert len(set(ids)) == len(ids)
        assert len(records) % 2 == 0
        for response, request in zip(records[::2], records[1::2]):
            assert (response.type, request.type) == ('response', 'request')
            assert request.header('WARC-Concurrent-To') == response.header('WARC-Record-ID'), request.headers
            assert request.header('WARC-Target-URI') == response.header('WARC-Target-URI')
            assert request.header('WARC-Date') == response.header('WARC-Date')
            assert response.header('WARC-IP-Address') == '127.0.0.1', response.headers
            for record in (response, request):
                assert record.header('WARC-Warcinfo-ID') in (None, first.header('WARC-Record-ID')), record.headers
                assert record.header('WARC-Block-Digest'), record.headers
            assert response.header('WARC-Payload-Digest') and response.header('Content-Type').replace(' ', '') == 'application/http;msgtype=response'
            line, headers, _ = request.http()
            assert line.startswith('GET /') and line.endswith(' HTTP/1.1') and dict(headers)['Host'].startswith('127.0.0.1:'), (line, headers)
    for row in rows.values():
        daemon.page(job, row)


def test_warc_files_are_whole_and_rotate(stage):
    origin, daemon = stage.origin(), stage.crawld(settings={'workers': 1})
    targets = [f'/delay/10/bytes/{20000 + n}' for n in range(100)] + ['/chunked/5000', '/close/100', '/bytes/0', '/status/404']
    for compress in ('none', 'gzip'):
        job, rows = crawl(daemon, [origin.url(t) for t in targets], pace={**OWN, 'in_flight': 4}, store={'compress': compress, 'rotate_bytes': 1000000 if compress == 'none' else 200000})
        check_warc(daemon, job, rows, compress == 'gzip')
        paths = daemon.warc_paths(job)
        assert len(paths) >= 2, paths
        assert {row['warc']['file'] for row in rows.values()} == {path.rpartition('/')[2] for path in paths}


def test_a_body_over_the_limit_is_a_cut_result(stage):
    origin, daemon = stage.origin(), stage.crawld()
    endless = stage.scripted([['send', 'HTTP/1.1 200 OK\r\n\r\n'], ['forever', 'abcd']])
    targets = ['/bytes/5000', '/bytes/5001', '/bytes/4999', '/chunked/9000', '/close/2000000', '/bytes/3000000']
    urls = [origin.url(t) for t in targets] + [endless.url()]
    job, rows = crawl(daemon, urls, max_body_bytes=5000)
    for url, row in rows.items():
        whole = url.endswith(('/bytes/5000', '/bytes/4999'))
        assert ended(row) == ('stored', None) and row.get('truncated') == (None if whole else 'length'), row
        assert row['body_bytes'] == (4999 if url.endswith('4999') else 5000), row
        record = daemon.page(job, row)
        assert record.header('WARC-Truncated') == row.get('truncated'), record.headers
    assert daemon.page(job, rows[origin.url('/chunked/9000')]).payload() == harness.origin_body('/chunked/9000', 9000)[:5000]


def test_ipv6_is_fetched(stage):
    origin, daemon = stage.origin(listen='[::1]:0'), stage.crawld(settings={'allow_cidr': '::1/128'})
    job, rows = crawl(daemon, [origin.url('/echo'), origin.url('/redirect/1')])
    row = rows[origin.url('/echo')]
    assert row['outcome'] == 'stored' and row['ip'] == '::1', row
    record = daemon.page(job, row)
    assert record.header('WARC-IP-Address') == '::1' and f'Host: [::1]:{origin.port}' in record.payload().decode()


def test_the_request_says_what_the_job_asks(stage):
    origin, daemon = stage.origin(), stage.crawld(settings={'contact': 'https://example.org/bot'})
    def echo(url='/echo', **request):
        job, rows = crawl(daemon, [url if '://' in url else origin.url(url)], request=request, dedup=False)
        [row] = rows.values()
        return daemon.page(job, row).payload().decode()
    plain = echo()
    assert plain.startswith(f'GET /echo HTTP/1.1\r\nHost: {origin.address}\r\n'), plain
    assert 'User-Agent: crawld/' in plain and '(+https://example.org/bot)' in plain, plain
    assert 'Accept-Encoding' not in plain or 'identity' in plain or 'gzip' in plain, plain
    own = echo(headers={'X-One': '1', 'Accept': 'text/html'}, user_agent='mine/1')
    assert 'X-One: 1\r\n' in own and 'Accept: text/html\r\n' in own and own.count('Accept:') == 1 and 'User-Agent: mine/1\r\n' in own, own
    with_user = echo(f'http://us%40er:pa%3Ass@{origin.address}/echo')
    assert 'Authorization: Basic ' + base64.b64encode(b'us@er:pa:ss').decode() in with_user and '@' not in with_user.split('Host:')[1].split('\r\n')[0], with_user


def test_a_body_is_posted_and_a_head_has_none(stage):
    server, daemon = stage.scripted([['send', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok']]), stage.crawld()
    nobody = stage.scripted([['send', 'HTTP/1.1 200 OK\r\nContent-Length: 2000\r\nContent-Type: text/plain\r\n\r\n']])
    job, rows = crawl(daemon, [server.url('/form')], request={'method': 'POST', 'body': 'a=不', 'headers': {'Content-Type': 'application/x-www-form-urlencoded'}})
    [request] = server.requests
    assert request.method == 'POST' and request.header('Content-Length') == '5', request.raw
    [sent] = [r for r in daemon.warc_records(job) if r.type == 'request']
    assert sent.http()[2] == 'a=不'.encode(), sent.block
    moved = stage.scripted(choose=lambda number, request: [['send', f'HTTP/1.1 {request.target[1:4]} Moved\r\nContent-Length: 0\r\n' + (
        f'Location: {server.url("/after" + request.target[1:4])}\r\n\r\n')]])
    crawl(daemon, [moved.url(f'/{status}') for status in (301, 302, 303, 307, 308)], request={'method': 'POST', 'body': 'abc'})
    after = {r.target: (r.method, r.header('Content-Length')) for r in server.requests[1:]}
    assert after == {**{f'/after{n}': ('GET', None) for n in (301, 302, 303)}, **{f'/after{n}': ('POST', '3') for n in (307, 308)}}, after
    job, rows = crawl(daemon, [nobody.url('/'), nobody.url('/b')], request={'method': 'HEAD'})
    assert all(ended(r) == ('stored', None) and r['body_bytes'] == 0 for r in rows.values()), rows


def test_spellings_of_one_url_are_one_url(stage):
    names = {'name.test': ['127.0.0.1']}
    dns, origin = stage.dns(names), stage.origin()
    daemon = stage.crawld(settings={'dns_servers': dns.address})
    port = origin.port
    spellings = [f'http://NAME.test:{port}/a?b', f'HTTP://name.TEST:{port}/./a?b', f'http://name.test:{port}/x/../a?b', f'http://name.test:{port}/a?b#part',
                 f'  http://name.test:{port}/a?b  ', f'http://name.test:{port:05d}/%61?b']
    job = daemon.submit({'seeds': spellings, 'pace': OWN})
    daemon.wait_done(job)
    rows = daemon.rows(job)
    assert {row['url'] for row in rows} <= {f'http://name.test:{port}/a?b', f'http://name.test:{port}/%61?b'}, rows
    assert all(row['ip'] == '127.0.0.1' and row['outcome'] == 'stored' for row in rows), rows


def test_what_a_name_server_says_decides(stage):
    names = {'good.test': ['127.0.0.1'], 'none.test': 'NXDOMAIN', 'empty.test': [], 'broken.test': 'SERVFAIL', 'refused.test': 'REFUSED', 'silent.test': 'DROP',
             'long.test': 'TRUNCATED', 'second.test': ['127.0.0.9', '127.0.0.1'], 'both.test': ['::1', '127.0.0.1'],
             'late.test': lambda earlier: 'SERVFAIL' if earlier < 1 else ['127.0.0.1']}
    dns, origin = stage.dns(names), stage.origin()
    daemon = stage.crawld(settings={'dns_servers': dns.address, 'allow_cidr': '127.0.0.0/8,::1/128'})
    reasons = {'none': 'dns_not_found', 'empty': 'dns_not_found', 'broken': 'dns_error', 'refused': 'dns_error', 'silent': 'dns_timeout',
               **{name: None for name in ('good', 'long', 'second', 'both')}}
    _, rows = crawl(daemon, [origin.url('/', f'{name}.test') for name in reasons], timeouts={'dns_ms': 1500}, retry={'attempts': 1})
    for name, reason in reasons.items():
        row = rows[origin.url('/', f'{name}.test')]
        assert ended(row) == (('failed', reason) if reason else ('stored', None)), row
    _, rows = crawl(daemon, [origin.url('/again', 'late.test')], retry={'attempts': 2, 'backoff_ms': 50})
    assert [row['outcome'] for row in rows.values()] == ['stored'], rows
    _, rows = crawl(daemon, [origin.url(f'/{n}', 'good.test') for n in range(300)])
    assert {row['outcome'] for row in rows.values()} == {'stored'} and dns.asked('good.test') <= 2 * len(daemon.call('worker.list')['items'])


def test_a_closed_kept_connection_costs_no_page(stage):
    origin, daemon = stage.origin(), stage.crawld()
    job = daemon.submit({'seeds': [origin.url(f'/stale?{i}') for i in range(200)], 'pace': {**OWN, 'connections_per_host': 2}})
    daemon.wait_done(job)
    assert {row['outcome'] for row in daemon.rows(job)} == {'stored'}
    assert len(origin.stop().requests) == 200
