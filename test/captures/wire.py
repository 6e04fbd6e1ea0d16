"""Headers and capture files as bytes, for make_captures.py. Everything is deterministic."""
import hashlib
import ipaddress
import struct

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = 1, 2, 4, 8, 16, 32, 64, 128
SECOND = 10**9
START = 1700000000 * SECOND         # 2023-11-14 22:13:20 UTC


def filler(size, seed):
    """size bytes that look random and are always the same."""
    out, n = b'', 0
    while len(out) < size:
        out += hashlib.sha256(b'%s %d' % (str(seed).encode(), n)).digest()
        n += 1
    return out[:size]


def checksum(data):
    if len(data) % 2:
        data += b'\0'
    total = sum(struct.unpack('>%dH' % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def addr(text):
    return ipaddress.ip_address(text).packed


def mac(text):
    return bytes.fromhex(text.replace(':', ''))


# ---- upper layers; IP fills in their checksums

def tcp(sport, dport, flags, seq, ack=0, data=b'', window=64240, options=b'', offset=None, urgent=0):
    options += b'\0' * (-len(options) % 4)
    words = 5 + len(options) // 4 if offset is None else offset
    return struct.pack('>HHIIHHHH', sport, dport, seq & 0xffffffff, ack & 0xffffffff, words << 12 | flags, window, 0, urgent) + options + data


def udp(sport, dport, data=b'', length=None):
    return struct.pack('>HHHH', sport, dport, 8 + len(data) if length is None else length, 0) + data


def icmp(kind, code=0, rest=b'\0\0\0\0', data=b''):
    return bytes([kind, code, 0, 0]) + rest + data


def echo(kind, ident, seq, data=b'abcdefgh'):
    return icmp(kind, 0, struct.pack('>HH', ident, seq), data)


def sctp(sport, dport, chunks, tag=0x1234):
    return struct.pack('>HHII', sport, dport, tag, 0) + chunks


def dccp(sport, dport, data=b'', offset=4):
    return struct.pack('>HHBBHBBHI', sport, dport, offset, 0, 0, 2 << 1 | 1, 0, 0, 1) + data


CHECKSUM_AT = {6: 16, 17: 6, 1: 2, 58: 2, 136: 6}


def _sum(proto, data, pseudo):
    at = CHECKSUM_AT.get(proto)
    if at is None or len(data) < at + 2:
        return data
    data = data[:at] + b'\0\0' + data[at + 2:]
    part = data[:8] if proto == 136 and data[4:6] == b'\0\x08' else data
    value = checksum((b'' if proto == 1 else pseudo) + part)
    return data[:at] + struct.pack('>H', value or 0xffff) + data[at + 2:]


def ipv4(src, dst, proto, data=b'', ttl=64, tos=0, ident=1, flags=2, frag=0, options=b'', length=None, ihl=None, version=4):
    """flags: 1 more fragments, 2 don't fragment, 4 reserved; frag in bytes."""
    options += b'\0' * (-len(options) % 4)
    a, b = addr(src), addr(dst)
    if not frag and not flags & 1:
        data = _sum(proto, data, a + b + struct.pack('>BBH', 0, proto, len(data) & 0xffff))
    words = 5 + len(options) // 4
    total = words * 4 + len(data) if length is None else length
    head = struct.pack('>BBHHHBBH', version << 4 | (words if ihl is None else ihl), tos, total, ident, flags << 13 | frag // 8, ttl, proto, 0)
    head += a + b + options
    return head[:10] + struct.pack('>H', checksum(head)) + head[12:] + data


def ipv6(src, dst, proto, data=b'', hops=64, tclass=0, label=0, length=None, upper=None, ext=b''):
    """proto is the first Next Header; with ext, upper is the protocol behind it."""
    a, b = addr(src), addr(dst)
    last = proto if upper is None else upper
    data = _sum(last, data, a + b + struct.pack('>IHBB', len(data), 0, 0, last))
    size = len(ext) + len(data) if length is None else length
    return struct.pack('>IHBB', 6 << 28 | tclass << 20 | label, size, proto, hops) + a + b + ext + data


def ip(src, dst, proto, data=b'', **more):
    return (ipv6 if ':' in src else ipv4)(src, dst, proto, data, **more)


# ---- link layers

MAC_A, MAC_B = '02:00:00:00:00:0a', '02:00:00:00:00:0b'
IP4, IP6, ARP = 0x0800, 0x86dd, 0x0806


def ip_type(data):
    return IP6 if data[:1] and data[0] >> 4 == 6 else IP4


def eth(data, kind=None, src=MAC_A, dst=MAC_B, tags=(), pad=False):
    """tags: (TPID, id) from the outermost; pad: to the 60 bytes an Ethernet frame has at least."""
    out = mac(dst) + mac(src)
    for tpid, vid in tags:
        out += struct.pack('>HH', tpid, vid)
    out += struct.pack('>H', ip_type(data) if kind is None else kind) + data
    return out + b'\0' * (60 - len(out)) if pad else out


def vxlan(data, vni):
    return struct.pack('>II', 0x08000000, vni << 8) + data


def geneve(data, vni, kind=0x6558, options=b''):
    return struct.pack('>BBHI', len(options) // 4, 0, kind, vni << 8) + options + data


def gtpu(data, teid, ext=b'', seq=None):
    flags = 0x30 | (4 if ext else 0) | (2 if seq is not None else 0)
    extra = struct.pack('>HBB', seq or 0, 0, ext[0] if ext else 0) + ext[1:] if ext or seq is not None else b''
    return struct.pack('>BBHI', flags, 255, len(extra) + len(data), teid) + extra + data


def gre(data, kind=None, key=None, csum=False, seq=None, version=0, flags=0):
    flags |= (0x8000 if csum else 0) | (0x2000 if key is not None else 0) | (0x1000 if seq is not None else 0) | version
    out = struct.pack('>HH', flags, ip_type(data) if kind is None else kind)
    if csum:
        out += b'\0\0\0\0'
    if key is not None:
        out += struct.pack('>I', key)
    if seq is not None:
        out += struct.pack('>I', seq)
    return out + data


def mpls(data, *labels):
    out = b''
    for i, label in enumerate(labels):
        out += struct.pack('>I', label << 12 | (0x100 if i == len(labels) - 1 else 0) | 64)
    return out + data


def pppoe(data, proto=None, session=7):
    body = struct.pack('>H', (0x57 if ip_type(data) == IP6 else 0x21) if proto is None else proto) + data
    return struct.pack('>BBHH', 0x11, 0, session, len(body)) + body


def snap(data, kind=None):
    return b'\xaa\xaa\x03\0\0\0' + struct.pack('>H', ip_type(data) if kind is None else kind) + data


# ---- capture files

def pcap(records, link=1, big=False, nano=False, modified=False, snaplen=262144, cut=None):
    """records: (time in ns, frame) or (time, frame, wire length). cut: no frame longer than this is kept."""
    e = '>' if big else '<'
    magic = 0xa1b2cd34 if modified else 0xa1b23c4d if nano else 0xa1b2c3d4
    out = struct.pack(e + 'IHHiIII', magic, 2, 4, 0, 0, cut or snaplen, link)
    for r in records:
        ts, frame = r[0], r[1]
        wire = r[2] if len(r) > 2 else len(frame)
        frame = frame[:cut] if cut else frame
        out += struct.pack(e + 'IIII', ts // SECOND, ts % SECOND // (1 if nano else 1000), len(frame), wire)
        if modified:
            out += struct.pack(e + 'IHBB', 1, ip_type(frame[14:]), 0, 0)
        out += frame
    return out


class Pcapng:
    """Writes blocks one after another; b is the file so far."""

    def __init__(self):
        self.b = b''

    def block(self, kind, body, e=None):
        e = e or self.e
        body += b'\0' * (-len(body) % 4)
        self.b += struct.pack(e + 'II', kind, 12 + len(body)) + body + struct.pack(e + 'I', 12 + len(body))
        return self

    def option(self, code, value):
        return struct.pack(self.e + 'HH', code, len(value)) + value + b'\0' * (-len(value) % 4)

    def section(self, big=False, options=True):
        self.e = '>' if big else '<'
        body = struct.pack(self.e + 'IHHq', 0x1a2b3c4d, 1, 0, -1)
        if options:
            body += self.option(4, b'make_captures.py') + self.option(0, b'')
        return self.block(0x0a0d0d0a, body)

    def iface(self, link=1, snaplen=0, tsresol=None, tsoffset=None, name=None):
        body = struct.pack(self.e + 'HHI', link, 0, snaplen)
        if name:
            body += self.option(2, name.encode())
        if tsresol is not None:
            body += self.option(9, bytes([tsresol]))
        if tsoffset is not None:
            body += self.option(14, struct.pack(self.e + 'q', tsoffset))
        return self.block(1, body + self.option(0, b''))

    def enhanced(self, iface, ticks, frame, wire=None, comment=None):
        body = struct.pack(self.e + 'IIIII', iface, ticks >> 32, ticks & 0xffffffff, len(frame), wire or len(frame))
        body += frame + b'\0' * (-len(frame) % 4)
        if comment:
            body += self.option(1, comment.encode()) + self.option(0, b'')
        return self.block(6, body)

    def simple(self, frame, wire=None):
        return self.block(3, struct.pack(self.e + 'I', wire or len(frame)) + frame)

    def obsolete(self, iface, ticks, frame, wire=None):
        return self.block(2, struct.pack(self.e + 'HHIIII', iface, 0, ticks >> 32, ticks & 0xffffffff, len(frame), wire or len(frame)) + frame)


# ---- conversations

class Talk:
    """
    A TCP connection as a list of (time, frame). a is the client, b the server,
    each (address, port). Every segment comes gap ns after the one before.
    """

    def __init__(self, a, b, when=START, gap=10**7, isn=(1000, 5000), link=eth, mss=1460, ttl=(64, 57), **more):
        self.end = (a, b)
        self.t, self.gap, self.seq, self.link, self.mss, self.ttl, self.more = when, gap, list(isn), link, mss, ttl, more
        self.acked = [0, 0]
        self.out, self.ident = [], [100, 7000]

    def segment(self, d, flags, data=b'', after=None, seq=None, ack=None, options=b'', window=64240):
        """One segment from side d (0 client, 1 server)."""
        (src, sport), (dst, dport) = self.end[d], self.end[1 - d]
        if self.out:
            self.t += self.gap if after is None else after
        seq = self.seq[d] if seq is None else seq
        ack = (self.seq[1 - d] if ack is None else ack) if flags & ACK else 0
        body = tcp(sport, dport, flags, seq, ack, data, window, options)
        if ':' in src:
            packet = ipv6(src, dst, 6, body, hops=self.ttl[d], **self.more)
        else:
            packet = ipv4(src, dst, 6, body, ttl=self.ttl[d], ident=self.ident[d], **self.more)
            self.ident[d] += 1
        macs = (MAC_A, MAC_B) if d == 0 else (MAC_B, MAC_A)
        self.out.append((self.t, self.link(packet, src=macs[0], dst=macs[1]) if self.link is eth else self.link(packet)))
        self.seq[d] = (seq + len(data) + bool(flags & SYN) + bool(flags & FIN)) & 0xffffffff
        return self

    def open(self, rtt=None):
        mss = b'\x02\x04' + struct.pack('>H', self.mss) + b'\x04\x02\x01\x03\x03\x07'
        self.segment(0, SYN, options=mss)
        self.segment(1, SYN | ACK, after=rtt, options=mss)
        return self.segment(0, ACK)

    def send(self, d, data, after=None):
        """data in segments of the MSS, each second one acknowledged."""
        for i in range(0, len(data), self.mss):
            part = data[i:i + self.mss]
            self.segment(d, ACK | (PSH if i + self.mss >= len(data) else 0), part, after)
            after = None
            if i // self.mss % 2 or i + self.mss >= len(data):
                self.segment(1 - d, ACK)
        return self

    def close(self, d=0, after=None):
        self.segment(d, FIN | ACK, after=after)
        self.segment(1 - d, FIN | ACK)
        return self.segment(d, ACK)


def dns_name(name):
    return b''.join(bytes([len(x)]) + x.encode() for x in name.split('.')) + b'\0'


def dns_query(ident, name, kind=1):
    return struct.pack('>HHHHHH', ident, 0x0100, 1, 0, 0, 0) + dns_name(name) + struct.pack('>HH', kind, 1)


def dns_answer(ident, name, address, ttl=300):
    data = addr(address)
    kind = 28 if len(data) == 16 else 1
    return (struct.pack('>HHHHHH', ident, 0x8180, 1, 1, 0, 0) + dns_name(name) + struct.pack('>HH', kind, 1)
            + b'\xc0\x0c' + struct.pack('>HHIH', kind, 1, ttl, len(data)) + data)


def datagram(src, dst, data, link=eth, **more):
    """A UDP datagram from src to dst, each (address, port)."""
    return link(ip(src[0], dst[0], 17, udp(src[1], dst[1], data), **more))
