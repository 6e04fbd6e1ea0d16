"""DNS, mDNS and LLMNR, DNS over TLS and HTTPS. Packages: nsd unbound bind9-dnsutils python3-zeroconf python3-dnslib."""
import contextlib
import os
import time

from lab import CLIENT, SERVER4, SERVER6

ZONE = """$ORIGIN example.com.
$TTL 3600
@ SOA ns hostmaster 1 7200 3600 1209600 300
@ NS ns
@ NS ns2
@ MX 10 mail
@ TXT "v=spf1 -all" "a \\"quoted\\" text"
@ CAA 0 issue "ca.example.net"
@ HTTPS 1 . alpn="h2,h3" ipv4hint=198.51.100.20 ipv6hint=2001:db8:2::20
ns A 198.51.100.20
ns2 A 198.51.100.21
mail 120 A 198.51.100.25
www 300 A 198.51.100.20
www 300 A 198.51.100.22
www 300 AAAA 2001:db8:2::20
www 300 HTTPS 0 svc
svc 300 HTTPS 1 . alpn=h2 port=8443 ech=AEX+DQBBpQAgACBM key65333=ex1
svc 300 HTTPS 2 . mandatory=alpn alpn="f\\\\\\\\oo\\\\,bar,h3" no-default-alpn
_dns SVCB 1 dns.example.net. alpn=dot port=853 key7="/dns-query{?dns}"
alias CNAME other
other CNAME www
_sip._tcp SRV 10 5 5060 sip
sip A 198.51.100.26
*.wild TXT "anything"
with\\.dot A 198.51.100.27
Mixed.Case A 198.51.100.28
\\195\\188mlaut A 198.51.100.29
zero 0 A 198.51.100.30
sshfp SSHFP 4 2 123456789ABCDEF67890123456789ABCDEF67890123456789ABCDEF123456789
naptr NAPTR 100 50 "s" "SIP+D2U" "" _sip._udp.example.com.
""" + ''.join('many A 203.0.113.%d\n' % n for n in range(1, 121)) + ''.join('long TXT "%s"\n' % (chr(97 + n) * 200) for n in range(15))

NSD = """server:
  username: ""
  zonesdir: "%(work)s"
  database: ""
  pidfile: ""
  zonelistfile: "%(work)s/zone.list"
  xfrdfile: ""
  logfile: "%(work)s/nsd.log"
  hide-version: yes
  identity: "example"
  nsid: ascii_example
  server-count: 1
  ipv4-edns-size: 4096
remote-control:
  control-enable: no
zone:
  name: example.com
  zonefile: zone
  provide-xfr: 192.0.2.10 NOKEY
"""

UNBOUND = """server:
  username: ""
  chroot: ""
  directory: "%(work)s"
  pidfile: ""
  do-daemonize: no
  use-syslog: no
  interface: 0.0.0.0@53
  interface: ::0@53
  interface: 0.0.0.0@853
  interface: 0.0.0.0@443
  tls-port: 853
  https-port: 443
  tls-service-key: "%(work)s/ec.key"
  tls-service-pem: "%(work)s/ec.pem"
  access-control: 0.0.0.0/0 allow
  access-control: ::0/0 allow
  module-config: "iterator"
  hide-version: yes
  hide-identity: yes
auth-zone:
  name: example.com
  zonefile: zone
  for-downstream: no
  for-upstream: yes
"""


def dig(lab, *query, check=True):
    lab.client('dig', '@' + SERVER4, '+tries=1', '+time=2', *query, check=check)


def write(lab, name, text):
    with open(lab.path(name), 'w') as f:
        f.write(text % {'work': lab.work} if name != 'zone' else text)


@contextlib.contextmanager
def nsd(lab):
    """An authoritative server."""
    write(lab, 'zone', ZONE)
    write(lab, 'nsd.conf', NSD)
    with lab.server('/usr/sbin/nsd', '-d', '-c', 'nsd.conf', port=53, udp=True) as p:
        yield p


def authoritative(lab):
    with nsd(lab):
        for query in (('www.example.com', 'A'), ('www.example.com', 'AAAA', '+nord'), ('alias.example.com', 'A', '+noedns'), ('example.com', 'TXT'), ('example.com', 'MX'),
                      ('example.com', 'NS'), ('example.com', 'SOA', '+bufsize=4096'), ('example.com', 'ANY'), ('example.com', 'CAA', '+dnssec'),
                      ('example.com', 'HTTPS'), ('www.example.com', 'HTTPS'), ('svc.example.com', 'HTTPS'), ('_dns.example.com', 'SVCB'),
                      ('_sip._tcp.example.com', 'SRV'), ('anything.wild.example.com', 'TXT'), ('with\\.dot.example.com', 'A'), ('mIXED.cASE.example.com', 'A'),
                      ('\\195\\188mlaut.example.com', 'A'), ('zero.example.com', 'A'), ('sshfp.example.com', 'SSHFP'), ('naptr.example.com', 'NAPTR'),
                      ('missing.example.com', 'A'), ('www.example.com', 'TYPE65280'), ('www.example.net', 'A', '+nsid'), ('.', 'NS'), ('id.server', 'CH', 'TXT'),
                      ('many.example.com', 'A', '+noedns', '+ignore'),                              # truncated, left at that
                      ('many.example.com', 'A', '+noedns'),                                         # truncated, then TCP
                      ('www.example.com', 'A', '+tcp'), ('long.example.com', 'TXT', '+tcp'), ('example.com', 'AXFR'),
                      ('www.example.com', 'A', '+opcode=notify'), ('www.example.com', 'A', '+opcode=15'), ('www.example.com', 'A', '+edns=1', '+noednsneg'),
                      ('www.example.com', 'A', '+cookie=0123456789abcdef', '+subnet=192.0.2.0/24')):
            dig(lab, *query, check=False)
        # several questions in one connection, and on one port
        dig(lab, '+tcp', '+keepopen', 'www.example.com', 'A', '+keepopen', 'mail.example.com', 'A', 'missing.example.com', 'AAAA')
        for query in (('www.example.com', 'A'), ('www.example.com', 'AAAA'), ('missing.example.com', 'A')):
            dig(lab, '-b', '192.0.2.10#5353', *query)


def fragments(lab):
    with nsd(lab):
        dig(lab, 'long.example.com', 'TXT', '+bufsize=4096')


def unbound(lab):
    """A resolver, with DNS over TLS and HTTPS."""
    write(lab, 'zone', ZONE)
    write(lab, 'unbound.conf', UNBOUND)
    with lab.server('/usr/sbin/unbound', '-d', '-c', 'unbound.conf', port=53, udp=True):
        time.sleep(1)
        dig(lab, 'alias.example.com', 'A')
        dig(lab, 'missing.example.com', 'A')
        dig(lab, 'www.example.net', 'A', check=False)                                               # SERVFAIL: no way out
        lab.client('dig', '@' + SERVER6, 'www.example.com', 'AAAA')
        dig(lab, 'www.example.com', 'A', '+tls')
        dig(lab, 'www.example.com', 'A', '+tls', '+tls-hostname=www.example.com')
        dig(lab, 'www.example.com', 'A', '+https')
        dig(lab, '-p', '59', 'www.example.com', 'A', check=False)                                   # nobody there


def local(lab):
    """mDNS and LLMNR: both ends speak by multicast."""
    for ns in (CLIENT,):
        lab.client('ip', 'route', 'add', '224.0.0.0/4', 'dev', 'eth0')
        lab.client('ip', 'link', 'set', 'eth0', 'multicast', 'on')
    program = os.path.join(os.path.dirname(__file__), 'local_names.py')
    with lab.server('sh', '-c', 'ip route add 224.0.0.0/4 dev eth0; exec /usr/bin/python3 "$0" answer', program):
        time.sleep(1.5)
        lab.client('/usr/bin/python3', program, 'ask')
        time.sleep(1)


SCENES = [
    ('dns.pcap', 'DNS of an authoritative server: types, names that need escapes, HTTPS and SVCB, NXDOMAIN and other codes, truncation and TCP, '
     'zone transfer, opcodes, EDNS (dig, nsd)', authoritative),
    ('dns_fragments.pcap', 'a DNS answer in three IP fragments (dig, nsd)', fragments),
    ('dns_resolver.pcap', 'DNS of a resolver, also over IPv6, over TLS and HTTPS; SERVFAIL; a closed port (dig, unbound)', unbound),
    ('dns_local.pcap', 'mDNS: a service is announced, looked for and found (python3-zeroconf); LLMNR (a few lines with dnslib)', local),
]
