#!/usr/bin/env python3
"""Seeds of fuzz_quic: flows as the target reads them."""
import os
import struct

RAW, CLIENT, SERVER, RETRY, CLIENT_CRYPTO, SERVER_CRYPTO = range(6)
V1, V2, DRAFT, Q050 = 0, 8, 16, 24
END, CUT, RESPONDER = 0x20, 0x40, 0x80
FIRST_ID, CLIENT_ID, SERVER_ID = bytes(range(1, 9)), bytes((9, 8, 7)), bytes((4, 5, 6, 7))

out = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'corpus', 'quic')


def vector(length, b):
    return len(b).to_bytes(length, 'big') + b


def part(what, b=b''):
    return bytes([what]) + vector(2, b)


def crypto(what, message, offset=0):
    return part(what | END, struct.pack('>H', offset) + message)


def extension(kind, b):
    return struct.pack('>H', kind) + vector(2, b)


def long_header(first, version, dcid, scid, rest=b''):
    return bytes([first]) + struct.pack('>I', version) + vector(1, dcid) + vector(1, scid) + rest


def write(name, *parts):
    with open(os.path.join(out, name), 'wb') as f:
        f.write(b''.join(parts))


os.makedirs(out, exist_ok=True)
parameters = bytes.fromhex('01048000 75300c001b01ff7129064122 5c0ae97a7fff02abcd010105'.replace(' ', ''))
hello = b'\x03\x03' + bytes(range(32)) + b'\0' + vector(2, b'\x13\x01') + vector(1, b'\0') + vector(2, b''.join((
    extension(0, vector(2, b'\0' + vector(2, b'quic.example'))), extension(16, vector(2, vector(1, b'h3'))),
    extension(43, vector(1, b'\x03\x04')), extension(0x39, parameters))))
ch = b'\1' + vector(3, hello)
old = b'\x03\x03' + bytes(32) + b'\0' + vector(2, b'\x13\x01') + vector(1, b'\0') + vector(2, extension(0xffa5, vector(2, bytes.fromhex(
    '000100048000 7530000c0000ffff0000'.replace(' ', '')))))
answer = b'\x03\x03' + bytes(range(64, 96)) + b'\0\x13\x01\0' + vector(2, extension(43, b'\x03\x04'))
sh = b'\2' + vector(3, answer)
retry = b'\2' + vector(3, b'\x03\x03' + bytes.fromhex('cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c') + answer[34:])
chlo = b'CHLO\2\0\0\0SNI\0\4\0\0\0VER\0\x08\0\0\0nameQ050'

write('handshake', crypto(CLIENT_CRYPTO, ch), crypto(SERVER_CRYPTO | RESPONDER, sh))
write('version2', crypto(CLIENT_CRYPTO | V2, ch), crypto(SERVER_CRYPTO | V2 | RESPONDER, sh))
write('version_changes', crypto(CLIENT_CRYPTO, ch), crypto(SERVER_CRYPTO | V2 | RESPONDER, sh))
write('draft', crypto(CLIENT_CRYPTO | DRAFT, b'\1' + vector(3, old)), crypto(SERVER_CRYPTO | DRAFT | RESPONDER, sh))
write('parts', crypto(CLIENT_CRYPTO, ch[80:], 80), crypto(CLIENT_CRYPTO, ch[40:90], 40), crypto(CLIENT_CRYPTO, ch[:60]),
      crypto(SERVER_CRYPTO | RESPONDER, sh[20:], 20), crypto(SERVER_CRYPTO | RESPONDER, sh[:30]))
write('hello_retry', crypto(CLIENT_CRYPTO, ch), crypto(SERVER_CRYPTO | RESPONDER, retry), crypto(SERVER_CRYPTO | RESPONDER, sh, len(retry)))
write('retry', crypto(CLIENT_CRYPTO, ch), part(RETRY | RESPONDER | END), crypto(CLIENT_CRYPTO, ch))
write('frames', part(CLIENT | END, bytes.fromhex('000102050001000000030500000001020306000130') + b'\x1c\x0a\x06\x03abc\x06\x00\x02ab\x1d\x01\x00'))
write('google_frames', part(CLIENT | Q050 | END, b'\x07\x41\0\1\0\0\2\x61\0\0\0\0\0\0\x08\0' + vector(1, chlo)))
write('q050', crypto(CLIENT_CRYPTO | Q050, chlo[:20]), crypto(CLIENT_CRYPTO | Q050, chlo[20:], 20))
write('q043', part(RAW | END, b'\x09' + FIRST_ID + b'Q043\1' + chlo), part(RAW | RESPONDER | END, b'\x08' + FIRST_ID + b'\1'))
write('q046', part(RAW | END, b'\xc3Q046\x50' + FIRST_ID + b'\0\0\0\1' + chlo), part(RAW | END, b'\xd3Q046\x50' + FIRST_ID + b'\0\0\0\2'))
write('negotiation', part(RAW | END, long_header(0xc0, 0x1a2a3a4a, FIRST_ID, CLIENT_ID, bytes(40))),
      part(RAW | RESPONDER | END, long_header(0x80, 0, CLIENT_ID, FIRST_ID, b'\0\0\0\1')), crypto(CLIENT_CRYPTO, ch))
write('coalesced', part(CLIENT, bytes(60)), part(RAW | END, long_header(0xd0, 1, FIRST_ID, CLIENT_ID, b'\x40\x14' + bytes(20))),
      part(SERVER | RESPONDER, bytes(60)), part(RAW | RESPONDER, long_header(0xe0, 1, CLIENT_ID, SERVER_ID, b'\x14' + bytes(20))),
      part(RAW | RESPONDER | END, b'\x40' + CLIENT_ID + bytes(20)), part(RAW | RESPONDER | END, b'\x60' + CLIENT_ID + bytes(20)))
write('cut', crypto(CLIENT_CRYPTO | CUT, ch), part(RAW | CUT | END, long_header(0xe0, 1, FIRST_ID, CLIENT_ID, b'\x14' + bytes(20))))
