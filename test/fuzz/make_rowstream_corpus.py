#!/usr/bin/env python3
"""Seeds of fuzz_rowstream: messages behind a header that the target writes, and whole streams.

Rows depend on the registry: they stay valid input when columns are added, but are best made again then."""
import os
import re
import struct

here = os.path.dirname(os.path.abspath(__file__))
out = os.path.join(here, 'corpus', 'rowstream')
with open(os.path.join(here, '..', '..', 'src', 'features', 'features.def')) as f:
    columns = [kind for _, kind in re.findall(r'JJ_FEATURE\((\w+),\s*\w+,\s*([A-Z][A-Z0-9_]*)', f.read())]


def varint(n):
    b = b''
    while n >= 0x80:
        b += bytes([n & 0x7f | 0x80])
        n >>= 7
    return b + bytes([n])


def zigzag(n):
    return varint(n * 2 if n >= 0 else -n * 2 - 1)


def sized(b):
    return varint(len(b)) + b


values = {
    'INT2': zigzag(-7), 'INT4': zigzag(70000), 'INT8': zigzag(-2**63), 'BOOL': b'\1', 'FLOAT8': struct.pack('<d', 0.1),
    'TIMESTAMPTZ': zigzag(1700000000000000), 'MACADDR': b'\2\0\0\0\0\1', 'INET': b'\4\xc0\0\2\1', 'TEXT': sized(b'text'),
    'BYTEA': sized(b'\0\1\2'), 'JSONB': sized(b'{"a":1}'), 'FLOAT8_ARRAY': sized(struct.pack('<2d', 1, 2.5)),
    'INT4_ARRAY': sized(struct.pack('<3i', 1, -2, 3)), 'INT2_ARRAY': sized(struct.pack('<2h', 1, -1)),
    'TEXT_ARRAY': sized(struct.pack('<I', 2) + b'ab' + struct.pack('<I', 2**32 - 1)),
    'INET_ARRAY': sized(b'\4\xc0\0\2\1\x10' + bytes(15) + b'\1'),
}


def message(kind, payload):
    return kind + struct.pack('<I', len(payload)) + payload


def row(wanted):
    bits = bytearray((len(columns) + 7) // 8)
    body = b''
    for i, kind in enumerate(columns):
        if wanted(i, kind):
            bits[i // 8] |= 1 << i % 8
            body += values[kind]
    return message(b'R', bytes(bits) + body)


def write(name, *parts, header=1, piece=0):
    with open(os.path.join(out, name), 'wb') as f:
        f.write(bytes([header, piece]) + b''.join(parts))


os.makedirs(out, exist_ok=True)
begin = message(b'B', struct.pack('<IB', 1, 1) + sized(b'eth0'))
write('all', begin, row(lambda i, k: True), message(b'Z', varint(1)))
for kind in values:
    write('type_' + kind.lower(), row(lambda i, k: k == kind and i % 3 == 0))
write('few', *(row(lambda i, k: i % 50 == n) for n in range(5)), piece=7)
write('messages', begin, message(b'S', varint(30) + b''.join(varint(n ** 5) for n in range(30))), message(b'H', zigzag(5)),
      message(b'W', b'a warning'), message(b'E', b'\3' + zigzag(19) + sized(b'message') + sized(b'hint')), message(b'Z', varint(0)))
write('more_counters', message(b'S', varint(100) + b''.join(varint(n) for n in range(100))), message(b'Z', varint(0)), b'x')
write('foreign', b'hello\n', header=0)
write('header', b'JJROWS\r\n' + struct.pack('<IIQ16sI', 1, 104, 0, b'0.1.0', 475), header=0)
write('version', b'JJROWS\r\n' + struct.pack('<II', 2, 104), header=0, piece=1)
write('huge', b'R' + struct.pack('<I', 2**24) + bytes(100), piece=10)
write('too_large', b'R' + struct.pack('<I', 2**24 + 1))
