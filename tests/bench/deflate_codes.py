#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the two Huffman codes of daemon/store/deflate_code.c from WARC files, plain or gzip.

usage: deflate_codes.py WARC...

Records of up to 8,192 bytes are cut into literals and matches as deflate.c does it, and their symbols counted; every
record counts the same, however long. The first code is for records of printable ASCII and has no literals for other
bytes; the second is for the rest and has all. A code's header names its lengths one by one and runs of equal ones
shortly, so bytes that are rare share one length, and two lengths are swapped where that saves more in the header than
it costs behind it. Takes minutes; prints the C strings: 'a' is length 1, '.' that there is no such symbol.
"""
import gzip
import re
import sys

MAX_BYTES = 8192
LITERALS, DISTANCES = 286, 26  # distances up to 8,192
LIMIT, META_LIMIT = 14, 7  # bits of a symbol; of a length in the header
TEXT = set(range(32, 127)) | set(b'\t\n\r')


def records(path):
    with open(path, 'rb') as file:
        data = file.read()
    data = gzip.decompress(data) if data[:2] == b'\x1f\x8b' else data
    at = 0
    while at < len(data):
        head = data.index(b'\r\n\r\n', at) + 4
        end = head + int(re.search(rb'\r\nContent-Length: (\d+)\r\n', data[at:head])[1]) + 4
        yield data[at:end]
        at = end


def symbol(x, power):
    extra = max(x.bit_length() - 1 - power, 0)
    return (extra << power) + (x >> extra)


def counts(record):
    """{symbol: count}; distances stand behind the literals and lengths."""
    counted, last, at = {256: 1}, {}, 0

    def count(s):
        counted[s] = counted.get(s, 0) + 1

    while at < len(record):
        start = last.get(record[at:at + 4]) if at + 4 <= len(record) else None
        length = 1
        if start is None:
            count(record[at])
        else:
            while length < 258 and at + length < len(record) and record[start + length] == record[at + length]:
                length += 1
            count(285 if length == 258 else 257 + symbol(length - 3, 2))
            count(LITERALS + symbol(at - start - 1, 1))
        for i in range(at, at + length):
            last[record[i:i + 4]] = i
        at += length
    return counted


def code_lengths(weights, limit):
    """Package-merge: the best lengths of at most `limit` bits; 0 where the weight is."""
    lengths, packages = [0] * len(weights), []
    singles = [(w, (i,)) for i, w in enumerate(weights) if w]
    for _ in range(limit):
        merged = sorted(singles + packages, key=lambda p: p[0])
        packages = [(a[0] + b[0], a[1] + b[1]) for a, b in zip(merged[::2], merged[1::2])]
    for _, members in packages[:len(singles) - 1]:
        for i in members:
            lengths[i] += 1
    return lengths


def header(lengths):
    """(its bits, the lengths of its own code)"""
    used, bits, i = [0] * 19, 3 + 14 + 19 * 3, 0
    while i < len(lengths):
        run = next((k for k in range(1, 139) if i + k == len(lengths) or lengths[i + k] != lengths[i]), 138)
        if not lengths[i] and run >= 3:
            name, extra = (18, 7) if run > 10 else (17, 3)
        elif i and lengths[i] == lengths[i - 1] and run >= 3:
            run, name, extra = min(run, 6), 16, 2
        else:
            run, name, extra = 1, lengths[i], 0
        used[name] += 1
        bits += extra
        i += run
    meta = code_lengths(used, META_LIMIT)
    return bits + sum(n * length for n, length in zip(used, meta)), meta


def code(counted, text_only):
    """(lengths, lengths of the header's code) for records of (bytes, counts)."""
    weights = [1e-6 * len(counted)] * (LITERALS + DISTANCES)
    for size, symbols in counted:
        for s, n in symbols.items():
            weights[s] += n / size
    rare = [i for i in range(256) if i not in TEXT]
    for group in [i for i in rare if i < 128], range(128, 192), range(192, 256):
        mean = sum(weights[i] for i in group) / len(group)
        for i in group:
            weights[i] = 0 if text_only else mean
    lengths = code_lengths(weights[:LITERALS], LIMIT) + code_lengths(weights[LITERALS:], LIMIT)
    headers = sum(1 / size for size, _ in counted)

    def cost():
        return sum(w * n for w, n in zip(weights, lengths)) + headers * header(lengths)[0]

    least = cost()
    for first, end in (0, LITERALS), (LITERALS, LITERALS + DISTANCES):
        pairs = [(i, k) for i in range(first, end) for k in range(first, i) if lengths[i] and lengths[k]]
        for i, k in pairs * 3:
            if lengths[i] == lengths[k] or (weights[i] - weights[k]) * (lengths[k] - lengths[i]) > 6 * headers:
                continue
            lengths[i], lengths[k] = lengths[k], lengths[i]
            now = cost()
            if now < least:
                least = now
            else:
                lengths[i], lengths[k] = lengths[k], lengths[i]
    return lengths, header(lengths)[1]


def main(paths):
    if not paths or paths[0].startswith('-'):
        sys.exit(__doc__)
    split = [], []
    for path in paths:
        for record in records(path):
            if len(record) <= MAX_BYTES:
                split[not set(record) <= TEXT].append((len(record), counts(record)))
    for counted, text_only in zip(split, (True, False)):
        for lengths in code(counted, text_only):
            text = ''.join(chr(96 + n) if n else '.' for n in lengths)
            print('\n'.join(f'"{text[i:i + 80]}"' for i in range(0, len(text), 80)))
        print()


main(sys.argv[1:])
