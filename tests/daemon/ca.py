# SPDX-License-Identifier: MIT
"""A certificate authority for tests, by the openssl program. Everything lies in one folder.

    ca = Authority(folder)
    cert, key = ca.issue('a.test', '*.b.test', '127.0.0.1')    # paths; the certificate with its chain
    ca.path                                                    # what a client has to trust
"""
import ipaddress
import os
import shutil
import subprocess

GENPKEY = {
    'ec': ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'],
    'p384': ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-384'],
    'rsa': ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'],
}
# `openssl ca` is the one command that sets both dates in every version.
CONFIG = """
[ca]
default_ca = own
[own]
database = {folder}/{name}.index
serial = {folder}/{name}.serial
new_certs_dir = {folder}
certificate = {folder}/{name}.pem
private_key = {folder}/{name}.key
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
"""
AUTHORITY = 'basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n'
LEAF = 'basicConstraints=CA:false\nkeyUsage=digitalSignature,keyEncipherment\n'
ALWAYS = '20200101000000Z', '20991231235959Z'
EXPIRED = '20200101000000Z', '20210101000000Z'
FUTURE = '20980101000000Z', '20991231235959Z'


def available():
    return shutil.which('openssl') is not None


def openssl(*arguments):
    done = subprocess.run(['openssl', *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise RuntimeError(f'openssl {" ".join(arguments)}: {done.stdout[-2000:]}')


def alternative(name):
    try:
        return f'IP:{ipaddress.ip_address(name)}'
    except ValueError:
        return f'DNS:{name}'


class Authority:
    """Signs certificates with a key of its own; signed by nobody or, as an intermediate one, by `issuer`."""

    def __init__(self, folder, name='ca', key='ec', issuer=None, dates=ALWAYS):
        self.folder, self.name, self.issuer, self.count = folder, name, issuer, 0
        os.makedirs(folder, exist_ok=True)
        self.path, self.key_path = self.file('.pem'), self.file('.key')
        self.make_key(self.key_path, key)
        for suffix, text in (('.index', ''), ('.serial', '01\n'), ('.cnf', CONFIG.format(folder=folder, name=name))):
            with open(self.file(suffix), 'w', encoding='ascii') as file:
                file.write(text)
        (issuer or self).sign(self.path, self.key_path, f'Test {name}', AUTHORITY, dates, selfsign=issuer is None)

    def file(self, suffix):
        return os.path.join(self.folder, self.name + suffix)

    @staticmethod
    def make_key(path, kind):
        openssl('genpkey', *GENPKEY[kind], '-out', path)

    def sign(self, path, key_path, common_name, extensions, dates, selfsign=False):
        request, ext = path + '.csr', path + '.ext'
        openssl('req', '-new', '-key', key_path, '-subj', f'/CN={common_name}', '-out', request)
        with open(ext, 'w', encoding='ascii') as file:
            file.write(extensions)
        openssl('ca', '-batch', '-notext', '-config', self.file('.cnf'), '-in', request, '-out', path, '-extfile', ext,
                '-startdate', dates[0], '-enddate', dates[1], *['-selfsign'] * selfsign)

    def chain(self):
        """The certificates from here up to the one below the root, as text."""
        if not self.issuer:
            return ''
        with open(self.path, encoding='ascii') as file:
            return file.read() + self.issuer.chain()

    def issue(self, *names, key='ec', dates=ALWAYS, chain=True, selfsigned=False, usage='serverAuth', common_name=None):
        """(certificate, key) for these names and addresses. chain: the intermediate ones follow in the file."""
        self.count += 1
        path, key_path = self.file(f'-leaf{self.count}.pem'), self.file(f'-leaf{self.count}.key')
        self.make_key(key_path, key)
        extensions = LEAF + f'extendedKeyUsage={usage}\n'
        if names:
            extensions += 'subjectAltName=' + ','.join(map(alternative, names)) + '\n'
        common_name = common_name or (names[0] if names and len(names[0]) <= 64 else 'test')
        if selfsigned:
            lone = Authority(os.path.join(self.folder, f'lone{self.count}'))
            lone.key_path = key_path
            shutil.copy(key_path, lone.file('.key'))
            lone.sign(path, key_path, common_name, extensions, dates, selfsign=True)
        else:
            self.sign(path, key_path, common_name, extensions, dates)
        if chain and not selfsigned:
            with open(path, 'a', encoding='ascii') as file:
                file.write(self.chain())
        return path, key_path

    def intermediate(self, name='middle', **options):
        return Authority(self.folder, name, issuer=self, **options)
