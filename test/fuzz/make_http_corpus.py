#!/usr/bin/env python3
"""Seeds of fuzz_http: conversations as the target reads them; and of fuzz_hpack: the examples of RFC 7541 appendix C."""
import os
import struct

HERE = os.path.dirname(os.path.abspath(__file__))
PREFACE = b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
DATA, HEADERS, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = 0, 1, 3, 4, 5, 6, 7, 8, 9
C, S = 0, 1                     # client, server


def write(target, name, data):
    folder = os.path.join(HERE, 'corpus', target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), 'wb') as f:
        f.write(data)


def talk(name, *said):
    out = b''
    for d, data in said:
        for i in range(0, len(data), 128):
            part = data[i:i + 128]
            out += bytes([d << 7 | len(part) - 1]) + part
    write('http', name, out)


def frame(kind, flags=0, stream=0, data=b'', length=None):
    return struct.pack('>I', len(data) if length is None else length)[1:] + bytes([kind, flags]) + struct.pack('>I', stream) + data


def blocks(name, *hexes):
    out = b''
    for h in hexes:
        b = bytes.fromhex(h)
        out += struct.pack('>H', len(b)) + b
    write('hpack', name, out)


GET = bytes.fromhex('828684418cf1e3c2e5f23a6ba0ab90f4ff')
HELLO = [(C, PREFACE + frame(SETTINGS, 0, 0, struct.pack('>HI', 3, 100))), (S, frame(SETTINGS)), (S, frame(SETTINGS, 1)), (C, frame(SETTINGS, 1))]

talk('request', (C, b'GET /x HTTP/1.1\r\nHost: a.example\r\nUser-Agent: curl/8\r\n\r\n'), (S, b'HTTP/1.1 200 OK\r\nServer: s\r\n\r\nbody'))
talk('folded', (C, b'\r\nPOST http://u@h:1/ HTTP/1.0\nHost:\n a\n\tb\nContent-Length: 3\n\nabc'), (S, b'HTTP/1.0 404\n\n'))
talk('informational', (C, b'CONNECT h:443 HTTP/1.1\r\n\r\n'),
     (S, b'HTTP/1.1 100 Continue\r\n\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 301 Moved\r\n\r\n'))
talk('old', (C, b'GET /\r\n'), (S, b'<html>'))
talk('other', (S, b'SSH-2.0-x\r\n'), (C, b'\x16\x03\x01\0\5hello'))
talk('h2', *HELLO, (C, frame(HEADERS, 5, 1, GET)), (S, frame(HEADERS, 4, 1, b'\x88')), (S, frame(DATA, 1, 1, b'x' * 300)), (C, frame(GOAWAY, 0, 0, bytes(8))))
talk('h2_frames', *HELLO, (C, frame(HEADERS, 0x28, 1, b'\1\0\0\0\0\x10\x82\0')), (C, frame(CONTINUATION, 0, 1)), (C, frame(CONTINUATION, 4, 1, b'\x84')),
     (C, frame(HEADERS, 5, 3, GET)), (S, frame(PUSH, 4, 1, struct.pack('>I', 2) + b'\x82')), (S, frame(PUSH, 0xc, 1, b'\1' + struct.pack('>I', 4) + b'\x82\0')),
     (S, frame(RST, 0, 3, bytes(4))), (S, frame(HEADERS, 5, 1, b'\x48\x03103')), (S, frame(HEADERS, 5, 2, b'\x88')), (C, frame(0xfa, 255, 7, b'?')),
     (C, frame(WINDOW, 0, 0, bytes(4))), (C, frame(PING, 0, 0, bytes(8))), (S, frame(DATA, 0, 1, b'short', 1000)))
talk('h2_no_preface', (S, frame(SETTINGS)), (C, frame(SETTINGS, 1)), (C, frame(HEADERS, 5, 1, GET)), (S, frame(HEADERS, 5, 1, b'\x8d')))
talk('h2_two', (S, PREFACE + frame(SETTINGS)), (S, frame(DATA, 0, 1)), (C, PREFACE + frame(SETTINGS)), (C, frame(DATA, 0, 9)))
talk('h2_bad_settings', (C, PREFACE + frame(SETTINGS, 0, 0, b'1234567')), (S, frame(SETTINGS)))
upgrade = b'GET / HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\n\r\n'
switch = b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n'
talk('upgrade', (C, upgrade), (S, switch + frame(SETTINGS)), (C, PREFACE + frame(SETTINGS)), (S, frame(HEADERS, 5, 1, b'\x88')), (C, frame(HEADERS, 5, 3, GET)))
talk('upgrade_late', (S, switch + frame(SETTINGS) + frame(DATA, 1, 1)), (C, upgrade + PREFACE + frame(SETTINGS) + frame(HEADERS, 5, 3, GET)))
talk('upgrade_refused', (C, upgrade + PREFACE + frame(SETTINGS)), (S, b'HTTP/1.1 200 OK\r\n\r\n'))

blocks('c2', '400a637573746f6d2d6b65790d637573746f6d2d686561646572', '040c2f73616d706c652f70617468', '100870617373776f726406736563726574', '82')
blocks('c3', '828684410f7777772e6578616d706c652e636f6d', '828684be58086e6f2d6361636865', '828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565')
blocks('c4', '828684418cf1e3c2e5f23a6ba0ab90f4ff', '828684be5886a8eb10649cbf', '828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf')
blocks('c6', '3fe101' '488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3', '4883640effc1c0bf',
       '88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f95873160'
       '65c003ed4ee5b1063d5007')
blocks('sizes', '20', '3fe1ff03' + '400000' * 100, '3e4103616263', 'be')
blocks('wrong', '82', 'ff8080808001')
