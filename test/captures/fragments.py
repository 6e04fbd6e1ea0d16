"""Captures of IP fragments that come before their first, or without it, or lie about where they belong."""
import struct

from layers import A4, A6, B4, B6, O4, P4, O6, P6
from wire import *

CAPTURES = []
ISP4, ISP6 = '203.0.113.7', '2001:db8:7::7'


def capture(name, about, link=1):
    """The function gives (time, frame) in file order."""
    def add(make):
        CAPTURES.append((name, about, lambda: pcap(make(), link)))
        return make
    return add


class Tape:
    """Frames, step ns apart; link makes a frame of an IP packet."""

    def __init__(self, step=10**6, link=eth):
        self.t, self.step, self.link, self.out = START, step, link, []

    def put(self, *packets, step=None, link=None):
        for p in packets:
            self.out.append((self.t, (link or self.link)(p)))
            self.t += self.step if step is None else step
        return self

    def wait(self, ns):
        self.t += ns - self.step
        return self


def piece(src, dst, proto, part, ident, offset, more, ttl=64):
    if ':' in src:
        return ipv6(src, dst, 44, part, ext=struct.pack('>BBHI', proto, 0, offset | more, ident), upper=253, hops=ttl)
    return ipv4(src, dst, proto, part, ident=ident, flags=int(more), frag=offset, ttl=ttl)


def split(src, dst, proto, body, ident, size=64):
    """body in fragments of at most size bytes; the transport checksum is left out."""
    return [piece(src, dst, proto, body[o:o + size], ident, o, o + size < len(body)) for o in range(0, len(body), size)]


def u(sport, dport, size, ident, src=A4, dst=B4, **more):
    """A UDP datagram in fragments."""
    return split(src, dst, 17, udp(sport, dport, filler(size, ident)), ident, **more)


@capture('fragments_reversed.pcap', 'the last fragment first: UDP, TCP and ICMP over IPv4 and IPv6, at the start of a flow and in the middle; two datagrams '
         'mixed, the same id in both directions; packets of the same flow between a fragment and its first; a fragment 100 packets ahead; '
         'an IPv6 extension header in the fragmented part; AH')
def _():
    t = Tape()
    for v6 in (False, True):
        a, b, echo_type = (A6, B6, (128, 129)) if v6 else (A4, B4, (8, 0))
        one, two = u(5000, 6000, 150, 100, a, b), u(6000, 5000, 180, 101, b, a)
        t.put(*one[::-1]).put(*two[::-1])
        t.put(ip(a, b, 17, udp(5000, 6000, b'between'))).put(*u(5000, 6000, 150, 102, a, b)[::-1])
        one, two = u(5001, 6001, 170, 103, a, b), u(5002, 6001, 150, 104, a, b)
        t.put(*[x for pair in zip(one[::-1], two[::-1]) for x in pair])
        one, two = u(5003, 6003, 150, 105, a, b), u(6003, 5003, 150, 105, b, a)
        t.put(one[1], two[2], one[0], two[0], one[2], two[1])
        proto = 58 if v6 else 1
        for n in (0, 1):
            t.put(*split((a, b)[n], (b, a)[n], proto, echo(echo_type[n], 9, 1, filler(150, 'ping')), 106 + n)[::-1])
        late = u(5004, 6004, 100, 108, a, b)
        t.put(late[1], ip(a, b, 17, udp(5004, 6004, b'first in time'))).put(ip(b, a, 17, udp(6004, 5004, b'answer')), late[0])
    talk = Talk((A4, 5010), (B4, 80), START + SECOND, link=lambda x: x).open()
    request = tcp(5010, 80, ACK | PSH, talk.seq[0], talk.seq[1], filler(300, 'GET'))
    parts = split(A4, B4, 6, request, 110, 120)
    for _, x in talk.out:
        t.put(x)
    t.put(*parts[::-1])
    talk.seq[0] += 300
    n = len(talk.out)
    talk.send(1, b'answer' * 100).close()
    for _, x in talk.out[n:]:
        t.put(x)
    ahead = u(5011, 6011, 100, 111)
    t.put(ahead[1]).put(*[ip(A4, '198.51.100.%d' % (n % 7 + 2), 17, udp(5100 + n % 10, 53, b'?')) for n in range(100)]).put(ahead[0])
    ext = b'\x11\0\x01\4\0\0\0\0' + udp(5012, 6012, filler(120, 'dst'))
    t.put(*split(A6, B6, 60, ext, 112)[::-1])
    t.put(*split(A4, B4, 51, struct.pack('>BBHII', 17, 4, 0, 0x100, 1) + bytes(12) + udp(5013, 6013, filler(100, 'ah')), 113)[::-1])
    return t.out


@capture('fragments_late.pcap', 'a first fragment exactly 30 s behind a later one, a microsecond more, and never; later ones without first 40 s apart, '
         'and beside a packet cut before its ports; a first that begins a new flow because the old one is idle, closed or replaced; clocks that run '
         'backwards between a fragment and its first; two firsts of one id')
def _():
    t = Tape()

    def pairs(n, gap, ident, **more):
        first, later = u(n, 7000, 100, ident, **more)
        return [(0, later), (gap, first)]
    events = []

    def at(seconds, *packets):
        for when, x in packets:
            events.append((START + round(seconds * SECOND) + when, x))
    at(0, *pairs(5000, 30 * SECOND, 200))
    at(0.1, *pairs(5001, 30 * SECOND + 1000, 201))
    at(0.2, *pairs(5002, 100 * SECOND, 202, src=A6, dst=B6))
    for n in range(4):
        at(40 * n, (0, u(5003, 7000, 100, 210 + n, src=ISP4)[1]))
    at(20, (0, piece(ISP6, B6, 17, udp(1, 2, bytes(64)), 5, 512, 0)))
    # the flow of 5004 is idle when the first comes, not yet when the later fragment does
    at(0, (0, ip(A4, B4, 17, udp(5004, 7000, b'old'))))
    at(50, *pairs(5004, 15 * SECOND, 220))
    at(0, (0, ip(A4, B4, 17, udp(5005, 7000, b'old'))))
    at(50, *pairs(5005, 5 * SECOND, 221))
    at(64, (0, u(5006, 7000, 100, 222)[1]), (5 * 10**8, u(5006, 7000, 100, 222)[0]), (6 * 10**8, u(5007, 7000, 100, 222)[0]), (7 * 10**8, u(5007, 7000, 100, 222)[1]))
    events.sort(key=lambda e: e[0])
    out = [(when, eth(x)) for when, x in events]
    # a FIN and its acknowledgement, then a fragmented SYN of the next connection
    base = START + 200 * SECOND
    talk = Talk((A4, 5010), (B4, 80), base).open().close()
    out += talk.out
    syn = tcp(5010, 80, SYN, 77777, options=b'\2\4\5\xb4', data=filler(80, 'fast open'))
    parts = split(A4, B4, 6, syn, 230, 48)
    out += [(talk.t + 10**6 * (i + 1), eth(x)) for i, x in enumerate(parts[::-1])]
    # times that jump back by 10 s and by an hour between a fragment and its first
    base += 60 * SECOND
    for n, back in ((5020, 10), (5021, 3600)):
        first, later = u(n, 7000, 100, n)
        out += [(base, eth(later)), (base - back * SECOND, eth(first)), (base - (back - 1) * SECOND, datagram((A4, n), (B4, 7000), b'behind'))]
        base += SECOND
    # cut before the ports: the packet shares a flow with fragments that have no first
    cut = eth(ip(ISP4, B4, 17, udp(5030, 7000, b'cut')))
    lone = u(5031, 7000, 150, 240, src=ISP4)
    out += [(base, eth(lone[1])), (base + SECOND, cut[:14 + 20], len(cut)), (base + 2 * SECOND, eth(lone[2])), (base + 3 * SECOND, eth(lone[0]))]
    return out


@capture('fragments_overlap.pcap', 'teardrop, with either fragment first; overlapping and repeated fragments, one over all of the datagram; first fragments of 8 and '
         'of 4 bytes; a fragment that ends beyond 65,535 bytes; one without payload; IPv6 fragments with a length that is no multiple of 8')
def _():
    t = Tape()
    for n in (0, 1):
        tear = [piece(A4, B4, 17, udp(5000 + n, 7000, bytes(28)), 300 + n, 0, 1), piece(A4, B4, 17, bytes(4), 300 + n, 24, 0)]
        t.put(*tear[::1 - 2 * n])
        parts = u(5010 + n, 7000, 200, 302 + n)
        again = [piece(A4, B4, 17, filler(64, 'over'), 302 + n, 40, 1), parts[1], parts[1], piece(A4, B4, 17, udp(9, 9, filler(56, 'anew')), 302 + n, 8, 1)]
        t.put(*((parts + again)[::1 - 2 * n]))
        tiny = tcp(5020 + n, 80, SYN, 1, options=b'\2\4\5\xb4')
        t.put(*split(A4, B4, 6, tiny, 304 + n, 8)[::1 - 2 * n])
        t.put(*[piece(A4, B4, 17, udp(5030 + n, 7000, bytes(16))[:4], 306 + n, 0, 1), piece(A4, B4, 17, bytes(16), 306 + n, 8, 0)][::1 - 2 * n])
        death = [piece(A4, B4, 1, echo(8, 20 + n, 1, bytes(56)), 308 + n, 0, 1), piece(A4, B4, 1, bytes(100), 308 + n, 65528, 0)]
        t.put(*death[::1 - 2 * n])
        t.put(*[piece(A4, B4, 17, udp(5040 + n, 7000, bytes(16)), 310 + n, 0, 1), piece(A4, B4, 17, b'', 310 + n, 24, 0)][::1 - 2 * n])
        six = [piece(A6, B6, 17, udp(5050 + n, 7000, bytes(13)), 312 + n, 0, 1), piece(A6, B6, 17, bytes(5), 312 + n, 16, 1), piece(A6, B6, 17, bytes(5), 312 + n, 24, 0)]
        t.put(*six[::1 - 2 * n])
    return t.out


@capture('fragments_flood.pcap', 'more fragments than are held while their first is awaited, none of which has one: 700 of one id at all offsets, 400 of as many ids, '
         '300 of 8 bytes from as many hosts, 100 that overlap; one waits through all of it in vain, others are between and find their first', 101)
def _():
    t = Tape(10**5, link=lambda x: x)
    lost, found = u(5000, 7000, 100, 400), u(5001, 7000, 100, 401)
    t.put(lost[1])
    t.put(*[piece(ISP4, B4, 17, filler(16, n), 402, 8 * (n + 1), 1) for n in range(700)])
    t.put(found[1])
    t.put(*[piece(ISP4, B4, 17, filler(8, n), 1000 + n, 64, n % 2) for n in range(400)])
    t.put(found[0])
    t.put(*[piece('10.1.%d.%d' % (n // 100, n % 100), B4, 6, filler(8, n), 7, 8, 0) for n in range(300)])
    t.put(*[piece(ISP6, B6, 17, filler(16, n), 403, 8 + n % 5 * 8, 1) for n in range(100)])
    near = u(5002, 7000, 100, 404)
    return t.put(near[1], near[0], lost[0]).out


@capture('fragments_encap.pcap', 'a later fragment first in VLANs, MPLS, PPPoE, 6in4, GRE with a key, VXLAN and GTP-U; the same id in two VLANs, in two tunnels and '
         'outside; fragments of the tunnel itself, whose inner packet can not be read')
def _():
    t = Tape()

    def wraps():
        yield lambda x: eth(x)
        yield lambda x: eth(x, tags=((0x8100, 10),))
        yield lambda x: eth(x, tags=((0x88a8, 200), (0x8100, 10)))
        yield lambda x: eth(mpls(x, 16, 17), 0x8847)
        yield lambda x: eth(pppoe(x), 0x8864)
        for key in (1, 2):
            yield lambda x, key=key: eth(ipv4(O4, P4, 47, gre(x, key=key)))
        yield lambda x: eth(ipv4(O4, P4, 17, udp(40000, 4789, vxlan(eth(x), 77))))
        yield lambda x: eth(ipv4(O4, P4, 17, udp(2152, 2152, gtpu(x, 0x42))))
        yield lambda x: eth(ipv6(O6, P6, 4, x))
    one = u(5000, 7000, 100, 500)
    made = list(wraps())
    for i in (1, 0):
        t.put(*[w(one[i]) for w in made], link=lambda x: x)
    six = u(5001, 7000, 100, 501, A6, B6)
    t.put(*[eth(ipv4(O4, P4, 41, x)) for x in six[::-1]], link=lambda x: x)
    outer = gre(ipv4(A4, B4, 17, udp(5002, 7000, filler(100, 'inner'))))
    t.put(*split(O4, P4, 47, outer, 502)[::-1])
    outer = udp(40000, 4789, vxlan(eth(ipv4(A4, B4, 17, udp(5003, 7000, filler(100, 'inner')))), 78))
    return t.put(*split(O4, P4, 17, outer, 503)[::-1]).out
