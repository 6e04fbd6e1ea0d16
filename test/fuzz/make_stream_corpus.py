#!/usr/bin/env python3
"""Seeds of fuzz_stream: short streams as the target reads them."""
import os
import struct

SYN, PSH, RST, ZEROS, FROM_START = 1, 2, 4, 8, 16

out = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'corpus', 'stream')


def segment(bits, step, n, cut=0, seed=1):
    return struct.pack('>BhBBB', bits, step, n, cut, seed)


def write(name, *segments, limit=63, first=1000):
    with open(os.path.join(out, name), 'wb') as f:
        f.write(struct.pack('>HI', limit, first) + b''.join(segments))


os.makedirs(out, exist_ok=True)
syn = segment(SYN, -1, 0)
write('in_order', syn, *(segment(PSH, 0, 20, seed=i) for i in range(5)))
write('no_syn', segment(PSH, 0, 10), segment(PSH, -20, 15), segment(PSH, -8, 30))
write('wrap', syn, *(segment(PSH, 0, 200) for _ in range(3)), first=2**32 - 100)
write('gap_filled', syn, segment(PSH, 0, 5), segment(PSH, 10, 5), segment(PSH, 20, 5), segment(PSH, 0, 30), segment(PSH, 0, 3))
write('overlaps', syn, segment(PSH, 4, 4), segment(PSH, 12, 4), segment(PSH, 2, 30, seed=9), segment(PSH, 1, 6), segment(PSH, 0, 40))
write('reversed', syn, *(segment(PSH, 8 * i, 8, seed=i) for i in reversed(range(8))))
write('limit', syn, segment(PSH, 4, 60), segment(PSH, 10, 10), segment(PSH, 0, 200), segment(PSH, 0, 1), limit=16)
write('no_hold', syn, segment(PSH, 4, 4), segment(PSH, 0, 8), limit=0)
write('cut', syn, segment(PSH, 0, 40, 20), segment(PSH, 20, 10), segment(PSH, 0, 20, 20), segment(PSH, 0, 20))
write('syns', syn, segment(SYN, 99, 0), segment(SYN, 199, 0), segment(PSH, 220, 10), segment(PSH, 100, 10), segment(SYN, 299, 4))
write('syn_drops', syn, segment(PSH, 8, 8), segment(SYN, 50, 3), segment(PSH, 0, 8))
write('fast_open', segment(SYN, -1, 12), segment(PSH, 0, 5), segment(SYN | FROM_START, -1, 12))
write('padding', syn, segment(ZEROS, 0, 6), segment(ZEROS | PSH, 0, 6), segment(ZEROS, 0, 7), segment(0, 0, 3))
write('reset', syn, segment(PSH, 0, 5), segment(RST, 0, 20), segment(RST | PSH, 10, 5), segment(PSH, 0, 5))
write('retransmissions', syn, *(segment(PSH | FROM_START, 5 * (i % 4), 12, seed=i) for i in range(12)))
