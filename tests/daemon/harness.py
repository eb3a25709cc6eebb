# SPDX-License-Identifier: MIT
"""What the scenarios stand on: servers, daemons, clients, and readers of what a daemon leaves on disk.

A scenario is a function test_SENTENCE(stage). The stage starts things and stops them at its end, whatever
happened; everything lies in stage.dir, which is kept when the scenario fails (stage.dir is printed).

    def test_fetches_a_page(stage):
        origin = stage.origin()
        daemon = stage.crawld()
        job = daemon.submit({'seeds': [origin.url('/bytes/10')], 'pace': {'preset': 'own'}})
        daemon.wait_done(job)
        [row] = daemon.rows(job)
        assert row['outcome'] == 'stored', row

Every status or job.show that passes through here has its counters checked (check_counts). What the daemon refuses
as `unsupported` when it starts or takes a job is not built: the scenario is skipped with those words.
"""
import ctypes
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, 'tests', 'servers'))

from dns import DnsServer  # noqa: E402  (for the scenarios)
from scripted import ScriptedServer  # noqa: E402
import ca  # noqa: E402
import warcfile  # noqa: E402

OUTCOMES = ('stored', 'dropped', 'failed', 'excluded')
PATIENCE_S = float(os.environ.get('CRAWLD_TEST_PATIENCE_S', 60))
SEEDS_PER_LINE = 500
SANITIZER_WORDS = ('AddressSanitizer', 'LeakSanitizer', 'runtime error:', 'UndefinedBehaviorSanitizer')


class Skip(Exception):
    """Raised by a scenario that cannot run here; the text says why."""


def build_dir():
    wanted = os.environ.get('CRAWLD_BUILD')
    for path in [wanted] if wanted else [os.path.join(TOP, b) for b in ('build-test', 'build')]:
        if os.path.isdir(path):
            return os.path.abspath(path)
    raise Skip(f'no build in {wanted or "build-test or build"}')


def program(*parts):
    path = os.path.join(build_dir(), *parts)
    if not os.access(path, os.X_OK):
        raise Skip(f'{"/".join(parts)} is not built')
    return path


def wait_until(question, what, patience_s=None):
    """Asks again until the answer is true, and returns it."""
    end = time.monotonic() + (patience_s or PATIENCE_S)
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f'still not after {patience_s or PATIENCE_S:g} s: {what}')
        time.sleep(0.02)


def check_counts(counts):
    """The identity of the counters (promise 4)."""
    total = sum(counts[k] for k in ('queued', 'in_flight') + OUTCOMES)
    assert counts['accepted'] == total, f'accepted is not the sum of the others: {counts}'
    assert all(n >= 0 for n in counts.values() if isinstance(n, int)), f'a counter below zero: {counts}'
    return counts


LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


def die_with_parent():
    """So that nothing is left running when a runner is killed."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


# --- processes -----------------------------------------------------------------------------------
class Process:
    """A child with its output in files. Its stderr is shown when a scenario fails."""

    def __init__(self, stage, name, command, env=None, **options):
        self.name, self.command = name, command
        self.stdout_path = os.path.join(stage.dir, name + '.out')
        self.stderr_path = os.path.join(stage.dir, name + '.err')
        self.popen = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=open(self.stdout_path, 'ab'),
                                      stderr=open(self.stderr_path, 'ab'), env={**os.environ, **(env or {})}, preexec_fn=die_with_parent, **options)
        stage.processes.append(self)

    pid = property(lambda self: self.popen.pid)

    def stdout(self):
        with open(self.stdout_path, encoding='utf-8', errors='replace') as file:
            return file.read()

    def stderr(self):
        with open(self.stderr_path, encoding='utf-8', errors='replace') as file:
            return file.read()

    def alive(self):
        return self.popen.poll() is None

    def signal(self, number):
        if self.alive():
            self.popen.send_signal(number)

    def wait(self, patience_s=None):
        """Its exit code; -N after death by signal N."""
        try:
            return self.popen.wait(patience_s or PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f'{self.name} does not end') from None

    def end(self):
        """Stops it one way or another; no complaints."""
        self.signal(signal.SIGTERM)
        try:
            self.popen.wait(5)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()


class Ledger:
    """The origin's ledger (tests/servers/ledger.h), read."""

    def __init__(self, path):
        self.requests, self.connections = [], []
        with open(path, encoding='ascii') as file:
            for line in file:
                kind, *fields = line.split()
                names = ('arrived_ns answered_ns connection peer local host method target status' if kind == 'R'
                         else 'opened_ns closed_ns connection peer local').split()
                entry = dict(zip(names, fields))
                for key in entry:
                    if key.endswith('_ns') or key == 'status':
                        entry[key] = int(entry[key])
                (self.requests if kind == 'R' else self.connections).append(entry)
        self.requests.sort(key=lambda r: r['arrived_ns'])

    def targets(self):
        return [r['target'] for r in self.requests]

    def least_gap_ns(self, host=None):
        """Least time between two arrivals of requests whose Host header is host (with port), or of all."""
        times = [r['arrived_ns'] for r in self.requests if host in (None, r['host'])]
        return min((b - a for a, b in zip(times, times[1:])), default=None)

    def most_connections(self, local=None):
        """Most connections open at one moment, to the address local (ADDR:PORT) or to all."""
        steps = [step for c in self.connections if local in (None, c['local'])
                 for step in ((c['opened_ns'], 1), (c['closed_ns'], -1))]
        most = now = 0
        for _, change in sorted(steps):
            now += change
            most = max(most, now)
        return most


class Origin(Process):
    """The project's own test server; arguments as on its command line."""

    def __init__(self, stage, *arguments, name='origin', listen='127.0.0.1:0'):
        self.ledger_path = os.path.join(stage.dir, name + '.ledger')
        super().__init__(stage, name, [program('tests', 'servers', 'origin'), '--listen', listen,
                                       '--ledger', self.ledger_path, *arguments])
        wait_until(lambda: '\n' in self.stdout() or not self.alive(), 'the origin listens', 10)
        assert self.alive(), self.stderr()
        self.address = self.stdout().split('\n')[0].removeprefix('listening ')
        self.port = int(self.address.rpartition(':')[2])

    def url(self, path='/', host=None):
        return f'http://{host}:{self.port}{path}' if host else f'http://{self.address}{path}'

    def ledger(self):
        """What it has seen so far; connections still open are not in it before stop()."""
        return Ledger(self.ledger_path)

    def stop(self):
        self.signal(signal.SIGTERM)
        assert self.wait() == 0, self.stderr()
        return self.ledger()


ORIGIN_TEXT_BYTES = 65536


def origin_text(cache=[]):
    """The fixed text of tests/servers/reply.c."""
    if not cache:
        x, parts, n = 1, [], 0
        while n < ORIGIN_TEXT_BYTES:
            x = (x * 1664525 + 1013904223) & 0xffffffff
            part = 'bcdfghjklmnprstv'[x >> 28] + 'aeiou'[(x >> 16) % 5]
            if (x >> 12) % 3 == 0:
                part += '\n' if (x >> 8) % 40 == 0 else ' '
            parts.append(part)
            n += len(part)
        cache.append(''.join(parts).encode()[:ORIGIN_TEXT_BYTES])
    return cache[0]


def origin_body(target, byte_count):
    """The body the origin generates for a target."""
    first, text, start = target.encode() + b'\n', origin_text(), 2166136261
    for byte in target.encode():
        start = ((start ^ byte) * 16777619) & 0xffffffff
    start %= ORIGIN_TEXT_BYTES
    circle = text[start:] + text[:start]
    return (first + circle * (byte_count // ORIGIN_TEXT_BYTES + 1))[:byte_count]


class Nginx(Process):
    """Debian's nginx below a directory of its own. http: text put into the http block, with {port} for a
    port of 127.0.0.1 that was free and {root} for its document directory. tls: (certificate, key) of the default
    server, which speaks https then."""
    DEFAULT = 'server {{ listen 127.0.0.1:{port}; root {root}; }}'
    TLS = 'server {{{{ listen 127.0.0.1:{{port}} ssl; root {{root}}; ssl_certificate {0}; ssl_certificate_key {1}; }}}}'

    def __init__(self, stage, http=None, files=None, name='nginx', port=None, tls=None):
        http = http or (self.TLS.format(*tls) if tls else self.DEFAULT)
        self.scheme = 'https' if tls else 'http'
        binary = shutil.which('nginx') or shutil.which('/usr/sbin/nginx')
        if not binary:
            raise Skip('nginx is not installed')
        self.prefix = os.path.join(stage.dir, name)
        self.root = os.path.join(self.prefix, 'html')
        self.port = port or free_port()
        os.makedirs(self.root)
        for path, content in (files or {}).items():
            full = os.path.join(self.root, path.lstrip('/'))
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, 'wb') as file:
                file.write(content if isinstance(content, bytes) else content.encode())
        config = os.path.join(self.prefix, 'nginx.conf')
        with open(config, 'w', encoding='utf-8') as file:
            file.write(self.config(http))
        super().__init__(stage, name, [binary, '-p', self.prefix, '-c', config,
                                       '-e', os.path.join(self.prefix, 'error.log')])
        wait_until(lambda: can_connect('127.0.0.1', self.port) or not self.alive(), 'nginx listens', 10)
        assert self.alive(), self.stderr()

    def config(self, http):
        temporary = ''.join(f'{what}_temp_path {self.prefix}/{what};\n'
                            for what in ('client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'))
        types = 'types { text/html html; text/css css; text/plain txt; image/svg+xml svg; }\n'
        return (('user root;\n' if os.geteuid() == 0 else '') + 'daemon off;\nworker_processes 1;\n'
                + f'pid {self.prefix}/pid;\nevents {{ worker_connections 4096; }}\nhttp {{\n'
                + f'access_log {self.prefix}/access.log;\n' + temporary + types
                + http.format(port=self.port, root=self.root) + '\n}\n')

    def url(self, path='/', host='127.0.0.1'):
        return f'{self.scheme}://{host}:{self.port}{path}'


def free_port():
    """A port of 127.0.0.1 that is free, and below those the kernel gives away meanwhile."""
    while True:
        port = random.randrange(11000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(('127.0.0.1', port))
                return port
            except OSError:
                pass


def can_connect(host, port):
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


# --- the control protocol ------------------------------------------------------------------------
class Refused(Exception):
    """An answer with ok false."""

    def __init__(self, op, error):
        super().__init__(f'{op}: {error.get("code")}: {error.get("message")}')
        self.code, self.error = error.get('code'), error


class Client:
    """One connection to the control socket."""

    def __init__(self, path, patience_s=None):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(patience_s or PATIENCE_S)
        self.socket.connect(path)
        self.unread, self.answers, self.events, self.last_id = b'', {}, [], 0
        self.hello = self.read_line()['hello']

    def read_line(self):
        while b'\n' not in self.unread:
            data = self.socket.recv(1 << 20)
            if not data:
                raise EOFError('the daemon closed the connection')
            self.unread += data
        line, self.unread = self.unread.split(b'\n', 1)
        return json.loads(line)

    def send_bytes(self, data):
        self.socket.sendall(data)

    def send(self, op, **args):
        """Sends a request without waiting; the id to receive() by."""
        self.last_id += 1
        request = {'id': self.last_id, 'op': op, **({'args': args} if args else {})}
        self.send_bytes(json.dumps(request).encode() + b'\n')
        return self.last_id

    def receive(self, request_id):
        """The answer to that request; events and other answers that come before it are kept."""
        while request_id not in self.answers:
            message = self.read_line()
            (self.events.append(message) if 'ok' not in message
             else self.answers.__setitem__(message.get('id'), message))
        return self.answers.pop(request_id)

    def call(self, op, **args):
        """The result; Refused if it is an error."""
        answer = self.receive(self.send(op, **args))
        if not answer['ok']:
            raise Refused(op, answer['error'])
        result = answer.get('result')
        if isinstance(result, dict) and isinstance(result.get('counts'), dict):
            check_counts(result['counts'])
        return result

    def call_many(self, op, list_of_args, outstanding=32):
        """The answers, in order, of many pipelined requests."""
        ids, answers = [], []
        for args in list_of_args:
            if len(ids) - len(answers) >= outstanding:
                answers.append(self.receive(ids[len(answers)]))
            ids.append(self.send(op, **args))
        while len(answers) < len(ids):
            answers.append(self.receive(ids[len(answers)]))
        return answers

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# --- rows ----------------------------------------------------------------------------------------
def row_members(cache=[]):
    """The members a row may have."""
    if not cache:
        with open(os.path.join(TOP, 'common', 'rows.def'), encoding='ascii') as file:
            cache.append(set(re.findall(r'^MEMBER\("([a-z0-9_.]+)"', file.read(), re.M)))
    return cache[0]


def member_paths(row):
    for key, value in row.items():
        yield from (f'{key}.{inner}' for inner in value) if isinstance(value, dict) else (key,)


# --- the daemon ----------------------------------------------------------------------------------
class Crawld:
    """A daemon with a state directory of its own; it may be stopped, killed and started again."""

    def __init__(self, stage, name='crawld', settings=None, config=None, arguments=(), env=None, loopback=True, within=()):
        self.stage, self.name, self.arguments, self.env, self.within = stage, name, list(arguments), env, list(within)
        self.state_dir = os.path.join(stage.dir, name + '.state')
        self.socket_path = os.path.join(stage.dir, name + '.sock')
        self.settings = {**({'allow_cidr': '127.0.0.0/8'} if loopback else {}), **(settings or {})}
        self.config_path = os.path.join(stage.dir, name + '.conf')
        with open(self.config_path, 'w', encoding='utf-8') as file:
            file.write(config or '')
        self.process = self.control = None
        os.makedirs(self.state_dir, exist_ok=True)

    def command(self):
        pairs = [part for key, value in self.settings.items() for part in ('--set', f'{key}={value}')]
        return [*self.within, program('daemon', 'crawld'), '-c', self.config_path, '--state-dir', self.state_dir,
                '--socket', self.socket_path, *pairs, *self.arguments]

    def start(self, ready=True):
        """ready: waits until it answers and its recovery is over."""
        self.process = Process(self.stage, self.name, self.command(), env=self.env)
        if ready:
            wait_until(self.answers, f'{self.name} answers')
        return self

    def answers(self):
        if not self.process.alive():
            last_words = self.process.stderr()[-2000:]
            if 'unsupported: ' in last_words:
                raise Skip('unsupported: ' + last_words.rpartition('unsupported: ')[2].split('\n')[0])
            raise AssertionError(f'{self.name} ended with {self.process.popen.returncode}: {last_words}')
        try:
            self.close_control()
            self.control = Client(self.socket_path)
            self.control.call('job.list')  # refused as long as jobs are being read; status is not
            return True
        except (OSError, EOFError):
            return False
        except Refused as refused:
            if refused.code != 'recovering':
                raise
            return False

    def close_control(self):
        if self.control:
            self.control.close()
        self.control = None

    def client(self):
        """A further connection."""
        client = Client(self.socket_path)
        self.stage.closers.append(client.close)
        return client

    def call(self, op, **args):
        return self.control.call(op, **args)

    def status(self):
        return self.call('status')

    def submit(self, spec, **args):
        """The new job's name. Seeds that do not fit a line follow in parts."""
        seeds = spec.get('seeds', [])
        parts = [seeds[i:i + SEEDS_PER_LINE] for i in range(0, len(seeds), SEEDS_PER_LINE)] if len(seeds) > SEEDS_PER_LINE else []
        if parts:
            spec, args = {key: value for key, value in spec.items() if key != 'seeds'}, {**args, 'more': True}
        try:
            result = self.call('job.submit', spec=spec, **args)
        except Refused as refused:
            if refused.code == 'unsupported':
                raise Skip(str(refused)) from None
            raise
        job = result.get('job') or result['name']
        adds = [{'job': job, 'urls': part, **({'last': True} if part is parts[-1] else {})} for part in parts]
        for answer in self.control.call_many('job.add', adds):
            assert answer['ok'], answer
        return job

    def show(self, job):
        return self.call('job.show', job=job)

    def wait_state(self, job, *states, patience_s=None):
        shown = {}

        def look():
            self.status()
            shown.update(self.show(job))
            return shown if shown['state'] in states else None
        try:
            return wait_until(look, f'{job} is {" or ".join(states)}', patience_s)
        except AssertionError as error:
            raise AssertionError(f'{error}: {({key: shown.get(key) for key in ("state", "why", "counts")})}') from None

    def wait_done(self, job, patience_s=None):
        """What job.show says at the end; every accepted URL has its row then."""
        shown = self.wait_state(job, 'done', patience_s=patience_s)
        counts = shown['counts']
        assert counts['queued'] == counts['in_flight'] == 0, counts
        rows = self.rows(job)
        assert len(rows) == counts['accepted'], f'{len(rows)} rows, {counts}'
        assert len({row['seq'] for row in rows}) == len(rows), 'a seq has two rows'
        for outcome in OUTCOMES:
            assert sum(row['outcome'] == outcome for row in rows) == counts[outcome], (outcome, counts)
        return shown

    def job_dir(self, job):
        return os.path.join(self.state_dir, 'jobs', job)

    def rows(self, job):
        """The committed rows of results.jsonl."""
        committed_bytes = self.show(job)['committed_bytes']
        with open(os.path.join(self.job_dir(job), 'results.jsonl'), 'rb') as file:
            data = file.read(committed_bytes)
        assert len(data) == committed_bytes, f'results.jsonl has {len(data)} of {committed_bytes} bytes'
        assert not data or data.endswith(b'\n'), 'committed_bytes cuts a row'
        rows = [json.loads(line) for line in data.splitlines()]
        strange = {path for row in rows for path in member_paths(row)} - row_members()
        assert not strange, f'common/rows.def does not know {strange}'
        return rows

    def warc_paths(self, job):
        folder = os.path.join(self.job_dir(job), 'warc')
        return sorted(os.path.join(folder, name) for name in os.listdir(folder)) if os.path.isdir(folder) else []

    def warc_records(self, job):
        """Every record of every WARC file of the job, checked one by one."""
        return [record for path in self.warc_paths(job) for record in warcfile.read(path)]

    def page(self, job, row):
        """The response record a row points at, checked against the row."""
        where = row['warc']
        path = os.path.join(self.job_dir(job), 'warc', where['file'])
        path = path if os.path.exists(path) else path + '.open'
        record = warcfile.read_at(path, where['offset'], where['length'])
        assert record.type in ('response', 'revisit'), record.headers
        assert record.header('WARC-Target-URI') == row.get('final_url', row['url']), (record.headers, row)
        if record.type == 'response':
            assert row['sha1'] == warcfile.sha1_base32(record.payload()), row
            assert row['body_bytes'] == len(record.payload()), row
        return record

    def check_pages(self, job):
        """Promise 3: each stored row's record is there and whole. The rows."""
        rows = self.rows(job)
        for row in rows:
            if row['outcome'] == 'stored' and 'warc' in row:
                self.page(job, row)
        return rows

    def stop(self, number=signal.SIGTERM):
        """Its exit code."""
        self.close_control()
        self.process.signal(number)
        return self.process.wait()

    def kill(self):
        self.stop(signal.SIGKILL)
        return self

    def log(self):
        return self.process.stderr()

    def ctl(self, *arguments, stdin=None, check=True, env=None):
        """crawlctl on this daemon's socket."""
        return crawlctl('-s', self.socket_path, *arguments, stdin=stdin, check=check, env=env)


def crawlctl(*arguments, stdin=None, check=True, env=None, cwd=None, patience_s=None):
    done = subprocess.run([program('ctl', 'crawlctl'), *map(str, arguments)], input=stdin, capture_output=True, text=True,
                          timeout=patience_s or PATIENCE_S, env={**os.environ, **(env or {})}, cwd=cwd,
                          **({'stdin': subprocess.DEVNULL} if stdin is None else {}))
    assert not any(word in done.stderr for word in SANITIZER_WORDS), done.stderr[-4000:]
    if check:
        assert done.returncode == 0, f'crawlctl {" ".join(map(str, arguments))}: exit {done.returncode}: {done.stderr[-2000:]}'
    return done


# --- the stage -----------------------------------------------------------------------------------
class Stage:
    """Owns everything a scenario starts."""

    def __init__(self):
        # A UNIX socket's path has 107 bytes, so not below a long $TMPDIR.
        self.dir = tempfile.mkdtemp(prefix='crawld-test-', dir='/tmp')
        self.processes, self.closers, self.origin_count = [], [], 0

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        """A file of that content; its path."""
        with open(self.path(name), 'wb') as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        return self.path(name)

    def origin(self, *arguments, **options):
        self.origin_count += 1
        name = 'origin' if self.origin_count == 1 else f'origin{self.origin_count}'
        return Origin(self, *map(str, arguments), **{'name': name, **options})

    def nginx(self, *arguments, **options):
        return Nginx(self, *arguments, **options)

    def ca(self, name='ca', **options):
        """A certificate authority; see ca.py. A daemon trusts it with settings={'ca_file': that.path}."""
        if not ca.available():
            raise Skip('openssl is not installed')
        return ca.Authority(self.path(name), name, **options)

    def scripted(self, *arguments, **options):
        server = ScriptedServer(*arguments, **options)
        self.closers.append(server.close)
        return server

    def dns(self, names, **options):
        server = DnsServer(names, **options)
        self.closers.append(server.close)
        return server

    def crawld(self, ready=True, **options):
        """A started daemon; options as of Crawld."""
        return Crawld(self, **options).start(ready)

    def close(self):
        for close in reversed(self.closers):
            close()
        for process in reversed(self.processes):
            process.end()

    def check_sanitizers(self):
        for process in self.processes:
            text = process.stderr()
            hit = min((text.find(word) for word in SANITIZER_WORDS if word in text), default=-1)
            assert hit < 0, f'{process.name}: {text[max(0, hit - 200):hit + 3000]}'

    def show_logs(self, byte_count=3000):
        for process in self.processes:
            text = process.stderr()
            if text:
                print(f'--- {process.name} ({process.stderr_path})\n{text[-byte_count:]}', file=sys.stderr)

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)
