# SPDX-License-Identifier: MIT
"""Servers that mean no good: the cases of the hostile suite ($CRAWLD_SHARED or ../shared) and those of hostile.json, which
has the same form, are played to a daemon all at once, each by a server on an address of its own. Each end must be one
the case allows."""
import json
import os

import harness
from network import origin_everywhere, own_network
from scripted import Unsupported

LIMIT_S = 300
SHARED = os.environ.get('CRAWLD_SHARED') or os.path.join(os.path.dirname(harness.TOP), 'shared')
# Cases that need names or a second host.
NEED_NAMES = {'R19', 'R22', 'R25', 'R28'}
NEED_CLOSED_LOOPBACK = {'R13'}
# Slower than an honest server ever is, so that a case does not take longer than it must.
LIMITS = {'retry': {'attempts': 1}, 'max_body_bytes': 4 << 20, 'keep': {'body_lacks': ['a text for which pages are decoded']},
          'timeouts': {'connect_ms': 3000, 'first_byte_ms': 3000, 'idle_ms': 3000, 'total_ms': 8000, 'min_rate': 50, 'min_rate_ms': 4000}}


def verdict(row):
    """The words the suite uses for an end."""
    if row['outcome'] in ('failed', 'excluded'):
        return {row['reason']}
    return {row['outcome']} | ({'truncated'} if row.get('truncated') == 'length' else set())


def read_cases(path):
    with open(path, encoding='utf-8') as file:
        return json.load(file)


def suite_cases():
    path = os.path.join(SHARED, 'suites', 'own-hostile-http', 'cases.json')
    if not os.path.exists(path):
        raise harness.Skip(f'no {path}')
    return read_cases(path)


def start_servers(stage, cases):
    """{id: a server on 127.7.x.y that plays the case}."""
    servers = {}
    for number, case in enumerate(cases):
        try:
            servers[case['id']] = stage.scripted(case['steps'], host=f'127.7.{number // 250}.{number % 250 + 1}')
        except Unsupported as what:
            print(case['id'], 'not played:', what)
    return servers


def complaint(case, row):
    """What is wrong about that end; None: nothing."""
    allowed, body_bytes = set(case['expect']['any_of']), case['expect'].get('body_len')
    got_bytes = row.get('decoded_bytes', row.get('body_bytes'))
    if not verdict(row) & allowed:
        return f"{case['id']} {case['name']}: {sorted(verdict(row))} not in {sorted(allowed)}"
    if body_bytes is not None and row['outcome'] == 'stored' and got_bytes != body_bytes:
        return f"{case['id']} {case['name']}: {got_bytes} bytes of {body_bytes}"
    return None


def play(stage, cases):
    """All cases at once, and honest pages beside them."""
    servers, origin = start_servers(stage, cases), stage.origin()
    daemon = stage.crawld(settings={'contact': 'ops@example.org'})
    job = daemon.submit({'seeds': [server.url(f'/{name}') for name, server in servers.items()], 'pace': {'preset': 'own'}, **LIMITS})
    honest = daemon.submit({'seeds': [origin.url(f'/p{n}') for n in range(500)], 'pace': {'preset': 'own'}})
    daemon.wait_done(honest)
    daemon.wait_done(job)
    assert {row['outcome'] for row in daemon.check_pages(honest)} == {'stored'}
    rows = {row['url'].rpartition('/')[2]: row for row in daemon.check_pages(job)}
    wrong = [complaint(case, rows[case['id']]) for case in cases if case['id'] in servers]
    assert not any(wrong), '; '.join(filter(None, wrong))
    daemon.ctl('verify', job)


def test_hostile_answers_end_as_the_suite_allows(stage):
    play(stage, [case for case in suite_cases() if case['id'] not in NEED_NAMES | NEED_CLOSED_LOOPBACK])


def test_hostile_answers_of_every_class_end_as_they_should(stage):
    play(stage, read_cases(os.path.join(harness.HERE, 'hostile.json')))


def test_an_answer_that_breaks_at_any_byte_is_no_page(stage):
    answer = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'
    allowed = {'rst': {'conn_reset', 'body_incomplete', 'bad_response'}, 'close': {'empty_reply', 'body_incomplete', 'bad_response'}}
    scripts = {f'/{how}/{n}': [['send', answer[:n]], [how]] for how in allowed for n in range(len(answer))}
    server, daemon = stage.scripted(by_target=scripts), stage.crawld()
    job = daemon.submit({'seeds': [server.url(target) for target in scripts], 'pace': {'preset': 'own', 'in_flight': 50}, **LIMITS})
    daemon.wait_done(job)
    for row in daemon.rows(job):
        how = row['url'].split('/')[3]
        assert row['outcome'] == 'failed' and row['reason'] in allowed[how], row


def test_redirects_between_names_end_as_the_suite_allows(stage):
    cases = [case for case in suite_cases() if case['id'] in NEED_NAMES | NEED_CLOSED_LOOPBACK]
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
    cases = [case for case in suite_cases() if case['cat'] == 'reuse']
    servers, daemon = [stage.scripted(case['steps']) for case in cases], stage.crawld()
    for pace in ({'preset': 'own', 'connections_per_host': 1}, {'preset': 'own', 'in_flight': 1}):
        before = [len(server.requests) for server in servers]
        job = daemon.submit({'seeds': [server.url(f'/{n}') for server in servers for n in range(6)], 'pace': pace, 'retry': {'attempts': 1}})
        daemon.wait_done(job)
        assert {row['outcome'] for row in daemon.check_pages(job)} == {'stored'}
        assert all(len(server.requests) - asked <= 12 for server, asked in zip(servers, before)), 'tried again more than once'
