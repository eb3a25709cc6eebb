# SPDX-License-Identifier: MIT
"""The web servers of Debian, each with the same site: nginx, Apache, lighttpd, Caddy, HAProxy.

    site = servers.Site(stage)
    server = servers.Lighttpd(stage, site)
    ... server.url('/page/7.html'); server.requests() == [Entry(connection, method, target, status), ...]

A site is a folder of files (Site.files says their bytes) and, for what files cannot say, our origin behind
the server: /chunked/N, /close/N and /status/N go there. Each server closes a connection after
`requests_per_connection`, has gzip for text/plain, and answers /sub with a redirect to /sub/. tls: (certificate
chain, key) as paths of PEM files; the server speaks only TLS then, `host` is the name to ask for.
"""
import collections
import json
import os
import shutil

import harness

PAGE_COUNT = 300
TEXT = ''.join(f'line {n}: what is said twice is packed well\n' for n in range(2000)).encode()
MODIFIED_S = 1700000000
MODIFIED = 'Tue, 14 Nov 2023 22:13:20 GMT'
BACKEND = r'^/(chunked|close|status)/'

MOST_CONNECTIONS = 9000

Handshake = collections.namedtuple('Handshake', 'name resumed version cipher')
Entry = collections.namedtuple('Entry', 'connection method target status')


class Site:
    """Files below .root, with one date; origin: the server behind."""

    def __init__(self, stage, page_count=PAGE_COUNT):
        self.root = stage.path('site')
        self.pages = {f'/page/{n}.html': f'<h1>page {n}</h1>'.encode() + b'x' * (n * 37 % 5000) for n in range(page_count)}
        self.files = {**self.pages, '/index.html': '<h1>不存在</h1>'.encode(), '/sub/index.html': b'<p>below', '/void.txt': b'',
                      '/text.txt': TEXT, '/big.bin': bytes(range(256)) * 12000, '/with blank.bin': b'blank', '/%41.bin': b'percent'}
        for path, content in self.files.items():
            full = self.root + path
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, 'wb') as file:
                file.write(content)
            os.utime(full, (MODIFIED_S, MODIFIED_S))
        os.chmod(stage.dir, 0o755)  # for servers that leave root's rights
        self.origin = stage.origin('--root', self.root, name='behind')


class WebServer(harness.Process):
    """What they have in common. A class says its program, command() and config()."""
    program = requests_per_connection = None

    def __init__(self, stage, site, tls=None, host='127.0.0.1', options='', address='127.0.0.1'):
        self.site, self.tls, self.host, self.options, self.address = site, tls, host, options, address
        self.prefix, self.port = stage.path(self.program), harness.free_port()
        os.makedirs(self.prefix)
        self.log_path, self.config_path = self.below('access.log'), self.below('config')
        binary = shutil.which(self.program, path=os.environ.get('PATH', '') + ':/usr/sbin')
        if not binary:
            raise harness.Skip(f'{self.program} is not installed')
        with open(self.config_path, 'w', encoding='utf-8') as file:
            file.write(self.config())
        super().__init__(stage, self.program, [binary, *self.arguments()], cwd=self.prefix, env=self.environment())
        harness.wait_until(lambda: harness.can_connect('127.0.0.1', self.port) or not self.alive(), f'{self.program} listens', 20)
        assert self.alive(), self.stderr() + self.stdout()

    def below(self, name):
        return os.path.join(self.prefix, name)

    def url(self, path='/'):
        return f'{"https" if self.tls else "http"}://{self.host}:{self.port}{path}'

    def environment(self):
        return {}

    def log_lines(self):
        if not os.path.exists(self.log_path):
            return []
        with open(self.log_path, encoding='utf-8') as file:
            return file.read().splitlines()

    def requests(self):
        """Entries of what it has answered, in its order; a connection is known by the client's port."""
        return [Entry(*line.split(" ")) for line in self.log_lines()]


class Nginx(WebServer):
    program, requests_per_connection = 'nginx', 50

    def arguments(self):
        return ['-p', self.prefix, '-c', self.config_path, '-e', self.below('error.log')]

    def config(self):
        user = 'user root;' if os.geteuid() == 0 else ''
        temporary = ' '.join(f'{what}_temp_path {self.below(what)};' for what in ('client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'))
        ssl = f'ssl_certificate {self.tls[0]}; ssl_certificate_key {self.tls[1]};' if self.tls else ''
        return f'''{user} daemon off; worker_processes 1; pid {self.below('pid')};
worker_rlimit_nofile {MOST_CONNECTIONS * 2};
events {{ worker_connections {MOST_CONNECTIONS}; }}
http {{
    {temporary}
    types {{ text/html html; text/plain txt; }}
    default_type application/octet-stream;
    log_format entry '$remote_port $request_method $request_uri $status';
    log_format handshake '$connection $ssl_server_name $ssl_session_reused $ssl_protocol $ssl_cipher';
    access_log {self.log_path} entry;
    access_log {self.below('handshakes')} handshake;
    keepalive_requests {self.requests_per_connection};
    gzip on; gzip_types text/plain; gzip_min_length 1000;
    server {{
        listen {self.address}:{self.port}{' ssl' if self.tls else ''} backlog={MOST_CONNECTIONS};
        {ssl} {self.options}
        root {self.site.root};
        location ~ {BACKEND} {{ proxy_pass http://{self.site.origin.address}; proxy_http_version 1.1; proxy_set_header Connection ""; }}
    }}
}}
'''


    def handshakes(self):
        """One for each connection that asked for something, in the order of their first answers."""
        with open(self.below('handshakes'), encoding='utf-8') as file:
            lines = [line.split() for line in file]
        return list({line[0]: Handshake(line[1], line[2] == 'r', line[3], line[4]) for line in lines}.values())


class Apache(WebServer):
    program, requests_per_connection = 'apache2', 50
    modules = ('mpm_event', 'authz_core', 'dir', 'mime', 'filter', 'deflate', 'proxy', 'proxy_http')

    def arguments(self):
        return ['-f', self.config_path, '-D', 'FOREGROUND']

    def config(self):
        modules = self.modules + (('socache_shmcb', 'ssl') if self.tls else ())
        loaded = '\n'.join(f'LoadModule {m}_module /usr/lib/apache2/modules/mod_{m}.so' for m in modules)
        user = 'User www-data\nGroup www-data' if os.geteuid() == 0 else ''
        ssl = f'SSLEngine on\nSSLCertificateFile {self.tls[0]}\nSSLCertificateKeyFile {self.tls[1]}' if self.tls else ''
        return f'''{loaded}
{user}
ServerRoot {self.prefix}
DefaultRuntimeDir {self.prefix}
Mutex pthread
PidFile {self.below('pid')}
ErrorLog {self.below('error.log')}
LogFormat "%{{remote}}p %m %U%q %>s" entry
CustomLog {self.log_path} entry
Listen 127.0.0.1:{self.port}
ServerName {self.host}
{ssl}
{self.options}
KeepAlive On
MaxKeepAliveRequests {self.requests_per_connection - 1}
DocumentRoot {self.site.root}
DirectoryIndex index.html
TypesConfig /dev/null
AddType text/html .html
AddType text/plain .txt
AddOutputFilterByType DEFLATE text/plain
ProxyPassMatch "{BACKEND}" "http://{self.site.origin.address}"
'''


class Lighttpd(WebServer):
    program, requests_per_connection = 'lighttpd', 50

    def arguments(self):
        return ['-D', '-f', self.config_path]

    def config(self):
        modules = ['mod_accesslog', 'mod_proxy', 'mod_deflate'] + ['mod_openssl'] * bool(self.tls)
        ssl = f'ssl.engine = "enable"\nssl.pemfile = "{self.tls[0]}"\nssl.privkey = "{self.tls[1]}"' if self.tls else ''
        return f'''server.modules = ({', '.join(f'"{m}"' for m in modules)})
server.bind = "127.0.0.1"
server.port = {self.port}
server.document-root = "{self.site.root}"
server.errorlog = "{self.below('error.log')}"
server.max-keep-alive-requests = {self.requests_per_connection - 1}
server.stream-response-body = 1
accesslog.filename = "{self.log_path}"
accesslog.format = "%{{remote}}p %m %U%q %>s"
index-file.names = ("index.html")
mimetype.assign = (".html" => "text/html", ".txt" => "text/plain", "" => "application/octet-stream")
deflate.mimetypes = ("text/plain")
deflate.allowed-encodings = ("gzip")
{ssl}
{self.options}
$HTTP["url"] =~ "{BACKEND}" {{
    proxy.server = ("" => (("host" => "127.0.0.1", "port" => {self.site.origin.port})))
}}
'''


class Caddy(WebServer):
    program = 'caddy'

    def arguments(self):
        return ['run', '--adapter', 'caddyfile', '--config', self.config_path]

    def environment(self):
        return {'HOME': self.prefix, 'XDG_DATA_HOME': self.prefix, 'XDG_CONFIG_HOME': self.prefix}

    def config(self):
        tls = f'tls {self.tls[0]} {self.tls[1]} {{\n{self.options}\n}}' if self.tls else ''
        return f'''{{
    admin off
    auto_https off
    grace_period 1s
}}
{'https' if self.tls else 'http'}://{self.host}:{self.port} {{
    bind 127.0.0.1
    {tls}
    root * {self.site.root}
    encode gzip
    log {{
        output file {self.log_path}
        format json
    }}
    @behind path_regexp {BACKEND}
    reverse_proxy @behind {self.site.origin.address}
    file_server
}}
'''

    def requests(self):
        lines = [json.loads(line) for line in self.log_lines()]
        return [Entry(line['request']['remote_port'], line['request']['method'], line['request']['uri'], str(line['status'])) for line in lines]


class Haproxy(WebServer):
    """All of the site is the origin's; HAProxy redirects and packs."""
    program = 'haproxy'

    def arguments(self):
        return ['-db', '-f', self.config_path]

    def config(self):
        if self.tls:  # one file with both
            with open(self.below('pem'), 'wb') as file:
                file.write(b''.join(open(path, 'rb').read() for path in self.tls))
        ssl = f' ssl crt {self.below("pem")} {self.options}' if self.tls else ''
        return f'''global
    log stdout format raw local0
    maxconn 1000
defaults
    mode http
    log global
    option dontlognull
    log-format "%cp %HM %HU %ST"
    timeout connect 10s
    timeout client 60s
    timeout server 60s
    compression algo gzip
    compression type text/plain
frontend site
    bind 127.0.0.1:{self.port}{ssl}
    http-request redirect code 301 location /sub/ if {{ path /sub }}
    default_backend behind
backend behind
    server origin {self.site.origin.address}
'''

    def log_lines(self):
        return [line for line in self.stdout().splitlines() if line[:1].isdigit()]


ALL = (Nginx, Apache, Lighttpd, Caddy, Haproxy)
