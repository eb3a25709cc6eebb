# SPDX-License-Identifier: MIT
"""https against nginx, and against servers that do it wrong, with certificates of our own authority."""
import harness

OWN = {'preset': 'own'}


def crawl(daemon, urls, **spec):
    job = daemon.submit({'seeds': list(urls), 'pace': OWN, **spec})
    daemon.wait_done(job)
    return job, {row['url']: row for row in daemon.check_pages(job)}


def counters(daemon):
    return daemon.call('stats')['counters']


def ended(row):
    return row['outcome'], row.get('reason')


def site(stage, count, certificate, options=''):
    """nginx with that many names host0.test ..., and the name server that knows them."""
    nginx = stage.nginx(f'ssl_certificate {certificate[0]}; ssl_certificate_key {certificate[1]}; {options} '
                        'server {{ listen 127.0.0.1:{port} ssl backlog=8192; root {root}; }}', files={f'p{n}': f'page {n}' for n in range(100)})
    nginx.scheme = 'https'
    names = stage.dns({f'host{n}.test': ['127.0.0.1'] for n in range(count)})
    return nginx, f'127.0.0.1:{names.port}'


def test_an_https_page_is_fetched_and_told_of(stage):
    ca = stage.ca()
    nginx = stage.nginx(tls=ca.issue('127.0.0.1'), files={'a.html': 'hello'})
    daemon = stage.crawld(settings={'ca_file': ca.path})
    job, rows = crawl(daemon, [nginx.url('/a.html')])
    row = rows[nginx.url('/a.html')]
    assert row['outcome'] == 'stored' and row['status'] == 200 and row['tls']['verified'], row
    assert 'why' not in row['tls'] and row['tls']['cipher'].startswith('TLS_') and 'tls' in row['ms'], row
    for record in daemon.warc_records(job):
        if record.type in ('request', 'response'):
            assert record.header('WARC-Protocol') == 'tls/' + row['tls']['version'], record.headers
            assert record.header('WARC-Cipher-Suite') == row['tls']['cipher'], record.headers
    assert counters(daemon)['tls_full'] == 1, counters(daemon)


def test_a_certificate_that_is_not_valid_fails_is_recorded_or_not_looked_at(stage):
    ca = stage.ca()
    certificates = {'expired': ca.issue('127.0.0.1', dates=harness.ca.EXPIRED), 'not valid yet': ca.issue('127.0.0.1', dates=harness.ca.FUTURE),
                    'another name': ca.issue('127.0.0.2'), 'another name ': ca.issue('a.test'), 'self-signed': ca.issue('127.0.0.1', selfsigned=True),
                    'unknown authority': stage.ca('other').issue('127.0.0.1'), 'not one for servers': ca.issue('127.0.0.1', usage='clientAuth')}
    servers = {why: stage.nginx(tls=pair, name=f'n{n}', files={'x': why}).url('/x') for n, (why, pair) in enumerate(certificates.items())}
    daemon = stage.crawld(settings={'ca_file': ca.path})
    for verify in ('strict', 'record', 'off'):
        _, rows = crawl(daemon, servers.values(), tls_verify=verify, retry={'attempts': 1})
        for why, url in servers.items():
            row = rows[url]
            if verify == 'strict':
                assert ended(row) == ('failed', 'tls_verify') and why.strip() in row['detail'] and 'tls' not in row, row
            else:
                assert ended(row) == ('stored', None) and row['tls']['verified'] is False, row
                assert (why.strip() if verify == 'record' else 'not verified') in row['tls']['why'], row


def test_a_list_over_many_hosts_costs_one_full_handshake_each(stage):
    ca = stage.ca()
    nginx, servers = site(stage, 20, ca.issue('*.test'))
    daemon = stage.crawld(settings={'ca_file': ca.path, 'dns_servers': servers, 'workers': 2})
    urls = [nginx.url(f'/p{page}', f'host{host}.test') for page in range(50) for host in range(20)]
    _, rows = crawl(daemon, urls)
    assert all(row['outcome'] == 'stored' and row['tls']['verified'] for row in rows.values()), [r for r in rows.values() if r['outcome'] != 'stored'][:3]
    counts = counters(daemon)
    assert 20 <= counts['tls_full'] <= 2 * 20 and not counts['tls_failed'], counts  # once per host and worker
    assert counts['tls_full'] + counts['tls_resumed'] == counts['connects'], counts


def test_one_worker_shakes_hands_in_full_once_per_host(stage):
    ca = stage.ca()
    nginx, servers = site(stage, 10, ca.issue('*.test'), 'keepalive_requests 5;')
    daemon = stage.crawld(settings={'ca_file': ca.path, 'dns_servers': servers, 'workers': 1})
    _, rows = crawl(daemon, [nginx.url(f'/p{page}', f'host{host}.test') for page in range(100) for host in range(10)])
    assert {ended(row) for row in rows.values()} == {('stored', None)}
    counts = counters(daemon)
    assert counts['tls_full'] == 10 and counts['tls_resumed'] >= 100 and not counts['tls_failed'], counts


def test_a_server_without_sessions_is_asked_by_all_at_once(stage):
    ca = stage.ca()
    nginx, servers = site(stage, 1, ca.issue('*.test'), 'ssl_session_tickets off; ssl_session_cache off; keepalive_requests 1;')
    daemon = stage.crawld(settings={'ca_file': ca.path, 'dns_servers': servers, 'workers': 1})
    _, rows = crawl(daemon, [nginx.url(f'/p{page}', 'host0.test') for page in range(40)])
    assert {ended(row) for row in rows.values()} == {('stored', None)}
    counts = counters(daemon)
    assert counts['tls_full'] == counts['connects'] >= 40 and not counts['tls_resumed'], counts


def test_redirects_lead_from_http_to_https_and_back(stage):
    ca = stage.ca()
    origin, pair = stage.origin(), ca.issue('127.0.0.1')
    nginx = stage.nginx('server {{ listen 127.0.0.1:{port} ssl; root {root}; ssl_certificate %s; ssl_certificate_key %s; '
                        'location = /back {{ return 302 %s; }} }}' % (*pair, origin.url('/end')), files={'x': 'hello'})
    nginx.scheme = 'https'
    daemon = stage.crawld(settings={'ca_file': ca.path})

    def to(url):
        return origin.url('/redirect-to?url=' + url.replace(':', '%3A').replace('/', '%2F'))
    there, around = to(nginx.url('/x')), to(nginx.url('/back'))
    job, rows = crawl(daemon, [there, around])
    assert rows[there]['final_url'] == nginx.url('/x') and rows[there]['tls']['verified'], rows[there]
    assert rows[around]['redirects'] == [nginx.url('/back'), origin.url('/end')] and 'tls' not in rows[around], rows[around]
    said = {record.header('WARC-Target-URI'): record.header('WARC-Protocol') for record in daemon.warc_records(job) if record.type == 'response'}
    assert said[nginx.url('/back')] and not said[origin.url('/end')] and not said[around], said


def test_schemes_and_ports_of_a_host_share_its_clock(stage):
    ca = stage.ca()
    origin = stage.origin()
    nginx = stage.nginx(tls=ca.issue('127.0.0.1'), files={'x': 'hello'})
    daemon = stage.crawld(settings={'ca_file': ca.path})
    daemon.submit({'name': 'slow', 'seeds': [origin.url('/1'), nginx.url('/x'), origin.url('/2')], 'pace': {'delay_ms': 500, 'robots': 'ignore'}})
    daemon.wait_done('slow')
    assert all(row['outcome'] == 'stored' for row in daemon.rows('slow'))
    assert origin.ledger().least_gap_ns() >= 950e6, origin.ledger().least_gap_ns()


def test_servers_that_speak_no_tls_fail_with_what_they_did(stage):
    ca = stage.ca()
    plain, silent = stage.nginx(), stage.scripted([['hang']])
    gone, ssh = stage.scripted([['send_before_read', ''], ['close']]), stage.scripted([['send_before_read', 'SSH-2.0-OpenSSH_9.2\r\n'], ['hang']])
    daemon = stage.crawld(settings={'ca_file': ca.path})
    ends = {f'https://127.0.0.1:{plain.port}/': ('tls_error', 'does not speak TLS'), f'https://127.0.0.1:{silent.port}/': ('tls_timeout', ''),
            f'https://127.0.0.1:{gone.port}/': ('tls_error', 'closed'), f'https://127.0.0.1:{ssh.port}/': ('tls_error', 'does not speak TLS'),
            f'https://127.0.0.1:{harness.free_port()}/': ('connect_refused', '')}
    _, rows = crawl(daemon, ends, retry={'attempts': 1}, timeouts={'tls_ms': 1000})
    for url, (reason, detail) in ends.items():
        assert ended(rows[url]) == ('failed', reason) and detail in rows[url].get('detail', ''), rows[url]
    assert counters(daemon)['tls_failed'] == 4, counters(daemon)


def test_without_authorities_nothing_is_verified(stage):
    ca = stage.ca()
    nginx = stage.nginx(tls=ca.issue('127.0.0.1'), files={'x': 'hello'})
    daemon = stage.crawld()
    _, rows = crawl(daemon, [nginx.url('/x')], retry={'attempts': 1})
    assert ended(rows[nginx.url('/x')]) == ('failed', 'tls_verify') and 'authorit' in rows[nginx.url('/x')]['detail'], rows


def test_a_ca_file_that_is_none_is_refused_at_the_start(stage):
    for path in (stage.path('missing.pem'), stage.write('empty.pem', 'nothing\n')):
        daemon = harness.Crawld(stage, settings={'ca_file': path})
        daemon.start(ready=False)
        assert daemon.process.wait() == 78 and f'ca_file: {path}' in daemon.log(), daemon.log()


def test_a_body_whose_end_nobody_said_is_incomplete(stage):
    ca = stage.ca()
    pair, unsized, sized = ca.issue('127.0.0.1'), 'HTTP/1.1 200 OK\r\n\r\nhello', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'
    daemon = stage.crawld(settings={'ca_file': ca.path})
    for script, end in (([['send', unsized], ['close']], ('failed', 'body_incomplete')), ([['send', unsized], ['close_notify'], ['close']], ('stored', None)),
                        ([['send', sized], ['close']], ('stored', None)), ([['close']], ('failed', 'empty_reply')), ([['close_notify'], ['close']], ('failed', 'empty_reply'))):
        server = stage.scripted(script, tls=pair)
        _, rows = crawl(daemon, [server.url('/')], retry={'attempts': 1})
        assert ended(rows[server.url('/')]) == end, (script, rows)


def test_a_job_that_verifies_takes_nothing_from_one_that_does_not(stage):
    ca = stage.ca()
    nginx = stage.nginx(tls=ca.issue('127.0.0.1', selfsigned=True), files={'x': 'hello'})
    daemon = stage.crawld(settings={'ca_file': ca.path, 'workers': 1})
    ends = []
    for verify in ('off', 'record', 'strict', 'off', 'record'):
        _, rows = crawl(daemon, [nginx.url('/x')], tls_verify=verify, retry={'attempts': 1}, dedup=False)
        row = rows[nginx.url('/x')]
        ends.append(row.get('reason', row.get('tls', {}).get('why')))
    assert ends == ['not verified', 'the certificate is self-signed', 'tls_verify', 'not verified', 'the certificate is self-signed'], ends


def test_a_server_of_tls_1_2_may_sign_as_it_likes(stage):
    # mbedTLS 3.6.6 offers RSA-PSS and refuses it in TLS 1.2; a server that goes by its own order chooses it.
    ca = stage.ca()
    pair = ca.issue('127.0.0.1', key='rsa')
    daemon = stage.crawld(settings={'ca_file': ca.path})
    for n, more in enumerate(('', 'ssl_prefer_server_ciphers on;')):
        nginx = stage.nginx('server {{ listen 127.0.0.1:{port} ssl; root {root}; ssl_certificate %s; ssl_certificate_key %s; ssl_protocols TLSv1.2; %s }}' % (*pair, more),
                            files={'x': 'hello', 'y': 'hello'}, name=f'n{n}')
        nginx.scheme = 'https'
        _, rows = crawl(daemon, [nginx.url('/x'), nginx.url('/y')], retry={'attempts': 1})
        assert {(ended(row), row['tls']['version'], row['tls']['verified']) for row in rows.values()} == {(('stored', None), '1.2', True)}, rows
