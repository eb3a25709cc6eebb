# SPDX-License-Identifier: MIT
"""The same expectations for every web server Debian has."""
import collections
import gzip
import subprocess

import harness
import servers

OWN = {'preset': 'own'}
CONNECTIONS = 4


def fetch(daemon, server, paths, **spec):
    """(job, rows by path) of what was asked of the server; every row's record is looked at."""
    job = daemon.submit({'seeds': [server.url(path) for path in paths], 'pace': {**OWN, 'connections_per_host': CONNECTIONS}, 'retry': {'attempts': 1}, **spec})
    daemon.wait_done(job)
    rows = {row['url'].removeprefix(server.url('')): row for row in daemon.check_pages(job)}
    assert set(rows) == set(paths), set(paths) ^ set(rows)
    assert all(row['outcome'] == 'stored' for row in rows.values()), [row for row in rows.values() if row['outcome'] != 'stored'][:3]
    if server.tls:
        check_tls(daemon, job, rows.values())
    return job, rows


def check_tls(daemon, job, rows):
    """Version and cipher stand in rows and records."""
    assert all(row['tls']['verified'] is True and row['tls']['version'] in ('1.2', '1.3') for row in rows), rows
    for row in rows:
        record = daemon.page(job, row)
        told = record.header('WARC-Protocol'), record.header('WARC-Cipher-Suite')
        assert told == ('tls/' + row['tls']['version'], row['tls']['cipher']), (row, record.headers)


def field(record, name):
    return harness.warcfile.value_of(record.http()[1], name)


def content(daemon, job, row):
    """The body without its content coding."""
    record = daemon.page(job, row)
    return gzip.decompress(record.payload()) if field(record, 'Content-Encoding') == 'gzip' else record.payload()


def pages_come_over_kept_connections(daemon, server):
    """Every page once and right, and no more connections than allowed and worn out."""
    pages = server.site.pages
    job, rows = fetch(daemon, server, pages)
    for path, page in pages.items():
        assert rows[path]['status'] == 200 and content(daemon, job, rows[path]) == page, rows[path]
    seen = harness.wait_until(lambda: len(server.requests()) >= len(pages) and server.requests(), 'all requests are in its log', 10)
    assert collections.Counter(entry.target for entry in seen) == dict.fromkeys(pages, 1)
    by_connection = collections.Counter(entry.connection for entry in seen)
    worn_out = len(pages) // server.requests_per_connection if server.requests_per_connection else 0
    assert len(by_connection) <= CONNECTIONS + worn_out, by_connection
    assert not server.requests_per_connection or max(by_connection.values()) == server.requests_per_connection, by_connection
    for record in daemon.warc_records(job):
        if record.type == 'request':
            assert field(record, 'Range') is None and record.http()[0].endswith(' HTTP/1.1'), record.block


def every_kind_of_answer_is_kept(daemon, server):
    files, origin = server.site.files, server.site.origin
    paths = {'/': files['/index.html'], '/big.bin': files['/big.bin'], '/void.txt': b'', '/with%20blank.bin': b'blank', '/%2541.bin': b'percent',
             '/sub/': b'<p>below', **{f'/chunked/{n}': harness.origin_body(f'/chunked/{n}', n) for n in (0, 1, 300000)},
             '/close/70000': harness.origin_body('/close/70000', 70000)}
    statuses = {'/nothing': 404, '/status/204': 204, '/status/410': 410}
    job, rows = fetch(daemon, server, [*paths, *statuses, '/sub'])
    for path, body in paths.items():
        assert rows[path]['status'] == 200 and content(daemon, job, rows[path]) == body, rows[path]
    assert {path: rows[path]['status'] for path in statuses} == statuses
    assert rows['/status/204']['body_bytes'] == 0
    assert rows['/sub']['final_url'] == server.url('/sub/') and rows['/sub']['redirects'] == [server.url('/sub/')], rows['/sub']
    assert rows['/sub']['sha1'] == rows['/sub/']['sha1']
    chunked = daemon.page(job, rows['/chunked/300000'])
    assert field(chunked, 'Transfer-Encoding') == 'chunked' and len(chunked.http()[2]) > len(chunked.payload()) > 10000, chunked.http()[:2]
    assert origin.alive()


def answers_without_a_body_are_whole(daemon, server):
    """HEAD, and a 304 where the server knows dates; the connections stay usable."""
    _, rows = fetch(daemon, server, ['/big.bin', '/text.txt', '/nothing', '/', '/chunked/5000'], request={'method': 'HEAD'})
    assert {path: (row['status'], row['body_bytes']) for path, row in rows.items()} == {
        **dict.fromkeys(rows, (200, 0)), '/nothing': (404, 0)}, rows
    paths = ['/status/304', '/status/304?again'] + ['/big.bin', '/page/1.html', '/page/2.html'] * (not isinstance(server, servers.Haproxy))
    _, rows = fetch(daemon, server, paths, request={'headers': {'If-Modified-Since': servers.MODIFIED}})
    assert {(row['status'], row['body_bytes']) for row in rows.values()} == {(304, 0)}, rows


def packed_text_is_read_and_kept_packed(daemon, server):
    """gzip comes unasked; rules see the text, digest and record what came."""
    job, rows = fetch(daemon, server, ['/text.txt'], keep={'body_has': ['line 1999: what is said twice']})
    row = rows['/text.txt']
    record = daemon.page(job, row)
    assert field(record, 'Content-Encoding') == 'gzip' and gzip.decompress(record.payload()) == servers.TEXT, record.http()[:2]
    assert row['decoded_bytes'] == len(servers.TEXT) > row['body_bytes'], row
    job = daemon.submit({'seeds': [server.url('/text.txt')], 'pace': OWN, 'keep': {'body_lacks': ['line 1999']}})
    daemon.wait_done(job)
    assert [(row['outcome'], row['reason']) for row in daemon.rows(job)] == [('dropped', 'keep.body_lacks')]


def meets_all(server, daemon):
    pages_come_over_kept_connections(daemon, server)
    every_kind_of_answer_is_kept(daemon, server)
    answers_without_a_body_are_whole(daemon, server)
    packed_text_is_read_and_kept_packed(daemon, server)


def meets_all_plain(stage, kind):
    meets_all(kind(stage, servers.Site(stage)), stage.crawld())


def secure(stage, kind, key, **options):
    """(server, daemon that trusts it) for https://site.test."""
    authority, dns = stage.ca(), stage.dns({'site.test': ['127.0.0.1']})
    server = kind(stage, servers.Site(stage), tls=authority.issue('site.test', key=key), host='site.test', **options)
    return server, stage.crawld(settings={'ca_file': authority.path, 'dns_servers': dns.address})


def test_nginx_is_understood(stage):
    meets_all_plain(stage, servers.Nginx)


def test_apache_is_understood(stage):
    meets_all_plain(stage, servers.Apache)


def test_lighttpd_is_understood(stage):
    meets_all_plain(stage, servers.Lighttpd)


def test_caddy_is_understood(stage):
    meets_all_plain(stage, servers.Caddy)


def test_haproxy_is_understood(stage):
    meets_all_plain(stage, servers.Haproxy)


def test_nginx_is_understood_over_tls(stage):
    meets_all(*secure(stage, servers.Nginx, 'ec'))


def test_nginx_with_an_rsa_key_is_understood(stage):
    meets_all(*secure(stage, servers.Nginx, 'rsa'))


def test_apache_is_understood_over_tls(stage):
    meets_all(*secure(stage, servers.Apache, 'rsa'))


def test_lighttpd_is_understood_over_tls(stage):
    meets_all(*secure(stage, servers.Lighttpd, 'ec'))


def test_caddy_is_understood_over_tls(stage):
    meets_all(*secure(stage, servers.Caddy, 'ec'))


def test_haproxy_is_understood_over_tls(stage):
    meets_all(*secure(stage, servers.Haproxy, 'p384'))


def knows_tls_1_3():
    """mbedTLS 2.28 does not."""
    linked = subprocess.run(['ldd', harness.program('daemon', 'crawld')], check=True, capture_output=True, text=True).stdout
    return 'libmbedtls.so.14' not in linked


def meets_with(stage, options, versions, resumed):
    """All over nginx with these lines; the versions spoken, and whether all connections but the first resume."""
    server, daemon = secure(stage, servers.Nginx, 'ec', options=options)
    meets_all(server, daemon)
    handshakes = server.handshakes()
    assert {handshake.version for handshake in handshakes} == versions, handshakes
    assert sum(not handshake.resumed for handshake in handshakes) == (1 if resumed else len(handshakes)), handshakes


def test_sessions_are_resumed_by_ticket(stage):
    meets_with(stage, 'ssl_protocols TLSv1.2; ssl_session_cache off; ssl_session_tickets on;', {'TLSv1.2'}, True)


def test_sessions_are_resumed_by_id(stage):
    meets_with(stage, 'ssl_protocols TLSv1.2; ssl_session_cache shared:all:1m; ssl_session_tickets off;', {'TLSv1.2'}, True)


def test_a_server_without_sessions_is_understood(stage):
    meets_with(stage, 'ssl_protocols TLSv1.2; ssl_session_cache off; ssl_session_tickets off;', {'TLSv1.2'}, False)


def test_records_of_512_bytes_are_understood(stage):
    meets_with(stage, 'ssl_buffer_size 512; ssl_session_tickets on;', {'TLSv1.2'}, True)


def test_tls_1_3_is_spoken_where_it_is_known(stage):
    if not knows_tls_1_3():
        raise harness.Skip('mbedTLS 2.28 has no TLS 1.3')
    meets_with(stage, 'ssl_protocols TLSv1.3; ssl_session_tickets on;', {'TLSv1.3'}, True)


def test_tls_1_2_and_1_3_together_are_understood(stage):
    meets_with(stage, 'ssl_protocols TLSv1.2 TLSv1.3; ssl_session_tickets on;', {'TLSv1.3' if knows_tls_1_3() else 'TLSv1.2'}, True)
