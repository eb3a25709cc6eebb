# SPDX-License-Identifier: MIT
"""Names: international ones, and what name servers can do to a crawl."""

import os
import shutil
import signal

import dns_world
import harness
from dns_world import BAD, GOOD, GOOD6, LIMIT_MS, OTHER, Play, later, record
from network import origin_everywhere, own_files, own_network

OWN = {'preset': 'own'}
LIMITS = {'dns_ms': LIMIT_MS, 'connect_ms': 5000, 'total_ms': 60000}
CONTACT = {'contact': 'a@example.org'}


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


def world(stage, servers=None, names=None, **options):
    """An origin everywhere and a daemon that asks these servers, or one of these names."""
    own_network(GOOD, GOOD6, OTHER, BAD)
    servers = servers or [stage.dns(names)]
    origin = origin_everywhere(stage)
    settings = {**CONTACT, 'dns_servers': ','.join(server if isinstance(server, str) else server.address for server in servers)}
    return origin, stage.crawld(loopback=False, **{**options, 'settings': {**settings, **options.get('settings', {})}})


def names_asked(server):
    with server.lock:
        return {name for name, _ in server.queries}


def all_ended(rows):
    return {ended(row) for row in rows.values()}


def test_a_dead_server_is_skipped(stage):
    own_network(GOOD)
    dead, alive = stage.dns({'*': 'DROP'}), stage.dns({'*': [GOOD]})
    origin_everywhere(stage)
    daemon = stage.crawld(loopback=False, settings={**CONTACT, 'dns_servers': f'{dead.address},{alive.address}', 'workers': 1})
    assert all_ended(resolve(daemon, [f'n{n}.test' for n in range(300)])) == {'stored'}
    later = [f'm{n}.test' for n in range(300)]
    assert all_ended(resolve(daemon, later)) == {'stored'}
    assert len(names_asked(dead) & set(later)) <= 2, names_asked(dead)


def test_a_server_that_refuses_its_port_is_skipped(stage):
    own_network(GOOD)
    alive = stage.dns({'*': [GOOD]})
    origin_everywhere(stage)
    daemon = stage.crawld(loopback=False, settings={**CONTACT, 'dns_servers': f'127.0.0.1:9,{alive.address}'})
    assert all_ended(resolve(daemon, [f'n{n}.test' for n in range(100)])) == {'stored'}
    lonely = stage.crawld(name='lonely', loopback=False, settings={**CONTACT, 'dns_servers': '127.0.0.1:9'})
    assert all_ended(resolve(lonely, [f'n{n}.test' for n in range(100)])) == {'dns_error'}


def test_what_one_server_cannot_say_another_is_asked_for(stage):
    own_network(GOOD)
    lies = stage.dns({'both.test': 'SERVFAIL', 'none.test': 'SERVFAIL', 'mute.test': 'SERVFAIL', '*': 'REFUSED'})
    knows = stage.dns({'both.test': 'SERVFAIL', 'none.test': 'NXDOMAIN', 'mute.test': 'DROP', '*': [GOOD]})
    origin_everywhere(stage)
    daemon = stage.crawld(loopback=False, settings={**CONTACT, 'dns_servers': f'{lies.address},{knows.address}'})
    rows = resolve(daemon, ['a.test', 'b.test', 'both.test', 'none.test', 'mute.test'])
    assert [ended(rows[f'{name}.test']) for name in ('a', 'b', 'both', 'none', 'mute')] == ['stored', 'stored', 'dns_error', 'dns_not_found', 'dns_error'], rows


def test_all_servers_dead_is_a_timeout(stage):
    own_network(GOOD)
    dead = [stage.dns({'*': 'DROP'}) for _ in range(3)]
    daemon = stage.crawld(loopback=False, settings={**CONTACT, 'dns_servers': ','.join(server.address for server in dead)})
    assert all_ended(resolve(daemon, [f'n{n}.test' for n in range(50)])) == {'dns_timeout'}
    assert all(names_asked(server) for server in dead)


def test_a_server_without_tcp_fails_only_what_is_truncated(stage):
    own_network(GOOD)
    names = {**{f't{n}.test': 'TRUNCATED' for n in range(10)}, '*': dns_world.found_after(1)}
    server = stage.dns(names, listen=False)
    origin_everywhere(stage)
    daemon = stage.crawld(loopback=False, settings={**CONTACT, 'dns_servers': server.address})
    rows = resolve(daemon, [*(f't{n}.test' for n in range(10)), *(f'n{n}.test' for n in range(50))])
    assert {name[0]: ended(row) for name, row in rows.items()} == {'t': 'dns_error', 'n': 'stored'}
    assert all_ended(dict(item for item in rows.items() if item[0][0] == 'n')) == {'stored'}, rows


def test_silent_names_hold_up_no_others(stage):
    own_network(GOOD)
    names = {**{f's{n}.test': 'DROP' for n in range(400)}, '*': [GOOD]}
    server = stage.dns(names)
    origin_everywhere(stage)
    daemon = stage.crawld(loopback=False, settings={**CONTACT, 'dns_servers': server.address, 'workers': 1})
    rows = resolve(daemon, [*(f's{n}.test' for n in range(400)), *(f'n{n}.test' for n in range(400))], timeouts={**LIMITS, 'dns_ms': 30000})
    assert {name[0]: ended(row) for name, row in rows.items()} == {'s': 'dns_timeout', 'n': 'stored'}
    assert sum(ended(row) == 'stored' for row in rows.values()) == 400


def test_names_wait_for_their_turn_without_getting_late(stage):
    own_network(GOOD)
    server = stage.dns({'*': Play(lambda q: later(0.5, lambda: q.send(q.reply([record(GOOD)] if q.kind == 'A' else []))))})
    origin_everywhere(stage)
    daemon = stage.crawld(loopback=False, settings={**CONTACT, 'dns_servers': server.address, 'workers': 1})
    rows = resolve(daemon, [f'n{n}.test' for n in range(1500)], timeouts={**LIMITS, 'dns_ms': 1500, 'total_ms': 2500})
    assert all_ended(rows) == {'stored'}


def test_an_address_and_localhost_are_not_asked_for(stage):
    own_network(GOOD)
    server = stage.dns({'*': [GOOD]})
    origin_everywhere(stage)
    daemon = stage.crawld(settings={'dns_servers': server.address, 'allow_cidr': '127.0.0.0/8,::1/128'})
    hosts = ['localhost', 'LOCALHOST.', 'a.localhost', 'b.localhost.', '127.0.0.1', '0x7f.2', '2130706435', '0177.4', '127.5', '[::1]', '[0:0::1]', '１２７.0.0.6', '127.0.0.7.']
    rows = resolve(daemon, hosts)
    assert all_ended(rows) == {'stored'} and len(rows) == 12, rows
    assert not server.queries, server.queries


def forget_names(daemon):
    """Kills the workers and waits for their successors."""
    pids = {worker['pid'] for worker in daemon.call('worker.list')['items']}
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    harness.wait_until(lambda: all(worker['alive'] and worker['pid'] not in pids for worker in daemon.call('worker.list')['items']), 'there are new workers')


def test_a_name_that_moves_is_connected_to_where_it_was_checked(stage):
    moves = {'denied.test': lambda earlier: [BAD] if earlier else [GOOD], 'moved.test': lambda earlier: [OTHER] if earlier else [GOOD], 'a.test': [GOOD]}
    origin, daemon = world(stage, names=moves, settings={'workers': 1})
    first = resolve(daemon, moves)
    assert all_ended(first) == {'stored'} and {row['ip'] for row in first.values()} == {GOOD}, first
    assert {row['ip'] for row in resolve(daemon, moves).values()} == {GOOD}  # known for a minute at least
    forget_names(daemon)
    rows = resolve(daemon, moves)
    assert [ended(rows[name]) for name in moves] == ['address_denied', 'stored', 'stored'] and rows['moved.test']['ip'] == OTHER, rows
    assert {c['local'].rpartition(':')[0].removeprefix('::ffff:') for c in origin.stop().connections} == {GOOD, OTHER}


RESOLV_CONF = """# comment
; comment
domain evil.test
search evil.test more.evil.test .
options ndots:9 rotate timeout:1 attempts:1 edns0 use-vc no-such-option
sortlist 10.0.0.0/8
nameserver
nameserver not-an-address
nameserver fe80::1%lo
nameserver 127.0.0.53   # the one
lookup file bind
"""
HOSTS = f"""127.0.0.1 localhost
{GOOD} InHosts.test inhosts-alias  # comment
{GOOD6} inhosts.test
{BAD} private-in-hosts.test
0.0.0.0 blocked-in-hosts.test
not-an-address broken.test
"""


def system_resolver(stage, resolv_conf=RESOLV_CONF, host='127.0.0.53'):
    own_network(GOOD, GOOD6, OTHER, BAD)
    own_files(stage, {'/etc/resolv.conf': resolv_conf, '/etc/hosts': HOSTS})
    names = {'missing.test': 'NXDOMAIN', 'intranet': [GOOD], 'a.test': [GOOD], 'a.test.evil.test': [BAD], 'missing.test.evil.test': [BAD]}
    return stage.dns(names, host=host, port=53), origin_everywhere(stage)


def test_of_resolv_conf_only_the_servers_count(stage):
    server, _ = system_resolver(stage)
    aliases = stage.write('aliases', 'intranet alias.evil.test\n')
    daemon = stage.crawld(loopback=False, settings=CONTACT, env={'LOCALDOMAIN': 'evil.test', 'RES_OPTIONS': 'ndots:9', 'HOSTALIASES': aliases})
    rows = resolve(daemon, ['missing.test', 'intranet', 'a.test', 'a.test.', 'nothing'])
    found = {name: ended(row) for name, row in rows.items()}
    assert found == {'missing.test': 'dns_not_found', 'nothing': 'dns_not_found', 'intranet': 'stored', 'a.test': 'stored', 'a.test.': 'stored'}, found
    assert names_asked(server) == {'missing.test', 'intranet', 'a.test', 'nothing'}, server.queries
    assert 'not-an-address' in daemon.log(), daemon.log()  # the other is suppressed


def test_names_of_the_hosts_file_are_not_asked_for(stage):
    server, origin = system_resolver(stage)
    daemon = stage.crawld(loopback=False, settings=CONTACT)
    found = {name: ended(row) for name, row in resolve(daemon, ['inhosts.test', 'inhosts-alias', 'private-in-hosts.test', 'blocked-in-hosts.test', 'broken.test']).items()}
    assert found == {'inhosts.test': 'stored', 'inhosts-alias': 'stored', 'private-in-hosts.test': 'address_denied', 'blocked-in-hosts.test': 'dns_not_found',
                     'broken.test': 'dns_not_found'}, found
    assert names_asked(server) == {'blocked-in-hosts.test', 'broken.test'}, server.queries
    given = stage.crawld(name='given', loopback=False, settings={**CONTACT, 'dns_servers': server.address})
    assert all_ended(resolve(given, ['inhosts.test'])) == {'dns_not_found'}
    assert {c['local'].rpartition(':')[0].strip('[]').removeprefix('::ffff:') for c in origin.stop().connections} <= {GOOD, GOOD6}


def test_an_empty_resolv_conf_means_a_server_of_this_machine(stage):
    server, _ = system_resolver(stage, resolv_conf='', host='127.0.0.1')
    assert all_ended(resolve(stage.crawld(loopback=False, settings=CONTACT), ['a.test'])) == {'stored'}
    server.close()
    assert all_ended(resolve(stage.crawld(name='second', loopback=False, settings=CONTACT), ['a.test'])) == {'dns_error'}


def test_dnsmasq_is_understood(stage):
    binary = shutil.which('dnsmasq') or shutil.which('/usr/sbin/dnsmasq')
    if not binary:
        raise harness.Skip('dnsmasq is not installed')
    own_network(GOOD, GOOD6, OTHER, BAD)
    origin_everywhere(stage)
    many = stage.write('many', ''.join(f'93.184.{n // 200}.{n % 200 + 1} many.test\n' for n in range(120)) + f'{GOOD} plain.test\n')
    arguments = ['--keep-in-foreground', '--conf-file=/dev/null', '--user=root', '--pid-file=', '--log-facility=-', '--no-resolv', '--no-hosts', '--no-negcache', f'--addn-hosts={many}', '--port=5300',
                 '--listen-address=127.0.0.1', '--bind-interfaces', f'--address=/wild.test/{GOOD}', '--address=/zero.test/0.0.0.0', '--address=/blocked.test/',
                 f'--host-record=both.test,{GOOD},{GOOD6}', f'--host-record=six.test,{GOOD6}', f'--host-record=inside.test,{BAD}', '--cname=alias.test,plain.test',
                 '--cname=alias2.test,alias.test', '--server=/dead.test/127.0.0.9#9', '--local=/local.test/', '--txt-record=text.test,words', '--local=/text.test/', '--stop-dns-rebind']
    dnsmasq = harness.Process(stage, 'dnsmasq', [binary, *arguments])
    harness.wait_until(lambda: harness.can_connect('127.0.0.1', 5300) or not dnsmasq.alive(), 'dnsmasq listens', 10)
    assert dnsmasq.alive(), dnsmasq.stderr()
    daemon = stage.crawld(loopback=False, settings={**CONTACT, 'dns_servers': '127.0.0.1:5300'})
    wanted = {'plain.test': 'stored', 'x.wild.test': 'stored', 'zero.test': 'dns_not_found', 'blocked.test': 'dns_not_found', 'both.test': 'stored', 'six.test': 'stored', 'inside.test': 'address_denied',
              'alias.test': 'stored', 'alias2.test': 'stored', 'dead.test': 'dns_timeout|dns_error', 'no.local.test': 'dns_not_found', 'text.test': 'dns_not_found', 'elsewhere.example': 'dns_error',
              'many.test': 'connect_error|connect_timeout|connect_refused'}
    rows = resolve(daemon, wanted)
    assert all(ended(rows[name]) in ends.split('|') for name, ends in wanted.items()), {name: ended(row) for name, row in rows.items()}
