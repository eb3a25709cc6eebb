# SPDX-License-Identifier: MIT
"""Plays the scripts of the hostile suite ($CRAWLD_SHARED or ../shared) to a daemon; each end must be one the case allows."""
import json
import os

import harness
from network import origin_everywhere, own_network
from scripted import Unsupported

LIMIT_S = 300
SHARED = os.environ.get('CRAWLD_SHARED') or os.path.join(os.path.dirname(harness.TOP), 'shared')
# Subjects that are not built yet, and cases that need names or a second host.
NOT_BUILT = {'content-coding', 'cookies'}
NEED_NAMES = {'R19', 'R22', 'R25', 'R28'}
NEED_CLOSED_LOOPBACK = {'R13'}


def verdict(row):
    """The words the suite uses for an end."""
    if row['outcome'] in ('failed', 'excluded'):
        return {row['reason']}
    return {row['outcome']} | ({'truncated'} if row.get('truncated') == 'length' else set())


def load_cases():
    path = os.path.join(SHARED, 'suites', 'own-hostile-http', 'cases.json')
    if not os.path.exists(path):
        raise harness.Skip(f'no {path}')
    with open(path, encoding='utf-8') as file:
        return json.load(file)


def test_hostile_answers_end_as_the_suite_allows(stage):
    cases = [case for case in load_cases() if case['cat'] not in NOT_BUILT and case['id'] not in NEED_NAMES | NEED_CLOSED_LOOPBACK]
    daemon, servers = stage.crawld(settings={'contact': 'ops@example.org'}), {}
    for case in cases:
        try:
            servers[case['id']] = stage.scripted(case['steps'])
        except Unsupported as what:
            print(case['id'], 'not played:', what)
    job = daemon.submit({'seeds': [servers[c['id']].url(f"/{c['id']}") for c in cases if c['id'] in servers],
                         'pace': {'preset': 'own'}, 'retry': {'attempts': 1}, 'max_body_bytes': 4 << 20,
                         'timeouts': {'connect_ms': 3000, 'first_byte_ms': 3000, 'idle_ms': 3000, 'total_ms': 8000}})
    daemon.wait_done(job)
    rows = {row['url'].rpartition('/')[2]: row for row in daemon.check_pages(job)}
    wrong = []
    for case in cases:
        if case['id'] in servers:
            row, allowed = rows[case['id']], set(case['expect']['any_of'])
            short = 'body_len' in case['expect'] and row['outcome'] == 'stored' and row['body_bytes'] != case['expect']['body_len']
            if not verdict(row) & allowed or short:
                wrong.append(f"{case['id']} {case['name']}: {sorted(verdict(row))} not in {sorted(allowed)}, {row.get('body_bytes')} bytes")
    assert not wrong, '; '.join(wrong)


def test_redirects_between_names_end_as_the_suite_allows(stage):
    cases = [case for case in load_cases() if case['id'] in NEED_NAMES | NEED_CLOSED_LOOPBACK]
    public, other, private = '93.184.216.34', '93.184.216.35', '10.0.0.5'
    own_network(public, other, private)
    dns = stage.dns({'a.test': [public], 'other.test': [other], 'mixed.test': [public, private]})
    origin, servers = origin_everywhere(stage), {case['id']: stage.scripted(case['steps'], host=public) for case in cases}
    daemon = stage.crawld(loopback=False, settings={'contact': 'ops@example.org', 'dns_servers': dns.address})
    job = daemon.submit({'seeds': [server.url(f'/{name}') for name, server in servers.items()], 'pace': {'preset': 'own'}, 'retry': {'attempts': 1},
                         'request': {'headers': {'Authorization': 'Basic eDp5', 'Cookie': 'a=b'}}})
    daemon.wait_done(job)
    rows = {row['url'].rpartition('/')[2]: row for row in daemon.check_pages(job)}
    for case in cases:
        assert verdict(rows[case['id']]) & set(case['expect']['any_of']), (case, rows[case['id']])
    sent = {r.header('WARC-Target-URI'): [key.lower() for key, _ in r.http()[1]] for r in daemon.warc_records(job) if r.type == 'request'}
    for url, names in sent.items():
        assert ('authorization' in names) == ('cookie' in names) == (f'http://{public}:' in url), (url, names)
    assert {c['local'].rpartition(':')[0] for c in origin.stop().connections} == {public, other}


def test_a_connection_that_breaks_between_two_requests_costs_no_page(stage):
    cases = [case for case in load_cases() if case['cat'] == 'reuse']
    servers, daemon = [stage.scripted(case['steps']) for case in cases], stage.crawld()
    for pace in ({'preset': 'own', 'connections_per_host': 1}, {'preset': 'own', 'in_flight': 1}):
        before = [len(server.requests) for server in servers]
        job = daemon.submit({'seeds': [server.url(f'/{n}') for server in servers for n in range(6)], 'pace': pace, 'retry': {'attempts': 1}})
        daemon.wait_done(job)
        assert {row['outcome'] for row in daemon.check_pages(job)} == {'stored'}
        assert all(len(server.requests) - asked <= 12 for server, asked in zip(servers, before)), 'tried again more than once'
