"""mDNS with zeroconf, and LLMNR (RFC 4795) with dnslib. argv: answer | ask"""
import socket
import struct
import sys
import time

from dnslib import A, AAAA, QTYPE, RR, DNSRecord
from zeroconf import IPVersion, ServiceBrowser, ServiceInfo, Zeroconf

OWN = {'answer': '198.51.100.20', 'ask': '192.0.2.10'}[sys.argv[1]]
LLMNR = ('224.0.0.252', 5355)
TYPE = '_ipp._tcp.local.'


def answer():
    info = ServiceInfo(TYPE, 'Example printer.' + TYPE, addresses=[socket.inet_aton(OWN)], port=631, properties={'rp': 'ipp/print', 'note': 'first floor'},
                       server='printer.local.')
    z = Zeroconf(interfaces=[OWN], ip_version=IPVersion.V4Only)
    z.register_service(info)
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(('', LLMNR[1]))
    s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(LLMNR[0]) + socket.inet_aton(OWN))
    while True:
        data, sender = s.recvfrom(9000)
        q = DNSRecord.parse(data)
        if str(q.q.qname).lower() == 'server.':
            r = q.reply(ra=0, aa=0)
            r.header.rd = 0
            r.add_answer(RR('server', q.q.qtype, rdata=A(OWN) if q.q.qtype == QTYPE.A else AAAA('2001:db8:2::20'), ttl=30))
            s.sendto(r.pack(), sender)


def ask():
    z = Zeroconf(interfaces=[OWN], ip_version=IPVersion.V4Only)
    ServiceBrowser(z, TYPE, handlers=[lambda **_: None])
    time.sleep(1.5)
    z.get_service_info(TYPE, 'Example printer.' + TYPE, 1000)
    z.close()
    for name, kind in (('server', 'A'), ('Server', 'AAAA'), ('nobody', 'A')):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, struct.pack('B', 1))
        s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(OWN))
        s.settimeout(0.3)
        q = DNSRecord.question(name, kind)
        q.header.rd = 0
        s.sendto(q.pack(), LLMNR)
        try:
            s.recvfrom(9000)
        except socket.timeout:
            pass


globals()[sys.argv[1]]()
