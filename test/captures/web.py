"""Captures of HTTP/1 and HTTP/2 in the clear that no program sends on purpose: for what recordings can't show."""
from wire import *

CAPTURES = []
SERVER = ('198.51.100.1', 80)
PREFACE = b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
DATA, HEADERS, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 5, 6, 7, 8, 9
END_STREAM = ACKNOWLEDGED = 1
END_HEADERS, PADDED, PRIORITY = 4, 8, 32
C, S = 0, 1                     # client, server


def capture(name, about):
    """The function yields the connections, each a Talk."""
    def add(make):
        CAPTURES.append((name, about, lambda: pcap([x for t in make() for x in t.out])))
        return make
    return add


def connections():
    """A new connection, one second after the one before."""
    n = 0
    while True:
        yield Talk(('192.0.2.1', 7001 + n), SERVER, START + n * SECOND)
        n += 1


def exchange(t, *said):
    """Who says what, and the close."""
    t.open()
    for d, data in said:
        t.send(d, data)
    return t.close()


def pieces(t, d, data, size, order=None):
    """data in segments of that size, in another order; one that is not in the order is lost."""
    parts = [(t.seq[d] + i, data[i:i + size]) for i in range(0, len(data), size)]
    end = t.seq[d] + len(data)
    for i in order if order is not None else range(len(parts)):
        t.segment(d, ACK | PSH, parts[i][1], seq=parts[i][0])
    t.seq[d] = end
    return t


@capture('http_heads.pcap', 'HTTP/1 by hand: 1xx before the final response, absolute form and no Host, folded lines, LF alone, empty lines first, '
         'segments in disorder, sent again and lost, a response without its request, 101 to another protocol, an upgrade that is refused')
def _():
    new = connections()
    yield exchange(next(new), (C, b'POST /upload HTTP/1.1\r\nHost: Upload.Example:8080\r\nUser-Agent: by-hand/1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n'),
                   (S, b'HTTP/1.1 100 Continue\r\n\r\n'), (C, b'data'), (S, b'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n'),
                   (S, b'HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n'))
    yield exchange(next(new), (C, b'GET http://user:pass@www.Example.com:81/a@b HTTP/1.0\r\n\r\n'), (S, b'HTTP/1.0 404 Not Found\r\n\r\n'))
    yield exchange(next(new), (C, b'GET / HTTP/1.1\r\nHost: folded.example\r\nUser-Agent: one\r\n two\r\n\tthree\r\n\r\n'),
                   (S, b'HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'))
    yield exchange(next(new), (C, b'GET /lf HTTP/1.1\nHost: lf.example\n\n'), (S, b'HTTP/1.1 200 OK\nContent-Length: 2\n\nok'))
    yield exchange(next(new), (C, b'\r\n\r\nGET /empty HTTP/1.1\r\nHost: empty.example\r\n\r\n'), (S, b'HTTP/1.1 204\r\n\r\n'))
    head = b'GET /pieces HTTP/1.1\r\nHost: pieces.example\r\nUser-Agent: in pieces\r\n\r\n'
    yield pieces(next(new).open(), C, head, 8, (1, 0, 2, 0, 5, 4, 3, 8, 7, 6, 7)).send(S, b'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n').close()
    yield pieces(next(new).open(), C, head, 8, (0, 1, 2, 3, 4, 6, 7, 8)).send(S, b'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n').close()
    t = next(new)
    t.seq = [2000, 9000]
    yield t.send(S, b'HTTP/1.1 304 Not Modified\r\n\r\n').close(S)
    yield exchange(next(new), (C, b'GET /chat HTTP/1.1\r\nHost: chat.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'),
                   (S, b'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'), (S, b'\x81\x05hello'))
    ask = b'GET / HTTP/1.1\r\nHost: h2c.example\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n'
    yield exchange(next(new), (C, ask), (S, b'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'), (C, PREFACE + frame(SETTINGS)))


# ---- HTTP/2

def frame(kind, flags=0, stream=0, data=b'', length=None):
    return struct.pack('>I', len(data) if length is None else length)[1:] + bytes([kind, flags]) + struct.pack('>I', stream) + data


def literal(index, value, add=False):
    """A field with a name of the static table, as literal."""
    most = 63 if add else 15
    first = bytes([(64 if add else 0) | min(index, most)]) + (bytes([index - most]) if index >= most else b'')
    return first + bytes([len(value)]) + value


GET = b'\x82\x86\x84' + literal(1, b'www.Example.com') + literal(58, b'by-hand/2')
OK, HINTS = b'\x88', literal(8, b'103')
HELLO_C = PREFACE + frame(SETTINGS, 0, 0, struct.pack('>HI', 3, 100))
HELLO_S = frame(SETTINGS) + frame(SETTINGS, ACKNOWLEDGED)
BYE = frame(GOAWAY, 0, 0, bytes(8))


@capture('http2_frames.pcap', 'HTTP/2 by hand: streams one after the other and at once, unknown frame types, padding, priority, CONTINUATION, promises, '
         'entries of the dynamic table, 1xx, trailers, resets; a lost segment, segments in disorder, a length that lies, no preface, an upgrade')
def _():
    new = connections()
    get = lambda stream, more=0: frame(HEADERS, END_HEADERS | END_STREAM | more, stream, GET)
    yield exchange(next(new), (C, HELLO_C), (S, HELLO_S), (C, get(1)), (S, frame(HEADERS, END_HEADERS, 1, OK) + frame(DATA, END_STREAM, 1, b'one')),
                   (C, get(3)), (S, frame(HEADERS, END_HEADERS | END_STREAM, 3, OK)), (C, BYE))
    yield exchange(next(new), (C, HELLO_C), (S, HELLO_S), (C, get(1) + get(3)), (C, frame(PING, 0, 0, bytes(8))), (S, frame(PING, ACKNOWLEDGED, 0, bytes(8))),
                   (S, frame(0xf0, 0xff, 0, b'unknown') + frame(HEADERS, END_HEADERS, 3, HINTS) + frame(HEADERS, END_HEADERS, 3, OK)),
                   (S, frame(DATA, PADDED, 3, b'\5three' + bytes(5)) + frame(HEADERS, END_HEADERS | END_STREAM, 3, literal(32, b'trailer'))),
                   (C, frame(RST_STREAM, 0, 1, bytes(4)) + frame(WINDOW_UPDATE, 0, 0, b'\0\1\0\0')), (S, BYE))
    rest = frame(CONTINUATION, 0, 1) + frame(CONTINUATION, 0, 1, GET[8:11]) + frame(CONTINUATION, END_HEADERS, 1, GET[11:])
    promise = struct.pack('>I', 2) + b'\x82\x86\x84' + literal(1, b'www.example.com', True)
    yield exchange(next(new), (C, HELLO_C), (S, HELLO_S), (C, frame(HEADERS, END_STREAM | PADDED | PRIORITY, 1, b'\3\0\0\0\0\x0f' + GET[:8] + bytes(3)) + rest),
                   (S, frame(PUSH_PROMISE, END_HEADERS | PADDED, 1, b'\2' + promise + bytes(2))),
                   (S, frame(HEADERS, END_HEADERS, 1, literal(8, b'404', True)) + frame(DATA, END_STREAM, 1, b'no')),
                   (S, frame(HEADERS, END_HEADERS | END_STREAM, 2, b'\xbe')), (C, BYE))
    many = HELLO_C + get(1) + get(3) + get(5) + BYE
    answers = HELLO_S + b''.join(frame(HEADERS, END_HEADERS, n, OK) + frame(DATA, END_STREAM, n, b'x' * 30) for n in (1, 3, 5))
    t = pieces(next(new).open(), C, many, 33, (0, 2, 1, 1, 4, 3, 5))
    yield pieces(t, S, answers, 40, (1, 0, 3, 2, 4)).close()
    yield pieces(next(new).open().send(C, many), S, answers, 40, (0, 1, 3, 4)).close()
    yield exchange(next(new), (S, HELLO_S), (C, HELLO_C + get(1)), (S, frame(HEADERS, END_HEADERS, 1, OK) + frame(DATA, 0, 1, b'short', 0xffffff)),
                   (S, frame(DATA, 0, 3, b'inside')))
    t = next(new)
    t.seq = [2000, 9000]
    yield t.send(S, HELLO_S).send(C, frame(SETTINGS, ACKNOWLEDGED) + get(7)).send(S, frame(HEADERS, END_HEADERS | END_STREAM, 7, OK)).close()
    ask = b'GET / HTTP/1.1\r\nHost: h2c.example\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n'
    switch = b'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n'
    yield exchange(next(new), (C, ask), (S, switch + HELLO_S), (C, HELLO_C + get(3)), (S, frame(HEADERS, END_HEADERS | END_STREAM, 1, OK)),
                   (S, frame(HEADERS, END_HEADERS | END_STREAM, 3, OK)), (C, BYE))
