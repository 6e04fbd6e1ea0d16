#!/usr/bin/env python3
"""Frames of the captures as inputs of fuzz_decode, one file each.

usage: make_decode_corpus.py FOLDER

corpus/decode is what libFuzzer's -merge=1 keeps of these and of a few minutes of fuzzing.
"""
import glob
import hashlib
import os
import struct
import sys

LINKS = [0, 1, 9, 12, 14, 50, 51, 101, 104, 105, 108, 113, 127, 192, 228, 229, 276, 147]      # order of jj_link_supported_name


def frames(data):
    """(link type, captured bytes, length on the wire) of a little-endian pcap file."""
    link, o = struct.unpack_from('<I', data, 20)[0], 24
    while o + 16 <= len(data):
        cap, wire = struct.unpack_from('<II', data, o + 8)
        if o + 16 + cap > len(data):
            return
        yield link, data[o + 16:o + 16 + cap], wire
        o += 16 + cap


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    for path in sorted(glob.glob(os.path.join(here, '..', 'captures', '*.pcap'))):
        with open(path, 'rb') as f:
            data = f.read()
        if data[:4] != b'\xd4\xc3\xb2\xa1' or len(data) < 24:
            continue
        for link, frame, wire in list(frames(data))[:60]:
            for inner in (0, 0x80):
                out = bytes([LINKS.index(link) | inner]) + struct.pack('<H', min(65535, max(0, wire - len(frame)))) + frame[:600]
                with open(os.path.join(sys.argv[1], hashlib.sha1(out).hexdigest()), 'wb') as f:
                    f.write(out)


if __name__ == '__main__':
    main()
