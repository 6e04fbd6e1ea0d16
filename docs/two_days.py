#!/usr/bin/env python3
"""Make two days of captures with attacks in them, and the list of the attacks.

usage: two_days.py FOLDER

monday.pcap and tuesday.pcap: browsing, name lookups and SSH sessions of a small office; each day, by another attacker,
a port scan, guessing of SSH passwords and a flood of HTTP requests. attacks.csv lists them as such lists are: local
times (Halifax, UTC-4 in November), cut to minutes. The output is the same every time. Only Python's own library is needed.
"""
import os
import random
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'test', 'captures'))

from demo import client_hello, record, server_hello  # noqa: E402
from wire import ACK, FIN, PSH, RST, SECOND, SYN, Talk, datagram, dns_answer, dns_query, eth, filler, pcap, MAC_A, MAC_B  # noqa: E402

MINUTE, HOUR = 60 * SECOND, 3600 * SECOND
MONDAY = 1699880400 * SECOND        # 2023-11-13 13:00 UTC, 9:00 in Halifax
CLIENTS = ['192.0.2.%d' % n for n in range(10, 18)]
SITES = {'www.example.com': '198.51.100.20', 'cdn.example.net': '198.51.100.30', 'mail.example.org': '203.0.113.25'}
RESOLVER, WEB, SHELL = '192.0.2.53', '192.0.2.80', '192.0.2.22'


def lookup(r, t, host, name):
    ident, port = r.randrange(65536), r.randrange(32768, 61000)
    yield t, datagram((host, port), (RESOLVER, 53), dns_query(ident, name))
    yield t + r.randrange(2, 30) * 10**6, datagram((RESOLVER, 53), (host, port), dns_answer(ident, name, SITES[name]), lambda p: eth(p, src=MAC_B, dst=MAC_A))


def browse(r, t, host, name):
    port = r.randrange(32768, 61000)
    talk = Talk((host, port), (SITES[name], 443), t, gap=r.randrange(5, 25) * 10**6, isn=(r.randrange(2**32), r.randrange(2**32)), mss=1400, ttl=(64, 52)).open()
    talk.send(0, client_hello(name, port)).send(1, server_hello(port)).send(0, record(20, b'\1') + record(23, filler(53, port)))
    for n in range(r.randrange(1, 5)):
        talk.send(0, record(23, filler(r.randrange(200, 900), (port, n))), after=r.randrange(50, 3000) * 10**6)
        talk.send(1, record(23, filler(r.randrange(300, 9000), (port, n, 'a'))))
    return talk.close().out


def shell(r, t, host, seconds):
    """Someone at work in a shell: keys now and then, echoes, some output."""
    talk = Talk((host, r.randrange(32768, 61000)), (SHELL, 22), t, gap=r.randrange(1, 6) * 10**6, isn=(r.randrange(2**32), r.randrange(2**32))).open()
    talk.send(0, b'SSH-2.0-OpenSSH_9.2\r\n').send(1, b'SSH-2.0-OpenSSH_9.2\r\n').send(0, filler(1500, t)).send(1, filler(1100, t + 1)).send(0, filler(600, t)).send(1, filler(600, t))
    while talk.t < t + seconds * SECOND:
        talk.send(0, filler(36, talk.t), after=r.randrange(80, 2500) * 10**6).send(1, filler(36, talk.t + 1))
        if r.random() < 0.15:
            talk.send(1, filler(r.randrange(200, 2500), talk.t))
    return talk.close().out


def guess(r, t, attacker):
    """One password over SSH, refused."""
    talk = Talk((attacker, r.randrange(32768, 61000)), (SHELL, 22), t, gap=r.randrange(20, 45) * 10**6, isn=(r.randrange(2**32), r.randrange(2**32)), ttl=(48, 57)).open()
    talk.send(0, b'SSH-2.0-libssh2_1.10.0\r\n').send(1, b'SSH-2.0-OpenSSH_9.2\r\n').send(0, filler(800, t)).send(1, filler(1100, t + 1)).send(0, filler(220, t)).send(1, filler(600, t))
    talk.send(0, filler(148, t)).send(1, filler(84, t), after=2 * SECOND + r.randrange(900) * 10**6)
    return talk.close(1).out


def flood(r, t, attacker):
    """A request that is made to keep a web server busy."""
    talk = Talk((attacker, r.randrange(32768, 61000)), (WEB, 80), t, gap=r.randrange(8, 20) * 10**6, isn=(r.randrange(2**32), r.randrange(2**32)), ttl=(48, 57)).open()
    talk.send(0, b'GET /?%d HTTP/1.1\r\nHost: shop.example.com\r\nUser-Agent: Mozilla/5.0\r\n\r\n' % r.randrange(10**9))
    if r.random() < 0.6:
        talk.send(1, b'HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n', after=r.randrange(1, 6) * SECOND)
    return talk.segment(0, RST).out


def visit(r, t, host):
    """An honest visitor of the same web server."""
    talk = Talk((host, r.randrange(32768, 61000)), (WEB, 80), t, gap=r.randrange(2, 9) * 10**6, isn=(r.randrange(2**32), r.randrange(2**32))).open()
    for n in range(r.randrange(1, 4)):
        talk.send(0, b'GET /page%d HTTP/1.1\r\nHost: shop.example.com\r\nUser-Agent: Mozilla/5.0\r\nAccept: text/html\r\n\r\n' % n, after=r.randrange(1, 4000) * 10**6)
        body = filler(r.randrange(500, 8000), (t, n))
        talk.send(1, b'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n' % len(body) + body)
    return talk.close().out


def scan(r, t, attacker, port):
    talk = Talk((attacker, r.randrange(32768, 61000)), (WEB, port), t, gap=400_000, isn=(r.randrange(2**32), 0), ttl=(48, 57)).segment(0, SYN)
    if port in (22, 80):
        return talk.segment(1, SYN | ACK, seq=9).segment(0, RST).out
    return talk.segment(1, RST | ACK, seq=0).out


def day(seed, start, attacker, clients):
    """Records of a day, and its attacks: (kind, victim, port, first minute, last minute)."""
    r = random.Random(seed)
    out = []
    for _ in range(90):
        host, name, t = r.choice(clients), r.choice(sorted(SITES)), start + r.randrange(3 * HOUR)
        out += lookup(r, t, host, name)
        out += browse(r, t + 40 * 10**6, host, name)
    for _ in range(50):
        out += visit(r, start + r.randrange(3 * HOUR), r.choice(clients))
    for _ in range(10):
        out += shell(r, start + r.randrange(2 * HOUR), r.choice(clients), r.randrange(10, 50))
    # the attacker is a customer, too
    for _ in range(6):
        out += visit(r, start + r.randrange(HOUR // 2), attacker)
    attacks = [('PortScan', WEB, None, 40, 41), ('SSH-Patator', SHELL, 22, 70, 79), ('DoS', WEB, 80, 120, 124)]
    ports = r.sample(range(1, 10000), 148) + [22, 80]
    for n, port in enumerate(ports):
        out += scan(r, start + 40 * MINUTE + n * 500 * 10**6 + r.randrange(10**8), attacker, port)
    for n in range(90):
        out += guess(r, start + 70 * MINUTE + n * 6 * SECOND + r.randrange(SECOND), attacker)
    # two who mistype their passwords, and visitors whom the busy server turns away: not attacks, though they look like them
    for _ in range(8):
        out += guess(r, start + r.randrange(2 * HOUR), r.choice(clients))
    for _ in range(14):
        out += flood(r, start + 120 * MINUTE + r.randrange(5 * MINUTE), r.choice(clients))
    for n in range(110):
        out += flood(r, start + 120 * MINUTE + n * 2 * SECOND + r.randrange(SECOND), attacker)
    return sorted(out, key=lambda x: x[0]), attacks


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    lines = ['Attack,Attacker,Victim,Victim Port,Protocol,First Seen,Last Seen\n']
    for name, seed, start, attacker, clients in (('monday', 1, MONDAY, '203.0.113.66', CLIENTS[:4]), ('tuesday', 2, MONDAY + 24 * HOUR, '203.0.113.177', CLIENTS[4:])):
        records, attacks = day(seed, start, attacker, clients)
        with open(os.path.join(folder, name + '.pcap'), 'wb') as f:
            f.write(pcap(records))
        date = '13/11/2023' if name == 'monday' else '14/11/2023'
        for kind, victim, port, first, last in attacks:
            clock = ['%s %d:%02d' % (date, (9 * 60 + m) // 60, (9 * 60 + m) % 60) for m in (first, last)]
            lines.append('%s,%s,%s,%s,tcp,%s,%s\n' % (kind, attacker, victim, port or '', *clock))
    with open(os.path.join(folder, 'attacks.csv'), 'w') as f:
        f.writelines(lines)


if __name__ == '__main__':
    main()
