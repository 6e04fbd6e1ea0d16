"""Browsers, and a TLS library that encrypts its ClientHello. Packages: chromium firefox-esr golang (1.24 or later) and those of record_http and record_quic."""
import base64
import contextlib
import hashlib
import os
import subprocess

import record_http
import record_quic
from lab import SERVER4

GO = os.environ.get('JJREC_GO', 'go')


def pin(lab):
    """The name by which chromium takes the test's certificate."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    with open(lab.path('ec.pem'), 'rb') as f:
        key = x509.load_pem_x509_certificate(f.read()).public_key()
    spki = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(spki).digest()).decode()


def chromium(lab, url, *options):
    lab.client('timeout', '20', 'chromium', '--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--no-first-run',
               '--user-data-dir=' + lab.path('chromium'), '--ignore-certificate-errors-spki-list=' + pin(lab), '--virtual-time-budget=2000', *options, '--dump-dom', url,
               check=False, timeout=40)


def firefox(lab, url):
    profile = lab.path('firefox')
    os.makedirs(profile, exist_ok=True)
    with open(profile + '/user.js', 'w') as f:
        for name in ('browser.shell.checkDefaultBrowser', 'app.normandy.enabled', 'network.captive-portal-service.enabled', 'network.connectivity-service.enabled',
                     'browser.safebrowsing.malware.enabled', 'datareporting.policy.dataSubmissionEnabled', 'dom.security.https_only_mode'):
            f.write('user_pref("%s", false);\n' % name)
        f.write('user_pref("security.enterprise_roots.enabled", true);\n')
    lab.client('timeout', '25', 'firefox-esr', '--headless', '--no-remote', '--profile', profile, '--screenshot', lab.path('shot.png'), url, check=False, timeout=40)


@contextlib.contextmanager
def go_server(lab, *options, port=443):
    binary = lab.path('go_peer')
    if not os.path.exists(binary):
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'go_peer.go')
        subprocess.run([GO, 'build', '-o', binary, source], check=True)
    with lab.server(binary, 'server', ':%d' % port, 'ec.pem', 'ec.key', *options, port=port) as p:
        yield p


def go(lab):
    with go_server(lab):
        lab.client(lab.path('go_peer'), 'client', SERVER4 + ':443', 'www.example.com', 'ca.pem', 2)
        chromium(lab, 'https://www.example.com/')
    with go_server(lab, 'ech', lab.path('ech')):
        lab.client(lab.path('go_peer'), 'client', SERVER4 + ':443', 'www.example.com', 'ca.pem', 1, 'ech', lab.path('ech'))


def browsers(lab):
    with record_http.nginx(lab):
        chromium(lab, 'https://www.example.com/')
        firefox(lab, 'https://www.example.com/')


def browser_quic(lab):
    with record_quic.server(lab):
        chromium(lab, 'https://quic.example.com/index.html', '--origin-to-force-quic-on=quic.example.com:443')


SCENES = [
    ('tls_browsers.pcap', 'chromium and firefox: GREASE, extensions in any order, ClientHello in two segments, several connections (nginx)', browsers, 'tcp port 443'),
    ('tls_go.pcap', 'the post-quantum group X25519MLKEM768, resumption, and an encrypted ClientHello (Go, chromium)', go, 'tcp port 443'),
    ('quic_browser.pcap', 'QUIC of chromium: CRYPTO frames in any order (ngtcp2)', browser_quic, 'udp port 443'),
]
