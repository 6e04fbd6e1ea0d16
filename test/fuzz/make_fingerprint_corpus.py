#!/usr/bin/env python3
"""Seeds of fuzz_fingerprint: the flows of test/captures/messages.py and names.py, and the first packets of recorded TLS, QUIC and SSH."""
import collections
import os
import struct

HERE = os.path.dirname(os.path.abspath(__file__))
CAPTURES = os.path.join(HERE, '..', 'captures')
OUT = os.path.join(HERE, 'corpus', 'fingerprint')
NAMES = ['vpn', 'messages_udp', 'messages_tcp', 'tls_names', 'recorded/tls_versions', 'recorded/quic', 'recorded/dtls', 'recorded/starttls']
PORTS = [443, 500, 4500, 1701, 853, 123, 67, 547, 5060, 1900, 137, 161, 389, 88, 69, 514, 1812, 49, 9001, 784, 53, 80]
PROTO = {6: 0, 17: 1, 47: 2}


def flows(path):
    """Per flow its protocol, the second port and the packets with payload: (direction, payload)."""
    with open(path, 'rb') as f:
        data = f.read()
    link, = struct.unpack_from('<I', data, 20)
    out = collections.OrderedDict()
    at = 24
    while at + 16 <= len(data):
        size, = struct.unpack_from('<I', data, at + 8)
        b = data[at + 16:at + 16 + size]
        at += 16 + size
        b = b[14:] if link == 1 else b
        if not b or b[0] >> 4 != 4:
            continue
        o, proto = (b[0] & 15) * 4, b[9]
        total, = struct.unpack_from('>H', b, 2)
        if proto not in PROTO:
            continue
        head = (b[o + 12] >> 4) * 4 if proto == 6 else 8 if proto == 17 else 0
        sport, dport = struct.unpack_from('>HH', b, o) if proto != 47 else (0, 0)
        a, z = (b[12:16], sport), (b[16:20], dport)
        key = (proto, frozenset((a, z)))
        flow = out.setdefault(key, (proto, a, dport, []))
        payload = b[o + head:total]
        if payload:
            flow[3].append((0 if a == flow[1] else 1, payload))
    return out.values()


def main():
    os.makedirs(OUT, exist_ok=True)
    for name in NAMES:
        for i, (proto, _, port, packets) in enumerate(flows(os.path.join(CAPTURES, name + '.pcap'))):
            if not packets or (name.startswith('recorded') and i % 4):
                continue
            seed = bytes([PROTO[proto], PORTS.index(port) if port in PORTS else 0])
            for d, payload in packets[:8]:
                seed += bytes([d]) + struct.pack('>H', len(payload)) + payload
            if len(seed) < 6000:
                with open(os.path.join(OUT, '%s_%02d' % (os.path.basename(name), i)), 'wb') as f:
                    f.write(seed)


if __name__ == '__main__':
    main()
