# SPDX-License-Identifier: MIT
"""The names of badssl.com, each served on loopback by an authority of our own, with what has to come of it.

ROWS says for each name which ends are right with tls_verify strict, and how it is served. The list of names and ends
by others (badssl.json below $CRAWLD_SHARED) must agree where it is there.
"""
import fcntl
import json
import os
import socket
import subprocess
import threading

import ca
import harness

LIMIT_S = 300
OWN = {'preset': 'own'}
DOMAIN = 'badssl.test'
# Debian's OpenSSL has neither SSLv3 nor RC4 nor 3DES: what such servers say to a client without is written here.
REFUSES = '15030300020228'   # alert handshake_failure
SSL_3 = '160300002a020000260300' + '5a' * 32 + '00002f00'   # a ServerHello of SSL 3.0
WEAKEST = '''openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = default
[default]
MinProtocol = None
CipherString = ALL:COMPLEMENTOFALL:@SECLEVEL=0
'''
OK, VERIFY, ERROR, VERSION = 'ok', 'tls_verify', 'tls_error', 'tls_version'


class Row:
    """allowed: ends. cert: arguments of Certificates.make. settings: lines of nginx. raw: bytes instead of a server.
    group_bits: a SmallGroup instead."""

    def __init__(self, *allowed, settings='', raw=None, group_bits=None, **cert):
        self.allowed, self.settings, self.raw, self.group_bits, self.cert = set(allowed), settings, raw, group_bits, cert


def only(cipher, more=''):
    return f'ssl_protocols TLSv1.2; ssl_ciphers {cipher}:@SECLEVEL=0; {more}'


ROWS = {
    'expired': Row(VERIFY, dates=ca.EXPIRED),
    'not-yet-valid': Row(VERIFY, dates=ca.FUTURE),
    'wrong.host': Row(VERIFY, names=['other.test']),
    'self-signed': Row(VERIFY, signer='itself'),
    'untrusted-root': Row(VERIFY, signer='stranger'),
    'incomplete-chain': Row(VERIFY, signer='low', chain=[]),
    'reversed-chain': Row(OK, VERIFY, signer='low', chain=['middle', 'low']),
    'no-common-name': Row(OK, subject='/O=Test'),
    'no-subject': Row(OK, subject='/'),
    'no-san': Row(OK, VERIFY, names=[]),
    'sha1': Row(VERIFY, ERROR, digest='sha1'),
    'md5': Row(VERIFY, ERROR, digest='md5'),
    'rsa512': Row(VERIFY, ERROR, key='rsa512', settings='ssl_conf_command SignatureAlgorithms RSA+SHA256;'),  # SHA-512 does not fit
    'rsa1024': Row(VERIFY, ERROR, key='rsa1024'),
    'rsa2048': Row(OK),
    'rsa3072': Row(OK, key='rsa3072'),
    'rsa4096': Row(OK, key='rsa4096'),
    'rsa8192': Row(OK, ERROR, key='rsa8192'),
    'ecc256': Row(OK, key='P-256'),
    'ecc384': Row(OK, key='P-384'),
    'sha256': Row(OK, digest='sha256'),
    'sha384': Row(OK, digest='sha384'),
    'sha512': Row(OK, digest='sha512'),
    '1000-sans': Row(OK, more_names=[f'n{n}.test' for n in range(999)]),
    '10000-sans': Row(OK, ERROR, more_names=[f'subdomain-number-{n}.{DOMAIN}' for n in range(9999)]),
    'xn--n1aae7f7o': Row(OK),
    'wildcard.one-level': Row(OK, names=[f'*.one-level.{DOMAIN}']),
    'wildcard.two.levels': Row(VERIFY, names=[f'*.levels.{DOMAIN}']),
    'revoked': Row(OK),
    'ssl-v3': Row(VERSION, ERROR, raw=SSL_3),
    'tls-v1-0': Row(VERSION, ERROR, settings='ssl_protocols TLSv1;'),
    'tls-v1-1': Row(VERSION, ERROR, settings='ssl_protocols TLSv1.1;'),
    'tls-v1-2': Row(OK, settings='ssl_protocols TLSv1.2;'),
    'tls-v1-3-only': Row(OK, VERSION, settings='ssl_protocols TLSv1.3;'),
    'cbc': Row(OK, ERROR, settings=only('ECDHE-RSA-AES128-SHA:ECDHE-RSA-AES256-SHA')),
    '3des': Row(ERROR, raw=REFUSES),
    'rc4': Row(ERROR, raw=REFUSES),
    'null': Row(ERROR, settings=only('NULL-SHA256')),
    'dh480': Row(ERROR, group_bits=480),
    'dh512': Row(ERROR, group_bits=512),
    'dh1024': Row(ERROR, settings=only('DHE-RSA-AES128-GCM-SHA256', 'ssl_dhparam {dh1024};')),
    'dh2048': Row(OK, ERROR, settings=only('DHE-RSA-AES128-GCM-SHA256', 'ssl_dhparam {dh2048};')),
    'static-rsa': Row(OK, ERROR, settings=only('AES128-GCM-SHA256')),
    'client-cert-missing': Row(ERROR, 'http_status', 'stored', settings='ssl_verify_client on; ssl_client_certificate {ca};'),
    'mozilla-modern': Row(OK, VERSION, settings='ssl_protocols TLSv1.3;'),
    'mozilla-intermediate': Row(OK, settings='ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256;'),
    'mozilla-old': Row(OK, settings='ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3; ssl_ciphers ALL:@SECLEVEL=0;'),
}


class Certificates:
    """Makes what the rows ask for. Keys and groups that take long are made once for a build."""

    def __init__(self, stage):
        self.folder, self.cache = stage.path('ca'), os.path.join(harness.build_dir(), 'tests', 'keys')
        os.makedirs(self.cache, exist_ok=True)
        root = ca.Authority(self.folder, key='rsa')
        middle = root.intermediate(key='rsa')
        self.signers = {'ca': root, 'middle': middle, 'low': middle.intermediate('low', key='rsa'),
                        'stranger': ca.Authority(self.folder, name='stranger', key='rsa')}
        self.ca_path = root.path

    def kept(self, name, make):
        """The path of a file in the cache, made by make(path) if it is not there."""
        path = os.path.join(self.cache, name + '.pem')
        with open(os.path.join(self.cache, 'lock'), 'w', encoding='ascii') as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not os.path.exists(path):
                make(path + '.new')
                os.rename(path + '.new', path)
        return path

    def key(self, kind):
        primes = 4 if kind == 'rsa8192' else 2  # two of 4,096 bits take half a minute
        what = (['RSA', '-pkeyopt', f'rsa_keygen_bits:{kind[3:]}', '-pkeyopt', f'rsa_keygen_primes:{primes}'] if kind.startswith('rsa')
                else ['EC', '-pkeyopt', f'ec_paramgen_curve:{kind}'])
        return self.kept(kind, lambda path: ca.openssl('genpkey', '-quiet', '-algorithm', *what, '-out', path))

    @staticmethod
    def prime(bits):
        return int(subprocess.run(['openssl', 'prime', '-generate', '-safe', '-bits', str(bits)], check=True,
                                  capture_output=True, text=True).stdout)

    def group(self, bits):
        """A file of Diffie-Hellman parameters."""
        def make(path):
            prime = self.prime(bits)
            digits = prime.to_bytes(bits // 8 + 1, 'big')
            length = bytes([len(digits)]) if len(digits) < 128 else b'\x82' + len(digits).to_bytes(2, 'big')
            numbers = b'\2' + length + digits + b'\2\1\2'
            with open(path + '.der', 'wb') as file:
                file.write(b'\x30\x82' + len(numbers).to_bytes(2, 'big') + numbers)
            ca.openssl('dhparam', '-inform', 'DER', '-in', path + '.der', '-out', path)
        return self.kept(f'dh{bits}', make)

    def make(self, row_name, names=None, more_names=(), subject=None, key='rsa2048', digest='sha256', signer='ca', dates=None, chain=None):
        """(certificate with its chain, key)"""
        names = [f'{row_name}.{DOMAIN}'] if names is None else names
        path, key_path = os.path.join(self.folder, row_name + '.pem'), self.key(key)
        request, ext = path + '.csr', path + '.ext'
        ca.openssl('req', '-new', '-key', key_path, '-subj', subject or f'/CN={row_name}.{DOMAIN}', '-out', request)
        alternatives = ','.join(f'DNS:{name}' for name in [*names, *more_names])
        with open(ext, 'w', encoding='ascii') as file:
            file.write(ca.LEAF + 'extendedKeyUsage=serverAuth\n' + (f'subjectAltName={alternatives}\n' if alternatives else ''))
        if signer == 'itself':
            ca.openssl('x509', '-req', '-in', request, '-key', key_path, '-extfile', ext, '-days', '1000', '-out', path)
            return path, key_path
        by = self.signers[signer]
        if dates:
            ca.openssl('ca', '-batch', '-notext', '-config', by.file('.cnf'), '-in', request, '-out', path, '-extfile', ext,
                       '-startdate', dates[0], '-enddate', dates[1])
        else:
            ca.openssl('x509', '-req', f'-{digest}', '-in', request, '-CA', by.path, '-CAkey', by.key_path, '-CAcreateserial',
                       '-extfile', ext, '-days', '1000', '-out', path)
        with open(path, 'a', encoding='ascii') as file:
            for name in chain if chain is not None else []:
                file.write(open(self.signers[name].path, encoding='ascii').read())
        return path, key_path


class SmallGroup:
    """A server up to its ServerHelloDone (RFC 5246, section 7.4), with a group that OpenSSL does not serve."""
    DHE_RSA_WITH_AES_128_GCM_SHA256, RSA_SHA256, SECURE_RENEGOTIATION = b'\0\x9e', b'\4\1', b'\0\5\xff\1\0\1\0'

    def __init__(self, stage, certificates, bits, address):
        self.cert, self.key = certificates.make(f'small-{bits}', names=[f'dh{bits}.{DOMAIN}'])
        prime = certificates.prime(bits).to_bytes(bits // 8, 'big')
        self.params = b''.join(len(number).to_bytes(2, 'big') + number for number in (prime, b'\2', prime[:-1]))
        self.listener = socket.create_server((address, 0))
        self.port = self.listener.getsockname()[1]
        stage.closers.append(self.close)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            with peer:
                hello = peer.recv(16384)
                peer.sendall(self.flight(hello[11:43]))
                peer.recv(16384)

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # already

    def flight(self, client_random):
        own_random = bytes(32)
        der = subprocess.run(['openssl', 'x509', '-in', self.cert, '-outform', 'DER'], check=True, capture_output=True).stdout
        signature = subprocess.run(['openssl', 'dgst', '-sha256', '-sign', self.key], input=client_random + own_random + self.params,
                                   check=True, capture_output=True).stdout
        messages = [(2, b'\3\3' + own_random + b'\0' + self.DHE_RSA_WITH_AES_128_GCM_SHA256 + b'\0' + self.SECURE_RENEGOTIATION),
                    (11, (len(der) + 3).to_bytes(3, 'big') + len(der).to_bytes(3, 'big') + der),
                    (12, self.params + self.RSA_SHA256 + len(signature).to_bytes(2, 'big') + signature), (14, b'')]
        sent = b''
        for kind, body in messages:
            message = bytes([kind]) + len(body).to_bytes(3, 'big') + body
            sent += b'\x16\3\3' + len(message).to_bytes(2, 'big') + message
        return sent


class World:
    """All rows, served: .url[name]."""

    def __init__(self, stage):
        if not ca.available():
            raise harness.Skip('openssl is not installed')
        self.certificates, self.url, servers = Certificates(stage), {}, []
        words = {f'dh{bits}': self.certificates.group(bits) for bits in (1024, 2048)}
        words['ca'] = self.certificates.ca_path
        addresses = {name: f'127.0.2.{n}' for n, name in enumerate(ROWS, 1)}
        for name, row in ROWS.items():
            if not row.raw and not row.group_bits:
                cert, key = self.certificates.make(name, **row.cert)
                servers.append(f'server {{ listen {addresses[name]}:%PORT% ssl; ssl_certificate {cert}; ssl_certificate_key {key}; root %ROOT%; '
                               + row.settings.format(**words) + ' }')
        text = '\n'.join(servers).replace('{', '{{').replace('}', '}}').replace('%ROOT%', '{root}').replace('%PORT%', '{port}')
        plain = 'server {{ listen 127.0.0.1:{port}; }}\n'
        os.environ['OPENSSL_CONF'] = stage.write('openssl.cnf', WEAKEST)
        try:
            self.nginx = stage.nginx(plain + text, files={'index.html': '<p>served'})
        finally:
            del os.environ['OPENSSL_CONF']
        for name, row in ROWS.items():
            port = self.special_port(stage, row, addresses[name]) or self.nginx.port
            self.url[name] = f'https://{name}.{DOMAIN}:{port}/'
        self.dns = stage.dns({f'{name}.{DOMAIN}': [address] for name, address in addresses.items()})

    def special_port(self, stage, row, address):
        """None: nginx serves it."""
        if row.group_bits:
            return SmallGroup(stage, self.certificates, row.group_bits, address).port
        return row.raw and stage.scripted([['send_before_read', ''], ['hex', row.raw], ['sleep_ms', 200], ['close']], host=address).port

    def crawl(self, daemon, names, **spec):
        """The rows of results by name."""
        job = daemon.submit({'seeds': [self.url[name] for name in names], 'pace': OWN, 'retry': {'attempts': 1}, **spec})
        daemon.wait_done(job)
        by_url = {row['url']: row for row in daemon.check_pages(job)}
        return {name: by_url[self.url[name]] for name in names}

    def crawld(self, stage):
        return stage.crawld(settings={'ca_file': self.certificates.ca_path, 'dns_servers': self.dns.address})


def end_of(row):
    return OK if row['outcome'] == 'stored' and row['status'] == 200 else 'http_status' if row['outcome'] == 'stored' else row['reason']


def test_every_name_of_badssl_ends_as_it_must(stage):
    world = World(stage)
    rows = world.crawl(world.crawld(stage), ROWS)
    wrong = {name: row for name, row in rows.items() if end_of(row) not in ROWS[name].allowed}
    assert not wrong, wrong
    for name, row in rows.items():
        if end_of(row) == OK:
            assert row['tls']['verified'] is True and row['tls']['version'] in ('1.2', '1.3') and row['tls']['cipher'], row
        elif end_of(row) == VERIFY:
            assert row.get('detail'), row


def test_what_is_not_verified_is_recorded_when_that_is_asked_for(stage):
    world = World(stage)
    daemon = world.crawld(stage)
    names = [name for name, row in ROWS.items() if VERIFY in row.allowed]
    strict, recorded = world.crawl(daemon, names), world.crawl(daemon, names, tls_verify='record', dedup=False)
    for name in names:
        if end_of(strict[name]) == ERROR:
            assert ERROR in ROWS[name].allowed
            continue
        assert end_of(recorded[name]) == OK, recorded[name]
        assert recorded[name]['tls']['verified'] is (end_of(strict[name]) == OK), (strict[name], recorded[name])
    unlooked = world.crawl(daemon, names, tls_verify='off', dedup=False)
    assert [end_of(row) for row in unlooked.values()] == [end_of(row) for row in recorded.values()], unlooked


def test_the_list_of_badssl_is_ours(stage):
    shared = os.environ.get('CRAWLD_SHARED') or os.path.join(os.path.dirname(harness.TOP), 'shared')
    path = os.path.join(shared, 'suites', 'badssl.json')
    if not os.path.exists(path):
        raise harness.Skip(f'there is no {path}')
    with open(path, encoding='utf-8') as file:
        cases = json.load(file)['cases']
    assert {case['name']: set(case['any_of']) for case in cases} == {name: row.allowed for name, row in ROWS.items()}
