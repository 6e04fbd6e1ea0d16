#!/usr/bin/env python3
"""Seeds of fuzz_hello: messages as the target reads them. The certificates are those of test/unit/certs.h."""
import os
import re
import struct

here = os.path.dirname(os.path.abspath(__file__))
out = os.path.join(here, 'corpus', 'hello')


def vector(length, b):
    return len(b).to_bytes(length, 'big') + b


def numbers(*v):
    return b''.join(struct.pack('>H', x) for x in v)


def extension(kind, b):
    return struct.pack('>H', kind) + vector(2, b)


def client(version, ciphers, extensions=None, session=b'', cookie=None):
    b = struct.pack('>H', version) + bytes(range(32)) + vector(1, session)
    if cookie is not None:
        b += vector(1, cookie)
    b += vector(2, numbers(*ciphers)) + vector(1, b'\0')
    return b if extensions is None else b + vector(2, b''.join(extensions))


def server(version, cipher, extensions=None, random=bytes(range(32))):
    b = struct.pack('>H', version) + random + b'\0' + struct.pack('>H', cipher) + b'\0'
    return b if extensions is None else b + vector(2, b''.join(extensions))


def certificates():
    text = open(os.path.join(here, '..', 'unit', 'certs.h')).read()
    for name, body in re.findall(r'#define CERT_(\w+) \\\n((?:\t"[0-9a-f]+"(?: \\)?\n)+)', text):
        yield name.lower(), bytes.fromhex(''.join(re.findall('"([0-9a-f]+)"', body)))


def write(name, kind, b):
    with open(os.path.join(out, name), 'wb') as f:
        f.write(bytes([kind]) + b)


os.makedirs(out, exist_ok=True)
name = extension(0, vector(2, b'\0' + vector(2, b'Example.COM.')))
alpn = extension(16, vector(2, vector(1, b'\x2a\x2a') + vector(1, b'h2') + vector(1, b'http/1.1')))
modern = [extension(0x1a1a, b''), name, extension(10, vector(2, numbers(0x4a4a, 29, 23))), extension(11, vector(1, b'\0')),
          extension(13, vector(2, numbers(0x403, 0x804))), alpn, extension(35, b''), extension(43, vector(1, numbers(0x6a6a, 0x304))),
          extension(51, vector(2, numbers(29) + vector(2, bytes(32)))), extension(0xfe0d, bytes(8)), extension(41, bytes(4))]
write('client', 0, client(0x303, (0x2a2a, 0x1301, 0xc02b), modern, bytes(32)))
write('client_bare', 0, client(0x301, (4, 5, 10)))
write('client_odd', 0, client(0x303, (0x1301,), [extension(k, b'\xff') for k in (0, 10, 11, 13, 16, 43)]))
write('client_dtls', 1, client(0xfefd, (0xc02b,), [extension(43, vector(1, numbers(0xfefc, 0xfefd)))], b'', b'cookie'))
write('client_old_openssl', 1, client(0x100, (0x35,), None, b'', b''))
share = extension(51, numbers(29) + vector(2, bytes(32)))
write('server', 2, server(0x303, 0x1301, [extension(43, numbers(0x304)), share]))
write('server_retry', 2, server(0x303, 0x1301, [extension(51, numbers(23))],
                                bytes.fromhex('cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c')))
write('server_alpn', 2, server(0x303, 0xc02f, [extension(16, vector(2, vector(1, b'h2')))]))
write('server_bare', 3, server(0xfefd, 0xc02b))
write('server_draft18', 2, struct.pack('>H', 0x7f12) + bytes(32) + numbers(0x1301) + vector(2, extension(40, numbers(29) + vector(2, b'\0'))))
write('ssl2', 4, bytes.fromhex('8022010301000900000010010080000004') + bytes.fromhex('00000a') + bytes(range(16)))
certs = dict(certificates())
for name, der in certs.items():
    write('message_' + name, 5, vector(3, vector(3, der)))
    write('certificate_' + name, 6, der)
write('message_chain', 5, vector(3, b''.join(vector(3, der) for der in certs.values())))
write('message_empty', 5, vector(3, b''))
write('key_ecdhe', 7, numbers(0xc02f) + b'\x03' + numbers(23) + vector(1, bytes(65)) + numbers(0x401) + vector(2, bytes(64)))
write('key_dhe', 7, numbers(0x9e) + vector(2, bytes.fromhex('ffffffffffffffffadf85458a2bb4a9a') + bytes(240)) + vector(2, b'\2'))
write('key_psk', 7, numbers(0xc035) + vector(2, b'hint') + b'\x03' + numbers(29) + vector(1, bytes(32)))
