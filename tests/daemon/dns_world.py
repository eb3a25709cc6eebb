# SPDX-License-Identifier: MIT
"""What name servers do to a crawl: WORLD is a table of names under .test, each with

    name   the host; also what goes on there
    does   what the server does with a question, as of tests/servers/dns.py
    ends   the reason of the row, or 'stored'; several with | where c-ares' versions take it more or less strictly
    soon   true: it is known before the time for names is over; false: only then; None: either

GOOD is an address that may be contacted and answers, GOOD6 one of IPv6, BAD one that is denied.
"""
import collections
import random
import socket
import struct
import time

from dns import Close, Play, later, record, wire_name

GOOD, GOOD6, OTHER, BAD = '93.184.216.34', '2606:2800:220:1::1', '93.184.216.35', '10.0.0.5'
LIMIT_MS = 5000  # for names; less than a name server may take

Row = collections.namedtuple('Row', 'name does ends soon')
WORLD = []


def row(name, does, ends, soon=True):
    WORLD.append(Row(name + '.test', does, ends, soon))


def answers(*records, **options):
    """To A; of AAAA there are none."""
    return Play(lambda q: q.send(q.reply(list(records) if q.kind == 'A' else [], **options)))


def broken(make):
    """make(q) gives the bytes of the answer to A; of AAAA there are none."""
    return Play(lambda q: q.send(make(q) if q.kind == 'A' else q.reply()))


def good(q):
    """A right answer."""
    q.send(q.reply([record(GOOD)] if q.kind == 'A' else []))


# --- codes and nothing --------------------------------------------------------------------------
for code, word, ends in ((1, 'formerr', 'dns_error'), (2, 'servfail', 'dns_error'), (3, 'nxdomain', 'dns_not_found'),
                         (4, 'notimp', 'dns_error'), (5, 'refused', 'dns_error'), (9, 'notauth', 'dns_error')):
    row(word, Play(lambda q, code=code: q.send(q.reply(rcode=code))), ends)
row('silence', 'DROP', 'dns_timeout', False)
row('zero-answers', [], 'dns_not_found')
row('servfail-with-address', Play(lambda q: q.send(q.reply([record(BAD)], rcode=2))), 'dns_error')


row('servfail-once', Play(lambda q: good(q) if q.earlier else q.send(q.reply(rcode=2))), 'stored')

# --- not the answer to the question --------------------------------------------------------------
def wrong_id(q, address=BAD):
    return bytes([q.id[0] ^ 1]) + q.reply([record(address)])[1:]


def wrong_question(q):
    return q.reply([record(BAD)], question=wire_name('other.test') + q.asked[-4:])


def from_other_port(q):
    with socket.socket(type=socket.SOCK_DGRAM) as stranger:
        stranger.sendto(q.reply([record(BAD)]), q.peer)


row('wrong-id', Play(lambda q: q.send(wrong_id(q))), 'dns_timeout', False)
row('wrong-question', Play(lambda q: q.send(wrong_question(q))), 'dns_timeout', False)
row('wrong-port', Play(from_other_port), 'dns_timeout', False)
row('wrong-type', Play(lambda q: q.send(q.reply([record(BAD)], question=q.asked[:-4] + b'\0\x10\0\1'))), 'dns_timeout', False)
for word, forge in (('id', lambda q: q.send(wrong_id(q))), ('question', lambda q: q.send(wrong_question(q))), ('port', from_other_port)):
    row(f'wrong-{word}-then-right', Play(lambda q, forge=forge: (forge(q), good(q))), 'stored')
row('five-hundred-wrong-ids-then-right', Play(lambda q: [q.send(wrong_id(q)) for _ in range(500)] and good(q)), 'stored')
row('two-answers-first-counts', Play(lambda q: (good(q), q.send(q.reply([record(BAD)])))), 'stored')

# --- broken messages -----------------------------------------------------------------------------
row('empty-datagram', Play(lambda q: q.send(b'')), 'dns_timeout|dns_error', None)
row('five-bytes', Play(lambda q: q.send(q.id + b'\x81\x80\0')), 'dns_timeout|dns_error', None)
row('header-only', broken(lambda q: q.reply()[:12]), 'dns_timeout|dns_error', None)
row('garbage', 'GARBAGE', 'dns_timeout|dns_error', None)
row('no-question', broken(lambda q: q.reply([record(GOOD, owner=wire_name(q.name))], question=b'')), 'dns_timeout|dns_error', None)
row('two-questions', broken(lambda q: q.reply([record(GOOD)], question=q.asked * 2, counts=(2, 1, 0, 0))), 'dns_timeout|dns_error|stored', None)
row('count-too-high', broken(lambda q: q.reply([record(BAD)], counts=(1, 5, 0, 0))), 'dns_error')
row('count-too-low', broken(lambda q: q.reply([record(GOOD), record(BAD)], counts=(1, 1, 0, 0))), 'stored')
row('counts-65535', broken(lambda q: q.reply([record(BAD)], counts=(1, 65535, 65535, 65535))), 'dns_error')
row('name-points-to-itself', broken(lambda q: q.reply([record(BAD, owner=struct.pack('>H', 0xc000 + 12 + len(q.asked)))])), 'dns_error')
row('names-point-to-each-other', broken(lambda q: q.reply([record(BAD, owner=struct.pack('>HH', 0xc000 + 14 + len(q.asked), 0xc000 + 12 + len(q.asked)))])), 'dns_error')
row('pointer-beyond-the-end', broken(lambda q: q.reply([record(BAD, owner=b'\xff\xff')])), 'dns_error')
row('pointer-cut', broken(lambda q: q.reply(counts=(1, 1, 0, 0), tail=b'\xc0')), 'dns_error')
row('label-of-64', broken(lambda q: q.reply([record(BAD, owner=b'\x40' + b'a' * 64 + b'\0')])), 'dns_error')
row('label-of-191', broken(lambda q: q.reply([record(BAD, owner=b'\xbf' + b'a' * 191 + b'\0')])), 'dns_error')
row('label-beyond-the-end', broken(lambda q: q.reply([b'\x3fabc'])), 'dns_error')
row('name-of-300', broken(lambda q: q.reply([record(BAD, owner=(b'\x3b' + b'a' * 59) * 5 + b'\0')])), 'dns_error|dns_not_found|address_denied')
row('name-of-20000', broken(lambda q: q.reply([record(BAD, owner=(b'\1a' * 200 + struct.pack('>H', 0xc000 + 12 + len(q.asked))))])), 'dns_error')
row('nul-in-a-name', broken(lambda q: q.reply([record(BAD, owner=b'\3a\0b\4test\0')])), 'dns_error|dns_not_found|address_denied')
row('address-of-another-name', broken(lambda q: q.reply([record(BAD, owner=wire_name('other.test'))])), 'dns_not_found|address_denied')
row('data-beyond-the-end', broken(lambda q: q.reply([record(BAD, size=400)])), 'dns_error')
row('record-cut', broken(lambda q: q.reply([record(BAD)])[:-2]), 'dns_error')
row('address-of-3-bytes', broken(lambda q: q.reply([record(b'\1\2\3')])), 'dns_not_found|dns_error')
row('address-of-5-bytes', broken(lambda q: q.reply([record(b'\x0a\0\0\5\5')])), 'dns_not_found|dns_error|address_denied')
row('address-of-0-bytes', broken(lambda q: q.reply([record(b'')])), 'dns_not_found|dns_error')
row('cname-of-0-bytes', broken(lambda q: q.reply([record(b'', 'CNAME'), record(BAD)])), 'dns_error|address_denied')
row('rubbish-behind', broken(lambda q: q.reply([record(GOOD)], tail=b'\xff' * 60)), 'stored')
row('opt-rubbish', broken(lambda q: q.reply([record(GOOD)], additional=[record(b'\xff' * 11, 'OPT', owner=b'\0', rclass=4096, ttl=-1)])), 'stored|dns_error')
row('random-bytes', Play(lambda q: [q.send(q.id + random.Random(n).randbytes(n)) for n in range(2, 200)]), 'dns_timeout|dns_error|dns_not_found', None)


# --- aliases --------------------------------------------------------------------------------------
def chain(q, length, *end):
    """CNAMEs q.name -> 1.chain.test -> ... and the records at its end."""
    names = [q.asked[:-4]] + [wire_name(f'{n}.chain.test') for n in range(1, length + 1)]
    return [record(to, 'CNAME', owner=owner) for owner, to in zip(names, names[1:])] + [record(data, owner=names[-1]) for data in end]


for length in (1, 2, 8, 20):
    row(f'cname-chain-of-{length}', broken(lambda q, length=length: q.reply(chain(q, length, GOOD))), 'stored')
row('cname-only', broken(lambda q: q.reply(chain(q, 1))), 'dns_not_found')
row('cname-loop', broken(lambda q: q.reply([record(wire_name('1.chain.test'), 'CNAME'), record(q.asked[:-4], 'CNAME', owner=wire_name('1.chain.test'))])), 'dns_not_found|dns_error')
row('cname-to-itself', broken(lambda q: q.reply([record(b'\xc0\x0c', 'CNAME')])), 'dns_not_found|dns_error')
row('cname-to-nxdomain', Play(lambda q: q.send(q.reply(chain(q, 1), rcode=3))), 'dns_not_found')
row('cname-to-private', broken(lambda q: q.reply(chain(q, 1, BAD))), 'address_denied')
row('cname-to-localhost', broken(lambda q: q.reply([record(wire_name('localhost'), 'CNAME'), record('127.0.0.1', owner=wire_name('localhost'))])), 'address_denied')

# --- addresses ------------------------------------------------------------------------------------
row('a-0.0.0.0', ['0.0.0.0'], 'dns_not_found')
row('aaaa-unspecified', ['::'], 'dns_not_found')
row('both-unspecified', ['0.0.0.0', '::'], 'dns_not_found')
row('unspecified-among-good', ['0.0.0.0', GOOD, '::'], 'stored')
row('a-0.0.0.0-aaaa-servfail', Play(lambda q: q.send(q.reply([record('0.0.0.0')]) if q.kind == 'A' else q.reply(rcode=2))), 'dns_not_found')
row('mapped-loopback', ['::ffff:127.0.0.1'], 'address_denied')
row('mapped-unspecified', ['::ffff:0.0.0.0'], 'address_denied|dns_not_found')
row('private', [BAD], 'address_denied')
row('private-ipv6', ['fd00::1'], 'address_denied')
row('good-and-private', [GOOD, BAD], 'address_denied')
row('private-and-good', [BAD, GOOD], 'address_denied')
row('good-ipv4-loopback-ipv6', [GOOD, '::1'], 'address_denied')
row('nat64-of-private', ['64:ff9b::10.0.0.5'], 'address_denied')
row('ipv6-only', [GOOD6], 'stored')
row('five-hundred-addresses', Play(lambda q: q.send(q.reply([record(GOOD)] * 500 if q.kind == 'A' and q.by_tcp else [], flags=0x8180 if q.by_tcp or q.kind != 'A' else 0x8380))), 'stored')
row('duplicates', [GOOD] * 20, 'stored')
row('class-ch', answers(record(BAD, rclass=3)), 'dns_not_found|dns_error')
row('aaaa-in-an-answer-to-a', answers(record('::1', 'AAAA')), 'dns_not_found|dns_error')
row('address-in-authority-only', Play(lambda q: q.send(q.reply(authority=[record(BAD)]))), 'dns_not_found')
row('address-in-additional-only', Play(lambda q: q.send(q.reply(additional=[record(BAD)]))), 'dns_not_found')
row('text-among-the-answers', answers(record(b'\4text', 'TXT'), record(GOOD)), 'stored')
for word, ttl in (('0', 0), ('1', 1), ('2-31', 1 << 31), ('2-32', -1)):
    row(f'ttl-{word}', answers(record(GOOD, ttl=ttl)), 'stored')


# --- two questions -------------------------------------------------------------------------------
def by_kind(a, aaaa):
    """Each a function of the question, or an answer's records; None: silence."""
    def answer(q):
        does = aaaa if q.kind == 'AAAA' else a
        return does(q) if callable(does) else None if does is None else q.send(q.reply(does))
    return Play(answer)


def code(rcode):
    return lambda q: q.send(q.reply(rcode=rcode))


row('aaaa-silent', by_kind([record(GOOD)], None), 'stored')
row('a-silent', by_kind(None, [record(GOOD6, 'AAAA')]), 'stored')
row('aaaa-servfail', by_kind([record(GOOD)], code(2)), 'stored')
row('aaaa-nxdomain', by_kind([record(GOOD)], code(3)), 'stored')
row('a-nxdomain', by_kind(code(3), [record(GOOD6, 'AAAA')]), 'stored')
row('a-nxdomain-aaaa-silent', by_kind(code(3), None), 'dns_not_found')
row('no-a-aaaa-silent', by_kind([], None), 'dns_timeout', False)
row('no-a-aaaa-servfail', by_kind([], code(2)), 'dns_error')

# --- time ---------------------------------------------------------------------------------------
def found_after(seconds):
    """A resolver that needs as long, and answers then all questions for the name."""
    begin = {}
    return Play(lambda q: later(begin.setdefault(q.kind, time.monotonic()) + seconds - time.monotonic(), good, q))


row('after-2-s', found_after(2), 'stored')
row('after-3-s', found_after(3), 'stored')
row('after-1-s', Play(lambda q: later(1, good, q)), 'stored')
row('each-after-3-s', Play(lambda q: later(3, good, q)), 'stored|dns_timeout', None)  # some listen to their last question only
row('after-the-limit', Play(lambda q: later(9, good, q)), 'dns_timeout', False)
row('second-question-only', Play(lambda q: q.earlier and good(q)), 'stored')


# --- truncation ---------------------------------------------------------------------------------
def truncated(by_tcp, of_udp=()):
    """UDP says that it was too long; by_tcp(q) does the rest."""
    return Play(lambda q: by_tcp(q) if q.by_tcp else q.send(q.reply(list(of_udp), flags=0x8380)))


def cut_after(size):
    """The first bytes of the framed answer, and the end."""
    def answer(q):
        message = q.reply([record(BAD)])
        q.send_bytes((struct.pack('>H', len(message)) + message)[:size])
        raise Close
    return answer


def in_bytes(q):
    message = q.reply([record(GOOD)] if q.kind == 'A' else [])
    for byte in struct.pack('>H', len(message)) + message:
        q.send_bytes(bytes([byte]))


row('truncated', 'TRUNCATED', 'address_denied')  # 127.0.0.1
row('truncated-tcp-in-bytes', truncated(in_bytes), 'stored')
row('truncated-with-private-tcp-good', truncated(good, [record(BAD)]), 'stored')
row('truncated-tcp-silent', truncated(lambda q: None), 'dns_timeout', False)
row('truncated-tcp-truncated', truncated(lambda q: q.send(q.reply([record(GOOD)] if q.kind == 'A' else [], flags=0x8380))), 'stored|dns_error|dns_timeout', None)
row('truncated-tcp-servfail', truncated(code(2)), 'dns_error')
row('udp-of-4096-bytes', broken(lambda q: q.reply([record(GOOD)] * 3, additional=[record((b'\xff' + b'x' * 255) * 15, 'TXT')])), 'stored')

# These break the connection that others use, and are played by themselves.
BREAKERS = [f'{name}.test' for name in ('truncated-tcp-length-0', 'truncated-tcp-length-65535')]
for size, word in ((0, 'at-once'), (1, 'in-its-length'), (2, 'behind-its-length'), (8, 'in-the-head'), (20, 'in-the-question'), (-1, 'in-the-last-byte')):
    BREAKERS.append(f'truncated-tcp-cut-{word}.test')
    row(BREAKERS[-1].removesuffix('.test'), truncated(cut_after(size)), 'dns_error|dns_timeout', None)
row('truncated-tcp-length-0', truncated(lambda q: q.send_bytes(b'\0\0')), 'dns_error|dns_timeout', None)
row('truncated-tcp-length-65535', truncated(lambda q: q.send_bytes(b'\xff\xff' + q.reply([record(BAD)]))), 'dns_error|dns_timeout', None)

# --- names -----------------------------------------------------------------------------------------
row('a' * 63, [GOOD], 'stored')
row('.'.join(['a' * 63] * 3 + ['a' * 50]), [GOOD], 'stored')
row('under_score._tcp', [GOOD], 'stored')
row('case-of-the-question-mixed', broken(lambda q: q.reply([record(GOOD)], question=bytes(c ^ 32 if 97 <= c <= 122 and i % 2 else c for i, c in enumerate(q.asked)))), 'stored')
row('xn--bcher-kva', [GOOD], 'stored')
row("a!b$c'(d)", [GOOD], 'stored|dns_not_found')


def table():
    return {row.name: row.does for row in WORLD}
