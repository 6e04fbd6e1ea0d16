"""demo.pcapng: two and a half minutes of a small office network, for the first look at the extension."""
import struct

from wire import *

CAPTURES = []
ALICE, BOB, CAM, LAPTOP6 = '192.0.2.10', '192.0.2.11', '192.0.2.30', '2001:db8:1::10'
RESOLVER, NTP, MAIL = '192.0.2.53', '203.0.113.123', '203.0.113.25'
HOSTS = {'www.example.com': '198.51.100.20', 'cdn.example.net': '198.51.100.30', 'api.example.org': '203.0.113.40', 'video.example.net': '203.0.113.50',
         'updates.example.com': '198.51.100.60', 'wiki.example.org': '2001:db8:2::80', 'git.example.org': '203.0.113.22'}


def record(kind, body, version=0x0303):
    return struct.pack('>BHH', kind, version, len(body)) + body


def vector(data, size=2):
    return len(data).to_bytes(size, 'big') + data


def extension(kind, data):
    return struct.pack('>H', kind) + vector(data)


def client_hello(name, seed):
    ciphers = struct.pack('>6H', 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0x009e)
    ext = (extension(0, vector(b'\0' + vector(name.encode()))) + extension(10, vector(struct.pack('>3H', 29, 23, 24))) + extension(11, b'\x01\0')
           + extension(13, vector(struct.pack('>3H', 0x0403, 0x0804, 0x0401))) + extension(16, vector(b'\x02h2\x08http/1.1'))
           + extension(43, b'\x04\x03\x04\x03\x03') + extension(45, b'\x01\x01') + extension(51, vector(struct.pack('>HH', 29, 32) + filler(32, seed))))
    body = b'\x03\x03' + filler(32, 'r%s' % seed) + vector(filler(32, 's%s' % seed), 1) + vector(ciphers) + b'\x01\0' + vector(ext)
    return record(22, b'\x01' + vector(body, 3), 0x0301)


def server_hello(seed):
    ext = extension(43, b'\x03\x04') + extension(51, struct.pack('>HH', 29, 32) + filler(32, 'k%s' % seed))
    body = b'\x03\x03' + filler(32, 'R%s' % seed) + vector(filler(32, 's%s' % seed), 1) + b'\x13\x01\0' + vector(ext)
    return record(22, b'\x02' + vector(body, 3)) + record(20, b'\x01') + record(23, filler(2200, 'cert%s' % seed))


class Office:
    def __init__(self):
        self.frames, self.ident = [], 100

    def lookup(self, when, host, name, port, rtt=11_400_000, kind=1):
        self.ident += 1
        at = '2001:db8:1::53' if ':' in host else RESOLVER
        answer = HOSTS[name]
        kind = 28 if ':' in answer else 1
        self.frames.append((when, datagram((host, port), (at, 53), dns_query(self.ident, name, kind))))
        self.frames.append((when + rtt, datagram((at, 53), (host, port), dns_answer(self.ident, name, answer), lambda p: eth(p, src=MAC_B, dst=MAC_A))))
        return when + rtt + 1_700_000

    def tls(self, when, host, name, port, sizes, rtt=18_000_000, pause=400_000_000, close=True):
        """sizes: (request, answer) bytes in turn."""
        t = Talk((host, port), (HOSTS[name], 443), when, gap=rtt // 2, isn=(port * 1009, port * 2003), mss=1400, ttl=(64, 52)).open()
        t.send(0, client_hello(name, port), after=800_000).send(1, server_hello(port)).send(0, record(20, b'\x01') + record(23, filler(53, port)))
        t.gap = 700_000
        for n, (ask, answer) in enumerate(sizes):
            t.send(0, record(23, filler(ask, 'q%d.%d' % (port, n))), after=pause if n else 2_000_000)
            t.send(1, b''.join(record(23, filler(min(16000, answer - i), 'a%d.%d.%d' % (port, n, i))) for i in range(0, answer, 16000)), after=rtt)
        if close:
            t.close(after=pause)
        self.frames += t.out

    def http(self, when, host, name, port, path, size, rtt=18_000_000):
        t = Talk((host, port), (HOSTS[name], 80), when, gap=rtt // 2, isn=(port * 17, port * 31), mss=1400, ttl=(64, 52)).open()
        t.send(0, ('GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n' % (path, name)).encode(), after=500_000)
        t.gap = 900_000
        head = 'HTTP/1.1 200 OK\r\nServer: example\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n' % size
        t.send(1, head.encode() + (b'All work and no play makes packets dull.\n' * (size // 41 + 1))[:size], after=rtt).close(after=3_000_000)
        self.frames += t.out


def office():
    o, ms, s = Office(), 10**6, SECOND
    t = o.lookup(START, ALICE, 'www.example.com', 51001)
    o.http(t, ALICE, 'www.example.com', 44100, '/', 2600)
    o.tls(t + 90 * ms, ALICE, 'www.example.com', 44101, [(420, 9000), (380, 4200), (390, 700)])
    t = o.lookup(START + 1 * s, ALICE, 'cdn.example.net', 51002, 23 * ms)
    o.tls(t, ALICE, 'cdn.example.net', 44102, [(300, 15000), (310, 9000)], rtt=9 * ms)
    o.tls(t + 5 * ms, ALICE, 'cdn.example.net', 44103, [(305, 11000)], rtt=9 * ms)
    t = o.lookup(START + 9 * s, BOB, 'api.example.org', 60001)
    o.tls(t, BOB, 'api.example.org', 39000, [(180, 240)] * 9, rtt=42 * ms, pause=15 * s, close=False)
    t = o.lookup(START + 12 * s, BOB, 'git.example.org', 60002)
    ssh = Talk((BOB, 39001), (HOSTS['git.example.org'], 22), t, gap=14 * ms, isn=(77, 88)).open()
    ssh.send(1, b'SSH-2.0-OpenSSH_9.2p1\r\n').send(0, b'SSH-2.0-OpenSSH_9.2p1\r\n')
    for n in range(14):
        ssh.send(n % 2, filler(36 + 36 * (n % 4), 'ssh%d' % n), after=(180 + 37 * n) * ms)
    o.frames += ssh.send(1, filler(4800, 'pack')).close(after=1 * s).out
    t = o.lookup(START + 31 * s, LAPTOP6, 'wiki.example.org', 50500)
    o.tls(t, LAPTOP6, 'wiki.example.org', 50501, [(500, 6000), (510, 2500)], rtt=25 * ms)
    t = o.lookup(START + 44 * s, ALICE, 'video.example.net', 51003)
    o.tls(t, ALICE, 'video.example.net', 44104, [(260, 9000)] * 3, rtt=12 * ms, pause=9 * s)
    smtp = Talk((ALICE, 44105), (MAIL, 25), START + 70 * s, gap=16 * ms, isn=(5, 6)).open()
    for d, line in ((1, '220 mail.example.com ESMTP'), (0, 'EHLO alice.example.com'), (1, '250 STARTTLS'), (0, 'STARTTLS'), (1, '220 go ahead')):
        smtp.send(d, line.encode() + b'\r\n')
    o.frames += smtp.send(0, client_hello('mail.example.com', 'smtp')).send(1, server_hello('smtp')).send(0, record(23, filler(1500, 'mail'))).close().out
    for n in range(3):
        query, reply = b'\x23' + bytes(47), b'\x24\x02' + bytes(46)
        o.frames.append((START + (20 + 50 * n) * s, datagram((CAM, 123), (NTP, 123), query)))
        o.frames.append((START + (20 + 50 * n) * s + 31 * ms, datagram((NTP, 123), (CAM, 123), reply, lambda p: eth(p, src=MAC_B, dst=MAC_A), ttl=49)))
    for n in range(5):
        ping = lambda a, b, k, ttl: eth(ipv4(a, b, 1, echo(k, 4711, n + 1, bytes(56)), ttl=ttl))
        o.frames.append((START + (80 + n) * s, ping(ALICE, '198.51.100.20', 8, 64)))
        o.frames.append((START + (80 + n) * s + (18 + n) * ms, ping('198.51.100.20', ALICE, 0, 52)))
    for n, (port, open_) in enumerate(((22, True), (23, False), (80, True), (3389, False))):
        scan = Talk(('203.0.113.200', 61000), (CAM, port), START + 100 * s + n * 40 * ms, gap=2 * ms, isn=(99, 100 + n)).segment(0, SYN)
        o.frames += (scan.segment(1, SYN | ACK).segment(0, RST) if open_ else scan.segment(1, RST | ACK, seq=0)).out
    t = o.lookup(START + 120 * s, BOB, 'updates.example.com', 60003)
    o.http(t, BOB, 'updates.example.com', 39002, '/latest.txt', 18000, 33 * ms)
    o.frames.append((START + 150 * s, eth(struct.pack('>HHBBH', 1, 0x800, 6, 4, 1) + mac(MAC_A) + addr(ALICE) + bytes(6) + addr(BOB), ARP, dst='ff:ff:ff:ff:ff:ff')))
    p = Pcapng().section().iface(1, 262144, name='office', tsresol=9)
    for ts, frame in sorted(o.frames, key=lambda x: x[0]):
        p.enhanced(0, ts, frame)
    return p.b


CAPTURES.append(('demo.pcapng', 'the demonstration: two and a half minutes of a small network (DNS, HTTP, TLS, SSH, SMTP, NTP, ping, a scan)', office))
