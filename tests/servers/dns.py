# SPDX-License-Identifier: MIT
"""A name server that answers as it is told, over UDP and TCP on one port of 127.0.0.1.

    server = DnsServer({'a.test': ['127.0.0.1', '::1'], 'none.test': 'NXDOMAIN'})
    ... '127.0.0.1:%d' % server.port; server.queries == [('a.test', 'A'), ...]

An answer is a list of addresses (those of the type asked for are sent), or one of the words

    NXDOMAIN SERVFAIL REFUSED   that code
    DROP                        silence
    TRUNCATED                   UDP says "too long, ask by TCP"; TCP gives 127.0.0.1
    GARBAGE                     bytes that are no message
    FOREIGN                     an answer to another question

or a function of the number of earlier questions for that name and type that returns one of these, or a Play: a
function that gets the Question and sends what it likes. `*` answers for names not in the table; without it they are
NXDOMAIN.
"""
import collections
import socket
import struct
import threading

Play = collections.namedtuple('Play', 'play')

SO_RCVBUFFORCE, QUEUE_BYTES = 33, 16 << 20
TYPES = {1: 'A', 28: 'AAAA'}
CODES = {'SERVFAIL': 2, 'NXDOMAIN': 3, 'REFUSED': 5}


class Close(OSError):
    """Raised by a play: the TCP connection is closed."""


def later(seconds, function, *arguments):
    """Calls it in a thread of its own; plays must not sleep, others wait for them."""
    timer = threading.Timer(max(0, seconds), function, arguments)
    timer.daemon = True
    timer.start()


class Question:
    """One message of a client's. kind is 'A' or 'AAAA', earlier the number of questions for that name and type before,
    peer (ADDRESS, PORT)."""

    def __init__(self, message, earlier, by_tcp, send_bytes, peer):
        self.earlier, self.by_tcp, self.send_bytes, self.peer = earlier, by_tcp, send_bytes, peer
        self.name, self.number, self.asked = read_question(message)
        self.kind, self.id = TYPES.get(self.number, str(self.number)), message[:2]

    def send(self, message):
        """A message in the transport's framing."""
        self.send_bytes(struct.pack('>H', len(message)) + message if self.by_tcp else message)

    def reply(self, answers=(), rcode=0, flags=0x8180, question=None, counts=None, authority=(), additional=(), tail=b''):
        """The bytes of a well-formed answer, or of one that is not. answers: bytes of records; counts: what the head
        says of the four sections."""
        question = self.asked if question is None else question
        counts = counts or (1 if question else 0, len(answers), len(authority), len(additional))
        head = self.id + struct.pack('>HHHHH', flags | rcode, *counts)
        return head + question + b''.join([*answers, *authority, *additional]) + tail


def record(data, kind='A', owner=b'\xc0\x0c', ttl=60, rclass=1, size=None):
    """A resource record; data: an address, or bytes."""
    number = {'A': 1, 'NS': 2, 'CNAME': 5, 'TXT': 16, 'AAAA': 28, 'OPT': 41}[kind]
    if isinstance(data, str):
        data = socket.inet_pton(socket.AF_INET6 if ':' in data else socket.AF_INET, data)
    return owner + struct.pack('>HHIH', number, rclass, ttl & 0xffffffff, len(data) if size is None else size) + data


def wire_name(text):
    return b''.join(bytes([len(label)]) + label for label in text.encode().split(b'.') if label) + b'\0'


def read_question(message):
    """(name, type number, the question's bytes)."""
    labels, at = [], 12
    while message[at]:
        labels.append(message[at + 1:at + 1 + message[at]])
        at += 1 + message[at]
    kind = struct.unpack('>H', message[at + 1:at + 3])[0]
    return b'.'.join(labels).decode('latin-1').lower(), kind, message[12:at + 5]


def make_room(udp):
    """For questions that come faster than Python answers: the kernel drops what finds none."""
    try:
        udp.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, QUEUE_BYTES)
    except PermissionError:
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, QUEUE_BYTES)


class DnsServer:
    def __init__(self, names, ttl_s=60, host='127.0.0.1', port=0, listen=True):
        """listen: by TCP, too."""
        self.names, self.ttl_s, self.queries, self.lock, self.host = names, ttl_s, [], threading.Lock(), host
        self.udp, self.tcp = self.open_port(host, port)
        self.port = self.udp.getsockname()[1]
        if listen:
            self.tcp.listen(64)
        for target in (self.serve_udp, self.serve_tcp)[:2 if listen else 1]:
            threading.Thread(target=target, daemon=True).start()

    address = property(lambda self: f'{self.host}:{self.port}')

    @staticmethod
    def open_port(host, port):
        while True:
            udp, tcp = socket.socket(type=socket.SOCK_DGRAM), socket.socket()
            make_room(udp)
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            udp.bind((host, port))
            try:
                tcp.bind(udp.getsockname())
                return udp, tcp
            except OSError:
                udp.close()
                tcp.close()

    def asked(self, name):
        with self.lock:
            return sum(query[0] == name for query in self.queries)

    def answer_for(self, name, kind):
        with self.lock:
            earlier = self.queries.count((name, kind))
            self.queries.append((name, kind))
        answer = self.names.get(name, self.names.get('*', 'NXDOMAIN'))
        return earlier, answer(earlier) if callable(answer) else answer

    def answer(self, message, by_tcp, send_bytes, client):
        name, number, _ = read_question(message)
        earlier, answer = self.answer_for(name, TYPES.get(number, str(number)))
        if isinstance(answer, Play):
            answer.play(Question(message, earlier, by_tcp, send_bytes, client))
            return
        reply = self.reply(message, answer, by_tcp)
        if reply:
            send_bytes(struct.pack('>H', len(reply)) + reply if by_tcp else reply)

    def reply(self, message, answer, by_tcp):
        """The bytes to send, or None."""
        _, number, question = read_question(message)
        flags, records = 0x8180, []
        if answer == 'DROP':
            return None
        if answer == 'GARBAGE':
            return message[:2] + b'\xff' * 40
        if answer == 'FOREIGN':
            question = b'\7foreign\4test\0' + question[-4:]
            answer = ['127.0.0.1']
        if answer == 'TRUNCATED':
            flags, answer = (flags, ['127.0.0.1']) if by_tcp else (flags | 0x200, [])
        if isinstance(answer, str):
            flags, answer = flags | CODES[answer], []
        for address in answer:
            family = socket.AF_INET6 if ':' in address else socket.AF_INET
            if number == (28 if family == socket.AF_INET6 else 1):
                data = socket.inet_pton(family, address)
                records.append(struct.pack('>HHHIH', 0xc00c, number, 1, self.ttl_s, len(data)) + data)
        head = message[:2] + struct.pack('>HHHHH', flags, 1, len(records), 0, 0)
        return head + question + b''.join(records)

    def serve_udp(self):
        while True:
            try:
                message, peer = self.udp.recvfrom(4096)
            except OSError:
                return
            if len(message) < 17:
                return
            self.answer(message, False, lambda data, to=peer: self.send_udp(data, to), peer)

    def send_udp(self, data, peer):
        try:
            self.udp.sendto(data, peer)
        except OSError:
            pass  # who asked is gone

    def serve_tcp(self):
        while True:
            try:
                peer, _ = self.tcp.accept()
            except OSError:
                return
            threading.Thread(target=self.serve_peer, args=(peer,), daemon=True).start()

    def serve_peer(self, peer):
        with peer, peer.makefile('rb') as stream:
            while len(size := stream.read(2)) == 2:
                try:
                    self.answer(stream.read(struct.unpack('>H', size)[0]), True, peer.sendall, peer.getpeername())
                except OSError:
                    return  # Close, or who asked is gone

    def close(self):
        for sock in (self.udp, self.tcp):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()
