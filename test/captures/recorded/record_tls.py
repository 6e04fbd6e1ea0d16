"""TLS and DTLS: openssl s_client and s_server."""
import contextlib
import os
import subprocess
import time

from lab import CLIENT, SERVER4, SERVER6, talk

OLD = ['-cipher', 'ALL:@SECLEVEL=0']
PSK = ['-psk', '6a6f7966756c6a6179207465737420707265736861726564206b6579']


def connect(lab, server, client, lines=(b'What is in a flow?\n',), cert='rsa', port=443, address=SERVER4, udp=False, times=1, name='www.example.com'):
    """One s_server, and s_client TIMES times. CLIENT may be a function that gives the options of the n-th time."""
    keys = ['-cert', cert + '.pem', '-key', cert + '.key'] if cert else ['-nocert']
    if cert and os.path.exists(lab.path(cert + '-issuers.pem')):
        keys += ['-cert_chain', cert + '-issuers.pem']
    command = ['openssl', 's_server', '-accept', port, '-quiet'] + ([] if udp or '-early_data' in server else ['-rev']) + keys + list(server)
    with lab.server(*command, port=port, udp=udp, stdin=subprocess.PIPE):
        for n in range(times):
            options = client(n) if callable(client) else client
            where = ('[%s]:%d' if ':' in address else '%s:%d') % (address, port)
            sni = ['-servername', name] if name else ['-noservername']
            p = lab.start(CLIENT, ['openssl', 's_client', '-connect', where, '-CAfile', 'ca.pem'] + sni + list(options), stdin=subprocess.PIPE)
            with contextlib.suppress(BrokenPipeError):
                talk(p, lines)
            time.sleep(0.1)


def again(*options):
    """Options that save the session the first time and take it up later."""
    return lambda n: list(options) + (['-sess_out', 'session'] if n == 0 else ['-sess_in', 'session'])


def versions(lab):
    for version in ('-tls1', '-tls1_1', '-tls1_2', '-tls1_3'):
        connect(lab, OLD, [version] + OLD)


def resumption(lab):
    connect(lab, ['-no_ticket', '-tls1_1'] + OLD, again('-tls1_1', '-no_ticket', *OLD), times=2)    # session id
    connect(lab, ['-no_ticket', '-tls1_2'], again('-tls1_2', '-no_ticket'), times=2)
    connect(lab, ['-tls1_2'], again('-tls1_2'), times=2)                                            # ticket
    connect(lab, ['-tls1_3'], again('-tls1_3'), times=2)                                            # PSK
    with open(lab.path('early'), 'w') as f:
        f.write('GET /early HTTP/1.0\r\n\r\n')
    connect(lab, ['-tls1_3', '-early_data', '-no_anti_replay'],
            lambda n: again('-tls1_3')(n) + (['-early_data', 'early'] if n else []), times=2)
    connect(lab, ['-tls1_3', '-early_data'] + PSK, ['-tls1_3'] + PSK, cert=None)                    # external PSK
    connect(lab, ['-tls1_2', '-cipher', 'PSK-AES128-GCM-SHA256'] + PSK, ['-tls1_2', '-cipher', 'PSK'] + PSK, cert=None)


def exchange(lab):
    """The key exchanges and groups, and HelloRetryRequest."""
    for group in ('X25519', 'P-256', 'P-384', 'P-521', 'X448', 'ffdhe2048', 'ffdhe3072'):
        connect(lab, ['-tls1_3', '-groups', group], ['-tls1_3', '-groups', group])
    connect(lab, ['-tls1_3', '-groups', 'P-384'], ['-tls1_3', '-groups', 'X25519:P-384'])           # HelloRetryRequest
    connect(lab, ['-tls1_3', '-groups', 'P-521'], ['-groups', 'P-256:X25519:P-521', '-alpn', 'h2,http/1.1'])
    for curve in ('P-256', 'X25519', 'brainpoolP256r1'):
        connect(lab, ['-tls1_2', '-groups', curve], ['-tls1_2', '-groups', curve])
    connect(lab, ['-tls1_2', '-cipher', 'AES128-SHA256'], ['-tls1_2', '-cipher', 'AES128-SHA256'])  # RSA
    for size in ('ffdhe2048', 'ffdhe4096'):
        lab.client('openssl', 'genpkey', '-genparam', '-algorithm', 'DH', '-pkeyopt', 'group:' + size, '-out', 'dh.pem')
        connect(lab, ['-tls1_2', '-cipher', 'DHE-RSA-AES128-GCM-SHA256', '-dhparam', 'dh.pem'], ['-tls1_2'])
    lab.client('openssl', 'genpkey', '-genparam', '-algorithm', 'DH', '-pkeyopt', 'dh_paramgen_prime_len:1024', '-out', 'dh.pem', timeout=300)
    connect(lab, ['-tls1_2', '-cipher', 'DHE-RSA-AES128-SHA:@SECLEVEL=0', '-dhparam', 'dh.pem'], ['-tls1_2'] + OLD)
    connect(lab, ['-tls1_2', '-cipher', 'ADH-AES128-SHA:@SECLEVEL=0'], ['-tls1_2', '-cipher', 'ADH:@SECLEVEL=0'])


def certificates(lab):
    for cert in ('rsa', 'rsa1024', 'rsa3072', 'dsa', 'ec', 'ec384', 'ed25519', 'ed448', 'chain', 'self', 'expired'):
        connect(lab, ['-tls1_2'] + OLD, ['-tls1_2'] + OLD, cert=cert, lines=())
    connect(lab, ['-tls1_3'], ['-tls1_3'], cert='ed25519', address=SERVER6)


def large(lab):
    """A certificate of many names: in records of 16384 bytes, and in small ones."""
    connect(lab, ['-tls1_2'], ['-tls1_2'], cert='big', lines=())
    connect(lab, ['-tls1_2', '-max_send_frag', '512'], ['-tls1_2'], cert='big', lines=())


def clients(lab):
    """Client certificates, ALPN, other lists of extensions."""
    mutual = ['-cert', 'client.pem', '-key', 'client.key']
    connect(lab, ['-tls1_2', '-Verify', '1', '-CAfile', 'ca.pem'], ['-tls1_2'] + mutual)
    connect(lab, ['-tls1_3', '-Verify', '1', '-CAfile', 'ca.pem'], ['-tls1_3'] + mutual)
    connect(lab, ['-tls1_2', '-verify', '1', '-CAfile', 'ca.pem'], ['-tls1_2'])                     # asked for, none given
    connect(lab, ['-tls1_2', '-alpn', 'http/1.1'], ['-tls1_2', '-alpn', 'h2,http/1.1', '-status'])
    connect(lab, ['-tls1_3', '-alpn', 'h2'], ['-tls1_3', '-alpn', 'h2,http/1.1'])
    connect(lab, ['-alpn', 'acme-tls/1'], ['-alpn', 'acme-tls/1'], name='Alt.Example.COM')
    connect(lab, ['-tls1_2'], ['-tls1_2', '-no_ticket', '-no_etm', '-no_extended_master_secret', '-sigalgs', 'RSA+SHA256', '-cipher', 'ECDHE-RSA-AES128-GCM-SHA256'],
            name=None)
    connect(lab, ['-tls1_2', '-cipher', 'ECDHE-RSA-CHACHA20-POLY1305'], ['-tls1_2', '-fallback_scsv'], port=8443)
    connect(lab, ['-tls1_3', '-ciphersuites', 'TLS_AES_128_CCM_SHA256'], ['-tls1_3', '-ciphersuites', 'TLS_AES_128_CCM_SHA256:TLS_AES_128_GCM_SHA256', '-no_middlebox'])


def alerts(lab):
    connect(lab, ['-tls1_2', '-cipher', 'ECDHE-RSA-AES128-SHA'], ['-tls1_2', '-cipher', 'AES256-GCM-SHA384'])     # handshake_failure
    connect(lab, ['-tls1_2'], ['-tls1'] + OLD)                                                                      # protocol_version
    connect(lab, ['-tls1_3', '-groups', 'P-256'], ['-tls1_3', '-groups', 'X25519'])
    connect(lab, ['-tls1_2', '-servername', 'example.com', '-servername_fatal', '-cert2', 'ec.pem', '-key2', 'ec.key'], ['-tls1_2'],
            name='unknown.example.com')                                                                             # unrecognized_name
    connect(lab, ['-tls1_2'], ['-tls1_2', '-CAfile', 'client.pem', '-verify_return_error'])                         # unknown_ca, from the client
    connect(lab, ['-tls1_3'], ['-tls1_3', '-CAfile', 'client.pem', '-verify_return_error'])                         # the same, encrypted
    connect(lab, ['-tls1_2', '-alpn', 'h2'], ['-tls1_2', '-alpn', 'http/1.1'])                                      # no_application_protocol


def renegotiation(lab):
    connect(lab, ['-tls1_2', '-client_renegotiation'], ['-tls1_2'], lines=(b'one\n', b'R\n', b'two\n'))


def dtls(lab):
    small = ['-mtu', '300', '-timeout']
    connect(lab, ['-dtls1_2', '-timeout'], ['-dtls1_2', '-timeout'], udp=True, port=4433)
    connect(lab, ['-dtls1_2', '-listen'] + small, ['-dtls1_2'] + small, udp=True, port=4433, cert='chain')
    connect(lab, ['-dtls1', '-listen', '-timeout'] + OLD, ['-dtls1', '-timeout'] + OLD, udp=True, port=4433)
    connect(lab, ['-dtls1_2', '-timeout'], again('-dtls1_2', '-timeout'), udp=True, port=5684, times=2)
    connect(lab, ['-dtls1_2', '-timeout', '-cipher', 'ECDHE-RSA-AES128-SHA', '-use_srtp', 'SRTP_AES128_CM_SHA1_80'],
            ['-dtls1_2', '-timeout', '-cipher', 'AES256-GCM-SHA384'], udp=True, port=4433)                          # handshake_failure


SCENES = [
    ('tls_versions.pcap', 'TLS 1.0, 1.1, 1.2 and 1.3, whole handshakes (openssl)', versions),
    ('tls_resumption.pcap', 'resumption by session id (1.1, 1.2), ticket (1.2), PSK (1.3), with early data; external PSK in 1.3 and 1.2 (openssl)', resumption),
    ('tls_groups.pcap', 'every kind of key exchange: the groups of TLS 1.3 and 1.2, HelloRetryRequest, RSA, DHE with RFC 7919 and other primes, anonymous DH (openssl)', exchange),
    ('tls_certificates.pcap', 'RSA, DSA, EC, Ed25519 and Ed448 certificates, a chain of three, self-signed with a name that needs escapes, expired; TLS 1.3 over IPv6 (openssl)', certificates),
    ('tls_large_certificate.pcap', 'a certificate of 300 names, in one record and in records of 512 bytes (openssl)', large),
    ('tls_clients.pcap', 'client certificates, ALPN, names, few extensions, fallback SCSV, no middlebox mode (openssl)', clients),
    ('tls_alerts.pcap', 'handshakes that end in an alert, from either side, in the clear and encrypted (openssl)', alerts),
    ('tls_renegotiation.pcap', 'a second handshake inside the first connection (openssl)', renegotiation),
    ('dtls.pcap', 'DTLS 1.2 and 1.0, with and without cookie, fragmented at an MTU of 300, resumed, refused (openssl)', dtls),
]
