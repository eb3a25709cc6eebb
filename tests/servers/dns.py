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

or a function of the number of earlier questions for that name and type that returns one of these. `*` answers for
names not in the table; without it they are NXDOMAIN.
"""
import socket
import struct
import threading

TYPES = {1: 'A', 28: 'AAAA'}
CODES = {'SERVFAIL': 2, 'NXDOMAIN': 3, 'REFUSED': 5}


def read_question(message):
    """(name, type number, the question's bytes)."""
    labels, at = [], 12
    while message[at]:
        labels.append(message[at + 1:at + 1 + message[at]])
        at += 1 + message[at]
    kind = struct.unpack('>H', message[at + 1:at + 3])[0]
    return b'.'.join(labels).decode('latin-1').lower(), kind, message[12:at + 5]


class DnsServer:
    def __init__(self, names, ttl_s=60):
        self.names, self.ttl_s, self.queries, self.lock = names, ttl_s, [], threading.Lock()
        self.udp, self.tcp = self.open_port()
        self.port = self.udp.getsockname()[1]
        self.tcp.listen(16)
        for target in (self.serve_udp, self.serve_tcp):
            threading.Thread(target=target, daemon=True).start()

    address = property(lambda self: f'127.0.0.1:{self.port}')

    @staticmethod
    def open_port():
        while True:
            udp, tcp = socket.socket(type=socket.SOCK_DGRAM), socket.socket()
            udp.bind(('127.0.0.1', 0))
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
        return answer(earlier) if callable(answer) else answer

    def reply(self, message, by_tcp):
        """The bytes to send, or None."""
        name, number, question = read_question(message)
        answer = self.answer_for(name, TYPES.get(number, str(number)))
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
            reply = self.reply(message, False)
            if reply:
                self.udp.sendto(reply, peer)

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
                reply = self.reply(stream.read(struct.unpack('>H', size)[0]), True)
                if reply:
                    peer.sendall(struct.pack('>H', len(reply)) + reply)

    def close(self):
        for sock in (self.udp, self.tcp):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()
