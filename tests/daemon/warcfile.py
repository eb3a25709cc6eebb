# SPDX-License-Identifier: MIT
"""A WARC 1.0/1.1 reader that trusts nothing: every record must be whole, a gzip member of its own where the file is
gzipped, end with two empty lines, and bear digests that fit its bytes.
"""
import base64
import hashlib
import os
import re
import zlib


class Damaged(Exception):
    pass


def sha1_base32(data):
    return base64.b32encode(hashlib.sha1(data).digest()).decode()


LINE_END = re.compile(rb'\r?\n')
CHUNK_LINE = re.compile(rb'([0-9A-Fa-f]+)[ \t]*(;[^\n]*)?\r?\n')


def unchunk(data):
    """The data without chunked framing, as far as it goes: a cut or broken one ends it."""
    out, at = [], 0
    while True:
        match = CHUNK_LINE.match(data, at)
        if not match or int(match[1], 16) == 0:
            return b''.join(out)
        size, at = int(match[1], 16), match.end()
        out.append(data[at:at + size])
        end = LINE_END.match(data, at + size)
        if not end:
            return b''.join(out)
        at = end.end()


def parse_headers(text):
    return [tuple(part.strip() for part in line.split(':', 1)) for line in text.split('\r\n') if ':' in line]


def value_of(headers, name):
    return next((value for key, value in headers if key.lower() == name.lower()), None)


class Record:
    """offset and length are of the record's bytes in the file, packed as they lie there."""

    def __init__(self, path, offset, length, raw):
        self.path, self.offset, self.length = path, offset, length
        head, separator, rest = raw.partition(b'\r\n\r\n')
        if not separator or not re.match(rb'WARC/1\.[01]\r\n', raw):
            raise Damaged(f'{path}@{offset}: no record head: {raw[:80]!r}')
        self.headers = parse_headers(head.decode('utf-8'))
        size = self.header('Content-Length')
        if size is None or not size.isdigit():
            raise Damaged(f'{path}@{offset}: Content-Length {size!r}')
        self.block, tail = rest[:int(size)], rest[int(size):]
        if len(self.block) != int(size) or tail != b'\r\n\r\n':
            raise Damaged(f'{path}@{offset}: {len(self.block)} of {size} bytes, then {tail[:20]!r}')
        self.check()

    type = property(lambda self: self.header('WARC-Type'))

    def header(self, name):
        return value_of(self.headers, name)

    def http(self):
        """Status line or request line, headers and body of the block. Lines end in CR LF or LF, and may be folded."""
        head, body = re.split(rb'(?<=\n)\r?\n', self.block, maxsplit=1) if b'\n' in self.block else (self.block, b'')
        head = re.sub(r'\r?\n[ \t]+', ' ', head.decode('latin-1'))
        first, _, rest = head.replace('\r\n', '\n').partition('\n')
        return first, parse_headers(rest.replace('\n', '\r\n')), body

    def payload(self):
        """The body as sent, chunking removed."""
        _, headers, body = self.http()
        if 'chunked' in (value_of(headers, 'Transfer-Encoding') or '').lower():
            return unchunk(body)
        return body

    def check(self):
        for name in ('WARC-Type', 'WARC-Record-ID', 'WARC-Date'):
            if not self.header(name):
                raise Damaged(f'{self.path}@{self.offset}: no {name}')
        if len({key.lower() for key, _ in self.headers}) != len(self.headers):
            repeated = [key for key, _ in self.headers if key.lower() not in ('warc-protocol', 'warc-concurrent-to')]
            if len({key.lower() for key in repeated}) != len(repeated):
                raise Damaged(f'{self.path}@{self.offset}: a header twice: {self.headers}')
        self.check_digest('WARC-Block-Digest', self.block)
        if self.type == 'response' and (self.header('Content-Type') or '').startswith('application/http'):
            self.check_digest('WARC-Payload-Digest', self.payload())

    def check_digest(self, name, data):
        told = self.header(name)
        if told is not None and told != 'sha1:' + sha1_base32(data):
            raise Damaged(f'{self.path}@{self.offset}: {name} is {told}, the bytes say {sha1_base32(data)}')


def member_at(data, offset, path):
    """One gzip member: its plain bytes and its packed length."""
    unpacker = zlib.decompressobj(31)
    try:
        plain = unpacker.decompress(data[offset:])
    except zlib.error as error:
        raise Damaged(f'{path}@{offset}: {error}') from None
    if not unpacker.eof:
        raise Damaged(f'{path}@{offset}: the gzip member is cut')
    return plain, len(data) - offset - len(unpacker.unused_data)


def plain_record_length(data, offset, path):
    head_end = data.find(b'\r\n\r\n', offset)
    size = value_of(parse_headers(data[offset:max(head_end, offset)].decode('utf-8', 'replace')), 'Content-Length')
    if head_end < 0 or size is None or not size.isdigit():
        raise Damaged(f'{path}@{offset}: no record head')
    return head_end + 4 + int(size) + 4 - offset


def is_gzipped(path):
    return path.removesuffix('.open').endswith('.gz')


def record_from(data, offset, path):
    if is_gzipped(path):
        plain, length = member_at(data, offset, path)
    else:
        length = plain_record_length(data, offset, path)
        plain = data[offset:offset + length]
    return Record(path, offset, length, plain)


def read(path):
    """Every record of a file; Damaged at the first that is not whole."""
    with open(path, 'rb') as file:
        data = file.read()
    records, offset = [], 0
    while offset < len(data):
        records.append(record_from(data, offset, path))
        offset += records[-1].length
    return records


def read_at(path, offset, length):
    """The one record at offset, which must have exactly that length."""
    with open(path, 'rb') as file:
        file.seek(offset)
        data = file.read(length)
    if len(data) != length:
        raise Damaged(f'{path}@{offset}: {len(data)} of {length} bytes (file has {os.path.getsize(path)})')
    record = record_from(data, 0, path)
    if record.length != length:
        raise Damaged(f'{path}@{offset}: the record has {record.length} bytes, not {length}')
    return record
