#!/usr/bin/env python3
"""Seeds of fuzz_tls and fuzz_dtls: the first packets of the flows in recorded captures, and a few made here."""
import os
import struct

here = os.path.dirname(os.path.abspath(__file__))
recorded = os.path.join(here, '..', 'captures', 'recorded')
RESPONDER, GAP, CUT, AGAIN = 1, 2, 4, 8
BYTES = 3000                    # of payload in a seed


def packets(path):
    """(ports and addresses, protocol, payload) of the IPv4 packets of a classic pcap of Ethernet, loopback or raw IP"""
    b = open(path, 'rb').read()
    order = '<' if b[:4] in (b'\xd4\xc3\xb2\xa1', b'\x4d\x3c\xb2\xa1') else '>'
    skip = {1: 14, 0: 4, 101: 0, 113: 16}[struct.unpack(order + 'I', b[20:24])[0]]
    o = 24
    while o + 16 <= len(b):
        n = struct.unpack(order + 'I', b[o + 8:o + 12])[0]
        p = b[o + 16 + skip:o + 16 + n]
        o += 16 + n
        if len(p) < 28 or p[0] >> 4 != 4 or p[9] not in (6, 17):
            continue
        t = (p[0] & 15) * 4
        head = (p[t + 12] >> 4) * 4 if p[9] == 6 else 8
        yield (p[12:16] + p[t:t + 2], p[16:20] + p[t + 2:t + 4]), p[9], p[t + head:struct.unpack('>H', p[2:4])[0]]


def flows(name):
    found = {}
    for (src, dst), proto, payload in packets(os.path.join(recorded, name)):
        key = (proto, min(src, dst), max(src, dst))
        first, out = found.setdefault(key, (src, []))
        if payload and sum(map(len, out)) + len(payload) < BYTES:
            out.append(struct.pack('>BH', RESPONDER if src != first else 0, len(payload)) + payload)
    return [(key[0], out) for key, (_, out) in found.items() if out]


def write(folder, name, out, bits=1, which=0):
    with open(os.path.join(here, 'corpus', folder, name), 'wb') as f:
        f.write(bytes((bits, which)) + b''.join(out))


def packet(bits, payload):
    return struct.pack('>BH', bits, len(payload)) + payload


def record(kind, body):
    return struct.pack('>BHH', kind, 0x303, len(body)) + body


for folder in ('tls', 'dtls'):
    os.makedirs(os.path.join(here, 'corpus', folder), exist_ok=True)
for name in ('dtls', 'tls_alerts', 'tls_certificates', 'tls_groups', 'tls_resumption', 'tls_versions', 'starttls', 'postgresql'):
    for i, (proto, out) in enumerate(flows(name + '.pcap')[:6]):
        write('dtls' if proto == 17 else 'tls', '%s_%d' % (name, i), out, 1, i * 16)
hello = bytes((1, 0, 0, 43, 3, 3)) + bytes(32) + bytes((0, 0, 2, 0x13, 1, 1, 0, 0, 2, 0xff, 1))[:9]
write('tls', 'appdata', [packet(i & 1, record(23, bytes(50 + i))) for i in range(6)])
write('tls', 'ssl2', [packet(0, bytes.fromhex('802e0103010015000000100000' '2f000035010080000004000005' '00000a00ff00') + bytes(16)),
                      packet(0, record(20, b'\1'))])
write('tls', 'pieces', [packet(0, bytes((c,))) for c in record(22, hello)])
write('tls', 'lines', [packet(0, b'A\n' + record(22, hello)), packet(1, b'B\r\n'), packet(GAP, b'C\n\x16\x03')])
write('tls', 'no_memory', [packet(0, record(22, hello)), packet(1, record(21, b'\2\50'))], 2, 3)
write('dtls', 'appdata', [packet(0, bytes((23, 0xfe, 0xfd, 0, 1)) + struct.pack('>HIH', 0, i, 5) + b'abcde') for i in range(3)])
