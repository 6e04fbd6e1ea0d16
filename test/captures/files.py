"""Captures for the reader: file formats, byte orders, clocks, compression, damage."""
import gzip
import io
import struct
import subprocess

from wire import *

CAPTURES = []


def capture(name, about):
    def add(make):
        CAPTURES.append((name, about, make))
        return make
    return add


def base(link=eth):
    """A DNS look-up and a short HTTP connection: what most files here hold."""
    host, server, resolver = '192.0.2.10', '198.51.100.20', '192.0.2.53'
    out = [(START, datagram((host, 40000), (resolver, 53), dns_query(1, 'www.example.com'), link)),
           (START + 20_123_456, datagram((resolver, 53), (host, 40000), dns_answer(1, 'www.example.com', server), link))]
    t = Talk((host, 50000), (server, 80), START + 30_000_789, gap=5_000_111, link=link).open()
    t.send(0, b'GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n')
    t.send(1, b'HTTP/1.1 200 OK\r\nContent-Length: 1800\r\n\r\n' + b'a' * 1800).close()
    return out + t.out


def classic(name, about, **how):
    CAPTURES.append((name, about, lambda: pcap(base(), **how)))


classic('pcap_le_us.pcap', 'classic pcap, little endian, microseconds; DNS and HTTP')
classic('pcap_be_us.pcap', 'the same, big endian', big=True)
classic('pcap_le_ns.pcap', 'the same in nanoseconds', nano=True)
classic('pcap_be_ns.pcap', 'the same in nanoseconds, big endian', nano=True, big=True)
classic('pcap_modified.pcap', 'the same with the modified magic 0xa1b2cd34 and its longer record headers', modified=True)
classic('pcap_modified_be.pcap', 'the same, big endian', modified=True, big=True)
classic('snaplen64.pcap', 'the same, every frame cut to 64 bytes', cut=64)


def ng(records, big=False):
    p = Pcapng().section(big).iface(1, 262144, name='eth0', tsresol=9)
    for ts, frame in records:
        p.enhanced(0, ts, frame, comment='one')
    return p.b


@capture('pcapng_le.pcapng', 'the same as pcapng in nanoseconds, with interface name and packet comments')
def _():
    return ng(base())


@capture('pcapng_be.pcapng', 'the same, big endian')
def _():
    return ng(base(), True)


@capture('pcapng_sections.pcapng', 'the same split over three sections of alternating byte order; the second has its own interfaces')
def _():
    r = base()
    p = Pcapng().section().iface(1, tsresol=9)
    for ts, frame in r[:4]:
        p.enhanced(0, ts, frame)
    p.section(True).iface(101, tsresol=9).iface(1, tsresol=9)
    for ts, frame in r[4:8]:
        p.enhanced(1, ts, frame)
    p.section(options=False).iface(1, tsresol=9)
    for ts, frame in r[8:]:
        p.enhanced(0, ts, frame)
    return p.b


@capture('pcapng_tsresol.pcapng', 'interfaces with clocks of 10^-6 (default), 10^-3, 10^-9, 2^-10 s, with if_tsoffset, and with a unit '
         'too fine to count; one datagram on each, one second apart')
def _():
    p = Pcapng().section()
    ticks = [(None, 0, lambda s: s * 10**6), (3, 0, lambda s: s * 10**3 + 250), (9, 0, lambda s: s * 10**9 + 123456789),
             (0x80 | 10, 0, lambda s: s * 1024 + 512), (6, 1000, lambda s: (s - 1000) * 10**6),
             (9, -1000, lambda s: (s + 1000) * 10**9 + 1)]
    for resol, offset, _ in ticks:
        p.iface(1, tsresol=resol, tsoffset=offset or None)
    for i, (_, _, f) in enumerate(ticks):
        p.enhanced(i, f(1700000000 + i), datagram(('192.0.2.%d' % (i + 1), 1000 + i), ('198.51.100.1', 7), b'tick'))
    return p.b


@capture('pcapng_fine_clock.pcapng', 'an interface whose clock unit is finer than any clock (2^-127 s): its time can only be 0')
def _():
    p = Pcapng().section().iface(1, tsresol=0xff).iface(1)
    p.enhanced(0, 12345, datagram(('192.0.2.1', 1), ('192.0.2.2', 2), b'a'))
    return p.enhanced(1, START // 1000, datagram(('192.0.2.3', 1), ('192.0.2.4', 2), b'b')).b


@capture('pcapng_blocks.pcapng', 'enhanced, simple (one cut by the snap length) and obsolete packet blocks between blocks to be skipped: '
         'name resolution, statistics, custom, unknown; one packet names an interface that is not there')
def _():
    r = base()
    p = Pcapng().section().iface(1, 200)
    p.block(4, b'\0\0\0\0')
    p.enhanced(0, r[0][0] // 1000, r[0][1])
    p.block(0x0bad, struct.pack('<I', 32473) + b'custom')
    p.simple(r[1][1])
    p.obsolete(0, r[2][0] // 1000, r[2][1])
    p.block(0x7000, b'not a known block')
    p.enhanced(9, r[3][0] // 1000, r[3][1])
    p.block(10, struct.pack('<II', 0x544c534b, 4) + b'key ')
    for ts, frame in r[4:]:
        if len(frame) > 200:
            p.simple(frame[:200], len(frame))
        else:
            p.obsolete(0, ts // 1000, frame)
    p.block(5, struct.pack('<III', 0, 0, 0))
    return p.b


@capture('pcapng_mixed_links.pcapng', 'interfaces of Ethernet, raw IP, USER0 (147, not supported) and PPP in turn')
def _():
    p = Pcapng().section().iface(1).iface(101).iface(147).iface(9)
    t = Talk(('192.0.2.1', 1234), ('198.51.100.1', 80), link=lambda x: x).open().send(0, b'x' * 100).close()
    for i, (ts, packet) in enumerate(t.out):
        n = i % 4
        frame = eth(packet) if n == 0 else b'\xff\x03\x00\x21' + packet if n == 3 else packet
        p.enhanced(n, ts // 1000, frame)
    return p.b


@capture('pcapng_no_iface.pcapng', 'packets, simple ones too, before any interface is described: none can be used')
def _():
    p = Pcapng().section()
    return p.enhanced(0, 1, base()[0][1]).simple(base()[1][1]).b


@capture('pcap_le_us.pcap.gz', 'pcap_le_us.pcap compressed by gzip, in two members')
def _():
    data, out = pcap(base()), io.BytesIO()
    for part in (data[:1000], data[1000:]):
        with gzip.GzipFile(filename='', fileobj=out, mode='wb', mtime=0) as f:
            f.write(part)
    return out.getvalue()


def tool(*command):
    return lambda data: subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout


@capture('pcap_le_us.pcap.zst', 'the same by zstd')
def _():
    return tool('zstd', '-q', '-c')(pcap(base()))


@capture('pcap_le_us.pcap.lz4', 'the same by lz4')
def _():
    return tool('lz4', '-q', '-c')(pcap(base()))


@capture('pcapng_be.pcapng.gz', 'pcapng_be.pcapng compressed by gzip')
def _():
    out = io.BytesIO()
    with gzip.GzipFile(filename='', fileobj=out, mode='wb', mtime=0) as f:
        f.write(ng(base(), True))
    return out.getvalue()


@capture('empty.pcap', 'a file header and no packet')
def _():
    return pcap([])


@capture('empty.pcapng', 'a section header and an interface, no packet')
def _():
    return Pcapng().section().iface().b


@capture('cut_record.pcap', 'ends inside the data of its last record')
def _():
    return pcap(base())[:-10]


@capture('cut_record_header.pcap', 'ends inside the header of its last record')
def _():
    return pcap(base()) + b'\x00\xf1\x53\x65\x00\x00'


@capture('cut_block.pcapng', 'ends inside its last block')
def _():
    return ng(base())[:-6]


@capture('cut_member.pcap.gz', 'a gzip stream without its end')
def _():
    out = io.BytesIO()
    with gzip.GzipFile(filename='', fileobj=out, mode='wb', mtime=0) as f:
        f.write(pcap(base()) + pcap(base())[24:])
    return out.getvalue()[:-40]


@capture('bad_length.pcap', 'the fourth record claims 1,000,000,000 bytes')
def _():
    r = base()
    good = pcap(r[:3])
    bad = bytearray(pcap(r[3:])[24:])
    struct.pack_into('<I', bad, 8, 10**9)
    return good + bytes(bad)


@capture('bad_block.pcapng', 'the fourth packet block has a length that is no multiple of four')
def _():
    r = base()
    good, p = ng(r[:3]), Pcapng()
    p.e = '<'
    for ts, frame in r[3:]:
        p.enhanced(0, ts, frame)
    bad = bytearray(p.b)
    struct.pack_into('<I', bad, 4, 61)
    return good + bytes(bad)


@capture('bad_caplen.pcapng', 'a packet longer than its block')
def _():
    r = base()
    good, p = ng(r[:3]), Pcapng()
    p.e = '<'
    p.enhanced(0, r[3][0], r[3][1])
    bad = bytearray(p.b)
    struct.pack_into('<I', bad, 20, 5000)
    return good + bytes(bad)


@capture('wire_shorter.pcap', 'records whose wire length is smaller than the captured one: the captured one counts')
def _():
    return pcap([(ts, frame, 20) for ts, frame in base()])


@capture('not_netmon.cap', 'Microsoft Network Monitor 2: not supported, the error names it')
def _():
    return b'GMBU' + struct.pack('<BBHHHHHHHHHII', 0, 2, 1, 2023, 11, 2, 14, 22, 13, 20, 0, 128, 0) + bytes(96)


@capture('not_snoop.cap', 'snoop (RFC 1761): not supported, the error names it')
def _():
    frame = base()[0][1]
    return b'snoop\0\0\0' + struct.pack('>II', 2, 4) + struct.pack('>IIIIII', len(frame), len(frame), 24 + len(frame), 0, 1700000000, 0) + frame


@capture('not_text.txt', 'a text file')
def _():
    return b'22:13:20.000000 IP 192.0.2.10.40000 > 192.0.2.53.53: 1+ A? www.example.com. (33)\n'


@capture('not_short.pcap', 'three bytes')
def _():
    return b'\xd4\xc3\xb2'


@capture('not_header.pcap', 'a pcap magic and half a file header')
def _():
    return pcap([])[:13]


@capture('link_user0.pcap', 'link type 147 (USER0), which is not supported')
def _():
    return pcap(base(), 147)
