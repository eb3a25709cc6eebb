# SPDX-License-Identifier: MIT
"""Servers that speak TLS badly, not at all, too late, or that do not say that they end; and very many at once."""
import network
import harness
import servers

LIMIT_S = 300
OWN = {'preset': 'own'}
HELLO_BEGUN = '160303005a0200005603035a5a'
WARNING = '15030300020164'   # alert no_renegotiation, a warning
MANY = 5000


def alert(number):
    return f'1503030002{2:02x}{number:02x}'


def crawl(daemon, urls, **spec):
    job = daemon.submit({'seeds': list(urls), 'pace': OWN, 'retry': {'attempts': 1}, **spec})
    daemon.wait_done(job, patience_s=LIMIT_S)
    return job, {row['url']: row for row in daemon.check_pages(job)}


def ended(row):
    return row['outcome'], row.get('reason')


def test_every_bad_handshake_has_its_reason(stage):
    authority, daemon = stage.ca(), stage.crawld()
    scripts = {
        'silent': ([['hang']], 'tls_timeout'),
        'stalled': ([['hex', HELLO_BEGUN], ['hang']], 'tls_timeout'),
        'dripping': ([['hex', HELLO_BEGUN], ['every_ms', 50, 'Z']], ('tls_timeout', 'tls_error')),
        'garbage': ([['random', 3000], ['hang']], 'tls_error'),
        'http': ([['send', 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\nplain HTTP to TLS'], ['close']], 'tls_error'),
        'ssh': ([['send', 'SSH-2.0-OpenSSH_9\r\n'], ['hang']], 'tls_error'),
        'handshake_failure': ([['hex', alert(40)], ['close']], 'tls_error'),
        'internal_error': ([['hex', alert(80)], ['hang']], 'tls_error'),
        'unrecognized_name': ([['hex', alert(112)], ['close']], 'tls_error'),
        'protocol_version': ([['hex', alert(70)], ['close']], 'tls_version'),
        'only warnings': ([['forever', bytes.fromhex(WARNING).decode('latin-1')]], ('tls_error', 'tls_timeout')),
        'ssl 3': ([['hex', '160300002a020000260300' + '5a' * 32 + '00002f00'], ['hang']], ('tls_version', 'tls_error')),
        'an endless record': ([['hex', '160303ffff'], ['forever', 'x']], 'tls_error'),
        'a message of 16 MiB': ([['hex', '160303400002ffffff'], ['forever', 'x']], 'tls_error'),
        'closed': ([['close']], ('tls_error', 'conn_reset', 'empty_reply')),
        'reset': ([['rst']], ('tls_error', 'conn_reset')),
    }
    # Each begins at once: a ClientHello is no request that could be waited for. Each is a host: ten failures would block one.
    asked = {name: stage.scripted([['send_before_read', ''], *steps], host=f'127.0.1.{n}').url().replace('http:', 'https:')
             for n, (name, (steps, _)) in enumerate(scripts.items(), 1)}
    _, rows = crawl(daemon, asked.values(), timeouts={'tls_ms': 1500})
    for name, (_, reasons) in scripts.items():
        row = rows[asked[name]]
        assert row['outcome'] == 'failed' and row['reason'] in ((reasons,) if isinstance(reasons, str) else reasons), (name, row)
        assert 'tls' not in row and row['attempts'] == 1, (name, row)
        assert row['reason'] != 'tls_error' or row.get('detail'), (name, row)
    plain = stage.scripted([['send', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok']], tls=authority.issue('127.0.0.1'))
    _, rows = crawl(daemon, [plain.url()], tls_verify='off')
    assert ended(rows[plain.url()]) == ('stored', None), rows


def test_a_late_handshake_counts_against_its_own_limit(stage):
    silent, daemon = stage.scripted([['send_before_read', ''], ['hang']]), stage.crawld()
    url = silent.url().replace('http:', 'https:')
    _, rows = crawl(daemon, [url], timeouts={'tls_ms': 500, 'connect_ms': 20000, 'first_byte_ms': 20000})
    assert ended(rows[url]) == ('failed', 'tls_timeout') and 400 <= rows[url]['ms']['total'] < 10000, rows


def answer(head, body):
    return ['send', f'HTTP/1.1 200 OK\r\n{head}\r\n{body}']


def test_an_end_that_is_not_said_cuts_only_a_body_without_length(stage):
    authority = stage.ca()
    cert, daemon = authority.issue('127.0.0.1'), stage.crawld(settings={'ca_file': authority.path})
    length, chunked = 'Content-Length: 5\r\n', 'Transfer-Encoding: chunked\r\n'
    cases = {
        'length, then cut': ([answer(length, 'hello'), ['close']], None),
        'length, then reset': ([answer(length, 'hello'), ['sleep_ms', 100], ['rst']], None),
        'chunks, then cut': ([answer(chunked, '5\r\nhello\r\n0\r\n\r\n'), ['close']], None),
        'no length, said': ([answer('', 'hello'), ['close_notify'], ['close']], None),
        'no length, cut': ([answer('', 'hello'), ['close']], 'body_incomplete'),
        'less than its length, said': ([answer(length, 'hel'), ['close_notify'], ['close']], 'body_incomplete'),
        'less than its length, cut': ([answer(length, 'hel'), ['close']], 'body_incomplete'),
        'no answer, said': ([['close_notify'], ['close']], 'empty_reply'),
        'half a head, cut': ([['send', 'HTTP/1.1 200 OK\r\nContent-'], ['close']], None),
    }
    asked = {name: stage.scripted(steps, tls=cert).url('/' + name.replace(' ', '_')) for name, (steps, _) in cases.items()}
    job, rows = crawl(daemon, asked.values())
    for name, (_, reason) in cases.items():
        row = rows[asked[name]]
        if name == 'half a head, cut':
            assert row['outcome'] == 'failed', row
            continue
        assert ended(row) == (('failed', reason) if reason else ('stored', None)), (name, row)
        if reason == 'body_incomplete':
            assert row['truncated'] == 'disconnect' and daemon.page(job, row).header('WARC-Truncated') == 'disconnect', (name, row)


def test_every_hop_between_schemes_is_a_request_and_a_record(stage):
    authority = stage.ca()
    cert, daemon = authority.issue('127.0.0.1'), stage.crawld(settings={'ca_file': authority.path})
    last = stage.origin()

    def moved(to):
        return [['send', f'HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: {to}\r\n\r\n']]
    safe = stage.scripted(moved(last.url('/end')), tls=cert)
    first = stage.scripted(moved(safe.url('/middle')))
    job, rows = crawl(daemon, [first.url('/begin')])
    [row] = rows.values()
    assert ended(row) == ('stored', None) and row['redirects'] == [safe.url('/middle'), last.url('/end')], row
    assert 'tls' not in row, row
    records = {record.header('WARC-Target-URI'): record for record in daemon.warc_records(job) if record.type == 'response'}
    assert list(records) == [first.url('/begin'), safe.url('/middle'), last.url('/end')]
    assert [record.header('WARC-Protocol') is not None for record in records.values()] == [False, True, False]


def test_a_host_gets_one_full_handshake_however_many_pages_it_has(stage):
    hosts, pages = 20, 30
    authority, dns = stage.ca(), stage.dns({'*': ['127.0.0.1']})
    daemon = stage.crawld(settings={'ca_file': authority.path, 'dns_servers': dns.address})
    options = 'ssl_session_tickets on; keepalive_requests 10; rewrite ^ /page/1.html break;'
    for pace in ({'connections_per_host': 1}, {'connections_per_host': 4}):
        server = servers.Nginx(stage, servers.Site(stage, page_count=2), tls=authority.issue('*.hosts.test'), options=options)
        urls = [f'https://h{n % hosts}.hosts.test:{server.port}/{n}' for n in range(hosts * pages)]
        _, rows = crawl(daemon, urls, pace={**OWN, **pace})
        assert {ended(row) for row in rows.values()} == {('stored', None)}
        full = [handshake.name for handshake in server.handshakes() if not handshake.resumed]
        assert sorted(full) == sorted({f'h{n}.hosts.test' for n in range(hosts)}), (pace, full)
        assert len(server.handshakes()) >= hosts * pages // 10
        server.end()
        harness.shutil.rmtree(server.prefix)


def test_five_thousand_names_at_once_see_no_timeout_of_our_making(stage):
    """Each name has an address of its own. What the handshakes need of CPU is many times what one of them may take."""
    network.own_network()
    authority = stage.ca()
    names = {f'n{n}.many.test': [f'127.{1 + n // 250}.0.{1 + n % 250}'] for n in range(MANY)}
    dns = stage.dns(names)
    daemon = stage.crawld(settings={'ca_file': authority.path, 'dns_servers': dns.address})
    server = servers.Nginx(stage, servers.Site(stage, page_count=1), tls=authority.issue('*.many.test'), address='0.0.0.0')
    # The tests' name server needs seconds for all of them.
    job, rows = crawl(daemon, [f'https://{name}:{server.port}/page/0.html' for name in names], timeouts={'dns_ms': 60000})
    assert len(rows) == MANY and {ended(row) for row in rows.values()} == {('stored', None)}, [row for row in rows.values() if row['outcome'] != 'stored'][:3]
    assert len({row['ip'] for row in rows.values()}) == MANY
    assert len(server.handshakes()) == MANY
