# SPDX-License-Identifier: MIT
"""The harness's own parts: if these lie, no scenario can be believed."""
import base64
import gzip
import hashlib
import http.client
import os
import resource
import selectors
import socket
import ssl
import time

import harness
import warcfile


def get(port, target, method='GET', host='127.0.0.1'):
    """(status, headers, body) over a connection of its own."""
    connection = http.client.HTTPConnection(host, port, timeout=20)
    try:
        connection.request(method, target)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def exchange(port, data, host='127.0.0.1'):
    """All bytes that come back until the origin closes."""
    with socket.create_connection((host, port), 20) as s:
        s.sendall(data)
        out = b''
        while part := s.recv(65536):
            out += part
        return out


def test_origin_bodies_are_known_byte_for_byte(stage):
    origin = stage.origin('--body-bytes', 5000)
    for target, size in (('/', 5000), ('/bytes/0', 0), ('/bytes/3', 3), ('/bytes/200001', 200001),
                         ('/chunked/2500', 2500), ('/close/70000', 70000), ('/delay/30/bytes/77', 77)):
        status, _, body = get(origin.port, target)
        assert status == 200 and body == harness.origin_body(target, size), (target, status, len(body))


def test_origin_steers_by_path(stage):
    port = stage.origin().port
    assert get(port, '/status/404')[0] == 404
    assert get(port, '/status/503?retry_after=7')[1]['Retry-After'] == '7'
    assert get(port, '/status/204')[2] == b''
    assert get(port, '/redirect/2')[1]['Location'] == '/redirect/1'
    assert get(port, '/redirect/0')[0] == 200
    assert get(port, '/redirect-to?url=http%3A%2F%2Fa.test%2Fb%3Fc')[1]['Location'] == 'http://a.test/b?c'
    assert get(port, '/text?%E4%B8%8D%E5%AD%98%E5%9C%A8')[2].decode() == '不存在'
    assert get(port, '/bytes/100', 'HEAD')[1:] == ({**get(port, '/bytes/100')[1]}, b'')
    assert get(port, 'http://other.test/bytes/4')[2] == harness.origin_body('http://other.test/bytes/4', 4)
    assert get(port, '/robots.txt')[0] == 404
    assert exchange(port, b'GET /echo HTTP/1.0\r\nX-Y: z\r\n\r\n').endswith(b'GET /echo HTTP/1.0\r\nX-Y: z')


def test_origin_flaky_fails_for_each_target_alone_in_all_processes(stage):
    port = stage.origin('--processes', 2).port
    assert [get(port, '/flaky/4/a')[0] for _ in range(6)] == [500, 500, 500, 200, 200, 200]
    assert get(port, '/flaky/4/b')[0] == 500


def test_origin_breaks_connections_as_told(stage):
    port = stage.origin().port
    assert exchange(port, b'GET /empty HTTP/1.1\r\n\r\n') == b''
    head, _, body = exchange(port, b'GET /drop/50 HTTP/1.1\r\n\r\n').partition(b'\r\n\r\n')
    assert len(body) == 50 and b'Content-Length: 1050' in head
    stale = exchange(port, b'GET /stale HTTP/1.1\r\n\r\n')
    assert b'Connection: keep-alive' in stale and len(stale.partition(b'\r\n\r\n')[2]) == 1024
    try:
        exchange(port, b'GET /rst HTTP/1.1\r\n\r\n')
        raise AssertionError('no RST')
    except ConnectionResetError:
        pass


def test_origin_answers_pipelined_requests_in_order(stage):
    port = stage.origin().port
    out = exchange(port, b'POST /bytes/5 HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody' + b'GET /delay/50/bytes/6 HTTP/1.1\r\n\r\n'
                   + b'GET /bytes/7 HTTP/1.1\r\nConnection: close\r\n\r\n')
    sizes = [int(part.split(b'\r\n')[0]) for part in out.split(b'Content-Length: ')[1:]]
    assert sizes == [5, 6, 7], out


def test_origin_refuses_what_is_no_request(stage):
    port = stage.origin().port
    for junk in (b'\r\n\r\n', b'GET\r\n\r\n', b'GET / HTTP/2\r\n\r\n', b'GET /\0 HTTP/1.1\r\n\r\n', b'\x16\x03\x01' * 50 + b'\r\n\r\n',
                 b'G' * 70000):
        try:
            assert exchange(port, junk) == b''
        except ConnectionResetError:
            pass
    assert get(port, '/')[0] == 200


def test_origin_serves_files_only_below_its_root(stage):
    os.makedirs(stage.path('root/sub'))
    stage.write('secret', 'no')
    stage.write('root/index.html', 'top')
    stage.write('root/sub/index.html', 'sub')
    stage.write('root/a b.css', 'css')
    os.symlink(stage.path('secret'), stage.path('root/link'))
    port = stage.origin('--root', stage.path('root')).port
    assert get(port, '/')[2] == b'top'
    assert get(port, '/sub/?q')[2] == b'sub'
    assert get(port, '/a%20b.css')[1]['Content-Type'] == 'text/css'
    for target in ('/../secret', '/%2e%2e/secret', '/sub/..%2f..%2fsecret', '//etc/passwd', '/link', '/none', '/sub', '/a%00b'):
        assert get(port, target)[0] == 404, target


def test_origin_listens_on_several_addresses(stage):
    origin = stage.origin('--listen', '[::1]:0', listen='0.0.0.0:0')
    first, second = [line.rpartition(':')[2] for line in origin.stdout().splitlines()]
    assert get(int(first), '/bytes/3', host='127.0.0.77')[0] == 200
    assert get(int(second), '/bytes/3', host='::1')[0] == 200
    ledger = origin.stop()
    assert ledger.requests[0]['local'] == f'127.0.0.77:{first}', ledger.requests


def test_ledger_proves_gaps_and_connections(stage):
    origin = stage.origin()
    kept = http.client.HTTPConnection('127.0.0.1', origin.port)
    for target in ('/a', '/delay/120/b', '/c%20d'):
        kept.request('GET', target, headers={'Host': 'h.test'})
        kept.getresponse().read()
    get(origin.port, '/other')
    kept.close()
    ledger = origin.stop()
    assert ledger.targets() == ['/a', '/delay/120/b', '/c%2520d', '/other']
    assert ledger.most_connections() == 2 and len(ledger.connections) == 2
    slow = ledger.requests[1]
    assert slow['answered_ns'] - slow['arrived_ns'] >= 120_000_000 and slow['status'] == 200
    assert ledger.requests[2]['arrived_ns'] - slow['arrived_ns'] >= 120_000_000
    assert len({r['connection'] for r in ledger.requests if r['host'] == 'h.test'}) == 1


def test_origin_holds_many_delayed_answers(stage):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = min(19000, hard - 200)
    origin = stage.origin('--delay', '1.0-1.5', '--body-bytes', 10)
    selector, left, start = selectors.DefaultSelector(), count, time.monotonic()
    for i in range(count):
        s = socket.create_connection(('127.0.0.1', origin.port))
        s.sendall(b'GET /x HTTP/1.1\r\n\r\n')
        selector.register(s, selectors.EVENT_READ)
    while left:
        for key, _ in selector.select(30) or [(None, None)]:
            assert key is not None, f'{left} answers missing'
            assert key.fileobj.recv(4096).startswith(b'HTTP/1.1 200')
            selector.unregister(key.fileobj)
            key.fileobj.close()
            left -= 1
    assert time.monotonic() - start >= 1.0
    ledger = origin.stop()
    assert len(ledger.requests) == count
    assert min(r['answered_ns'] - r['arrived_ns'] for r in ledger.requests) >= 1_000_000_000


def test_scripted_server_plays_its_steps(stage):
    plain = 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n'
    server = stage.scripted([['send', plain], ['sleep_ms', 1], ['repeat', 3, '%d'], ['close']])
    assert get(server.port, '/q')[2] == b'012'
    assert server.requests[0].target == '/q' and server.requests[0].header('host')
    server = stage.scripted([['send', plain + 'abc'], ['wait_request'], ['rst']])
    try:
        exchange(server.port, b'GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n')
        raise AssertionError('no RST')
    except ConnectionResetError:
        assert [r.target for r in server.requests] == ['/1', '/2']
    server = stage.scripted([['send_before_read', 'early'], ['hex', '00ff'], ['random', 4], ['close']])
    assert len(exchange(server.port, b'')) == 11


def test_scripted_server_answers_robots_on_the_side(stage):
    server = stage.scripted([['send', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx'], ['close']])
    out = exchange(server.port, b'GET /robots.txt HTTP/1.1\r\n\r\nGET /p HTTP/1.1\r\n\r\n')
    assert out.count(b'HTTP/1.1') == 2 and [r.target for r in server.requests] == ['/p']


def test_scripted_server_has_a_script_for_each_connection(stage):
    say = 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n'
    server = stage.scripted(scripts=[[['send', say + 'a']], [['send', say + 'b']]])
    assert [get(server.port, '/')[2] for _ in range(3)] == [b'a', b'b', b'b']


def test_scripted_server_makes_codings(stage):
    server = stage.scripted([['coded', {'enc': 'gzip', 'plain_len': 1000, 'layers': 2}]])
    _, headers, body = get(server.port, '/')
    assert headers['Content-Encoding'] == 'gzip, gzip' and len(gzip.decompress(gzip.decompress(body))) == 1000
    server = stage.scripted([['coded', {'enc': 'gzip', 'plain_len': 1000, 'flip_crc': True}]])
    try:
        gzip.decompress(get(server.port, '/')[2])
        raise AssertionError('the checksum is right')
    except gzip.BadGzipFile:
        pass


def test_scripted_server_can_refuse_connections(stage):
    server = stage.scripted([['noaccept']])
    with socket.socket() as s:
        s.settimeout(0.3)
        try:
            s.connect(('127.0.0.1', server.port))
            raise AssertionError('connected')
        except TimeoutError:
            pass


def test_scripted_server_speaks_tls_and_ends_it_as_told(stage):
    ca = stage.ca()
    cert = ca.issue('a.test')

    def fetch(*end):
        server = stage.scripted([['send', 'hello'], list(end)], tls=cert)
        context = ssl.create_default_context(cafile=ca.path)
        with socket.create_connection(('127.0.0.1', server.port)) as plain:
            with context.wrap_socket(plain, server_hostname='a.test', suppress_ragged_eofs=False) as secure:
                secure.sendall(b'GET / HTTP/1.1\r\n\r\n')
                return secure.recv(100), secure.recv(100)
    assert fetch('close_notify') == (b'hello', b'')
    for end in ('close', 'rst'):
        try:
            raise AssertionError(fetch(end))
        except (ssl.SSLEOFError, ConnectionResetError):
            pass


def test_nginx_serves_from_its_own_directory(stage):
    nginx = stage.nginx(files={'a/index.html': 'hello'})
    assert get(nginx.port, '/a/')[2] == b'hello'


def test_certificates_are_what_was_asked_for(stage):
    ca = stage.ca()
    middle = ca.intermediate()
    nginx = stage.nginx(tls=middle.issue('a.test', '*.b.test', '127.0.0.1', key='rsa'), files={'x': 'hello'})

    def connect(port, name):
        context = ssl.create_default_context(cafile=ca.path)
        with socket.create_connection(('127.0.0.1', port)) as plain, context.wrap_socket(plain, server_hostname=name) as secure:
            return secure.version()
    for name in ('a.test', 'x.b.test', '127.0.0.1'):
        assert connect(nginx.port, name), name
    others = {'wrong': (ca.issue('b.test'), 'mismatch'), 'expired': (ca.issue('a.test', dates=harness.ca.EXPIRED), 'expired'),
              'future': (ca.issue('a.test', dates=harness.ca.FUTURE), 'not yet valid'), 'self': (ca.issue('a.test', selfsigned=True), 'self-signed'),
              'cut': (middle.issue('a.test', chain=False), 'issuer')}
    for name, (pair, why) in others.items():
        server = stage.nginx(tls=pair, name=name)
        try:
            connect(server.port, 'a.test')
        except ssl.SSLCertVerificationError as error:
            assert why in str(error), (name, error)
            continue
        raise AssertionError(f'{name} was believed')


def record(block, payload, **changes):
    headers = {'WARC-Type': 'response', 'WARC-Record-ID': '<urn:uuid:00000000-0000-0000-0000-000000000000>',
               'WARC-Date': '2026-01-01T00:00:00Z', 'WARC-Target-URI': 'http://a.test/',
               'Content-Type': 'application/http; msgtype=response',
               'WARC-Payload-Digest': 'sha1:' + base64.b32encode(hashlib.sha1(payload).digest()).decode(),
               'Content-Length': str(len(block)), **changes}
    head = ''.join(f'{key}: {value}\r\n' for key, value in headers.items())
    return f'WARC/1.1\r\n{head}\r\n'.encode() + block + b'\r\n\r\n'


PLAIN = record(b'HTTP/1.1 200 OK\r\n\r\nhello', b'hello')
CHUNKED = record(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n', b'hello')


def refuses(path, why):
    try:
        warcfile.read(path)
    except warcfile.Damaged as damage:
        assert why in str(damage), damage
        return
    raise AssertionError(f'read without complaint: {why}')


def test_warc_reader_reads_members_and_plain_records(stage):
    for name, pack in (('a.warc.gz', gzip.compress), ('a.warc', bytes), ('b.warc.gz.open', gzip.compress)):
        path = stage.write(name, pack(PLAIN) + pack(CHUNKED))
        first, second = warcfile.read(path)
        assert first.payload() == second.payload() == b'hello' and first.type == 'response'
        assert second.offset == first.length == len(pack(PLAIN))
        assert warcfile.read_at(path, second.offset, second.length).payload() == b'hello'


def test_warc_reader_finds_damage(stage):
    packed = gzip.compress(PLAIN)
    refuses(stage.write('cut.warc.gz', packed + packed[:-3]), 'cut')
    refuses(stage.write('tail.warc', PLAIN[:-1]), 'bytes')
    refuses(stage.write('digest.warc', PLAIN.replace(b'hello', b'hellO')), 'Digest')
    refuses(stage.write('two.warc.gz', gzip.compress(PLAIN + PLAIN)), 'bytes')
    refuses(stage.write('noise.warc.gz', packed + b'\0\0'), '@')
    refuses(stage.write('block.warc', record(b'HTTP/1.1 200 OK\r\n\r\nhello', b'hello', **{'WARC-Block-Digest': 'sha1:A'})), 'Block')


def test_counter_identity_is_checked(stage):
    counts = dict(accepted=7, queued=1, in_flight=1, stored=2, dropped=1, failed=1, excluded=1, duplicates=9)
    harness.check_counts(counts)
    for key in ('accepted', 'queued', 'excluded'):
        try:
            harness.check_counts({**counts, key: counts[key] + 1})
        except AssertionError:
            continue
        raise AssertionError(key)
