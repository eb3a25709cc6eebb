#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A server that plays scripts: for answers no honest server would give.

A script is a list of steps, each a list of a name and its arguments; text is latin-1:

    send TEXT              send_before_read TEXT   the same without waiting for a request
    repeat N TEXT          %d in TEXT becomes 0..N-1
    every_ms N TEXT        again and again until the peer leaves
    rate BYTES_PER_S TOTAL filler at that rate
    forever TEXT           as fast as the peer takes it
    random N   hex HEX     N bytes of noise (always the same); bytes in hex
    coded {enc, label, plain_len, zeros, layers, flip_crc, fname_len}   a whole answer, coded
    sleep_ms N   wait_request   shut_wr   close   rst
    close_notify           says over TLS that nothing more will come; close alone does not
    hang                   keeps the connection, silent, until the peer leaves
    noaccept               must be the only step: the listen queue is full

A request head is read before the first step, unless that is send_before_read or noaccept; the end
of the script closes. In TEXT: @SELF is the URL asked for, @PINGPONG one of two URLs in turn, @NEXT a URL
never given before, @LONG a URL of 9,000 bytes, @LONGCOOKIE 100,000 bytes.

    with ScriptedServer([['send', 'HTTP/1.1 200 OK\\r\\n\\r\\nhello'], ['close']]) as server:
        ... server.port, server.url('/x'), server.requests, server.connection_count

As a program: scripted.py [--listen ADDR:PORT] FILE|'JSON' [CASE-ID] plays steps, or one case of a list of
cases, and prints the requests.
"""
import gzip
import json
import random
import re
import socket
import ssl
import struct
import sys
import threading
import time
import zlib

HEAD_MOST_BYTES = 1 << 20


class Request:
    """A request head as it came. time_ns is CLOCK_MONOTONIC when its last byte was read."""

    def __init__(self, connection, raw):
        self.connection, self.raw, self.time_ns = connection, raw, time.monotonic_ns()
        first, *lines = raw.decode('latin-1').split('\r\n')
        self.method, self.target, *_ = (first.split(' ') + ['', ''])[:3]
        self.headers = [tuple(part.strip() for part in line.split(':', 1)) for line in lines if ':' in line]

    def header(self, name):
        """The first value of that name, or None."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


class PeerLeft(Exception):
    pass


class Unsupported(Exception):
    """A content coding this Python cannot make."""


def gzip_member(plain, name_bytes=0, flip_crc=False):
    raw = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = raw.compress(plain) + raw.flush()
    name = b'n' * name_bytes + b'\0' if name_bytes else b''
    crc = zlib.crc32(plain) ^ (1 if flip_crc else 0)
    return (bytes([31, 139, 8, 8 if name else 0, 0, 0, 0, 0, 0, 3]) + name + packed
            + struct.pack('<II', crc, len(plain) & 0xffffffff))


def encode(coding, plain):
    if coding == 'identity':
        return plain
    if coding in ('gzip', 'x-gzip'):
        return gzip.compress(plain, 9, mtime=0)
    if coding == 'deflate':
        return zlib.compress(plain, 9)
    if coding == 'rawdeflate':
        raw = zlib.compressobj(9, zlib.DEFLATED, -15)
        return raw.compress(plain) + raw.flush()
    try:
        module = __import__({'br': 'brotli', 'zstd': 'zstandard'}[coding])
    except (KeyError, ImportError):
        raise Unsupported(coding) from None
    if coding == 'zstd':
        return module.ZstdCompressor().compress(plain)
    packer = module.Compressor()
    return packer.process(plain) + packer.finish()


def coded_answer(spec):
    """A whole answer whose body is plain_len letters, or zeros NULs, in the coding enc."""
    if spec.get('zeros', 0) > 1 << 30:
        raise Unsupported(f"{spec['zeros']} bytes in {spec['enc']}")
    plain = bytes(spec['zeros']) if 'zeros' in spec else b'abcdefghi\n' * (spec['plain_len'] // 10 + 1)
    plain = plain if 'zeros' in spec else plain[:spec['plain_len']]
    layers = spec.get('layers', 1)
    if spec.get('flip_crc') or spec.get('fname_len'):
        body = gzip_member(plain, spec.get('fname_len', 0), spec.get('flip_crc', False))
    else:
        body = plain
        for _ in range(layers):
            body = encode(spec['enc'], body)
    label = ', '.join([spec.get('label', spec['enc'])] * layers)
    return (f'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: {label}\r\n'
            f'Content-Length: {len(body)}\r\n\r\n').encode() + body


class Connection:
    """One accepted connection playing one script; runs in its own thread."""

    def __init__(self, server, number, sock):
        self.server, self.number, self.sock = server, number, sock
        self.unread, self.request = b'', None

    def run(self):
        try:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sock.settimeout(self.server.patience_s)
            if self.server.tls:
                self.sock = self.server.tls.wrap_socket(self.sock, server_side=True, suppress_ragged_eofs=False)
            if not self.server.sends_first(self.number):
                self.read_request()
            for name, *arguments in self.server.script_for(self.number, self.request):
                getattr(self, 'do_' + name)(*arguments)
        except (OSError, PeerLeft):
            pass
        except Exception as error:
            self.server.errors.append(error)
        finally:
            self.sock.close()

    def read_request(self):
        """The next request; questions for robots.txt are answered on the side."""
        while True:
            while b'\r\n\r\n' not in self.unread:
                data = self.sock.recv(65536)
                if not data or len(self.unread) > HEAD_MOST_BYTES:
                    raise PeerLeft
                self.unread += data
            head, self.unread = self.unread.split(b'\r\n\r\n', 1)
            request = Request(self.number, head)
            if request.target != '/robots.txt' or self.server.robots is None:
                break
            with self.server.lock:
                self.server.robots_requests.append(request)
            self.sock.sendall(self.server.robots)
        self.request = request
        with self.server.lock:
            self.server.requests.append(request)

    def expand(self, text):
        return re.sub(r'@(SELF|PINGPONG|NEXT|LONGCOOKIE|LONG)', lambda m: self.server.word(m[1], self.request), text)

    def bytes_of(self, text):
        return self.expand(text).encode('latin-1')

    def do_send(self, text):
        self.sock.sendall(self.bytes_of(text))

    do_send_before_read = do_send

    def do_repeat(self, count, text):
        if '%d' not in text:
            return self.sock.sendall(self.bytes_of(text) * count)
        self.sock.sendall(b''.join(self.bytes_of(text.replace('%d', str(i))) for i in range(count)))

    def do_every_ms(self, interval_ms, text):
        while not self.server.stopping.wait(interval_ms / 1000):
            self.do_send(text)

    def do_rate(self, bytes_per_s, total_bytes):
        start, sent = time.monotonic(), 0
        while sent < total_bytes and not self.server.stopping.wait(0.05):
            due = min(total_bytes, int((time.monotonic() - start) * bytes_per_s))
            self.sock.sendall(b'x' * (due - sent))
            sent = due

    def do_forever(self, text):
        data = self.bytes_of(text)
        data *= max(1, 65536 // len(data))
        while not self.server.stopping.is_set():
            self.sock.sendall(data)

    def do_random(self, count):
        self.sock.sendall(random.Random(7).randbytes(count))

    def do_hex(self, text):
        self.sock.sendall(bytes.fromhex(text))

    def do_coded(self, spec):
        self.sock.sendall(self.server.coded(spec))

    def do_sleep_ms(self, ms):
        self.server.stopping.wait(ms / 1000)

    def do_wait_request(self):
        self.read_request()

    def do_shut_wr(self):
        self.sock.shutdown(socket.SHUT_WR)

    def do_hang(self):
        self.sock.settimeout(None)
        while self.sock.recv(65536):
            pass
        raise PeerLeft

    def do_close(self):
        """Reads what is left first: closing on unread bytes would send RST."""
        self.sock.setblocking(False)
        try:
            while self.sock.recv(65536):
                pass
        except (BlockingIOError, ssl.SSLWantReadError):
            pass
        self.sock.close()
        raise PeerLeft

    def do_close_notify(self):
        self.sock.settimeout(0)
        self.sock.unwrap()

    def do_rst(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        self.sock.close()
        raise PeerLeft


class ScriptedServer:
    """Plays `steps` on every connection; or scripts[i] on connection i, the last one on all further; or
    by_target[target]; or what choose(connection number, request) returns.

    robots: the bytes /robots.txt is answered with on the side (default 404, connection kept), None:
    it is a request like any other. tls: (certificate, key), paths; the scripts are played over TLS.
    """
    NOT_FOUND = b'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n'

    def __init__(self, steps=None, *, scripts=None, by_target=None, choose=None, host='127.0.0.1', port=0,
                 robots=NOT_FOUND, patience_s=60, tls=None):
        self.scripts = scripts if scripts is not None else [steps or []]
        self.by_target, self.choose, self.robots, self.patience_s, self.tls = by_target, choose, robots, patience_s, None
        if tls:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(*tls)
        self.host, self.lock, self.stopping = host, threading.Lock(), threading.Event()
        self.requests, self.robots_requests, self.errors = [], [], []
        self.connection_count, self.word_count = 0, 0
        self.coded_answers, self.sockets, self.fillers = {}, [], []
        self.refuses = any(step[0] == 'noaccept' for script in self.scripts for step in script)
        for script in self.scripts + list((by_target or {}).values()):
            for name, *arguments in script:
                if name == 'coded':
                    self.coded(arguments[0])
        self.listener = socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((host, port))
        self.listener.listen(0 if self.refuses else 128)
        self.port = self.listener.getsockname()[1]
        if self.refuses:
            self.fill_queue()
        else:
            threading.Thread(target=self.accept, daemon=True).start()

    def url(self, path='/', host=None):
        host = host or (f'[{self.host}]' if ':' in self.host else self.host)
        return f'{"https" if self.tls else "http"}://{host}:{self.port}{path}'

    def fill_queue(self):
        for _ in range(4):
            filler = socket.socket(self.listener.family)
            filler.setblocking(False)
            filler.connect_ex((self.host, self.port))
            self.fillers.append(filler)
        time.sleep(0.05)

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                number = self.connection_count
                self.connection_count += 1
                self.sockets = [s for s in self.sockets if s.fileno() >= 0] + [sock]
            threading.Thread(target=Connection(self, number, sock).run, daemon=True).start()

    def sends_first(self, number):
        if self.choose or self.by_target:
            return False
        script = self.script_for(number, None)
        return bool(script) and script[0][0] == 'send_before_read'

    def script_for(self, number, request):
        if self.choose:
            return self.choose(number, request)
        if self.by_target and request.target in self.by_target:
            return self.by_target[request.target]
        return self.scripts[min(number, len(self.scripts) - 1)]

    def coded(self, spec):
        key = json.dumps(spec, sort_keys=True)
        if key not in self.coded_answers:
            self.coded_answers[key] = coded_answer(spec)
        return self.coded_answers[key]

    def word(self, name, request):
        with self.lock:
            self.word_count += 1
            count = self.word_count
        if name == 'SELF':
            return self.url(request.target if request else '/')
        if name == 'PINGPONG':
            return self.url('/pong' if request and request.target == '/ping' else '/ping')
        if name == 'NEXT':
            return self.url(f'/next/{count}')
        return self.url('/' + 'a' * 9000) if name == 'LONG' else 'c' * 100000

    def close(self):
        self.stopping.set()
        # shutdown() wakes the threads that wait in accept() and recv(); close() alone would not.
        for sock in [self.listener, *self.sockets, *self.fillers]:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for sock in [self.listener, *self.fillers]:
            sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def main(arguments):
    host, port = '127.0.0.1', 0
    if arguments[:1] == ['--listen'] and len(arguments) > 1:
        host, _, port = arguments[1].rpartition(':')
        arguments = arguments[2:]
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    text = arguments[0]
    if not text.lstrip().startswith('['):
        with open(text, encoding='utf-8') as file:
            text = file.read()
    steps = json.loads(text)
    if steps and isinstance(steps[0], dict):
        steps = next(case['steps'] for case in steps if case['id'] == arguments[1])
    with ScriptedServer(steps, host=host.strip('[]'), port=int(port)) as server:
        print('listening', server.url().removeprefix('http://').rstrip('/'), flush=True)
        shown = 0
        while True:
            time.sleep(0.2)
            for request in server.requests[shown:]:
                print(request.connection, request.method, request.target, flush=True)
                shown += 1


if __name__ == '__main__':
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
