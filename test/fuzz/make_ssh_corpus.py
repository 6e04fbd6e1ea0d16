#!/usr/bin/env python3
"""Seeds of fuzz_ssh: connections as the target reads them."""
import os
import struct

SYN, SYN_ACK = 1, 2
RESPONDER, STEP, CUT, NO_PSH, RST = 1, 2, 4, 8, 16

out = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'corpus', 'ssh')


def packet(payload):
    pad = 8 - (len(payload) + 5) % 8
    pad += 8 if pad < 4 else 0
    return struct.pack('>IB', 1 + len(payload) + pad, pad) + payload + b'\xee' * pad


def string(b):
    return struct.pack('>I', len(b)) + b


def kexinit(*lists):
    return packet(b'\x14' + b'c' * 16 + b''.join(string(x) for x in lists) + bytes(5))


def segment(bits, b, step=None):
    return struct.pack('>BH', bits | (0 if step is None else STEP), len(b)) + (b'' if step is None else struct.pack('>h', step)) + b


def write(label, *segments, begin=SYN | SYN_ACK):
    with open(os.path.join(out, label), 'wb') as f:
        f.write(bytes([begin]) + b''.join(segments))


os.makedirs(out, exist_ok=True)
LISTS = (b'curve25519-sha256,ext-info-c', b'ssh-ed25519,rsa-sha2-512', b'chacha20-poly1305@openssh.com,aes128-ctr', b'aes128-ctr', b'hmac-sha2-256',
         b'hmac-sha2-256,hmac-md5', b'none', b'none,zlib', b'', b'')
key = string(b'ssh-ed25519') + string(bytes(32))
newkeys = packet(b'\x15')
client = b'SSH-2.0-OpenSSH_9.2p1 Debian\r\n' + kexinit(*LISTS) + packet(b'\x1e' + string(bytes(32))) + newkeys
server = b'SSH-1.99-dropbear\n' + kexinit(*LISTS) + packet(b'\x1f' + string(key) + string(bytes(32)) + string(bytes(40))) + newkeys
gex = (b'SSH-2.0-x\r\n' + packet(b'\x22' + bytes(12)) + newkeys, b'SSH-2.0-y\r\n' + packet(b'\x1f' + string(bytes(9)) + string(b'\2'))
       + packet(b'\x21' + string(key) + bytes(30)) + newkeys)
write('whole', segment(0, client + b'encrypted'), segment(RESPONDER, server + b'encrypted'))
write('pieces', *(segment(0, client[i:i + 50]) for i in range(0, len(client), 50)), *(segment(RESPONDER, server[i:i + 70]) for i in range(0, len(server), 70)))
write('no_syn', segment(0, server), segment(RESPONDER, client), begin=0)
write('gex', segment(0, gex[0]), segment(RESPONDER, gex[1]))
write('banner', segment(RESPONDER, b'Welcome\r\n\n\tSSH is here\nSSSH-\r\n' + server), segment(0, b'hello\n' + client))
write('banner_long', segment(RESPONDER, b'b' * 8190 + b'\nSSH-2.0-late\n'), begin=0)
write('banner_bad', segment(RESPONDER, b'a\rb\nSSH-2.0-x\n'), segment(0, b'\x16\3\1\0\5'))
write('versions', segment(0, b'SSH-1.5-old\n' + client[29:]), segment(RESPONDER, b'SSH-x-\x01\r\r\n' + server))
write('no_software', segment(0, b'SSH-2.0\r\n'), segment(RESPONDER, b'SSH--\r\n'))
write('lengths', segment(0, b'SSH-2.0-a\n\0\0\0\5\4\x14'), segment(RESPONDER, b'SSH-2.0-a\n\0\1\0\0\4\x14' + bytes(50)))
write('short_lists', segment(0, b'SSH-2.0-a\n' + kexinit(*LISTS[:9]) + packet(b'\x14') + kexinit(*LISTS)))
write('nothing_common', segment(0, b'SSH-2.0-a\n' + kexinit(*[b'a,b'] * 10)), segment(RESPONDER, b'SSH-2.0-b\n' + kexinit(*[b'c,,d'] * 10)))
write('reordered', segment(0, client[:4]), segment(0, client[80:] + b'first', 76), segment(0, b'third', 9), segment(0, client[4:80], -len(client) - 19 + 4),
      segment(0, b'again', len(client) - 80), segment(0, b'second--', 0))
write('retransmitted', segment(0, client + b'data'), segment(0, b'data', -4), segment(0, b'a' * 9, 20), segment(0, b'b' * 40, -35), segment(NO_PSH, b'\0'),
      segment(RST, b'bye'))
write('cut', segment(0, client[:200]), segment(CUT, client[200:300]), segment(0, client[300:]))
