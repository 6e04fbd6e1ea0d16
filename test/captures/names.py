"""Captures for the rules that know TLS connections by names, certificates, ALPN, ports and record lengths: Tor, providers, DNS over TLS and HTTPS."""
from wire import *

CLIENT, SERVER = '192.0.2.1', '198.51.100.1'
GCM, CBC, TLS13, RC4 = 0xc02f, 0xc013, 0x1301, 0x0005
OID = {'CN': b'\x55\x04\x03', 'O': b'\x55\x04\x0a', 'OU': b'\x55\x04\x0b'}


# ---- DER (X.690), certificates (RFC 5280) with a key and a signature that nobody checks

def der(tag, *parts):
    body = b''.join(parts)
    n = len(body)
    return bytes([tag]) + (bytes([n]) if n < 128 else b'\x82' + struct.pack('>H', n)) + body


def name(*attributes):
    """attributes: (CN, O or OU, value)."""
    return der(0x30, *[der(0x31, der(0x30, der(6, OID[k]), der(0x0c, v.encode()))) for k, v in attributes])


def certificate(issuer, subject, dns=()):
    algorithm = der(0x30, der(6, b'\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b'), b'\5\0')
    key = der(0x30, der(0x30, der(6, b'\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01'), b'\5\0'),
              der(3, b'\0' + der(0x30, der(2, b'\0' + b'\x81' * 64), der(2, b'\1\0\1'))))
    extensions = b''
    if dns:
        alternative = der(0x30, *[der(0x82, x.encode()) for x in dns])
        extensions = der(0xa3, der(0x30, der(0x30, der(6, b'\x55\x1d\x11'), der(4, alternative))))
    tbs = der(0x30, der(0xa0, b'\2\1\2'), b'\2\1\1', algorithm, issuer, der(0x30, der(0x17, b'230101000000Z'), der(0x17, b'330101000000Z')), subject, key,
              extensions)
    return der(0x30, tbs, algorithm, der(3, b'\0' + filler(64, 'signature')))


# ---- TLS (RFC 5246, RFC 8446)

def record(kind, data, version=0x0303):
    return struct.pack('>BHH', kind, version, len(data)) + data


def message(kind, body):
    return bytes([kind]) + struct.pack('>I', len(body))[1:] + body


def extension(kind, data):
    return struct.pack('>HH', kind, len(data)) + data


def client_hello(sni=None, alpn=(), suite=GCM):
    ext = b''
    if sni is not None:
        ext += extension(0, struct.pack('>HBH', len(sni) + 3, 0, len(sni)) + sni.encode())
    if alpn:
        names = b''.join(bytes([len(a)]) + a.encode() for a in alpn)
        ext += extension(16, struct.pack('>H', len(names)) + names)
    if suite == TLS13:
        ext += extension(43, b'\2\3\4')
    body = b'\3\3' + filler(32, sni) + b'\0' + struct.pack('>HH', 2, suite) + b'\1\0' + struct.pack('>H', len(ext)) + ext
    return record(22, message(1, body), 0x0301)


def server_flight(suite=GCM, certificates=(), alpn=None):
    ext = extension(43, b'\3\4') if suite == TLS13 else b''
    if alpn:
        ext += extension(16, struct.pack('>HB', len(alpn) + 1, len(alpn)) + alpn.encode())
    body = b'\3\3' + filler(32, suite) + b'\0' + struct.pack('>HB', suite, 0) + struct.pack('>H', len(ext)) + ext
    out = record(22, message(2, body))
    if suite == TLS13:
        return out + record(20, b'\1') + record(23, filler(60, 'encrypted'))
    if certificates:
        listed = b''.join(struct.pack('>I', len(c))[1:] + c for c in certificates)
        out += record(22, message(11, struct.pack('>I', len(listed))[1:] + listed))
    return out + record(22, message(14, b''))


def finished():
    return record(20, b'\1') + record(22, filler(40, 'finished'))


class Peers:
    """Connections, each from a port of its own and a second after the one before; out is the capture so far."""

    def __init__(self, first_port):
        self.port, self.t, self.out = first_port, START, []

    def tls(self, dport=443, server=SERVER, sni=None, offers=(), suite=GCM, certificates=(), alpn=None, lengths=(), before=()):
        """lengths: of application-data records, negative from the server. before: what is said before TLS."""
        source = '2001:db8::1' if ':' in server else CLIENT
        talk = Talk((source, self.port), (server, dport), self.t).open()
        for d, data in before:
            talk.send(d, data)
        talk.send(0, client_hello(sni, offers, suite)).send(1, server_flight(suite, certificates, alpn))
        talk.send(0, finished()).send(1, finished())
        for n in lengths:
            talk.send(0 if n > 0 else 1, record(23, filler(abs(n), n)))
        self.out += talk.close().out
        self.port, self.t = self.port + 1, self.t + SECOND


def common(cn):
    return name(('CN', cn))


def plain(cn, *dns):
    """A certificate for cn of some authority."""
    return certificate(name(('O', 'Example Authority'), ('CN', 'Example CA')), name(('O', 'Example'), ('CN', cn)), dns)


def make():
    issuer, subject = common('www.abcdefgh234.com'), common('www.zyxwvuts765.net')
    tor = certificate(issuer, subject)
    w = Peers(24001)
    w.tls(9001, sni='www.xkcd5bcdfgh.com', certificates=[tor], lengths=[538, -538] * 6)          # 24001: all of tor
    w.tls(certificates=[tor])                                                   # certificate alone
    w.tls(certificates=[tor, plain('example.org')])                             # two certificates
    w.tls(certificates=[certificate(issuer, issuer)])                           # issuer and subject the same
    w.tls(certificates=[certificate(issuer, name(('O', 'x'), ('CN', 'www.zyxwvuts765.net')))])  # more than a commonName
    w.tls(sni='www.xkcd5bcdfgh.com')                                            # 24006: name alone
    w.tls(sni='www.xkcdbcdfgh5.com')
    w.tls(9001, sni='example.org')                                              # port alone
    w.tls(sni='example.org', lengths=[514 + 24, -(1028 + 24)] * 6)              # 24009: cells alone, GCM
    w.tls(sni='example.org', lengths=[514 + 24, -(1028 + 24)] * 6 + [300] * 4)  # 12 of 16
    w.tls(sni='example.org', lengths=[514 + 24, -(1028 + 24)] * 6 + [300] * 3)  # 12 of 15
    w.tls(sni='example.org', lengths=[514 + 24, -(1028 + 24)] * 4)              # only 8
    w.tls(sni='example.org', suite=TLS13, lengths=[514 + 17, -(3 * 514 + 17)] * 6)              # 24013
    w.tls(sni='example.org', suite=CBC, lengths=[560, -(2 * 512 + 48)] * 6)
    w.tls(sni='example.org', suite=RC4, lengths=[514 + 24, -(1028 + 24)] * 6)   # no shape known
    w.tls(sni='example.org', lengths=[300, -300] * 16 + [538, -538] * 70)      # 24016: begins otherwise
    w.tls(9001, sni='example.org', lengths=[538, -538] * 70)                   # many cells, and the port
    w.tls(sni='api.nordvpn.com')                                                # 24018: providers
    w.tls(sni='API.PROTONVPN.com')
    w.tls(sni='nordvpn.com.example.org')
    w.tls(certificates=[plain('*.mullvad.net')])
    w.tls(sni='example.org', certificates=[plain('example.org', 'example.org', '*.psiphon3.net')])
    w.tls(certificates=[certificate(name(('O', 'Private Internet Access'), ('CN', 'x')), common('server'))])
    w.tls(certificates=[certificate(common('x'), name(('O', 'Windscribe Limited'), ('CN', 'y')))])
    w.tls(certificates=[certificate(common('x'), name(('OU', 'FortiGate'), ('CN', 'y')))])
    w.tls(certificates=[certificate(common('x'), name(('O', 'FortiGate'), ('CN', 'y')))])
    w.tls(sni='example.org', offers=['dot'])                                    # 24027: DNS
    w.tls(sni='dns.google', offers=['h2', 'http/1.1'], alpn='h2')
    w.tls(sni='a.cloudflare-dns.com')
    w.tls(853, sni='example.org')
    w.tls(certificates=[plain('dns.quad9.net')])
    w.tls(sni='example.org', certificates=[plain('dns.quad9.net')])             # there is a name
    w.tls(server='1.1.1.1', offers=['h2'])
    w.tls(server='1.1.1.1', sni='1.1.1.1')
    w.tls(server='1.1.1.1', sni='example.org')
    w.tls(8443, server='1.1.1.1')
    w.tls(server='2620:fe::fe')
    w.tls(853, sni='dns.google', offers=['dot'], server='8.8.8.8')              # 24038
    for offers, alpn in ((['h2', 'http/1.1'], 'http/1.1'), (['http/1.1'], None), (['xmpp-client'], 'xmpp-client'), (['acme-tls/1'], None), (['h3-29'], None),
                         (['imap'], None), (['mqtt'], None), (['sip/2'], None), (['webrtc'], None), (['unknown', 'h2'], None), (['spdy/3', 'h2'], 'h2')):
        w.tls(sni='example.org', offers=offers, alpn=alpn)                      # 24039 on
    w.tls(587, before=[(1, b'220 mail.example.org ESMTP\r\n'), (0, b'EHLO x\r\n'), (1, b'250 STARTTLS\r\n'), (0, b'STARTTLS\r\n'), (1, b'220 go\r\n')])
    w.tls(1194, before=[(0, b'hello\r\n'), (1, b'go\r\n')], sni='example.org', offers=['h2'])
    return w.out


CAPTURES = [('tls_names.pcap', 'TLS known by names, certificates, ALPN, ports and record lengths: Tor, providers, DNS over TLS and HTTPS, what is inside; '
                 'and near misses', lambda: pcap(make()))]
