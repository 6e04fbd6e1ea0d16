"""Captures for the flow table: life cycles of TCP connections, timeouts, clocks, direction, many flows."""
import gzip
import io

from wire import *

CAPTURES = []
A, B = ('192.0.2.1', 1111), ('198.51.100.1', 80)
S, SA, R, FA = SYN, SYN | ACK, RST, FIN | ACK


def capture(name, about):
    """The function gives (time, frame) in file order."""
    def add(make):
        CAPTURES.append((name, about, lambda: pcap(make())))
        return make
    return add


def port(n):
    return ('192.0.2.1', n)


def closed(t):
    """Handshake, request, answer, orderly close."""
    return t.open().send(0, b'q' * 100).send(1, b'a' * 4000).close()


@capture('tcp_close.pcap', 'whole connections: closed by the client, by the server, half closed with data after the first FIN, both FINs at once, '
         'FIN with data, last ACK missing, over IPv6')
def _():
    out = closed(Talk(port(2001), B, START)).out
    out += Talk(port(2002), B, START + SECOND).open().send(0, b'q' * 100).send(1, b'a' * 100).close(1).out
    t = Talk(port(2003), B, START + 2 * SECOND).open().send(0, b'q' * 100).segment(0, FA).segment(1, ACK)
    out += t.send(1, b'late answer' * 300).segment(1, FA).segment(0, ACK).out
    t = Talk(port(2004), B, START + 3 * SECOND).open().send(0, b'q')
    a, b = t.seq
    t.segment(0, FA, ack=b).segment(1, FA, ack=a)
    out += t.segment(0, ACK).segment(1, ACK).out
    out += Talk(port(2005), B, START + 4 * SECOND).open().segment(0, FA, b'last words').segment(1, FA, b'so long').segment(0, ACK).out
    out += Talk(port(2006), B, START + 5 * SECOND).open().send(1, b'220 ready').segment(1, FA).segment(0, FA).out
    return out + closed(Talk(('2001:db8::1', 2007), ('2001:db8::80', 443), START + 6 * SECOND)).out


@capture('tcp_reset.pcap', 'refused, reset by the client after data, reset by the server, reset in answer to a FIN, a lone RST, '
         'segments within 5 s of a reset and later')
def _():
    out = Talk(port(3001), B).segment(0, S).segment(1, R | ACK, seq=0).out
    out += Talk(port(3002), B, START + SECOND).open().send(0, b'x' * 50).segment(0, R).out
    out += Talk(port(3003), B, START + 2 * SECOND).open().send(0, b'x' * 50).segment(1, R | ACK).out
    out += Talk(port(3004), B, START + 3 * SECOND).open().segment(0, FA).segment(1, R).out
    out += Talk(port(3005), B, START + 4 * SECOND).segment(1, R, seq=1).out
    t = Talk(port(3006), B, START + 5 * SECOND).open().segment(1, R).segment(0, ACK, after=4 * SECOND).segment(0, ACK, after=2 * SECOND)
    return out + t.out


@capture('tcp_linger.pcap', 'after the close: a straggler at exactly 5 s, one a microsecond later, a new SYN within 5 s, the old SYN again, a SYN after 5 s')
def _():
    out = []
    for n, after in ((4001, 5 * SECOND), (4002, 5 * SECOND + 1000)):
        out += Talk(port(n), B, START + n % 10 * SECOND).open().close().segment(1, ACK, after=after).out
    t = Talk(port(4003), B, START + 20 * SECOND).open().close()
    t.seq = [90000, 95000]
    out += t.open().close().out
    out += Talk(port(4004), B, START + 25 * SECOND).open().close().segment(0, S, seq=1000).out
    t = Talk(port(4005), B, START + 30 * SECOND).open().close()
    t.seq = [90000, 95000]
    return out + t.segment(0, S, after=6 * SECOND).out


@capture('tcp_reuse.pcap', 'SYN retries, a port reused without a close, a SYN after old traffic, a SYN-ACK first, an ACK before its SYN, simultaneous open, '
         'data with the SYN')
def _():
    out = Talk(port(5001), B).segment(0, S, seq=1000).segment(0, S, seq=1000, after=SECOND).segment(0, S, seq=1000, after=2 * SECOND).segment(1, SA).segment(0, ACK).out
    t = Talk(port(5002), B, START + 10 * SECOND).open().send(0, b'old')
    t.seq = [70000, 75000]
    out += closed(t).out
    t = Talk(port(5003), B, START + 20 * SECOND).segment(0, ACK, b'old', seq=7777)
    t.seq[0] = 1000
    out += t.open().out
    out += Talk(port(5004), B, START + 30 * SECOND, isn=(1001, 5000)).segment(1, SA).segment(0, ACK).send(0, b'x' * 10).close().out
    out += Talk(port(5005), B, START + 40 * SECOND).segment(0, ACK, seq=1001).segment(0, S, seq=1000).out
    t = Talk(port(5006), B, START + 50 * SECOND).segment(0, S).segment(1, S)
    out += t.segment(0, SA, seq=1000).segment(1, SA, seq=5000).send(0, b'both').close().out
    return out + Talk(port(5007), B, START + 55 * SECOND).segment(0, S, b'fast').segment(1, SA).segment(0, ACK).send(1, b'open').close().out


@capture('tcp_wrap.pcap', 'sequence numbers that pass 2^32 in data and in the FIN of both sides')
def _():
    out = Talk(A, B, START, isn=(0xfffffff0, 0xfffffffe)).open().send(0, b'x' * 5000).send(1, b'y' * 10).close().out
    return out + Talk(port(1112), B, START + SECOND, isn=(0xfffffffe, 0xfffffffe)).open().close(1).out


@capture('tcp_damage.pcap', 'retransmissions, segments out of order, a gap, keep-alive, window probes, urgent data, ECN, all flags, none')
def _():
    t = Talk(A, B).open().send(0, b'1' * 500)
    t.segment(1, ACK | PSH, b'2' * 700, seq=5001).segment(1, ACK | PSH, b'2' * 700, seq=5001, after=200 * 10**6)
    t.segment(1, ACK, b'4' * 700, seq=6401).segment(1, ACK, b'3' * 700, seq=5701).segment(0, ACK, seq=1501, ack=7101)
    t.segment(0, ACK, seq=1500, ack=7101).segment(1, ACK | ECE, seq=7101, ack=1501).segment(0, ACK | URG | CWR, b'u', seq=1501, ack=7101)
    t.segment(1, ACK, b'6' * 100, seq=9000, ack=1502)
    out = t.out + Talk(port(1113), B, t.t).segment(0, S | ECE | CWR).segment(1, SA | ECE).segment(0, ACK | CWR).out
    return out + Talk(port(1114), B, t.t).segment(0, 0).segment(0, 0x3f).segment(0, FIN).segment(0, S | FIN).segment(0, 0x1ff).out


def ts(value, echo):
    return b'\1\1\x08\x0a' + struct.pack('>II', value, echo)


def sack(*blocks):
    return b'\1\1\5' + bytes([2 + 8 * len(blocks)]) + b''.join(struct.pack('>II', *b) for b in blocks)


@capture('tcp_recovery.pcap', 'three duplicate ACKs with SACK and a fast retransmission, a spurious one answered by DSACK, a zero window, '
         'its probe and the update, timestamps on every segment, Linux and Windows SYN options')
def _():
    linux = b'\2\4\x05\xb4\4\2\x08\x0a' + struct.pack('>II', 1000, 0) + b'\1\3\3\7'
    answer = b'\2\4\x05\xb4\4\2\x08\x0a' + struct.pack('>II', 5000, 1000) + b'\1\3\3\x09'
    t = Talk(port(5001), B, isn=(1000, 5000))
    t.segment(0, S, options=linux).segment(1, SA, after=20 * 10**6, options=answer).segment(0, ACK, options=ts(1020, 5000))
    t.segment(0, ACK | PSH, b'g' * 200, options=ts(1021, 5000)).segment(1, ACK, after=20 * 10**6, options=ts(5041, 1021))
    for n in range(5):                                      # the second of five is lost on its way
        if n != 1:
            t.segment(1, ACK, b'%d' % n * 1000, seq=5001 + 1000 * n, options=ts(5042 + n, 1021))
    t.segment(0, ACK, seq=1201, ack=6001, after=10**6, options=ts(1062, 5042))
    for n in range(3):
        t.segment(0, ACK, seq=1201, ack=6001, after=10**5, options=ts(1063, 5042) + sack((7001, 8001 + 1000 * n)))
    t.segment(1, ACK, b'1' * 1000, seq=6001, ack=1201, after=10**6, options=ts(5063, 1063))
    t.segment(0, ACK, seq=1201, ack=10001, after=20 * 10**6, options=ts(1083, 5063))
    t.segment(1, ACK, b'4' * 1000, seq=9001, ack=1201, after=10**6, options=ts(5090, 1063))
    t.segment(0, ACK, seq=1201, ack=10001, after=20 * 10**6, options=ts(1104, 5063) + sack((9001, 10001)))
    t.segment(0, ACK, seq=1201, ack=10001, after=10**6, options=ts(1105, 5063), window=0)
    t.segment(1, ACK, b'p', seq=10001, ack=1201, after=200 * 10**6, options=ts(5300, 1105))
    t.segment(0, ACK, seq=1201, ack=10001, after=20 * 10**6, options=ts(1325, 5063), window=0)
    t.segment(0, ACK, seq=1201, ack=10001, after=50 * 10**6, options=ts(1375, 5063), window=502)
    t.segment(1, ACK, b'p' * 100, seq=10001, ack=1201, after=20 * 10**6, options=ts(5400, 1375))
    t.segment(0, ACK, seq=1201, ack=10101, after=1500 * 10**6, options=ts(2895, 5400))
    windows = b'\2\4\x05\xb4\1\3\3\x08\1\1\4\2'
    u = Talk(port(5002), B, t.t).segment(0, S, options=windows, window=8192).segment(1, SA, after=30 * 10**6, options=b'\2\4\x05\xb4')
    u.segment(0, ACK).segment(0, S | ACK, options=b'\3\0\2\4', seq=7).segment(0, ACK, options=b'\x08\x28\0\0', seq=1002)
    return t.out + u.out


class Dice:
    """Numbers that look random and are always the same."""

    def __init__(self, seed):
        self.seed, self.n = seed, 0

    def below(self, n):
        self.n += 1
        return int.from_bytes(filler(4, '%s %d' % (self.seed, self.n)), 'big') % n

    def one(self, *of):
        return of[self.below(len(of))]


@capture('tcp_disorder.pcap', 'twenty connections with every kind of disorder in both directions: loss, segments out of order, repeated, overlapping and '
         'partly new, duplicate ACKs, fast and spurious retransmission, SACK and D-SACK, keep-alives, closed windows and probes, timestamps that come late or '
         'repeat, sequence numbers and timestamps that wrap, RSTs, options that lie about their length')
def _():
    out = []
    for n in range(20):
        d = Dice('disorder %d' % n)
        isn = [d.one(1000, 0xffffff00, 0xfffff800) + d.below(200) for _ in (0, 1)]
        t = Talk(('192.0.2.1', 20000 + n), ('198.51.100.1', 80), START + n * SECOND, isn=isn, gap=10**5)
        clock = [0xfffffff0 + d.below(32) if n % 3 == 0 else 5000 + d.below(1000) for _ in (0, 1)]
        echo = [0, 0]
        stamped = n % 4 != 3

        def options(s, more=b''):
            if not stamped:
                return more
            clock[s] = (clock[s] + d.below(3)) & 0xffffffff
            value = (clock[s] - (5 if d.below(12) == 0 else 0)) & 0xffffffff
            echo[s] = value
            return ts(value, (echo[1 - s] - (1 if d.below(8) == 0 else 0)) & 0xffffffff) + more
        shift = b'\3\3' + bytes([d.below(16)]) + b'\1'
        t.segment(0, S | (ECE | CWR if n % 5 == 0 else 0), options=b'\2\4\5\xb4\4\2' + options(0) + shift)
        if n % 7 == 6:
            t.segment(0, S, seq=isn[0], after=10**6, options=b'\2\4\5\xb4')
        t.segment(1, SA | (ECE if n % 5 == 0 else 0), after=d.one(10**5, 2 * 10**7), options=options(1) + (shift if n % 2 else b''))
        t.segment(0, ACK, after=d.one(10**5, 2 * 10**7), options=options(0))
        high = t.seq[:]
        sent = [[], []]
        for _ in range(d.below(50) + 20):
            s = d.below(2)
            kind = d.below(16)
            after = d.one(1000, 10**5, 2 * 10**6, 10**7, 3 * 10**7, 3 * 10**8)
            window = d.one(64240, 64240, 64240, 500, 0) if d.below(4) == 0 else 64240
            ackno = high[1 - s] if d.below(4) else (high[1 - s] - 100 * d.below(4)) & 0xffffffff
            more = b''
            if kind < 6:
                size = d.one(1, 100, 100, 100, 300)
                seq = (high[s] + (100 if d.below(6) == 0 else 0)) & 0xffffffff
                sent[s].append((seq, size))
                t.segment(s, ACK | (PSH if d.below(2) else 0), bytes(size), after, seq, ackno, options(s), window)
                high[s] = (seq + size) & 0xffffffff
                continue
            if kind < 9 and sent[s]:
                seq, size = sent[s][-1 - d.below(min(4, len(sent[s])))]
                if d.below(4) == 0:
                    seq, size = (seq + d.below(50) - 25) & 0xffffffff, size + d.below(60)
                t.segment(s, ACK, bytes(size), after, seq, ackno, options(s), window)
                if (seq + size - high[s]) & 0xffffffff < 0x80000000:
                    high[s] = (seq + size) & 0xffffffff
            elif kind < 12:
                if d.below(2):
                    low = (ackno + 100 * d.below(5) - 200) & 0xffffffff
                    more = sack((low, (low + 100) & 0xffffffff), *([((low - 50) & 0xffffffff, (low + 200) & 0xffffffff)] if d.below(2) else []))
                for _ in range(d.below(4) + 1):
                    t.segment(s, ACK, b'', after, high[s], ackno, options(s, more if stamped and len(more) <= 28 or not stamped else b''), 64240)
                    after = 10**5
                if d.below(2) and ackno != high[1 - s]:
                    t.segment(1 - s, ACK, bytes(100), d.one(10**5, 3 * 10**7), ackno, high[s], options(1 - s))
            elif kind == 12:
                t.segment(s, ACK, d.one(b'', b'k'), after, (high[s] - 1) & 0xffffffff, ackno, options(s), window)
                t.segment(1 - s, ACK, b'', 10**5, high[1 - s], high[s], options(1 - s))
            elif kind == 13:
                t.segment(s, ACK, b'', after, high[s], ackno, options(s), 0)
                t.segment(1 - s, ACK, b'p', 2 * 10**8, high[1 - s], high[s], options(1 - s))
                t.segment(s, ACK, b'', 10**5, high[s], ackno, options(s), d.one(0, 500))
            elif kind == 14:
                t.segment(s, ACK, b'', after, high[s], ackno, d.one(b'\5\x14' + bytes(6), b'\x08\x28' + bytes(6), b'\2\1\0\0', b'\3\0\2\4', b'\0\x08\x0a\0', b'\2\4', b'\xfd\4\0\1'), window)
            else:
                t.segment(s, ACK | URG, b'u', after, high[s], ackno, options(s), window)
                high[s] = (high[s] + 1) & 0xffffffff
        t.seq = high
        out += (t.close(d.below(2)) if n % 3 else t.segment(d.below(2), R | d.one(0, ACK), d.one(b'', b'gone'))).out
    return sorted(out, key=lambda x: x[0])


def super_packets():
    """Segments as cards with segmentation and receive offload hand them over."""
    t = Talk(('192.0.2.1', 30000), B, mss=65483).open().send(0, bytes(100)).send(1, bytes(200000))
    t.segment(0, ACK, bytes(65483)).segment(0, ACK, bytes(65483), seq=t.seq[0] - 65483).segment(1, ACK).close()
    out = t.out
    for v6 in (False, True):
        a, b = ('2001:db8::1', '2001:db8::80') if v6 else ('192.0.2.1', '198.51.100.1')
        t0 = START + (2 + v6) * SECOND
        for i, size in enumerate((70000, 180000)):
            body = tcp(30001, 443, ACK, 1 + 70000 * i, 1, bytes(size))
            out.append((t0 + i * 10**6, eth(ip(a, b, 6, body, length=0))))
        whole = eth(ip(a, b, 6, tcp(30001, 443, ACK | PSH, 250001, 1, bytes(65483 - (20 if v6 else 0)))))
        out.append((t0 + 3 * 10**6, whole[:64], len(whole)))
        out.append((t0 + 4 * 10**6, eth(ip(b, a, 6, tcp(443, 30001, ACK, 1, 250001, b'')))))
    data = io.BytesIO()
    with gzip.GzipFile(filename='', fileobj=data, mode='wb', mtime=0) as f:
        f.write(pcap(out))
    return data.getvalue()


CAPTURES.append(('super_packets.pcap.gz', 'segments of 64 kB and more, as offloading leaves them: whole, with IP length 0 (70,000 and 180,000 bytes), cut to 64 bytes, '
                 'repeated; IPv4 and IPv6', super_packets))


@capture('mptcp.pcap', 'Multipath TCP: MP_CAPABLE version 1 in all three segments, DSS, ADD_ADDR; a joined subflow; an unknown subtype')
def _():
    key, token = b'k' * 8, b'tokn'
    t = Talk(port(5101), B).segment(0, S, options=b'\x1e\4\1\1').segment(1, SA, options=b'\x1e\x0c\1\1' + key)
    t.segment(0, ACK, options=b'\x1e\x14\1\1' + key + key)
    t.segment(0, ACK | PSH, b'm' * 300, options=b'\x1e\x08\x20\1' + token).segment(1, ACK, options=b'\x1e\x08\x20\1' + token)
    t.segment(1, ACK, options=b'\x1e\x08\x30\1\xc0\0\2\2').segment(0, ACK, options=b'\x1e\4\xf0\0')
    j = Talk(port(5102), B, t.t).segment(0, S, options=b'\x1e\x0c\x10\1' + token + b'rand')
    j.segment(1, SA, options=b'\x1e\x10\x10\1' + key + b'rand').segment(0, ACK, options=b'\x1e\x18\x10\0' + b'h' * 20)
    return t.out + j.out


@capture('idle.pcap', 'gaps of exactly 60 s, of 60.000001 s and of 100 s, in TCP and UDP')
def _():
    out = []
    for n, gap in ((6001, 60 * SECOND), (6002, 60 * SECOND + 1000), (6003, 100 * SECOND)):
        out += Talk(port(n), B, START + n, gap=SECOND).open().send(0, b'x' * 10, after=gap).out
        out += [(START + n + i * gap, datagram(port(n), B, b'tick')) for i in range(3)]
    return sorted(out, key=lambda x: x[0])


@capture('active.pcap', 'one connection and one stream of datagrams that go on for five minutes, a packet every 5 s')
def _():
    t = Talk(A, B, gap=5 * SECOND).open()
    for _ in range(20):
        t.send(0, b'keep alive')
    out = t.out + [(START + SECOND + i * 5 * SECOND, datagram(port(7001), B, filler(10 + i % 7, i))) for i in range(60)]
    return sorted(out, key=lambda x: x[0])


@capture('clock_backwards.pcap', 'times that run backwards: by microseconds inside a connection, by 5 s, by a day')
def _():
    t = closed(Talk(A, B, gap=1000))
    out = t.out[:]
    out[3], out[4] = (out[4][0], out[3][1]), (out[3][0], out[4][1])
    u = [(START + s * SECOND, datagram(port(8001), B, b'x' * (1 + i))) for i, s in enumerate((10, 5, 12, 12, 0, 13))]
    v = [(START + s * SECOND, datagram(port(8002), B, b'y' * (1 + i))) for i, s in enumerate((20, 20 - 86400, 21))]
    return out + u + v


@capture('same_ends.pcap', 'UDP and TCP whose two ends have the same address and port: all packets are the initiator\'s')
def _():
    end = ('127.0.0.1', 9000)
    return ([(START + i * SECOND, datagram(end, end, b'self' * (i + 1))) for i in range(3)]
            + Talk(end, end, START + 5 * SECOND).segment(0, S).segment(1, SA).segment(0, ACK).out
            + Talk(('127.0.0.1', 9000), ('127.0.0.1', 9001), START + 6 * SECOND).open().close().out)


@capture('concurrent.pcap', 'twelve connections interleaved packet by packet, from a few hosts to a few servers, some over VLANs and IPv6')
def _():
    out = []
    for n in range(12):
        v6 = n % 4 == 3
        a = '2001:db8::%d' % (n % 3 + 1) if v6 else '192.0.2.%d' % (n % 3 + 1)
        b = '2001:db8::ff' if v6 else '198.51.100.%d' % (n % 2 + 1)
        t = Talk((a, 30000 + n), (b, (80, 443, 22)[n % 3]), START + n * 1_300_000, gap=3_000_000 + n * 7_001).open()
        t.send(0, filler(200 + 37 * n, n)).send(1, filler(1000 + 411 * n, -n))
        out += (t.close(n % 2) if n % 3 else t.segment(n % 2, R)).out
    return sorted(out, key=lambda x: x[0])


@capture('many_udp.pcap', '400 small UDP flows, most of one or two packets, some coming back much later: for eviction')
def _():
    out = []
    for n in range(400):
        a, b = ('10.%d.%d.1' % (n // 100, n % 100), 1024 + n), ('192.0.2.53', 53)
        t = START + n * 10**7
        out.append((t, datagram(a, b, filler(10 + n % 13, n))))
        if n % 2:
            out.append((t + 3_000_000 + n, datagram(b, a, filler(20 + n % 17, -n))))
        if n % 10 == 0:
            out.append((t + 1_500_000_000, datagram(a, b, b'again')))
    return sorted(out, key=lambda x: x[0])


@capture('long_flow.pcap', '1,500 datagrams of one flow with sizes and gaps that vary: quantiles beyond a small sample bound')
def _():
    a, b, t, out = port(7777), ('198.51.100.9', 4242), START, []
    for n in range(1500):
        x = int.from_bytes(filler(4, n), 'big')
        t += 1000 * (1 + x % 4001)
        end = (a, b) if x >> 12 & 3 else (b, a)
        out.append((t, datagram(end[0], end[1], bytes(1 + (x >> 16) % 60))))
    return out


def exchange():
    """Packets as (time, side, size or flags): written with ends A, B or B, A."""
    out, t = [], START
    for n in range(60):
        x = int.from_bytes(filler(4, 'swap %d' % n), 'big')
        t += 1000 * (1 + x % 90000)
        out.append((t, n % 3 % 2 if n else 0, 1 + (x >> 17) % 900, x))
    return out


def swapped(flip):
    a, b = ('192.0.2.77', 4000), ('198.51.100.77', 5000)
    out = []
    for t, d, size, x in exchange():
        d ^= flip
        src, dst = ((a, b), (b, a))[d]
        macs = (MAC_A, MAC_B) if d == 0 else (MAC_B, MAC_A)
        link = lambda p: eth(p, src=macs[0], dst=macs[1])
        out.append((t, datagram(src, dst, filler(size, x), link, ttl=(64, 50)[d ^ flip], tos=(0, 0x48)[d ^ flip], ident=x & 0xffff)))
    return out


@capture('swap_a.pcap', 'sixty datagrams between two ends')
def _():
    return swapped(0)


@capture('swap_b.pcap', 'the same at the same times with the two ends exchanged: the same row with source and destination exchanged')
def _():
    return swapped(1)


def turned(first):
    t = Talk(A, B, gap=3_000_000).segment(1, first, ack=1001)
    t.seq[0] = 1001
    for n in range(12):
        t.send(n % 3 != 0, filler(50 + 61 * n, n), after=(n + 1) * 1_234_000)
    return t.segment(1, FA).segment(0, FA).segment(1, ACK).out


@capture('turn_a.pcap', 'a connection that begins with the SYN-ACK: the receiver of it is the initiator')
def _():
    return turned(SA)


@capture('turn_b.pcap', 'the same packets, but the first is a SYN: its sender is the initiator, and fwd and bwd change places')
def _():
    return turned(S)
