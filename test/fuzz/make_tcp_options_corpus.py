#!/usr/bin/env python3
"""Seeds of fuzz_tcp_options: short connections as the target reads them."""
import os
import struct

FIN, SYN, RST, ACK = 1, 2, 4, 16
RESPONDER, FIRST_FRAGMENT, LATER_FRAGMENT, CUT = 1, 2, 4, 8
MS = 10 << 4                    # bits for the step of time that is nearest to a millisecond

out = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'corpus', 'tcp_options')


def segment(bits, flags, seq, ack, payload=0, window=1000, options=b''):
    return struct.pack('>BBhhHHB', MS | bits, flags, seq, ack, payload, window, len(options)) + options


def timestamps(value, echo):
    return struct.pack('>BBBBII', 1, 1, 8, 10, value, echo)


def sack(*edges):
    return struct.pack('>BB%dI' % len(edges), 5, 2 + 4 * len(edges), *edges)


def begin(options=b''):
    return segment(0, SYN, 0, 0, options=options) + segment(RESPONDER, SYN | ACK, 0, 1, options=options) + segment(0, ACK, 1, 1)


def write(name, *segments, first=(100, 7000)):
    with open(os.path.join(out, name), 'wb') as f:
        f.write(struct.pack('>II', *first) + b''.join(segments))


os.makedirs(out, exist_ok=True)
linux = bytes((2, 4, 5, 180, 4, 2)) + timestamps(1, 0)[2:] + bytes((1, 3, 3, 7))
write('handshake', begin(linux), segment(0, ACK, 1, 1, 100), segment(RESPONDER, ACK, 1, 101), segment(0, FIN | ACK, 101, 1))
write('wrap', begin(linux), *(segment(0, ACK, 1 + 100 * i, 1, 100) for i in range(4)), first=(2**32 - 200, 2**31 - 1))
write('recovery', begin(), *(segment(0, ACK, s, 1, 100) for s in (1, 101, 301)),
      *(segment(RESPONDER, ACK, 1, 201, options=sack(401, 501)) for _ in range(3)), segment(0, ACK, 201, 1, 100),
      segment(RESPONDER, ACK, 1, 401, options=sack(201, 301, 101, 401)), segment(0, ACK, 1, 1, 100))
write('holes', *(segment(0, ACK, 20 * i, 1, 10) for i in range(70)), segment(0, ACK, 5, 1, 1000))
write('waiting', *(segment(0, ACK, i, 1, 1, options=timestamps(i, 0)) for i in range(70)),
      segment(RESPONDER, ACK, 1, 64, options=timestamps(9, 63)))
write('zero_window', begin(), segment(RESPONDER, ACK, 1, 1, 0, 0), segment(0, ACK, 1, 1, 1), segment(RESPONDER, ACK, 1, 1, 0, 0),
      segment(0, ACK, 0, 1, 1), segment(RESPONDER, ACK, 1, 1), segment(RESPONDER, RST, 1, 1))
write('fragments', segment(FIRST_FRAGMENT, ACK, 1, 1, 28), segment(LATER_FRAGMENT, 0, 5 << 8, 0, 52), segment(RESPONDER, ACK, 1, 81))
write('multipath', *(segment(i & 1, SYN if i < 2 else ACK, 0, 0, options=bytes((30, 4, i << 4 | 1, 0))) for i in range(16)))
write('lying_lengths', *(segment(CUT if n & 1 else 0, SYN, 0, 0, options=bytes((k, n, 1, 1))) for k in (2, 3, 5, 8, 30) for n in (0, 1, 5, 255)))
write('end_of_options', segment(0, SYN, 0, 0, options=bytes((8, 10, 0, 0, 0, 0, 0, 0, 0, 1, 3, 3, 200, 99, 2, 0, 0, 7, 0, 0))))
write('restart', begin(), segment(0, ACK, 1, 1, 50), segment(0, SYN, 9000, 0), segment(RESPONDER, SYN | ACK, -5, 9001), segment(0, ACK, 9001, -4, 9))
