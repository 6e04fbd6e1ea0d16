"""QUIC and HTTP/3. Packages: ngtcp2-client ngtcp2-server; and aioquic of PyPI for Python as JJREC_PYTHON (a virtual environment)."""
import os

from lab import SERVER4

PYTHON = os.environ.get('JJREC_PYTHON', 'python3')
PEER = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'quic_peer.py')


def ngtcp2(lab, *options, port=443, host='quic.example.com', path='index.html', check=True):
    lab.client('gtlsclient', '-q', '--no-quic-dump', '--no-http-dump', '--exit-on-all-streams-close', *options, host, port, 'https://%s/%s' % (host, path), check=check)


def server(lab, *options, port=443, address='*'):
    os.makedirs(lab.path('www'), exist_ok=True)
    with open(lab.path('www/index.html'), 'w') as f:
        f.write('<p>Hello</p>\n')
    return lab.server('gtlsserver', '-q', '--no-pmtud', '--max-gso-dgrams=1', '-d', lab.path('www'), *options, address, port, lab.path('ec.key'), lab.path('ec.pem'),
                      port=port, udp=True)


def versions(lab):
    with server(lab):
        ngtcp2(lab)
        ngtcp2(lab, '--scid=', '--dcid=0102030405060708090a0b0c0d0e0f101112')                       # IDs of 0 and 18 bytes
        ngtcp2(lab, '--version=0x1a2a3a4a', '--preferred-versions=v1', check=False)                 # version negotiation
        ngtcp2(lab, '--version=v2draft', check=False)
        ngtcp2(lab, host='six.example.com')
    with server(lab, '--validate-addr'):
        ngtcp2(lab)                                                                                 # Retry
    with server(lab, '--groups=-GROUP-ALL:+GROUP-SECP384R1'):
        ngtcp2(lab, '--groups=-GROUP-ALL:+GROUP-X25519:+GROUP-SECP384R1')                           # HelloRetryRequest
    with server(lab, port=8853):
        ngtcp2(lab, '--key-update=10ms', '--change-local-addr=20ms', '--delay-stream=60ms', port=8853, check=False)


def resumption(lab):
    with server(lab):
        saved = ['--session-file=session', '--tp-file=parameters']
        ngtcp2(lab, *saved)
        ngtcp2(lab, *saved)                                                                         # 0-RTT
        ngtcp2(lab, *saved, '--disable-early-data')


def aioquic(lab, *options, port=443, check=True):
    lab.client(PYTHON, PEER, 'client', SERVER4, port, *options, check=check)


def peers(lab):
    with lab.server(PYTHON, PEER, 'server', 443, 'alpn=h3', port=443, udp=True):
        aioquic(lab, 'version=2')
        aioquic(lab, 'version=1', 'upgrade=2')                                                      # compatible version negotiation, RFC 9368
        aioquic(lab, 'version=reserved', check=False)                                               # version negotiation
        aioquic(lab, 'version=2', 'large=3000')                                                     # ClientHello over several Initials
        aioquic(lab, 'alpn=nothing-known', check=False)                                             # closed with no_application_protocol
    with lab.server(PYTHON, PEER, 'server', 443, 'alpn=h3', 'retry=1', port=443, udp=True):
        aioquic(lab, 'version=2')
    with lab.server(PYTHON, PEER, 'server', 853, 'alpn=doq', port=853, udp=True):
        aioquic(lab, 'alpn=doq', port=853)                                                          # RFC 9250


SCENES = [
    ('quic.pcap', 'QUIC version 1, its Retry, HelloRetryRequest, version negotiation, long and empty connection IDs, IPv6, key update (ngtcp2)', versions),
    ('quic_resumption.pcap', 'QUIC sessions taken up again, with and without 0-RTT (ngtcp2)', resumption),
    ('quic_v2.pcap', 'QUIC version 2, its Retry, compatible version negotiation, a ClientHello over several Initials, an unknown ALPN, DNS over QUIC (aioquic)', peers),
]
