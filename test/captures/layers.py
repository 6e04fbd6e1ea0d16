"""Captures for the decoder: link layers, IP, extension headers, tunnels, and what is cut or malformed."""
import struct

from wire import *

CAPTURES = []
A4, B4, A6, B6 = '192.0.2.1', '198.51.100.1', '2001:db8::1', '2001:db8:ffff::2'


def capture(name, about, link=1):
    """The function gives frames, which are put 100 ms apart, or (time, frame[, wire length])."""
    def add(make):
        def data():
            out = [x if isinstance(x, tuple) else (START + i * 10**8, x) for i, x in enumerate(make())]
            return pcap(out, link)
        CAPTURES.append((name, about, data))
        return make
    return add


def pair(n=0, v6=False, size=20):
    """A UDP question and its answer as IP packets; n makes ports unique."""
    a, b = ((A6, B6) if v6 else (A4, B4))
    return [ip(a, b, 17, udp(10000 + n, 7, filler(size, n))), ip(b, a, 17, udp(7, 10000 + n, filler(2 * size, n)))]


def four():
    return pair(0) + pair(1, True)


def talk(link=lambda x: x):
    return [f for _, f in Talk((A4, 50000), (B4, 80), link=link).open().send(0, b'x' * 300).send(1, b'y' * 3000).close().out]


# ---- link layers

@capture('link_raw.pcap', 'raw IP (101): IPv4, IPv6, an impossible version and an empty frame', 101)
def _():
    return four() + talk() + [b'\x70' + bytes(40), b'']


@capture('link_ipv4.pcap', 'raw IPv4 (228)', 228)
def _():
    return pair() + talk()


@capture('link_ipv6.pcap', 'raw IPv6 (229)', 229)
def _():
    return pair(0, True)


def raws():
    p = Pcapng().section()
    links = (12, 14, 101, 228, 229)
    for link in links:
        p.iface(link)
    for i, link in enumerate(links):
        for packet in pair(i, link == 229):
            p.enhanced(i, START // 1000 + i * 1000, packet)
    return p.b


CAPTURES.append(('link_raws.pcapng', 'an interface of each raw IP link type: 12, 14, 101, 228, 229', raws))


def families(order, six):
    fam = lambda n: struct.pack(order + 'I', n)
    return ([fam(2) + x for x in pair()] + [fam(f) + x for i, f in enumerate(six) for x in pair(1 + i, True)]
            + [fam(7) + b'\0' * 20, fam(2) + talk()[0], b'\0\0'])


@capture('link_null.pcap', 'BSD loopback (0), little endian, IPv6 families 24, 28, 30; an unknown family; a cut header', 0)
def _():
    return families('<', (24, 28, 30))


@capture('link_loop.pcap', 'OpenBSD loopback (108), big endian; the IPv6 family of Linux, 10, too', 108)
def _():
    return families('>', (10, 24, 28, 30))


def sll(packet, hatype=1, alen=6, proto=None, kind=0, address=bytes.fromhex('020000000010')):
    return struct.pack('>HHH', kind, hatype, alen) + address + b'\0\0' + struct.pack('>H', ip_type(packet) if proto is None else proto) + packet


@capture('link_sll.pcap', 'Linux cooked (113): IPv4, IPv6, VLAN, no address, IPv6 tunnel device, netlink, LLC, a cut header', 113)
def _():
    vlan = struct.pack('>HH', 12, IP4)
    return ([sll(x) for x in four()] + [sll(vlan + x, proto=0x8100) for x in pair(2)] + [sll(x, 512, 0) for x in pair(3)]
            + [sll(x, 778, 6) for x in pair(4)] + [sll(b'\0' * 16, 824, 0, 0)] + [sll(snap(x), proto=4) for x in pair(5)]
            + [sll(b'\0' * 28, proto=ARP), sll(b'')[:10]])


def sll2(packet, hatype=1, alen=6, proto=None):
    return (struct.pack('>HHIHBB', ip_type(packet) if proto is None else proto, 0, 3, hatype, 0, alen)
            + bytes.fromhex('020000000010') + b'\0\0' + packet)


@capture('link_sll2.pcap', 'Linux cooked version 2 (276): IPv4, IPv6, no address, netlink, LLC, a cut header', 276)
def _():
    return ([sll2(x) for x in four()] + [sll2(x, 512, 0) for x in pair(3)] + [sll2(b'\0' * 16, 824, 0, 0)]
            + [sll2(snap(x), proto=4) for x in pair(5)] + [sll2(b'')[:15]])


def ppp_frames():
    return ([b'\xff\x03\x00\x21' + x for x in pair()] + [b'\x00\x57' + x for x in pair(1, True)] + [b'\x21' + x for x in pair(2)]
            + [b'\xff\x03\x02\x81' + mpls(x, 30) for x in pair(3)] + [b'\xff\x03\xc0\x21\x09\x01\x00\x08' + bytes(4), b'\xff\x03', b'\0'])


@capture('link_ppp.pcap', 'PPP (9): with and without address and control, one-byte protocol, MPLS, LCP, cut headers', 9)
def _():
    return ppp_frames()


@capture('link_ppp_hdlc.pcap', 'PPP in HDLC framing (50)', 50)
def _():
    return ppp_frames()


@capture('link_pppoe.pcap', 'PPPoE (51): sessions, a discovery packet, another version, a cut header', 51)
def _():
    return [pppoe(x) for x in four()] + [b'\x11\x09' + bytes(4), b'\x21\0' + pppoe(pair()[0])[2:], b'\x11\0\0']


@capture('link_chdlc.pcap', 'Cisco HDLC (104): IPv4, IPv6, MPLS, SLARP, a cut header', 104)
def _():
    return ([b'\x0f\0' + struct.pack('>H', ip_type(x)) + x for x in four()] + [b'\x0f\0\x88\x47' + mpls(x, 20, 30) for x in pair(3)]
            + [b'\x8f\0\x80\x35' + bytes(18), b'\x0f\0\x08'])


STA, AP, FAR = (bytes.fromhex('0200000000' + x) for x in ('51', '52', '53'))


def wlan(packet, ds=1, qos=False, order=False, amsdu=False, kind=2, sub=0, protected=False, gap=b''):
    """ds: 0 none, 1 to, 2 from, 3 both."""
    fc = kind << 2 | (sub | (8 if qos else 0)) << 4 | ds << 8 | (0x4000 if protected else 0) | (0x8000 if order else 0)
    a = {0: (STA, FAR, AP), 1: (AP, STA, FAR), 2: (STA, AP, FAR), 3: (AP, STA, FAR)}[ds]
    out = struct.pack('<HH', fc, 0) + b''.join(a) + b'\x10\0' + (STA if ds == 3 else b'')
    if qos:
        out += b'\x80\0' if amsdu else b'\0\0'
        if order:
            out += bytes(4)
    return out + gap + (snap(packet) if packet else b'')


def wlan_frames():
    a, b = pair()
    out = [wlan(a, 1), wlan(b, 2), wlan(a, 0), wlan(b, 3), wlan(a, 1, True), wlan(b, 2, True, True)]
    out += [wlan(x, 1 + i, True) for i, x in enumerate(pair(1, True))]
    out += [wlan(a, 1, True, amsdu=True), wlan(a, kind=0, sub=8), wlan(b'', sub=4), wlan(a, protected=True), wlan(a)[:20],
            wlan(a, 1, True)[:25], wlan(a)[:26], wlan(b, 3)[:26]]
    return out


@capture('link_80211.pcap', '802.11 (105): all four address forms, QoS, HT control, A-MSDU, management, null, encrypted, cut', 105)
def _():
    return wlan_frames()


def radiotap(frame, present=0, fields=b'', length=None):
    head = struct.pack('<I', present) + fields
    return struct.pack('<BBH', 0, 0, 4 + len(head) if length is None else length) + head + frame


@capture('link_radiotap.pcap', 'radiotap (127): bare, with flags, with TSFT before the flags, second bitmap, data padding, bad lengths', 127)
def _():
    a, b = pair()
    out = [radiotap(x) for x in wlan_frames()]
    out += [radiotap(wlan(a), 2, b'\x10'), radiotap(wlan(b, 2), 3, bytes(8) + bytes(8) + b'\0'),
            radiotap(wlan(a, 1, True, gap=b'\0\0'), 2, b'\x20'), radiotap(wlan(b, 2, True, gap=b'\0\0'), 3, bytes(8) + bytes(8) + b'\x20'),
            radiotap(wlan(a), 0x80000002, struct.pack('<I', 0) + b'\0'), radiotap(wlan(a), length=4), radiotap(b'', length=400), b'\0\0\x08']
    return out


def ppi(frame, dlt, length=8):
    return struct.pack('<BBHI', 0, 0, length, dlt) + bytes(length - 8 if length > 8 else 0) + frame


@capture('link_ppi.pcap', 'PPI (192) around Ethernet, 802.11 and raw IP, with fields; inside itself; unsupported inside; bad lengths', 192)
def _():
    a, b = pair()
    return [ppi(eth(a), 1), ppi(eth(b), 1), ppi(wlan(a), 105), ppi(b, 101, 20), ppi(ppi(eth(a), 1), 192), ppi(a, 147), ppi(a, 1, 4),
            ppi(b'', 1, 100)[:50], b'\0\0']


# ---- between link layer and IP

@capture('encap_vlan.pcap', 'no tag, 802.1Q, 802.1ad + 802.1Q, 0x9100 + 0x8100, priority tag (id 0); each its own flow; a cut tag')
def _():
    out = []
    for tags in ((), ((0x8100, 10),), ((0x88a8, 200), (0x8100, 10)), ((0x9100, 1), (0x8100, 3)), ((0x8100, 0),)):
        a, b = pair()
        out += [eth(a, tags=tags), eth(b, src=MAC_B, dst=MAC_A, tags=tags)]
    return out + [eth(b'', tags=((0x8100, 10),))[:16]]


@capture('encap_vlan_9200.pcap', 'tags of type 0x9200, outside and inside')
def _():
    return [eth(x, tags=tags) for tags in (((0x9200, 2),), ((0x9100, 1), (0x9200, 2), (0x8100, 3))) for x in pair()]


@capture('encap_many_vlans.pcap', 'a frame with 16 tags, and one with 17, which no real network makes')
def _():
    return [eth(pair()[0], tags=[(0x8100, i + 1) for i in range(n)]) for n in (16, 17)]


@capture('encap_mpls.pcap', 'one to three labels over IPv4 and IPv6, multicast type, stacks that are cut')
def _():
    out = [eth(mpls(x, 16), 0x8847) for x in pair()] + [eth(mpls(x, 16, 17, 18), 0x8847) for x in pair(1, True)]
    out += [eth(mpls(x, 16, 17), 0x8848) for x in pair(2)]
    return out + [eth(mpls(b'', 16), 0x8847), eth(struct.pack('>I', 16 << 12) + b'\0', 0x8847)]


@capture('encap_pseudowire.pcap', 'Ethernet in MPLS with and without control word, with a VLAN tag inside, with ARP inside')
def _():
    word = bytes(4)
    out = [eth(mpls(eth(x), 19), 0x8847) for x in pair(3)] + [eth(mpls(word + eth(x), 19), 0x8847) for x in pair(4)]
    out += [eth(mpls(word + eth(x, tags=((0x8100, 5),)), 19), 0x8847) for x in pair(5)]
    out += [eth(mpls(eth(x, dst='00:00:5e:00:01:01'), 19), 0x8847) for x in pair(6)]
    return out + [eth(mpls(word + eth(bytes(28), ARP), 19), 0x8847)]


@capture('encap_pppoe.pcap', 'PPPoE sessions with IPv4, IPv6 and LCP, PPPoE inside VLAN, discovery, a cut header')
def _():
    out = [eth(pppoe(x), 0x8864, pad=True) for x in four()] + [eth(pppoe(x), 0x8864, tags=((0x8100, 35),)) for x in pair(2)]
    out += [eth(pppoe(b'\x09\x01\0\x08' + bytes(4), 0xc021), 0x8864, pad=True), eth(b'\x11\x09' + bytes(4), 0x8863, pad=True)]
    return out + [eth(b'\x11\0', 0x8864)]


@capture('encap_ppp.pcap', 'PPP by EtherType 0x880b')
def _():
    return [eth(b'\x00\x21' + x, 0x880b) for x in pair(3)]


@capture('encap_llc.pcap', '802.3 frames: SNAP (both OUIs) with IPv4 and IPv6, DSAP 06, spanning tree, IPX, too short; 802.3 inside VLAN')
def _():
    length = lambda x, **k: eth(x, len(x), pad=True, **k)
    out = [length(snap(x)) for x in four()] + [length(snap(x)[:3] + b'\0\0\xf8' + snap(x)[6:]) for x in pair(2)]
    out += [length(b'\x06\x06\x03' + x) for x in pair(3)] + [length(snap(x), tags=((0x8100, 9),)) for x in pair(4)]
    return out + [length(b'\x42\x42\x03' + bytes(35)), length(b'\xff\xff' + bytes(30)), eth(b'\xaa', 1)]


@capture('padding.pcap', 'Ethernet frames padded to 60 bytes: bare ACKs and small datagrams; a frame check sequence behind a long one')
def _():
    padded = lambda x, **k: eth(x, pad=True, **k)
    t = Talk((A4, 50000), (B4, 80)).open().send(0, b'ab').send(1, b'c' * 200).close()
    out = [f + b'\0' * (60 - len(f)) for _, f in t.out]
    return out + [padded(x) for x in pair(0, size=2)] + [eth(x) + b'\xde\xad\xbe\xef' for x in pair(1, size=100)]


@capture('non_ip.pcap', 'ARP, LLDP, spanning tree, EAPOL, loopback test, a type of 0x05ff: no IP at all; and a runt')
def _():
    arp = struct.pack('>HHBBH', 1, 0x800, 6, 4, 1) + mac(MAC_A) + addr(A4) + bytes(6) + addr(B4)
    return [eth(arp, ARP, pad=True), eth(arp[:7] + b'\2' + arp[8:], ARP, MAC_B, MAC_A, pad=True), eth(b'\x02\x07\x04' + mac(MAC_A) + b'\0\0', 0x88cc, pad=True),
            eth(b'\x42\x42\x03' + bytes(35), 38, pad=True), eth(b'\1\1\0\0', 0x888e, pad=True), eth(bytes(46), 0x9000),
            eth(bytes(46), 0x05ff), eth(b'')[:13]]


# ---- IP

@capture('ipv4_options.pcap', 'IHL 6 to 15: router alert, timestamp, record route, padding')
def _():
    opts = [b'\x94\x04\0\0', b'\x44\x0c\x0d\0' + bytes(8), b'\x07\x27\x04' + bytes(36), b'\x01' * 8]
    out = []
    for i, o in enumerate(opts):
        out += [eth(ipv4(A4, B4, 17, udp(10000 + i, 7, b'options'), options=o)), eth(ipv4(B4, A4, 6, tcp(80, 20000 + i, SYN | ACK, 1, 2), options=o))]
    return out


def ah(nxt, words=6):
    return struct.pack('>BBHII', nxt, words - 2, 0, 0x100, 1) + bytes(words * 4 - 12)


@capture('ipsec.pcap', 'AH around TCP, UDP and a second AH in IPv4; AH around TCP in IPv6; ESP in both; an AH that is cut')
def _():
    t = tcp(50000, 443, ACK, 5, 6, b'data')
    out = [ipv4(A4, B4, 51, ah(6) + t), ipv4(A4, B4, 51, ah(17, 7) + udp(9, 10, b'x')), ipv4(A4, B4, 51, ah(51) + ah(6) + t),
           ipv6(A6, B6, 51, t, ext=ah(6), upper=6), ipv4(A4, B4, 50, filler(60, 'esp')), ipv4(B4, A4, 50, filler(60, 'esp2')),
           ipv6(A6, B6, 50, filler(60, 'esp6')), ipv4(A4, B4, 51, ah(6)[:10]), ipv4(A4, B4, 51, ah(6, 40)[:30])]
    return [eth(x) for x in out]


def opt6(nxt, words=1, body=b'\x01\x04\0\0\0\0'):
    """An extension header of words * 8 bytes."""
    return bytes([nxt, words - 1]) + (body + bytes(words * 8))[:words * 8 - 2]


@capture('ipv6_extensions.pcap', 'hop-by-hop, routing, destination, AH, mobility, HIP, Shim6 and atomic fragment headers, alone and in '
         'chains, before TCP, UDP and no next header; chains that are cut')
def _():
    u = lambda n: udp(10000 + n, 7, b'extended')
    out = []
    for n, h in enumerate((0, 43, 60, 135, 139, 140)):
        out += [ipv6(A6, B6, h, u(n), ext=opt6(17), upper=17), ipv6(B6, A6, h, udp(7, 10000 + n, b'back'), ext=opt6(17, 2), upper=17)]
    chain = opt6(60) + opt6(43) + opt6(44) + struct.pack('>BBHI', 51, 0, 0, 77) + ah(60) + opt6(6)
    t = Talk((A6, 50000), (B6, 443), link=lambda x: x).open().send(0, b'h' * 50).close()
    out.append(ipv6(A6, B6, 0, tcp(50001, 443, SYN, 1), ext=chain, upper=6))
    out += [x for _, x in t.out]
    out += [ipv6(A6, B6, 59), ipv6(A6, B6, 59, b'ignored'), ipv6(A6, B6, 0, ext=opt6(59)), ipv6(A6, B6, 0, u(20)[:0], ext=opt6(60)[:4]),
            ipv6(A6, B6, 43, ext=opt6(17, 5)[:16], upper=17), ipv6(A6, B6, 0, ext=opt6(60) * 20 + opt6(59))]
    return [eth(x) for x in out]


@capture('jumbo.pcap', 'IP length 0: IPv4 and IPv6 segments handed over before segmentation, jumbograms (RFC 2675), no next header')
def _():
    big = filler(4000, 'tso')
    tso4 = ipv4(A4, B4, 6, tcp(50000, 80, ACK, 1, 1, big), length=0)
    tso6 = ipv6(A6, B6, 6, tcp(50000, 80, ACK, 1, 1, big), length=0)
    body = tcp(50001, 80, ACK, 1, 1, big)
    jumbo = lambda n: b'\x06\0\xc2\x04' + struct.pack('>I', n)
    out = [tso4, tso6, ipv6(A6, B6, 0, body, ext=jumbo(8 + len(body)), upper=6, length=0),
           ipv6(A6, B6, 0, body, ext=b'\x06\x01\0\x01\x02\0\0\0\xc2\x04' + struct.pack('>I', 16 + len(body)) + b'\0\0', upper=6, length=0),
           ipv6(A6, B6, 0, body, ext=b'\x06\0\x01\x04\0\0\0\0', upper=6, length=0), ipv6(A6, B6, 59, length=0),
           ipv6(A6, B6, 0, body, ext=b'\x06\0\x01\x02\0\0\0\xc2', upper=6, length=0)]
    frames = [eth(x) for x in out]
    cut = frames[2][:400]
    return [(START + i * 10**8, f) for i, f in enumerate(frames)] + [(START + 10**9, cut, 100000), (START + 11 * 10**8, eth(tso4)[:200], 4054)]


@capture('impossible_length.pcap', 'lengths no packet can have: IP length 0 in a frame of 4 GiB, a jumbogram of 3.75 GiB; between good packets')
def _():
    u = udp(5, 6, b'good')
    huge = ipv6(A6, B6, 0, u, ext=b'\x11\0\xc2\x04' + struct.pack('>I', 0xf0000000), upper=17, length=0)
    return [(START, eth(ipv4(A4, B4, 17, u))), (START + 1000, eth(ipv4(A4, B4, 17, u, length=0)), 0xffffffff), (START + 2000, eth(huge)),
            (START + 3000, eth(ipv4(A4, B4, 17, u)), 0xffffffff)]


@capture('protocols.pcap', 'TCP, UDP, UDP-Lite, SCTP, DCCP, IGMP, GRE without IP inside, OSPF, EIGRP, an unassigned protocol, both IP versions')
def _():
    data = struct.pack('>BBHIHHI', 0, 3, 24, 1, 0, 0, 0) + b'sctpdata'
    upper = [(6, tcp(1001, 2001, SYN, 7)), (17, udp(1002, 2002, b'udp')), (136, udp(1003, 2003, b'lite', 8)), (132, sctp(1004, 2004, data)),
             (33, dccp(1005, 2005, b'dccp')), (33, dccp(1005, 2005, b'dccp', 3) + bytes(8)), (2, bytes.fromhex('1600f9fde0000016')), (47, gre(bytes(28), ARP)),
             (89, bytes([2, 1, 0, 44]) + bytes(40)), (88, bytes(20)), (253, b'experiment'), (17, udp(1006, 2006, b'long field', 500)),
             (17, udp(1007, 2007, b'zero length', 0)), (17, udp(1008, 2008, b'short field', 12)), (17, udp(1009, 2009, b'impossible', 3))]
    out = []
    for proto, body in upper:
        out += [ipv4(A4, B4, proto, body, ttl=1 if proto in (2, 89) else 64), ipv6(A6, B6, proto, body)]
    return [eth(x) for x in out]


@capture('icmp.pcap', 'echo with several ids and sequences, timestamp, address mask, router solicitation, errors that quote a datagram, redirect')
def _():
    p = lambda a, b, body, **k: eth(ipv4(a, b, 1, body, **k))
    out = []
    for ident, seq in ((1, 1), (1, 2), (1, 4), (2, 1)):
        out += [p(A4, B4, echo(8, ident, seq)), p(B4, A4, echo(0, ident, seq), ttl=250)]
    quote = ipv4(A4, B4, 17, udp(40000, 33434, b''))
    out += [p(A4, B4, echo(13, 9, 1, bytes(12))), p(B4, A4, echo(14, 9, 1, bytes(12))), p(A4, B4, echo(17, 9, 1, bytes(4))), p(B4, A4, echo(18, 9, 1, bytes(4))),
            p(A4, B4, icmp(10)), p(B4, A4, icmp(9)), p('203.0.113.1', A4, icmp(11, 0, data=quote)), p(B4, A4, icmp(3, 3, data=quote)),
            p(B4, A4, icmp(3, 13, data=quote)), p('203.0.113.1', A4, icmp(5, 1, addr('203.0.113.2'), quote))]
    return out


@capture('icmpv6.pcap', 'echo, neighbour and router discovery, multicast listener report, unreachable, packet too big, parameter problem')
def _():
    p = lambda a, b, body, **k: eth(ipv6(a, b, 58, body, **k))
    out = []
    for seq in (1, 2, 3):
        out += [p(A6, B6, echo(128, 5, seq)), p(B6, A6, echo(129, 5, seq))]
    quote = ipv6(A6, B6, 17, udp(40000, 33434, b''))
    out += [p('fe80::1', 'ff02::1:ff00:2', icmp(135, data=addr('fe80::2')), hops=255), p('fe80::2', 'fe80::1', icmp(136, data=addr('fe80::2')), hops=255),
            p('fe80::1', 'ff02::2', icmp(133), hops=255), p('fe80::2', 'fe80::1', icmp(134, data=bytes(8)), hops=255),
            eth(ipv6('fe80::1', 'ff02::16', 0, icmp(143, data=bytes(20)), ext=b'\x3a\0\x05\x02\0\0\x01\0', upper=58, hops=1)),
            p(B6, A6, icmp(1, 4, data=quote)), p(B6, A6, icmp(2, 0, b'\0\0\x05\0', quote)), p(B6, A6, icmp(4, 1, data=quote))]
    return out


@capture('short_icmp.pcap', 'ICMP and ICMPv6 packets too short for an identifier, and for a type')
def _():
    return [eth(ipv4(A4, B4, 1, icmp(8)[:6])), eth(ipv4(A4, B4, 1, icmp(8)[:2])), eth(ipv6(A6, B6, 58, icmp(128)[:5])), eth(ipv6(A6, B6, 58))]


@capture('cut_headers.pcap', 'a TCP, a UDP and an ICMP packet in IPv4 and IPv6, each cut at every header byte that matters, wire length kept')
def _():
    out, t = [], START
    full = [eth(ip(a, b, p, body)) for a, b, i in ((A4, B4, 1), (A6, B6, 58))
            for p, body in ((6, tcp(1000, 80, ACK, 1, 2, b'z' * 40, options=b'\1\1\x08\x0a' + bytes(8))), (17, udp(1000, 53, b'z' * 40)), (i, echo(8 if i == 1 else 128, 3, 4)))]
    for frame in full:
        head = 14 + (20 if frame[12:14] == b'\x08\0' else 40)
        for cut in (13, 14, 15, head - 1, head, head + 2, head + 4, head + 6, head + 7, head + 8, head + 13, head + 19, head + 20, head + 26, head + 40):
            if cut < len(frame):
                out.append((t, frame[:cut], len(frame)))
                t += 10**7
    return out


@capture('malformed.pcap', 'IPv4 with version 7, IHL 3 and total length below IHL; IPv6 type with version 4; data offsets of 4 and beyond the packet; '
         'and a good packet')
def _():
    u = udp(5, 6, b'm')
    return [eth(ipv4(A4, B4, 17, u, version=7), IP4), eth(ipv4(A4, B4, 17, u, ihl=3)), eth(ipv4(A4, B4, 17, u, length=19)), eth(ipv4(A4, B4, 17, u), IP6),
            eth(ipv4(A4, B4, 6, tcp(1, 2, ACK, 1, 1, b'x' * 8, offset=4))), eth(ipv4(A4, B4, 6, tcp(1, 2, ACK, 1, 1, b'x' * 8, offset=15))),
            eth(ipv4(A4, B4, 17, u))]


@capture('lying_lengths.pcap', 'lengths that lie: IHL beyond the packet and beyond the frame, IPv4 and IPv6 lengths beyond the frame and inside the headers, UDP lengths, '
         'data offsets beyond the packet, TCP options of length 0 and 1 and beyond the header or the packet, extension headers and AH beyond the packet, '
         'GRE, VXLAN, Geneve, GTP-U and Teredo headers that promise more than there is')
def _():
    u, a = udp(5, 6, b'm' * 12), pair()[0]
    t = lambda options, data=b'', **k: ipv4(A4, B4, 6, tcp(1000, 80, k.pop('flags', ACK), 1, 1, data, options=options, **k))
    outer = lambda port, x: ipv4(O4, P4, 17, udp(40000, port, x))
    out = [ipv4(A4, B4, 17, u, ihl=15), ipv4(A4, B4, 17, b'', ihl=15), ipv4(A4, B4, 17, u, length=1500), ipv4(A4, B4, 17, u, length=22), ipv4(A4, B4, 17, udp(5, 6, b'm' * 12, 7)),
           ipv4(A4, B4, 17, udp(5, 6, b'm' * 12, 65535)), ipv6(A6, B6, 17, u, length=65535), ipv6(A6, B6, 17, u, length=4)]
    out += [t(b'', offset=6), t(b'', offset=15), t(b'', b'x' * 8, offset=15), t(b'', offset=0), t(b'\2\4\5\xb4', offset=15, flags=SYN)]
    for options in (b'\2\0\5\xb4', b'\2\1\5\xb4', b'\1\1\1\2', b'\2\4\5\xb4\3\xff\7\0', b'\5\xfe' + bytes(10), b'\x08\x0a\0\0', b'\x08\2\x08\3\0\x08\4\0\0', b'\4\3\0\0',
                    b'\x1e\2\x1e\3\x20\0', b'\0\2\4\5\xb4\0\0\0', bytes(range(1, 41))):
        out += [t(options, flags=SYN), t(options, b'data')]
    out += [ipv6(A6, B6, 0, ext=b'\x11\xff' + bytes(6), upper=17), ipv6(A6, B6, 60, u[:4], ext=b'\x11\1' + bytes(6), upper=17), ipv6(A6, B6, 43, u, ext=b'\x3c\0' + bytes(6) + b'\x11\x20' + bytes(6), upper=17),
            ipv4(A4, B4, 51, b'\x11\xff' + bytes(10) + u), ipv6(A6, B6, 51, u, ext=b'\x11\x80' + bytes(10), upper=17), ipv6(A6, B6, 44, b'', ext=b'\x11\0\0')]
    out += [ipv4(O4, P4, 47, b'\xf0\0\x08\0' + a[:8]), outer(4789, vxlan(eth(a), 7)[:20]), outer(6081, b'\x3f\0\x65\x58' + bytes(4) + eth(a)), outer(2152, b'\x34\xff\xff\xff\0\0\0\1\0\0\0\x85\xff' + a),
            outer(3544, b'\0\1\xff\xff' + bytes(9) + pair(0, True)[0]), ipv4(O4, P4, 4, ipv4(A4, B4, 17, u, length=9000)), ipv4(O4, P4, 4, ipv4(A4, B4, 17, u, ihl=15))]
    return [eth(x) for x in out]


# ---- fragments

def fragments(v6, proto, body, ident, first=64):
    """body in fragments of at most first bytes."""
    out = []
    for o in range(0, len(body), first):
        part, more = body[o:o + first], o + first < len(body)
        if v6:
            out.append(ipv6(A6, B6, 44, part, ext=struct.pack('>BBHI', proto, 0, o | more, ident), upper=253))
        else:
            out.append(ipv4(A4, B4, proto, part, ident=ident, flags=int(more), frag=o))
    return out


@capture('fragments.pcap', 'UDP, TCP and ICMP in three fragments, IPv4 and IPv6; later ones first; without the first; a first one more than 30 s '
         'older; the same id between other hosts; AH in a fragment')
def _():
    out, t = [], START

    def put(packets, step=10**7):
        nonlocal t
        for x in packets:
            out.append((t, eth(x)))
            t += step
    for v6 in (False, True):
        put(fragments(v6, 17, udp(5000, 6000, filler(150, 1)), 11))
        put(fragments(v6, 6, tcp(5001, 6001, ACK, 1, 1, filler(150, 2)), 12))
        put(fragments(v6, 58 if v6 else 1, echo(128 if v6 else 8, 77, 1, filler(150, 3)), 13))
        put(fragments(v6, 17, udp(5002, 6002, filler(150, 4)), 14)[::-1])
        put(fragments(v6, 17, udp(5003, 6003, filler(150, 5)), 15)[1:])
        put(fragments(v6, 17, udp(5004, 6004, filler(150, 6)), 16), 16 * SECOND)
    put([ipv4(B4, A4, 17, filler(64, 7), ident=11, flags=0, frag=64)])
    put([ipv4(A4, B4, 51, ah(17) + udp(5005, 6005, bytes(24)), ident=20, flags=1), ipv4(A4, B4, 51, bytes(40), ident=20, flags=0, frag=56)])
    return out


# ---- tunnels

def inner(n=0):
    return pair(n)[0], pair(n)[1], pair(n, True)[0], pair(n, True)[1]


O4, P4, O6, P6 = '203.0.113.1', '203.0.113.2', '2001:db8:aaaa::1', '2001:db8:aaaa::2'


@capture('tunnels.pcap', '4in4, 6in4, 4in6, 6in6; GRE plain, with key, checksum and sequence, TEB; ERSPAN I, II, III; VXLAN; Geneve with options and with IP; '
         'GTP-U with and without extension; Teredo with its headers; GRE version 1 (PPTP); both directions')
def _():
    out = []

    def both(wrap, n, v6=False):
        a, b = pair(n, v6)
        out.append(eth(wrap(a, False)))
        out.append(eth(wrap(b, True), src=MAC_B, dst=MAC_A))

    def over(proto, v6=False):
        ends = (O6, P6) if v6 else (O4, P4)
        return lambda x, back: ip(ends[back], ends[1 - back], proto, x)

    def in_udp(port, wrap, sport=40000, source=False):
        def make(x, back):
            ports = (port, sport) if source or (back and port in (2152, 3544)) else (sport, port)
            return ip((O4, P4)[back], (P4, O4)[back], 17, udp(*ports, wrap(x)))
        return make
    both(over(4), 0)
    both(over(41), 1, True)
    both(over(4, True), 2)
    both(over(41, True), 3, True)
    for n, how in enumerate(({}, {'key': 42}, {'csum': True, 'key': 43, 'seq': 9})):
        both(lambda x, back, how=how: over(47)(gre(x, **how), back), 4 + n)
    both(lambda x, back: over(47, True)(gre(eth(x, tags=((0x8100, 77),)), 0x6558), back), 7)
    both(lambda x, back: over(47)(gre(eth(x), 0x88be), back), 8)
    both(lambda x, back: over(47)(gre(struct.pack('>HHI', 0x1000, 123, 0) + eth(x), 0x88be, seq=5), back), 9)
    both(lambda x, back: over(47)(gre(struct.pack('>HHIHH', 0x2000, 321, 0, 0, 0) + eth(x), 0x22eb, seq=5), back), 10)
    both(lambda x, back: over(47)(gre(struct.pack('>HHIHHII', 0x2000, 322, 0, 0, 1, 0, 0) + eth(x), 0x22eb, seq=5), back), 11)
    acked = struct.pack('>I', 1)
    both(lambda x, back: over(47)(gre(acked + b'\xff\x03\x00\x21' + x, 0x880b, key=5 + back, version=1, flags=0x80), back), 12)
    both(in_udp(4789, lambda x: vxlan(eth(x), 1000)), 13)
    both(in_udp(4789, lambda x: vxlan(eth(x), 2000)), 13, True)
    both(in_udp(6081, lambda x: geneve(eth(x), 3000, options=b'\1\2\3\1abcd')), 14)
    both(in_udp(6081, lambda x: geneve(x, 3001, ip_type(x))), 15, True)
    both(in_udp(2152, lambda x: gtpu(x, 0x1234 + len(x)), 2152), 16)
    both(in_udp(2152, lambda x: gtpu(x, 0x99, ext=b'\x85\x01\x10\x05\x00', seq=4), 2152), 17, True)
    both(in_udp(3544, lambda x: x, 40001), 18, True)
    both(in_udp(3544, lambda x: b'\0\1\2\1' + bytes(12) + b'\0\0' + b'\x12\x34\x0a\0\0\1' + x, 40002), 19, True)
    return out


@capture('tunnels_not.pcap', 'what only looks like a tunnel stays with its outer header: other payload on the ports of VXLAN, Geneve, GTP-U and Teredo, GRE with '
         'source routes and of version 2, GTP-U control, an inner IP header that is cut, an inner fragment of another tunnel')
def _():
    a = pair()[0]
    u = lambda port, x: ipv4(O4, P4, 17, udp(40000, port, x))
    out = [u(4789, b'nothing'), u(4789, b'\0' * 30), u(6081, b'\xc0' + bytes(20)), u(6081, b'\x3f' + bytes(20)), u(2152, b'\x30\x01\0\x04' + bytes(8)),
           u(2152, gtpu(b'', 5, b'\x85\x00')), u(2152, gtpu(b'', 5, seq=1)[:10]), u(3544, b'nothing of the kind'), u(3544, b'\0\0' + bytes(6) + b'x' * 40),
           ipv4(O4, P4, 47, gre(a, flags=0x4000)), ipv4(O4, P4, 47, gre(a, version=2)), ipv4(O4, P4, 47, gre(a, key=1)[:6]), ipv4(O4, P4, 47, b'\0\0'),
           ipv4(O4, P4, 47, gre(eth(a)[:10], 0x88be)), ipv4(O4, P4, 47, gre(bytes(8), 0x22eb, seq=1)),
           ipv4(O4, P4, 4, a[:19]), ipv4(O4, P4, 41, pair(0, True)[0][:39]), ipv4(O4, P4, 4, b'\x00' * 30),
           ipv4(O4, P4, 4, a, flags=1), u(4789, vxlan(eth(bytes(28), ARP), 7)), u(2152, gtpu(b'', 6))]
    return [eth(x) for x in out]


@capture('tunnels_deep.pcap', 'one to six tunnels around a datagram: at most four are taken off; mixed kinds four deep')
def _():
    out = []
    for depth in range(1, 7):
        x = pair(depth)[0]
        for _ in range(depth):
            x = ipv4(O4, P4, 4, x)
        out.append(eth(x))
    x = eth(ipv4(O4, P4, 17, udp(40000, 4789, vxlan(eth(ipv6(O6, P6, 47, gre(ipv4(O4, P4, 41, ipv6(O6, P6, 4, pair(20)[0])), key=8))), 55))))
    return out + [x]


@capture('deep_labels.pcap', 'more than 16 headers in a frame, and so many MPLS labels and pseudowires that the walk stops')
def _():
    a = pair()[0]
    x = a
    for i in range(3):
        x = mpls(eth(x, tags=((0x8100, i + 1),)), *range(16, 20))
        x = eth(x, 0x8847)
    y = a
    for i in range(40):
        y = eth(mpls(y, 16), 0x8847)
    return [x, y, eth(mpls(a, *range(16, 116)), 0x8847)]
