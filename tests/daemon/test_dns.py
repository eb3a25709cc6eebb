# SPDX-License-Identifier: MIT
"""Names: international ones, and what name servers can do to a crawl."""

import dns_world
from dns_world import BAD, GOOD, GOOD6, LIMIT_MS, OTHER
from network import origin_everywhere, own_network

OWN = {'preset': 'own'}
LIMITS = {'dns_ms': LIMIT_MS, 'connect_ms': 5000, 'total_ms': 60000}
CONTACT = {'contact': 'a@example.org'}


def ends(daemon, urls, **spec):
    """{url: reason, or outcome where there is none}."""
    job = daemon.submit({'seeds': list(urls), 'pace': OWN, 'retry': {'attempts': 1}, **spec})
    daemon.wait_done(job)
    return {row['url']: row.get('reason', row['outcome']) for row in daemon.rows(job)}


def test_international_names_are_asked_for_and_told_as_ascii(stage):
    names = {'xn--bcher-kva.example': ['127.0.0.1'], 'xn--r8jz45g.xn--zckzah': ['127.0.0.1'], 'xn--9ca.example': ['127.0.0.1']}
    dns, origin = stage.dns(names), stage.origin()
    daemon, port = stage.crawld(settings={'dns_servers': dns.address}), origin.port
    target = f'http%3A%2F%2F%C3%A9.example%3A{port}%2Fmoved'
    job = daemon.submit({'seeds': [f'http://bücher.example:{port}/', f'http://BU\u0308CHER.Example:{port}/', f'http://b%C3%BCcher.example:{port}/',
                                   f'http://xn--bcher-kva.example:{port}/', f'http://例え。テスト:{port}/', f'http://例え.テスト:{port}/redirect-to?url={target}',
                                   'http://\u05d01a.example/'], 'pace': OWN})
    shown = daemon.wait_done(job)
    rows = {row['url']: row for row in daemon.rows(job)}
    wanted = [f'http://xn--bcher-kva.example:{port}/', f'http://xn--r8jz45g.xn--zckzah:{port}/', f'http://xn--r8jz45g.xn--zckzah:{port}/redirect-to?url={target}']
    bad = [row for url, row in rows.items() if url not in wanted]
    assert all(rows[url]['outcome'] == 'stored' for url in wanted) and shown['counts']['duplicates'] == 3, (rows, shown)
    assert [row['reason'] for row in bad] == ['bad_url'], bad
    assert rows[wanted[2]]['final_url'] == f'http://xn--9ca.example:{port}/moved', rows[wanted[2]]
    assert {request['host'] for request in origin.stop().requests} == {f'{name}:{port}' for name in names}


def test_words_of_any_script_make_international_names(stage):
    dns, origin = stage.dns({'*': ['127.0.0.1']}), stage.origin()
    daemon = stage.crawld(settings={'dns_servers': dns.address})
    job = daemon.submit({'template': 'http://{w}.ex\u00e4mple.test:%d/{w}' % origin.port, 'words': {'w': ['straße', 'καφές', 'plain', 'a b']}, 'pace': OWN})
    daemon.wait_done(job)
    found = {row['url'].split('/')[2].partition(':')[0]: row['outcome'] for row in daemon.rows(job) if row['outcome'] == 'stored'}
    assert found == {f'{word}.xn--exmple-cua.test': 'stored' for word in ('xn--strae-oqa', 'xn--ixah0a8as', 'plain')}, found
    [row] = [row for row in daemon.rows(job) if row['outcome'] != 'stored']
    assert (row['outcome'], row['reason']) == ('excluded', 'bad_url'), row


def resolve(daemon, names, **spec):
    """{name: row} of http://name/."""
    job = daemon.submit({'seeds': [f'http://{name}/' for name in names], 'pace': OWN, 'timeouts': LIMITS, 'retry': {'attempts': 1}, **spec})
    daemon.wait_done(job)
    return {row['url'].split('/')[2]: row for row in daemon.rows(job)}


def ended(row):
    return row.get('reason', row['outcome'])


def test_whatever_a_name_server_does_ends_in_the_right_reason(stage):
    own_network(GOOD, GOOD6, OTHER, BAD)
    dns, origin = stage.dns(dns_world.table()), origin_everywhere(stage)
    daemon = stage.crawld(loopback=False, settings={**CONTACT, 'dns_servers': dns.address})
    rows, wrong = resolve(daemon, [row.name for row in dns_world.WORLD if row.name not in dns_world.BREAKERS]), []
    rows |= resolve(daemon, dns_world.BREAKERS)
    for wanted in dns_world.WORLD:
        row = rows[wanted.name]
        known = 'dns' in row.get('ms', {})
        if ended(row) not in wanted.ends.split('|') or wanted.soon not in (None, known):
            wrong.append((wanted.name, wanted.ends, wanted.soon, row))
    assert not wrong, '\n'.join(map(str, [f'{len(wrong)} wrong', *wrong]))
    assert len(rows) >= 60 and {c['local'].rpartition(':')[0].strip('[]').removeprefix('::ffff:') for c in origin.stop().connections} == {GOOD, GOOD6}
