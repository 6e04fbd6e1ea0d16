#!/usr/bin/env python3
"""Seeds of fuzz_dns: flows of messages as the target reads them."""
import os
import struct

TCP, RESPONDER, FRAGMENT, CUT = 1, 1, 2, 4

out = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'corpus', 'dns')


def name(text):
    return b''.join(bytes([len(x)]) + x.encode() for x in text.split('.') if x) + b'\0'


def message(flags, questions=(), answers=(), authorities=(), additionals=(), ident=7, counts=None):
    sections = (questions, answers, authorities, additionals)
    counts = counts or [len(x) for x in sections]
    return struct.pack('>HH4H', ident, flags, *counts) + b''.join(b''.join(x) for x in sections)


def question(n, t=1, c=1):
    return (name(n) if isinstance(n, str) else n) + struct.pack('>HH', t, c)


def record(n, t, data, c=1, ttl=300):
    return (name(n) if isinstance(n, str) else n) + struct.pack('>HHIH', t, c, ttl, len(data)) + data


def packet(bits, b):
    return struct.pack('>BH', bits, len(b)) + b


def write(label, *packets, port=0, tcp=0):
    with open(os.path.join(out, label), 'wb') as f:
        f.write(bytes([tcp | port << 1]) + b''.join(packets))


os.makedirs(out, exist_ok=True)
P = b'\xc0\x0c'
opt = record('', 41, b'\0\x0a\0\x08abcdefgh', 1232, 0)
q = message(0x0100, [question('www.example.com')], additionals=[opt])
r = message(0x8180, [question('www.example.com')], [record(P, 5, name('a.example')), record(P, 1, b'\xc0\0\2\1'), record(P, 28, bytes(16), ttl=0x80000000)],
            [record(b'\xc0\x10', 2, b'\2ns\xc0\x10')], [opt])
svcb = b'\0\1\3svc\0\0\1\0\6\2h2\2h3\0\2\0\0\0\3\0\2\x01\xbb\0\4\0\4\xc0\0\2\1\0\5\0\3ech\0\6\0\x10' + bytes(16) + b'\0\7\0\4/dns'
https = message(0x8180, [question('x', 65)], [record(P, 65, svcb), record(P, 64, b'\0\0\1a\0'), record(P, 65, svcb[:-1])])
framed = lambda b: struct.pack('>H', len(b)) + b
write('pair', packet(0, q), packet(RESPONDER, r))
write('nxdomain', packet(0, q), packet(RESPONDER, message(0x8183, [question('WWW.example.com')], authorities=[record(b'\xc0\x10', 6, bytes(22))])))
write('badvers', packet(0, q), packet(RESPONDER, message(0x8000, [question('www.example.com')], additionals=[record('', 41, b'', 4096, 1 << 24)])))
write('formerr', packet(0, q), packet(RESPONDER, message(0x8001)))
write('https', packet(0, message(0x0100, [question('x', 65)])), packet(RESPONDER, https))
write('cut', packet(0, q), packet(RESPONDER | CUT, r), packet(RESPONDER | FRAGMENT, r[:60]), packet(RESPONDER, r[:2] + b'\x82\0' + r[4:-30]))
write('mdns', packet(0, message(0, [question('host.local', 1), question('host.local', 28)], ident=0)),
      packet(RESPONDER, message(0x8400, answers=[record('HOST.local', 1, b'abcd', 0x8001, 120)], ident=0)), port=1)
write('llmnr', packet(0, message(0, [question('host')])), packet(RESPONDER, message(0x8000, [question('host')], [record(P, 1, b'abcd')])), port=2)
write('other_port', packet(0, q), port=3)
write('names', packet(0, message(0, [question(n) for n in ('', 'a.b', 'a\\.b', 'x' * 63)] + [question(b'\1y' + P), question(b'\xc0\x10')])))
write('loop', packet(0, message(0, [question(b'\1a\xc0\x0c')])), packet(0, message(0, [question(P)])), packet(0, message(0, [question(b'\xc0\x04')])))
write('lies', packet(0, message(0, [question('a')], counts=[2, 0, 0, 0])), packet(RESPONDER, message(0x8000, counts=[0, 65535, 65535, 65535])))
write('many', packet(RESPONDER, message(0x8000, [question('m')], [record(P, 1, struct.pack('>I', i)) for i in range(120)])))
write('tcp', packet(0, framed(q) + framed(q)), packet(RESPONDER, framed(r)[:20]), packet(RESPONDER, framed(r)[20:]), tcp=TCP)
write('tcp_bytes', *(packet(0, bytes([x])) for x in framed(q)), tcp=TCP)
write('tcp_long', packet(0, b'\xff\xff' + bytes(40)), packet(0, b'\0\0\0\1x'), packet(RESPONDER, framed(r) + b'\0'), tcp=TCP)
