"""SSH and DNS as no good peer sends them: cut, damaged, out of order. With each flow, the values its columns must have."""
import hashlib
import json
import struct

from wire import *

CAPTURES = []
EXPECTED = {}           # file name: text of its file in expected/protocols
A4, B4, A6, B6 = '192.0.2.1', '198.51.100.1', '2001:db8::1', '2001:db8:ffff::2'


def capture(name, about):
    """The function gives (frames of one flow, its values) for each flow; a frame is bytes or (bytes, wire length)."""
    def add(make):
        def data():
            records, lines, t, n = [], [], START, 0
            for frames, values in make():
                lines += ['%d\t%s\t%s\n' % (n + 1, k, json.dumps(v, ensure_ascii=False, separators=(',', ':'))) for k, v in sorted(values.items())]
                for f in frames:
                    records.append((t,) + (f if isinstance(f, tuple) else (f,)))
                    t += 10**6
                    n += 1
                t += 10**8
            EXPECTED[name + '.tsv'] = ''.join(lines)
            return pcap(records)
        CAPTURES.append((name, about, data))
        return make
    return add


# ---- DNS

def name(text):
    return b''.join(bytes([len(x)]) + x for x in text.encode().split(b'.') if x) + b'\0'


P = b'\xc0\x0c'         # a pointer to the first question


def question(n, kind=1):
    return (name(n) if isinstance(n, str) else n) + struct.pack('>HH', kind, 1)


def record(n, kind, data, ttl=300, cls=1):
    return (name(n) if isinstance(n, str) else n) + struct.pack('>HHIH', kind, cls, ttl, len(data)) + data


def message(flags, questions=(), answers=(), authorities=(), additionals=(), ident=7, counts=None):
    sections = (questions, answers, authorities, additionals)
    return struct.pack('>HH4H', ident, flags, *(counts or map(len, sections))) + b''.join(map(b''.join, sections))


def framed(*messages):
    return b''.join(struct.pack('>H', len(m)) + m for m in messages)


class Datagrams:
    """UDP between a port of its own and the given one; cut: so many bytes of the frame are missing."""
    port = 30000

    def __init__(self, dport=53, v6=False):
        Datagrams.port += 1
        a, b = ((A6, B6) if v6 else (A4, B4))
        self.end, self.out = ((a, Datagrams.port), (b, dport)), []

    def send(self, d, data, cut=0, fragment=False):
        (src, sport), (dst, dport) = self.end[d], self.end[1 - d]
        more = {'flags': 1} if fragment else {}
        frame = eth(ip(src, dst, 17, udp(sport, dport, data), **more))
        self.out.append((frame[:len(frame) - cut], len(frame)) if cut else frame)
        return self


NO_DNS = {'dns_detected': False, 'dns_query_name': None, 'dns_query_count': None, 'dns_is_query': None, 'dns_query_names': None}
Q = message(0x0100, [question('www.example.com')])
R = message(0x8180, [question('www.example.com')], [record(P, 1, b'\xc0\0\2\1'), record(P, 1, b'\xc0\0\2\2', 60)], [record(b'\xc0\x10', 2, b'\2ns\xc0\x10')],
            [record('', 41, b'', 0, 1232)])


def bad_names(at):
    """Names that are none at this offset."""
    here = b'\xc0' + bytes([at])
    return [here, b'\1a' + here, b'\1a\xc0\xff', b'\1a\xc0\x04', b'\x41a\0', b'\x81a\0', b'\x3fa\0', (b'\x3f' + b'x' * 63) * 4 + b'\0']


@capture('dns_damage.pcap', 'DNS: pointers in circles, forward and into the header, labels and names too long, counts and lengths that lie, opcodes without meaning, '
         'cut by the snap length, by fragments and by the server (TC); SVCB with damage; names with special bytes; pairs that only look like question and answer')
def _():
    for n in bad_names(12):
        yield Datagrams().send(0, message(0, [question(n)])).send(1, message(0x8000, [question(n)])).out, NO_DNS
    for n in bad_names(19):
        yield (Datagrams().send(0, message(0x100, [question('q')])).send(1, message(0x8180, [question('q')], [record(n, 1, b'abcd')])).out,
               {'dns_detected': True, 'dns_response_count': 0, 'dns_query_name': 'q', 'dns_response_code': None, 'dns_answers': None})
    for counts in ((2, 0, 0, 0), (1, 1, 0, 0), (1, 0, 1, 0), (1, 0, 0, 1), (65535,) * 4):
        yield Datagrams().send(0, message(0x100, [question('q')], counts=counts)).out, NO_DNS
    for opcode in (3, 7, 15):
        yield Datagrams().send(0, message(opcode << 11, [question('q')])).out, NO_DNS
    yield Datagrams().send(0, Q[:11]).out, NO_DNS
    yield Datagrams(54).send(0, Q).out, NO_DNS
    yield Datagrams().send(0, Q, len(Q)).out, {'dns_detected': None, 'dns_query_count': None}
    whole = {'dns_detected': True, 'dns_query_name': 'www.example.com', 'dns_query_count': 1, 'dns_response_count': 1, 'dns_response_code': 0, 'dns_answer_count': 2,
             'dns_authority_count': 1, 'dns_additional_count': 0, 'dns_min_ttl': 60, 'dns_max_ttl': 300, 'dns_response_time': 0.001, 'dns_truncated': False,
             'dns_answers': ['192.0.2.1', '192.0.2.2'], 'dns_recursion_available': True}
    cut_behind = dict(whole, dns_additional_count=None)
    cut_inside = dict(cut_behind, dns_min_ttl=None, dns_max_ttl=None, dns_answers=['192.0.2.1'])
    yield Datagrams().send(0, Q).send(1, R).out, whole
    yield Datagrams(v6=True).send(0, Q).send(1, R + b'behind').out, whole
    yield Datagrams().send(0, Q).send(1, R, 1).out, cut_behind
    yield Datagrams().send(0, Q).send(1, R, 40).out, cut_inside
    yield Datagrams().send(0, Q).send(1, R, len(R) - 34).out, dict(cut_inside, dns_answers=None)
    yield Datagrams().send(0, Q).send(1, R, len(R) - 30).out, {'dns_detected': True, 'dns_response_count': 0, 'dns_answer_count': None}
    yield Datagrams().send(0, Q).send(1, R[:-40], fragment=True).out, cut_inside
    yield Datagrams().send(0, Q).send(1, R[:2] + b'\x83\x80' + R[4:-40]).out, dict(whole, dns_min_ttl=300, dns_truncated=True, dns_additional_count=1,
                                                                             dns_answers=['192.0.2.1'])
    yield Datagrams().send(0, Q).send(1, R[:-1]).out, {'dns_detected': True, 'dns_response_count': 0}
    other = {'dns_detected': True, 'dns_response_count': 1, 'dns_response_code': None, 'dns_answer_count': None, 'dns_response_time': None}
    yield Datagrams().send(0, Q).send(1, b'\0\x08' + R[2:]).out, other
    yield Datagrams().send(0, Q).send(1, R.replace(b'example', b'exbmple')).out, other
    yield Datagrams().send(0, Q).send(1, R.replace(b'\3com\0\0\1', b'\3com\0\0\2')).out, other
    yield Datagrams().send(0, Q).send(0, R).out, other
    yield Datagrams().send(0, Q).send(1, R.replace(b'www', b'wWW')).out, whole
    yield Datagrams().send(1, R).send(0, Q).out, dict(other, dns_query_count=1, dns_answers=['192.0.2.1', '192.0.2.2'])
    yield Datagrams().send(1, R).out, dict(whole, dns_query_count=0, dns_response_time=None)
    yield Datagrams().send(0, Q).send(1, message(0x8181)).out, {'dns_response_code_str': 'FORMERR', 'dns_min_ttl': None, 'dns_answer_count': 0}
    odd = b'\4a.b\\\5\0 \x7f\xff~\0'
    yield (Datagrams().send(0, message(0, [question(odd, 65280)])).out,
           {'dns_query_name': 'a\\.b\\\\.\\000\\032\\127\\255~', 'dns_query_type_str': 'TYPE65280', 'dns_query_names': ['a\\.b\\\\.\\000\\032\\127\\255~']})
    yield (Datagrams().send(0, message(0, [question(''), question('')], additionals=[record('', 41, b'', 0, 512), record('', 41, b'', 0, 4096)])).out,
           {'dns_query_name': '.', 'dns_query_names': ['.'], 'dns_edns_udp_size': 512})
    svcb = b'\0\1\0\0\1\0\6\2h2\2,"\0\3\0\2\x01\xbb\0\5\0\1\xff\0\6\0\x10' + addr('2001:db8::1') + b'\0\x0a\0\2ok'
    yield (Datagrams().send(0, message(0, [question('s', 65)])).send(1, message(0x8000, [question('s', 65)], [
        record(P, 65, svcb), record(P, 65, svcb[:-1]), record(P, 64, b'\0\0\2al\0'), record(P, 64, b'\0\0' + P), record(P, 65, b'\0\1\0\0\4\0\3abc')])).out,
        {'dns_svcb': ['1 . alpn=h2,\\\\,\\" port=443 ech=/w== ipv6hint=2001:db8::1 key10=6f6b', '0 al', '1 . key4=616263'], 'dns_answer_count': 5, 'dns_answers': None})
    yield (Datagrams(5353).send(0, message(0, [question('h.local')])).send(1, message(0x8400, answers=[record('other.local', 1, b'abcd')], ident=1))
           .send(1, message(0x8400, answers=[record('H.local', 16, b'\0'), record('H.LOCAL', 1, b'abcd', 120, 0x8001)], ident=0)).out,
           {'dns_detected': True, 'dns_response_count': 2, 'dns_answer_count': 2, 'dns_response_time': 0.002, 'dns_answers': ['97.98.99.100']})
    yield (Datagrams(5355).send(0, message(0x0100, [question('h')])).send(1, message(0x8080, [question('h')])).out,
           {'dns_detected': True, 'dns_recursion_desired': None, 'dns_recursion_available': None, 'dns_response_code': 0})


# ---- TCP

class Segments:
    """A connection whose segments are put anywhere in the streams of both sides."""
    port = 40000

    def __init__(self, dport, streams, syn=True):
        Segments.port += 1
        self.talk, self.streams = Talk((A4, Segments.port), (B4, dport)), streams
        if syn:
            self.talk.open()

    def put(self, d, a, b, flags=ACK | PSH, cut=0):
        """Bytes a to b of the stream; cut: so many bytes of the frame are missing."""
        self.talk.segment(d, flags, self.streams[d][a:b], seq=(1001, 5001)[d] + a)
        if cut:
            t, frame = self.talk.out[-1]
            self.talk.out[-1] = t, frame[:-cut], len(frame)
        return self

    def all(self, d, size=1000, to=None):
        to = len(self.streams[d]) if to is None else to
        for a in range(0, to, size):
            self.put(d, a, min(a + size, to))
        return self

    @property
    def out(self):
        return [x[1] if len(x) == 2 else x[1:] for x in self.talk.out]


@capture('dns_tcp.pcap', 'DNS over TCP: byte by byte, several messages in a segment, out of order, retransmitted, with a gap that stays, cut by the snap length, '
         'messages too short and too long to be any, lengths that lie')
def _():
    q, r = framed(Q, message(0x0100, [question('second', 28)], ident=8)), framed(R, R)
    whole = {'dns_detected': True, 'dns_query_count': 2, 'dns_response_count': 2, 'dns_query_names': ['www.example.com', 'second'], 'dns_response_code': 0,
             'dns_min_ttl': 60, 'dns_additional_count': 0}
    for size in (1, 2, 7, 1000):
        yield Segments(53, (q, r)).all(0, size).all(1, size).out, whole
    yield Segments(53, (q, r)).put(0, 40, len(q)).put(0, 3, 20).put(0, 0, 3).put(0, 0, 20).put(0, 20, 40).all(1, 100).out, whole
    yield Segments(53, (q, r)).put(0, 0, 40).put(0, 44, len(q)).all(1).out, dict(whole, dns_query_count=1, dns_query_names=['www.example.com'])
    yield Segments(53, (q, r)).put(0, 0, len(q), cut=3).all(1).out, dict(whole, dns_query_count=1, dns_query_names=['www.example.com'])
    # 16382 bytes are the longest message that is parsed
    for extra in (0, 1):
        long = framed(message(0, [], ident=1) + bytes(16370 + extra)) + framed(Q)
        yield Segments(53, (long, b'')).all(0, 1400).out, {'dns_query_count': 2 - extra, 'dns_query_names': ['www.example.com'], 'dns_query_name': 'www.example.com' if extra else None}
    yield Segments(53, (b'\0\0\0\5short' + q, b'')).all(0).out, {'dns_query_count': 2, 'dns_response_count': 0}
    yield Segments(53, (b'\xff\xff' + q, b'')).all(0).out, NO_DNS
    yield Segments(53, (q[:30], b'')).all(0).out, NO_DNS
    yield Segments(54, (q, r)).all(0).all(1).out, NO_DNS


# ---- SSH

LISTS = ['sntrup761x25519-sha512@openssh.com,curve25519-sha256,ext-info-c', 'ssh-ed25519,rsa-sha2-512', 'chacha20-poly1305@openssh.com,aes128-ctr', 'aes128-ctr',
         'hmac-sha2-256', 'hmac-sha1,hmac-sha2-256', 'none', 'none,zlib@openssh.com', '', '']
THEIRS = ['ext-info-c,curve25519-sha256', 'rsa-sha2-512,ssh-ed25519', 'aes128-ctr,chacha20-poly1305@openssh.com', 'aes128-ctr', 'hmac-sha2-256', 'hmac-sha2-256,hmac-sha1',
          'none', 'zlib@openssh.com', 'de', '']
AGREED = ['curve25519-sha256', 'ssh-ed25519', 'chacha20-poly1305@openssh.com', 'aes128-ctr', 'implicit', 'hmac-sha1', 'none', 'zlib@openssh.com']


def string(b):
    return struct.pack('>I', len(b)) + b


def packet(payload):
    pad = 8 - (len(payload) + 5) % 8
    pad += 8 if pad < 4 else 0
    return struct.pack('>IB', 1 + len(payload) + pad, pad) + payload + filler(pad, 'pad')


def kexinit(lists):
    return packet(b'\x14' + filler(16, 'cookie') + b''.join(string(x.encode()) for x in lists) + bytes(5))


def hassh(lists, which):
    return hashlib.md5(';'.join(lists[i] for i in which).encode()).hexdigest()


KEY = string(b'ssh-ed25519') + string(filler(32, 'key'))
NEWKEYS = packet(b'\x15')
HELLO, REPLY = b'SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n', b'SSH-1.99-Server_1 (\xfc)\n'
CLIENT = HELLO + kexinit(LISTS) + packet(b'\x1e' + string(filler(32, 'q'))) + NEWKEYS
SERVER = REPLY + kexinit(THEIRS) + packet(b'\x1f' + string(KEY) + string(filler(32, 's')) + string(filler(83, 'g'))) + NEWKEYS
SECRET = filler(3000, 'secret')
OF_CLIENT = {'ssh_client_version': '2.0', 'ssh_client_software': 'OpenSSH_9.2p1 Debian-2', 'ssh_hassh': hassh(LISTS, (0, 2, 4, 6)), 'ssh_client_kexinit': LISTS}
OF_SERVER = {'ssh_server_version': '1.99', 'ssh_server_software': 'Server_1 (\\xfc)', 'ssh_hassh_server': hassh(THEIRS, (0, 3, 5, 7)), 'ssh_server_kexinit': THEIRS,
             'ssh_host_key_sha256': '\\x' + hashlib.sha256(KEY).hexdigest()}
WHOLE = {'ssh_detected': True, 'ssh_version': '2.0', 'ssh_negotiated': AGREED, 'ssh_kex_packets': 6, **OF_CLIENT, **OF_SERVER}
NO_SERVER = dict.fromkeys(OF_SERVER)
NO_SSH = {'ssh_detected': False, 'ssh_version': None, 'ssh_kex_packets': None, 'ssh_encrypted_packets': None, **dict.fromkeys(OF_CLIENT), **NO_SERVER}


def lines(text, **values):
    """A server that begins so, with a client that says nothing."""
    return Segments(22, (b'', text)).all(1).out, {**NO_SSH, **values}


@capture('ssh_damage.pcap', 'SSH: lines in front of the identification, allowed and not, lines without end, versions 1.5, 1.99 and senseless ones, KEXINIT in many pieces, '
         'out of order and retransmitted, a gap that stays, bytes not captured, data in the segment of NEWKEYS, lengths that lie, KEXINIT with too few lists, a server that is the '
         'first in the capture')
def _():
    c, s = CLIENT + SECRET, SERVER + SECRET
    nc, ns = len(CLIENT), len(SERVER)
    for size in (8, 13, 100):
        yield Segments(22, (c, s)).all(0, size, nc).all(1, size, ns).put(0, nc, nc + 5).put(1, ns, ns + 5).out, dict(WHOLE, ssh_encrypted_packets=2)
    yield Segments(22, (c, s)).all(0, 1000).all(1, 1000).out, dict(WHOLE, ssh_encrypted_packets=8)
    # later bytes first; the same bytes again, in other segments; a gap behind NEWKEYS that is filled
    x = Segments(22, (c, s)).put(0, 0, 20).put(0, 200, 300).put(0, nc - 3, nc + 40).put(0, 20, 250).put(0, 290, nc).put(0, nc, nc + 40).all(1, 500, ns)
    x.put(0, nc + 100, nc + 200).put(0, nc + 150, nc + 180).put(0, nc + 20, nc + 120).put(0, nc + 30, nc + 200).put(1, ns, ns + 9).put(1, 0, ns + 9)
    yield x.out, dict(WHOLE, ssh_encrypted_packets=4)
    # not data: what comes with RST
    yield Segments(22, (c, s)).all(0, 100, nc).all(1, 100, ns).put(0, nc, nc + 4, RST | ACK).out, dict(WHOLE, ssh_encrypted_packets=0)
    gap = dict(WHOLE, ssh_kex_packets=None, ssh_encrypted_packets=1, ssh_negotiated=None, **{k: v for k, v in NO_SERVER.items() if k not in ('ssh_server_version', 'ssh_server_software')})
    yield Segments(22, (c, s)).all(0, 100, nc).put(0, nc, nc + 40).put(1, 0, 60).put(1, 70, ns).out, gap
    yield Segments(22, (c, s)).all(0, 100, nc).put(0, nc, nc + 40).put(1, 0, 100, cut=10).put(1, 100, ns).out, gap
    # without a SYN the side that sends KEXDH_INIT is the client
    yield Segments(22, (s, c), False).all(0, 300, ns).all(1, 300, nc).put(1, nc, nc + 50).out, dict(WHOLE, ssh_encrypted_packets=1)
    yield Segments(22, (SERVER, CLIENT)).all(0).all(1).out, {'ssh_client_version': '1.99', 'ssh_server_version': '2.0', 'ssh_host_key_sha256': None}
    old = {'ssh_detected': True, 'ssh_kex_packets': 0, 'ssh_hassh': None, 'ssh_negotiated': None, 'ssh_encrypted_packets': None}
    for client, server, version in ((b'1.5', b'1.99', '1.5'), (b'2.0', b'1.5', '1.5'), (b'2.0', b'x', '2.0'), (b'x', b'2.0.1', None)):
        yield (Segments(22, (CLIENT.replace(b'2.0', client, 1), SERVER.replace(b'1.99', server, 1))).all(0).all(1).out,
               dict(old, ssh_version=version, ssh_client_version=client.decode(), ssh_server_version=server.decode()))
    yield Segments(22, (CLIENT.replace(b'2.0', b'2.2', 1), SERVER.replace(b'1.99', b'2.1', 1))).all(0).all(1).out, dict(WHOLE, ssh_version='2.1', ssh_client_version='2.2',
                                                                                                           ssh_server_version='2.1')
    good = {'ssh_detected': True, 'ssh_version': '2.0', 'ssh_server_version': '2.0', 'ssh_server_software': 'x y-z', 'ssh_kex_packets': 0}
    yield lines(b'Welcome\r\n\n\tSSH is spoken here\r\ngr\xfc\xdf\nSSSH-\nSSH-2.0-x y-z\r\n', **good)
    yield lines(b'b' * 8177 + b'\nSSH-2.0-x y-z\n', **good)
    yield lines(b'b' * 8178 + b'\nSSH-2.0-x y-z\n')
    yield lines(b'SSH-2.0-x y-z')
    yield lines(b'a\rb\nSSH-2.0-x y-z\n')
    yield lines(b'a\x01\nSSH-2.0-x y-z\n')
    yield lines(b'SSH-2.0\nSSH-2.0-x y-z\n')
    yield lines(b'SSH--x\n')
    yield lines(b'SSH-2 .0-x\n')
    yield lines(b'HTTP/1.1 400 Bad Request\r\n\r\n')
    yield Segments(22, (b'hello\n' + CLIENT, b'')).all(0).out, NO_SSH
    yield Segments(22, (b'hello\n' + CLIENT, b''), False).all(0).out, dict(NO_SSH, **OF_CLIENT, ssh_detected=True, ssh_version='2.0', ssh_kex_packets=3, ssh_encrypted_packets=0)
    none = dict(OF_CLIENT, ssh_detected=True, ssh_hassh=None, ssh_client_kexinit=None, ssh_kex_packets=0)
    yield Segments(22, (HELLO + b'\0\0\0\5\4' + kexinit(LISTS), b'')).all(0).out, none
    yield Segments(22, (HELLO + b'\0\1\0\1\4' + kexinit(LISTS), b'')).all(0).out, none
    yield Segments(22, (HELLO + b'\x7f\xff\xff\xff\4\x14', b'')).all(0).out, none
    yield Segments(22, (HELLO + kexinit(LISTS)[:-1], b'')).all(0).out, none
    yield Segments(22, (HELLO + packet(b'\x14' + bytes(20)) + kexinit(LISTS) + kexinit(THEIRS), b'')).all(0).out, dict(none, **OF_CLIENT, ssh_kex_packets=3)
    wrong = packet(b'\x1f' + string(b'\0\0\0\3abc' + bytes(40))) + packet(b'\x1f' + struct.pack('>I', 999) + KEY) + packet(b'\x21' + string(KEY) + bytes(9))
    yield Segments(22, (b'', REPLY + wrong + NEWKEYS)).all(1).out, dict(NO_SSH, ssh_detected=True, ssh_version='2.0', ssh_kex_packets=4, ssh_encrypted_packets=0,
                                                                  **{k: v for k, v in OF_SERVER.items() if 'version' in k or 'software' in k or 'key' in k and 'kex' not in k})
