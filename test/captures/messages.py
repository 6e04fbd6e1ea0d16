"""Captures for the rules that know a protocol by its messages: VPN, application protocols over UDP and TCP, and near misses."""
from wire import *

CAPTURES = []
CLIENT, SERVER = '192.0.2.1', '198.51.100.1'


def capture(name, about):
    """The function gives (time, frame) in file order."""
    def add(make):
        CAPTURES.append((name, about, lambda: pcap(make())))
        return make
    return add


class Wire:
    """Flows of a client to a server, each from a port of its own and a second after the one before; out is the capture so far."""

    def __init__(self, first_port):
        self.port, self.t, self.out = first_port, START, []

    def udp(self, dport, *messages, sport=None):
        """messages: bytes from the client, or (0 client or 1 server, bytes)."""
        a, b = (CLIENT, self.port if sport is None else sport), (SERVER, dport)
        for i, m in enumerate(messages):
            d, data = m if isinstance(m, tuple) else (0, m)
            src, dst = (b, a) if d else (a, b)
            self.out.append((self.t + i * 10**7, datagram(src, dst, data)))
        self.port, self.t = self.port + 1, self.t + SECOND

    def ip(self, proto, *messages):
        for i, data in enumerate(messages):
            self.out.append((self.t + i * 10**7, eth(ipv4(CLIENT, SERVER, proto, data))))
        self.t += SECOND

    def tcp(self, dport, *messages, opened=True):
        talk = Talk((CLIENT, self.port), (SERVER, dport), self.t)
        talk = talk.open() if opened else talk
        for m in messages:
            d, data = m if isinstance(m, tuple) else (0, m)
            talk.send(d, data)
        self.out += talk.close().out
        self.port, self.t = self.port + 1, self.t + SECOND


# ---- VPN

def wg_init(sender, size=148):
    return b'\1\0\0\0' + struct.pack('<I', sender) + filler(size - 8, sender)


def wg_response(sender, receiver, size=92):
    return b'\2\0\0\0' + struct.pack('<II', sender, receiver) + filler(size - 12, receiver)


def wg_cookie(receiver):
    return b'\3\0\0\0' + struct.pack('<I', receiver) + filler(56, 'cookie')


def wg_data(receiver, counter, size=96):
    return b'\4\0\0\0' + struct.pack('<IQ', receiver, counter) + filler(size - 16, counter)


OURS, THEIRS = bytes.fromhex('0a1b2c3d4e5f6071'), bytes.fromhex('8293a4b5c6d7e8f9')


def openvpn(opcode, d, number=None, ack=False, hmac=0, data=b''):
    """A control packet of side d; with ack it acknowledges packet 0 of the other side."""
    mine, other = (THEIRS, OURS) if d else (OURS, THEIRS)
    out = bytes([opcode << 3]) + mine
    if hmac:
        out += filler(hmac, 'hmac') + struct.pack('>II', 1, 1700000000)
    out += b'\1\0\0\0\0' + other if ack else b'\0'
    return out + (struct.pack('>I', number) if number is not None else b'') + data


def framed(packet):
    return struct.pack('>H', len(packet)) + packet


def isakmp(version, exchange, size=200, initiator=b'\x11\x22\x33\x44\x55\x66\x77\x88', responder=bytes(8)):
    return initiator + responder + bytes([33, version, exchange, 8]) + bytes(4) + struct.pack('>I', size) + filler(size - 28, 'ike')


def esp(spi, seq):
    return struct.pack('>II', spi, seq) + filler(88, seq)


def ah(spi, seq, following, data):
    return bytes([following, 4, 0, 0]) + struct.pack('>II', spi, seq) + filler(12, seq) + data


def l2tp_control(kind, tunnel=0):
    avps = struct.pack('>HHHH', 0x8008, 0, 0, kind) + struct.pack('>HHHH', 0x8008, 0, 2, 0x0100)
    return struct.pack('>HHHHHH', 0xc802, 12 + len(avps), tunnel, 0, 0, 0) + avps


def pptp_control(kind, size=156):
    return struct.pack('>HHIHH', size, 1, 0x1a2b3c4d, kind, 0) + b'\1\0\0\0' + bytes(size - 16)


@capture('vpn.pcap', 'WireGuard (handshake, cookie, data alone, unanswered), OpenVPN (UDP, with HMAC, TCP, one way), IKEv1, IKEv2, ESP, AH, ESP in UDP, '
         'L2TP, PPTP and its GRE, Tailscale, tinc, SoftEther, providers by name; and near misses of each')
def _():
    w = Wire(21001)
    data = [(n % 2, wg_data(7 if n % 2 else 9, n // 2)) for n in range(6)]
    w.udp(51820, wg_init(7), (1, wg_response(9, 7)), *data)                     # 21001
    w.udp(51820, wg_init(7), (1, wg_cookie(7)))
    w.udp(51820, *data)
    w.udp(51820, wg_init(7), wg_init(8))
    w.udp(51820, wg_init(7), (1, wg_response(9, 8)))                            # answers another: wg.init only
    w.udp(51820, wg_init(7, 149))                                               # no length of WireGuard's
    w.udp(51820, *[wg_data(n, n) for n in range(5)])                            # too many receivers
    for hmac in (0, 20):                                                        # 21008, 21009
        w.udp(1194, openvpn(7, 0, 0, hmac=hmac), (1, openvpn(8, 1, 0, True, hmac)), openvpn(5, 0, None, True, hmac), openvpn(4, 0, 1, False, hmac, b'hello'),
              (1, openvpn(4, 1, 1, True, hmac, b'hello')))
    w.tcp(443, framed(openvpn(7, 0, 0)), (1, framed(openvpn(8, 1, 0, True))), framed(openvpn(5, 0, None, True)))
    w.udp(1194, *[openvpn(7, 0, 0)] * 5)                                        # 21011
    w.udp(1194, *[bytes([7 << 3]) + b'\1' * 8 + bytes(5)] * 5)                  # a session id of one byte value
    w.udp(1194, openvpn(7, 0, 0), (1, openvpn(8, 1, 0)))                        # nothing acknowledged
    w.udp(500, isakmp(0x20, 34), (1, isakmp(0x20, 34, responder=b'\x99' * 8)))  # 21014
    w.udp(500, isakmp(0x10, 2))
    w.udp(4500, bytes(4) + isakmp(0x20, 35, responder=b'\x99' * 8))
    w.udp(500, isakmp(0x20, 34)[:-1])                                           # another length
    w.udp(501, isakmp(0x20, 34))                                                # another port
    w.udp(4500, *[esp(0x1234, n) for n in (1, 2, 3)])                           # 21019
    w.udp(4500, *[esp(0x1234, n) for n in (1, 100, 200)])                       # numbers too far apart
    w.udp(4500, b'\xff', b'\xff')                                               # NAT keepalives
    w.ip(50, esp(0x1001, 1), esp(0x1001, 2))
    w.ip(51, ah(0x2001, 1, 17, udp(21022, 9999, b'inside')), ah(0x2001, 2, 17, udp(21022, 9999, b'inside')))
    w.port += 1
    w.udp(1701, l2tp_control(1), (1, l2tp_control(2, 5)), sport=1701)           # 21023
    w.udp(1701, b'\x00\x02' + bytes(30))                                        # L2TP data only
    w.tcp(1723, pptp_control(1), (1, pptp_control(2)))
    w.ip(47, b'\x30\x81\x88\x0b\0\x04\0\1\0\0\0\0\0\0\0\0' + b'\xff\x03\xc0\x21', b'\x20\x81\x88\x0b\0\0\0\1\0\0\0\1')
    w.udp(41641, b'TS\xf0\x9f\x92\xac' + filler(90, 'disco'))                   # 21026
    w.udp(41641, b'TS\xf0\x9f\x92\xad' + filler(90, 'disco'))
    w.tcp(655, b'0 alpha 17.7\n', (1, b'0 beta 17.7\n'))
    w.tcp(655, b'0 alpha 18.1\n', (1, b'0 beta 18.1\n'))
    w.tcp(443, b'POST /vpnsvc/connect.cgi HTTP/1.1\r\nHost: 198.51.100.1\r\nContent-Length: 2\r\n\r\nxx', (1, b'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'))
    w.tcp(80, b'GET /vpnsvc/connect.cgi HTTP/1.1\r\nHost: example.org\r\n\r\n', (1, b'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n'))
    w.tcp(80, b'GET / HTTP/1.1\r\nHost: Api.NordVPN.com:80\r\n\r\n', (1, b'HTTP/1.1 301 Moved\r\nContent-Length: 0\r\n\r\n'))
    w.tcp(80, b'GET / HTTP/1.1\r\nHost: notnordvpn.com\r\n\r\n', (1, b'HTTP/1.1 301 Moved\r\nContent-Length: 0\r\n\r\n'))
    return w.out


# ---- application protocols

def stun(kind=1, attributes=b''):
    return struct.pack('>HHI', kind, len(attributes), 0x2112a442) + b'transaction!' + attributes


def bootp(op):
    return bytes([op, 1, 6, 0]) + b'\x12\x34\x56\x78' + bytes(20) + mac(MAC_A) + bytes(202) + b'\x63\x82\x53\x63\x35\x01\x01\xff'


def dhcpv6(kind, *options):
    return bytes([kind, 1, 2, 3]) + b''.join(struct.pack('>HH', k, len(v)) + v for k, v in options)


def nbns(ident, flags):
    return struct.pack('>HHHHHH', ident, flags, 1, 0, 0, 0) + b'\x20' + b'CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' + b'\0\0\x21\0\1'


def ber(tag, *parts):
    body = b''.join(parts)
    return bytes([tag, len(body)]) + body


def snmp(version):
    pdu = ber(0xa0, b'\2\1\1', b'\2\1\0', b'\2\1\0', ber(0x30, ber(0x30, b'\6\1\x2b', b'\5\0')))
    return ber(0x30, bytes([2, 1, version]), b'\4\6public', pdu)


def ldap(op, *parts):
    return ber(0x30, b'\2\1\1', ber(op, *parts))


def kerberos(tag):
    return ber(tag, ber(0x30, ber(0xa1, b'\2\1\5'), ber(0xa2, bytes([2, 1, tag - 0x60]))))


def radius(code, ident=1):
    body = b'\1\6user'
    return struct.pack('>BBH', code, ident, 20 + len(body)) + filler(16, 'authenticator') + body


def rtp(seq, ssrc=0x1234, kind=8, size=160):
    return struct.pack('>BBHII', 0x80, kind, seq, seq * 160, ssrc) + filler(size, seq)


@capture('messages_udp.pcap', 'application protocols over UDP by their messages: STUN, NTP, DHCP, DHCPv6, SIP, RTSP, SSDP, DHT, NetBIOS names, SNMP, CLDAP, Kerberos, '
         'TFTP, syslog, RADIUS, RTP; on other ports, cut and damaged: none')
def _():
    ntp = b'\x23\0\6\xec' + bytes(44)
    invite = b'INVITE sip:bob@example.org SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1\r\n\r\n'
    search = b'M-SEARCH * HTTP/1.1\r\nHost: 239.255.255.250:1900\r\nMan: "ssdp:discover"\r\n\r\n'
    tftp = b'\0\1boot.img\0octet\0blksize\x001428\0'
    w = Wire(22001)
    w.udp(3478, stun(), (1, stun(0x101, b'\0\x20\0\x08' + bytes(8))))           # 22001
    w.udp(5000, b'something else', (1, stun()))                                 # any datagram
    w.udp(3478, stun()[:-1])                                                    # length
    w.udp(123, ntp, (1, b'\x24\2' + ntp[2:]))                                   # 22004
    w.udp(1123, ntp)
    w.udp(123, ntp[:40])
    w.udp(67, bootp(1), (1, bootp(2)), sport=68)                                # 22007
    w.udp(67, bootp(1).replace(b'\x63\x82', b'\0\0'))
    w.udp(547, dhcpv6(1, (1, b'\0\3\0\1' + mac(MAC_A)), (8, b'\0\0')), sport=546)
    w.udp(547, dhcpv6(1, (8, b'\0\0')) + b'x')
    w.udp(5060, invite, (1, b'SIP/2.0 100 Trying\r\nVia: SIP/2.0/UDP 192.0.2.1\r\n\r\n'))     # 22011
    w.udp(5060, invite.replace(b'SIP/2.0\r\nVia', b'SIP/3.0\r\nVia'))
    w.udp(554, b'ANNOUNCE rtsp://example.org/live RTSP/1.0\r\nCSeq: 1\r\n\r\n')
    w.udp(1900, search, (1, b'HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\n\r\n'))
    w.udp(1901, search)
    w.udp(6881, b'd1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe', (1, b'd1:rd2:id20:mnopqrstuvwxyz123456e1:t2:aa1:y1:re'))  # 22016
    w.udp(137, nbns(1, 0x0110))
    w.udp(138, nbns(1, 0x0110))
    w.udp(161, snmp(1), (1, snmp(1)))                                           # 22019
    w.udp(162, snmp(2))
    w.udp(389, ldap(0x63, b'\4\0', b'\x0a\1\0'))
    w.udp(390, ldap(0x63, b'\4\0', b'\x0a\1\0'))
    w.udp(88, kerberos(0x6a), (1, kerberos(0x7e)))                              # 22023
    w.udp(88, kerberos(0x6a) + b'x')
    w.udp(69, tftp)
    w.udp(69, tftp.replace(b'octet', b'octal'))
    w.udp(514, b'<34>Nov 14 22:13:20 host su: failed')                          # 22027
    w.udp(514, b'<192>Nov 14 22:13:20 host su: failed')
    w.udp(1812, radius(1), (1, radius(2)))
    w.udp(1812, radius(6))
    w.udp(20000, *[rtp(n) for n in (65534, 65535, 0)])                          # 22031
    w.udp(20000, *[rtp(n) for n in (1, 3, 5, 7)])
    w.udp(20000, *[rtp(n, ssrc=n) for n in (1, 2, 3, 4)])
    w.udp(20000, *[m for n in (1, 2, 3) for m in (rtp(n), (1, rtp(n + 100, ssrc=9)))])
    w.udp(53000, filler(40, 'nothing'))                                         # 22035
    w.udp(22, b'')
    return w.out


@capture('messages_tcp.pcap', 'application protocols over TCP by the beginning of the streams: SMTP, FTP, IMAP, POP3, SIP, RTSP, BitTorrent, RDP, SMB, PostgreSQL, MySQL, '
         'Redis, MQTT, LDAP, Kerberos, BGP, TACACS+, STUN; in pieces; what looks like nothing at all; near misses')
def _():
    smb1 = b'\0\0\0\x40\xffSMBr' + bytes(59)
    smb2 = b'\0\0\0\x40\xfeSMB@' + bytes(59)
    session = b'\x81\0\0\x44' + (b'\x20' + b'CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' + b'\0') * 2
    x224 = b'\3\0\0\x13\x0e\xe0\0\0\0\0\0\1\0\x08\0\0\0\0\0'
    w = Wire(23001)
    w.tcp(25, (1, b'220 mail.example.org ESMTP\r\n'), b'EHLO client.example.org\r\n', (1, b'250 ok\r\n'), b'QUIT\r\n')     # 23001
    w.tcp(21, (1, b'220-welcome\r\n220 ready\r\n'), b'USER anonymous\r\n', (1, b'331 password\r\n'))
    w.tcp(143, (1, b'* OK IMAP4rev2 ready\r\n'), b'a001 LOGIN user secret\r\n', (1, b'a001 OK\r\n'))
    w.tcp(110, (1, b'+OK ready\r\n'), b'CAPA\r\n', (1, b'+OK\r\n.\r\n'))
    w.tcp(25, (1, b'220 mail.example.org ESMTP\r\n'))                           # nobody answers: port
    w.tcp(2525, (1, b'220 mail.example.org ESMTP\r\n'), b'EHLOX client\r\n')
    w.tcp(5060, *[bytes([c]) for c in b'OPTIONS sip:bob@example.org SIP/2.0\r\n'])      # 23007, byte by byte
    w.tcp(554, b'OPTIONS rtsp://example.org/live RTSP/1.0\r\nCSeq: 1\r\n\r\n', (1, b'RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n'))
    w.tcp(6881, b'\x13BitTorrent protocol' + bytes(8) + filler(40, 'hash'), (1, b'\x13BitTorrent protocol' + bytes(8) + filler(40, 'peer')))
    w.tcp(3389, x224, (1, b'\3\0\0\x13\x0e\xd0\0\0\x12\x34\0\2\x1f\x08\0\2\0\0\0'))
    w.tcp(445, smb2, (1, smb2))                                                 # 23011
    w.tcp(139, session, (1, b'\x82\0\0\0'), smb1, (1, smb1))
    w.tcp(445, smb2.replace(b'SMB', b'SMC'))
    w.tcp(5432, b'\0\0\0\x13\0\3\0\0user\0alice\0\0', (1, b'R\0\0\0\x08\0\0\0\0'))
    w.tcp(15432, b'\0\0\0\x08\x04\xd2\x16\x2f', (1, b'N'))
    w.tcp(3306, (1, b'\x4a\0\0\0\x0a8.0.36\0' + bytes(66)), b'\x20\0\0\1' + bytes(32))   # 23016
    w.tcp(6379, b'*1\r\n$4\r\nPING\r\n', (1, b'+PONG\r\n'))
    w.tcp(1883, b'\x10\x10\0\4MQTT\4\2\0\x3c\0\4abcd', (1, b'\x20\2\0\0'))
    w.tcp(389, ldap(0x60, b'\2\1\3', b'\4\0', b'\x80\0'), (1, ldap(0x61, b'\x0a\1\0', b'\4\0', b'\4\0')))
    w.tcp(88, struct.pack('>I', len(kerberos(0x6a))) + kerberos(0x6a))          # 23020
    w.tcp(10088, struct.pack('>I', len(kerberos(0x6a))) + kerberos(0x6a))
    w.tcp(179, b'\xff' * 16 + b'\0\x1d\1\4\xfd\xe8\0\xb4\xc0\0\2\1\0', (1, b'\xff' * 16 + b'\0\x13\4'))
    w.tcp(49, b'\xc0\1\1\0\x12\x34\x56\x78\0\0\0\x08' + filler(8, 'tacacs'))
    w.tcp(3478, stun(), (1, stun(0x101)))
    w.tcp(8388, bytes(b ^ 0x80 if 0x20 <= b <= 0x7e else b for b in filler(300, 'opaque')))     # 23025, looks like nothing at all
    w.tcp(8388, bytes(b ^ 0x80 if 0x20 <= b <= 0x7e else b for b in filler(300, 'opaque')), opened=False)     # the start is missing
    w.tcp(8388, b'plain text that nobody knows\n' * 5)
    w.tcp(6667)                                                                 # no payload: port
    w.tcp(30000, b'x')
    return w.out
