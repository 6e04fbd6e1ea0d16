#!/usr/bin/env python3
"""Seeds of fuzz_fragments: three bytes of options, then six a packet (see make_packet and make_traffic there)."""
import os

out = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'corpus', 'fragments')
os.makedirs(out, exist_ok=True)

MS, SECOND, MORE, MANY, IDS, OFFSETS = 0x01, 0xa4, 128, 32, 16, 64


def packet(step=MS, hosts=0x06, ident=1, how=0, offset=0, more=True, size=24, times=0):
    """times: 1, 8, 64 or 512 packets for 0 to 3 when MANY is in size."""
    return bytes([step, hosts, ident, how, offset | (MORE if more else 0), size | times << 6])


def datagram(step=MS, **k):
    return [packet(step, **k), packet(step, offset=3, **k), packet(step, offset=6, more=False, **k)]


SEEDS = {
    'in_order': datagram() + datagram(ident=2),
    'reversed': datagram()[::-1] + datagram(ident=2)[::-1] + datagram(hosts=0x09, ident=3)[::-1],
    'mixed': [x for pair in zip(datagram()[::-1], datagram(ident=2)[::-1]) for x in pair],
    'kinds': [x for how in range(32) for x in datagram(how=how, ident=how)[::-1]],
    'late': [packet(offset=3)] + datagram(SECOND, hosts=0x0b, ident=9) + [packet(0xd5)],
    'too_late': [packet(offset=3)] + datagram(0xe4, ident=9) * 3 + [packet(0xe4)],
    'backwards': [packet(offset=3), packet(0x7b), packet(offset=3), packet(0x7f)] + datagram(),
    'cut': [packet(offset=3), packet(hosts=0x86, size=1, ident=7, more=False), packet(offset=3), packet(hosts=0x86, size=0)],
    'ids': [packet(hosts=0x06 | IDS, offset=3, size=8 | MANY, times=3) for _ in range(3)] + [packet()],
    'offsets': [packet(hosts=0x06 | OFFSETS, offset=1, size=8 | MANY, times=2) for _ in range(3)] + [packet(ident=1, hosts=0x06 | IDS, size=24 | MANY, times=2)],
    'endless': [packet(hosts=0x06 | IDS, how=how, offset=5, size=0 | MANY, times=3) for how in (0, 1, 8, 16, 24, 25, 2, 4)] + datagram(),
    'sources': [packet(offset=3), packet(0xff, offset=3, ident=2), packet(), packet(ident=2)],
    'expiry': [packet(0xc4, hosts=h, offset=3, ident=h, size=8 | MANY, times=t) for h, t in ((0x06, 3), (0x09, 1), (0x0e, 3), (0x16, 3))] * 3,
}
OPTIONS = {'': (0, 0, 2), '_short': (1 | 4, 2 | 128, 4 | 8), '_few': (32 | 64 | 2, 1, 0x50), '_closing': (8, 4 | 128, 3)}
for name, packets in SEEDS.items():
    for suffix, options in OPTIONS.items():
        flood = 64 if name in ('ids', 'offsets', 'endless', 'expiry') else 0
        with open(os.path.join(out, name + suffix), 'wb') as f:
            f.write(bytes((options[0], options[1] | flood, options[2])) + b''.join(packets))
