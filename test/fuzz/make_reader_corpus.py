#!/usr/bin/env python3
"""Writes the seeds of fuzz_reader into corpus/reader: one byte for the number of frames per call, then a file.

Needs the programs zstd and lz4.
"""
import gzip
import os
import struct
import subprocess

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'corpus', 'reader')


def pcap(magic=0xa1b2c3d4, end='<', sizes=(60, 14, 0, 200), link=1):
    out = struct.pack(end + 'IHHiIII', magic, 2, 4, 0, 0, 65535, link)
    for i, n in enumerate(sizes):
        out += struct.pack(end + 'IIII', 1700000000 + i, i, n, n + i * 100)
        if magic == 0xa1b2cd34:
            out += bytes(8)
        out += bytes(range(n))
    return out


def block(end, kind, body):
    body += bytes(-len(body) % 4)
    return struct.pack(end + 'II', kind, len(body) + 12) + body + struct.pack(end + 'I', len(body) + 12)


def section(end):
    return block(end, 0x0a0d0d0a, struct.pack(end + 'IHHq', 0x1a2b3c4d, 1, 0, -1))


def option(end, code, value):
    return struct.pack(end + 'HH', code, len(value)) + value + bytes(-len(value) % 4)


def interface(end, link=1, snap=0, name=None, resolution=None, offset=None):
    body = struct.pack(end + 'HHI', link, 0, snap)
    if name is not None:
        body += option(end, 2, name)
    if resolution is not None:
        body += option(end, 9, bytes([resolution]))
    if offset is not None:
        body += option(end, 14, struct.pack(end + 'q', offset))
    return block(end, 1, body + option(end, 0, b''))


def enhanced(end, iface, ticks, size, extra=b''):
    body = struct.pack(end + 'IIIII', iface, ticks >> 32, ticks & 0xffffffff, size, size + 5) + bytes(range(size))
    return block(end, 6, body + bytes(-size % 4) + extra)


def old(end, iface, ticks, size):
    return block(end, 2, struct.pack(end + 'HHIIII', iface, 1, ticks >> 32, ticks & 0xffffffff, size, size) + bytes(range(size)))


def simple(end, size, wire):
    return block(end, 3, struct.pack(end + 'I', wire) + bytes(range(size)))


def pcapng(end='<'):
    out = section(end) + interface(end, snap=40, name=b'eth0') + interface(end, 101, resolution=9, offset=3600)
    out += simple(end, 20, 20) + block(end, 4, bytes(4)) + enhanced(end, 0, 1700000000000000, 33, option(end, 1, b'comment'))
    out += enhanced(end, 1, 1700000000000000000, 20) + old(end, 1, 5, 9) + simple(end, 60, 60) + enhanced(end, 7, 1, 4)
    return out + block(end, 0x80001234, bytes(40))


def clocks(resolutions, offset):
    out = section('<')
    for i, resolution in enumerate(resolutions):
        out += interface('<', 1, 0, None, resolution, offset) + enhanced('<', i, 0x123456789abcdef0, 1) + enhanced('<', i, 2 ** 64 - 1, 1)
    return out


def tool(name, data, *options):
    return subprocess.run([name, '-q', '-c', *options], input=data, stdout=subprocess.PIPE, check=True).stdout


def gz(data):
    return gzip.compress(data, 9, mtime=0)


SKIPPABLE = struct.pack('<II', 0x184d2a50, 6) + b'ignore'

SEEDS = {
    'pcap_le_us': pcap(),
    'pcap_be_us': pcap(end='>'),
    'pcap_le_ns': pcap(0xa1b23c4d),
    'pcap_be_ns': pcap(0xa1b23c4d, '>'),
    'pcap_modified_le': pcap(0xa1b2cd34),
    'pcap_modified_be': pcap(0xa1b2cd34, '>'),
    'pcap_empty': pcap(sizes=()),
    'pcap_cut_data': pcap()[:-9],
    'pcap_cut_header': pcap() + bytes(7),
    'pcap_bad_length': pcap() + struct.pack('<IIII', 0, 0, 262145, 0) + bytes(40),
    'pcapng_le': pcapng(),
    'pcapng_be': pcapng('>'),
    'pcapng_sections': section('>') + interface('>') + enhanced('>', 0, 1, 4) + section('<') + interface('<', 9) + enhanced('<', 0, 2, 4),
    'pcapng_clocks_decimal': clocks((0, 3, 6, 9, 12, 19, 20, 28, 127), None),
    'pcapng_clocks_binary': clocks((0x80, 0x8a, 0xa0, 0xbf, 0xc0, 0xdd, 0xff), None),
    'pcapng_clocks_early': clocks((0, 6, 9, 0xa0), -9223372037),
    'pcapng_clocks_late': clocks((0, 6, 9, 0xa0), 2 ** 63 - 1),
    'pcapng_no_interface': section('<') + simple('<', 4, 4) + enhanced('<', 0, 1, 4),
    'pcapng_short_blocks': section('<') + b''.join(block('<', kind, b'') for kind in (1, 2, 3, 6)),
    'pcapng_cut': pcapng()[:-5],
    'pcapng_bad_length': pcapng() + struct.pack('<III', 6, 13, 0) + bytes(20),
    'pcapng_too_large': pcapng() + struct.pack('<III', 6, 0x7ffffffc, 0) + bytes(20),
    'pcapng_long_option': section('<') + block('<', 1, struct.pack('<HHIHH', 1, 0, 0, 2, 60000) + b'name'),
    'pcapng_bad_section': pcapng() + struct.pack('<III', 0x0a0d0d0a, 28, 1) + bytes(20),
    'gzip': gz(pcap()),
    'gzip_members': gz(pcapng()[:100]) + gz(b'') + gz(pcapng()[100:]) + bytes(20),
    'gzip_cut': gz(pcap())[:-12],
    'gzip_text': gz(b'just some text'),
    'zstd': tool('zstd', pcap()),
    'zstd_frames': SKIPPABLE + tool('zstd', pcapng()[:100], '--no-check') + SKIPPABLE + tool('zstd', pcapng()[100:], '-19'),
    'zstd_cut': tool('zstd', pcap())[:-6],
    'lz4': tool('lz4', pcap()),
    'lz4_frames': SKIPPABLE + tool('lz4', pcapng()[:100], '-BX') + SKIPPABLE + tool('lz4', pcapng()[100:], '-9', '-BD'),
    'lz4_cut': tool('lz4', pcap())[:-6],
    'text': b'time src dst\n1 2 3\n',
    'snoop': b'snoop\0\0\0' + bytes(16),
}


def main():
    os.makedirs(HERE, exist_ok=True)
    for i, (name, data) in enumerate(sorted(SEEDS.items())):
        with open(os.path.join(HERE, name), 'wb') as f:
            f.write(bytes([i * 7 % 256]) + data)


if __name__ == '__main__':
    main()
