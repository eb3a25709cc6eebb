# SPDX-License-Identifier: MIT
"""The address policy, in a network of its own: there any address can lie on loopback and answer, so that a
connection that should not have been made is seen by the origin."""
import harness
from network import origin_everywhere, own_network

OWN = {'preset': 'own'}
QUICK = {'connect_ms': 1500, 'first_byte_ms': 1500, 'total_ms': 3000}
PUBLIC, PUBLIC6 = '93.184.216.34', '2606:2800:220:1::1'


def ends(daemon, urls, **spec):
    job = daemon.submit({'seeds': list(urls), 'pace': OWN, 'timeouts': QUICK, 'retry': {'attempts': 1}, **spec})
    daemon.wait_done(job)
    return {row['url']: row.get('reason', row['outcome']) for row in daemon.rows(job)}


def peers_asked(origin):
    """Addresses that were connected to."""
    return {c['local'].rpartition(':')[0].strip('[]').removeprefix('::ffff:') for c in origin.stop().connections}


def test_no_denied_address_is_connected_to(stage):
    denied4 = ['0.0.0.0', '10.1.2.3', '100.64.0.1', '100.127.255.254', '127.0.0.1', '127.9.9.9', '169.254.169.254', '172.16.0.1', '172.31.255.254',
               '192.0.0.1', '192.0.2.1', '192.168.1.1', '198.18.0.1', '198.51.100.1', '203.0.113.1', '224.0.0.1', '240.0.0.1', '255.255.255.255']
    denied6 = ['::', '::1', '::ffff:10.1.2.3', '::ffff:169.254.169.254', '::ffff:7f00:1', '64:ff9b::10.1.2.3', '64:ff9b::7f00:1', '64:ff9b:1::1', '2002:a01:203::1', '2002:7f00:1::',
               '::127.0.0.1', 'fe80::1', 'fc00::1', 'fd00:1::1', 'ff02::1', '2001:db8::1', '100::1', '2001::1', 'fec0::1']
    allowed = ['1.1.1.1', PUBLIC, '172.32.0.1', '100.128.0.1', '192.0.1.1', '198.20.0.1', '9.255.255.255', '11.0.0.1', '169.253.1.1']
    allowed6 = [PUBLIC6, '2a00:1450::1', '64:ff9b::101:101', '2002:101:101::1']
    real = [a for a in denied4 if a not in ('0.0.0.0', '224.0.0.1', '240.0.0.1', '255.255.255.255', '127.0.0.1', '127.9.9.9')]
    own_network(*real, *allowed, *allowed6, *[a for a in denied6 if not a.startswith(('::', 'ff', 'fe80', '64:ff9b::10.'))], 'fe80::1')
    origin, daemon = origin_everywhere(stage), stage.crawld(loopback=False, settings={'contact': 'a@example.org'})
    spelled = ['0177.0.0.1', '0x7f.1', '2130706433', '127.1', '0xa9fea9fe', '169.254.43518', '0', '0x0', '017700000001', '127.0.0.1.', '%31%32%37.0.0.1',
               '[::ffff:127.0.0.1]', '[0:0:0:0:0:0:0:1]', '[0::0]']
    urls = [f'http://{a}/' for a in denied4 + spelled] + [f'http://[{a}]/' for a in denied6]
    found = ends(daemon, urls)
    assert ends(daemon, ['http://１２７.０.０.１/']).popitem()[1] in ('address_denied', 'bad_url')
    assert found and set(found.values()) == {'address_denied'}, {u: r for u, r in found.items() if r != 'address_denied'}
    good = [f'http://{a}/' for a in allowed] + [f'http://[{a}]/' for a in allowed6]
    found = ends(daemon, good)
    assert set(found.values()) == {'stored'} and len(found) == len(good), found
    assert peers_asked(origin) == set(allowed + allowed6)


def test_a_name_is_judged_by_its_addresses(stage):
    own_network(PUBLIC, PUBLIC6, '10.0.0.5', '169.254.169.254')
    rebinds = lambda earlier: [PUBLIC] if not earlier else ['169.254.169.254']
    names = {'public.test': [PUBLIC], 'private.test': ['10.0.0.5'], 'mixed.test': [PUBLIC, '10.0.0.5'], 'mixed2.test': ['10.0.0.5', PUBLIC],
             'six.test': [PUBLIC6, '::1'], 'meta.test': ['169.254.169.254'], 'zero.test': ['0.0.0.0'], 'mapped.test': ['::ffff:10.0.0.5'], 'rebind.test': rebinds}
    dns, origin = stage.dns(names, ttl_s=0), origin_everywhere(stage)
    daemon = stage.crawld(loopback=False, settings={'contact': 'a@example.org', 'dns_servers': dns.address, 'workers': 1})
    found = ends(daemon, [f'http://{name}/' for name in names if name != 'rebind.test'] + ['http://localhost/', 'http://a.localhost/'])
    assert found.pop('http://public.test/') == 'stored' and found.pop('http://zero.test/') in ('address_denied', 'dns_not_found'), found
    assert set(found.values()) == {'address_denied'}, found
    for n in range(3):
        ends(daemon, [f'http://rebind.test/close/{n}'])
    assert peers_asked(origin) <= {PUBLIC}


def test_a_redirect_is_judged_too(stage):
    own_network(PUBLIC, '10.0.0.5', '169.254.169.254')
    origin, daemon = origin_everywhere(stage), stage.crawld(loopback=False, settings={'contact': 'a@example.org'})
    targets = ['http://169.254.169.254/latest/meta-data/', 'http://10.0.0.5/', 'http://127.0.0.1/', 'http://0177.0.0.1/', 'http://0/', 'http://[::1]/', 'http://localhost/',
               'http://[::ffff:10.0.0.5]/']
    urls = [f'http://{PUBLIC}/redirect-to?url=' + target.replace(':', '%3A').replace('/', '%2F') for target in targets]
    job = daemon.submit({'seeds': urls, 'pace': OWN, 'timeouts': QUICK})
    daemon.wait_done(job)
    for row in daemon.rows(job):
        assert (row['outcome'], row.get('reason')) == ('excluded', 'address_denied') and len(row['redirects']) == 1, row
    assert peers_asked(origin) == {PUBLIC}


def test_without_contact_only_opened_loopback_is_asked(stage):
    own_network(PUBLIC, '10.0.0.5')
    origin, daemon = origin_everywhere(stage), stage.crawld(settings={'allow_cidr': '127.0.0.0/8,10.0.0.0/8'})
    found = ends(daemon, [f'http://{PUBLIC}/', 'http://10.0.0.5/', 'http://127.0.0.1/', 'http://[::1]/',
                          f'http://127.0.0.1/redirect-to?url=http%3A%2F%2F{PUBLIC}%2F'])
    assert found.pop('http://127.0.0.1/') == 'stored' and set(found.values()) == {'contact'}, found
    assert peers_asked(origin) == {'127.0.0.1'}


def test_deny_beats_allow_and_allow_beats_the_built_in_list(stage):
    own_network(PUBLIC, '10.0.0.5', '10.1.0.5')
    origin = origin_everywhere(stage)
    daemon = stage.crawld(loopback=False, settings={'contact': 'a@example.org', 'allow_cidr': '10.0.0.0/8,93.184.0.0/16', 'deny_cidr': '10.1.0.0/16,93.184.216.34/32'})
    found = ends(daemon, [f'http://{PUBLIC}/', 'http://10.0.0.5/', 'http://10.1.0.5/', 'http://[::ffff:10.1.0.5]/', 'http://127.0.0.1/'])
    assert found.pop('http://10.0.0.5/') == 'stored' and set(found.values()) == {'address_denied'}, found
    assert peers_asked(origin) == {'10.0.0.5'}


def test_a_job_cannot_open_addresses(stage):
    daemon = stage.crawld(loopback=False, settings={'contact': 'a@example.org'})
    for key in ('allow_cidr', 'allow-cidr'):
        try:
            daemon.call('job.submit', spec={'seeds': ['http://127.0.0.1/'], key: ['127.0.0.0/8']})
            raise AssertionError(f'{key} was taken')
        except harness.Refused as refused:
            assert refused.code == 'bad_argument', refused
