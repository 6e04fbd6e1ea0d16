"""Columns of group tls from tshark's fields, and from what OpenSSL says of the certificates."""
import hashlib

from . import certificate
from .pdml import all_named, integer, integers, named, raw, show, text

RETRY = bytes.fromhex('cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c')
VERSIONS = {0x0300: 'SSL 3.0', 0x0301: 'TLS 1.0', 0x0302: 'TLS 1.1', 0x0303: 'TLS 1.2', 0x0304: 'TLS 1.3', 0xfeff: 'DTLS 1.0', 0xfefd: 'DTLS 1.2'}
GROUPS = {21: 'secp224r1', 22: 'secp256k1', 23: 'secp256r1', 24: 'secp384r1', 25: 'secp521r1', 26: 'brainpoolp256r1', 29: 'x25519', 30: 'x448', 256: 'ffdhe2048',
          257: 'ffdhe3072', 258: 'ffdhe4096', 0x11ec: 'x25519mlkem768', 0x11eb: 'secp256r1mlkem768', 0x6399: 'x25519kyber768draft00'}
FFDHE = {2048: 256, 3072: 257, 4096: 258, 6144: 259, 8192: 260}


def is_grease(v):
    return v & 0x0f0f == 0x0a0a and v >> 8 == v & 0xff


def masked(values):
    return [2570 if is_grease(v) else v for v in values]


def plain(values):
    return [v for v in values if not is_grease(v)]


class Message:
    def __init__(self, packet, forward, element, prefix):
        self.packet, self.forward, self.prefix = packet, forward, prefix
        self.element = element
        self.type = integer(element, prefix + '.handshake.type')

    def field(self, name):
        return self.prefix + '.handshake.' + name

    def number(self, name):
        return integer(self.element, self.field(name))

    def numbers(self, name):
        return integers(self.element, self.field(name))

    def extensions(self):
        """(type, element) in order; the element is None for an unknown place."""
        found, kind = [], self.field('extension.type')
        for x in self.element.iter('field'):
            for child in x:
                if child.get('name') == kind:
                    found.append((int.from_bytes(raw(child), 'big'), x))
        return found

    def extension(self, kind):
        return next((x for t, x in self.extensions() if t == kind), None)

    def alpn(self):
        x = self.extension(16)
        return None if x is None else [raw(a) for a in all_named(x, self.field('extensions_alpn_str'))]

    def has_random(self, value):
        x = named(self.element, self.field('random'))
        return x is not None and raw(x) == value


class Record:
    def __init__(self, packet, forward, element, prefix):
        self.packet, self.forward = packet, forward
        self.type = integer(element, prefix + '.record.content_type')
        if self.type is None:
            self.type = integer(element, prefix + '.record.opaque_type')
        self.length = integer(element, prefix + '.record.length')
        self.alert = integer(element, prefix + '.alert_message.desc')
        self.messages = [Message(packet, forward, x, prefix) for x in all_named(element, prefix + '.handshake') if named(x, prefix + '.handshake.type') is not None]


def records(flow):
    """Records of TLS and DTLS in the order in which they were complete."""
    found = []
    for p in flow.packets:
        for prefix in ('tls', 'dtls'):
            for proto in p.protocol(prefix):
                for x in all_named(proto, prefix + '.record'):
                    r = Record(p, flow.forward(p), x, prefix)
                    if r.type is not None:
                        found.append(r)
    return found


def quic_messages(flow):
    found = []
    for p in flow.packets:
        for q in p.protocol('quic'):
            for proto in q.iter('proto'):
                if proto.get('name') == 'tls':
                    found += [Message(p, flow.forward(p), x, 'tls') for x in all_named(proto, 'tls.handshake')]
    return found


def hellos(messages):
    """The ClientHello, the ServerHello, the HelloRetryRequest."""
    ch = sh = retry = None
    for m in messages:
        if m.type == 1 and named(m.element, m.field('ciphersuites')) is not None:
            if ch is None or not retry and m.prefix == 'dtls' and not sh and m.number('cookie_length'):
                ch = m
        elif m.type == 2:
            if m.has_random(RETRY):
                retry = retry or m
            else:
                sh = sh or m
    return ch, sh, retry


def ja4(ch, transport):
    """JA4 and its raw form (FoxIO's specification) from the lists of the ClientHello."""
    versions = plain(supported(ch))
    newest = (min if ch.prefix == 'dtls' else max)(versions) if versions else ch.number('version')
    version = {0x304: '13', 0x303: '12', 0x302: '11', 0x301: '10', 0x300: 's3', 2: 's2', 0xfeff: 'd1', 0xfefd: 'd2', 0xfefc: 'd3'}.get(newest, '00')
    ciphers = plain(ch.numbers('ciphersuite'))
    extensions = plain([t for t, _ in ch.extensions()])
    names = [a for a in ch.alpn() or [] if not (len(a) == 2 and is_grease(int.from_bytes(a, 'big')))]
    alpn = '00'
    if names:
        ends = names[0][:1] + names[0][-1:]
        alpn = ends.decode() if ends.isalnum() and ends.isascii() else names[0].hex()[0] + names[0].hex()[-1]
    first = {'quic': 'q', 'dtls': 'd'}.get(transport, 't') + version + ('d' if 0 in extensions else 'i') + '%02d%02d' % (min(len(ciphers), 99), min(len(extensions), 99)) + alpn
    second = ','.join(sorted('%04x' % c for c in ciphers))
    listed = ','.join(sorted('%04x' % e for e in extensions if e not in (0, 16)))
    signatures = ','.join('%04x' % s for s in plain(signature_algorithms(ch) or []))
    third = listed + ('_' + signatures if signatures else '')

    def short(s):
        return hashlib.sha256(s.encode()).hexdigest()[:12]
    return '_'.join((first, short(second) if second else '0' * 12, short(third) if listed else '0' * 12)), '_'.join((first, second, third))


def supported(m):
    x = m.extension(43)
    return [] if x is None else integers(x, m.field('extensions.supported_version'))


def signature_algorithms(ch):
    x = ch.extension(13)
    return None if x is None else integers(x, ch.field('sig_hash_alg'))


def client_columns(ch, transport):
    types = [t for t, _ in ch.extensions()]
    ciphers = ch.numbers('ciphersuite')
    groups, signatures, alpn, name = ch.extension(10), signature_algorithms(ch), ch.alpn(), ch.extension(0)
    host = None if name is None else named(name, ch.field('extensions_server_name'))
    names = None if alpn is None else [text(a) for a in alpn if not (len(a) == 2 and is_grease(int.from_bytes(a, 'big')))]
    session_id = ch.number('session_id_length')
    both = ja4(ch, transport)
    return {'tls_cipher_count': len(plain(ciphers)), 'tls_extension_count': len(plain(types)),
            'tls_sni': None if host is None else text(raw(host).lower()), 'tls_alpn': names[0] if names else None,
            'ja3_hash': show(ch.element, ch.field('ja3')), 'ja3_raw': show(ch.element, ch.field('ja3_full')),
            'tls_session_id_len': session_id if session_id is not None else 0,
            'tls_session_ticket_ext': 35 in types, 'tls_psk_ext': 41 in types, 'tls_early_data_ext': 42 in types,
            'tls_client_ciphers': masked(ciphers), 'tls_client_extensions': masked(types),
            'tls_client_groups': None if groups is None else masked(integers(groups, ch.field('extensions_supported_group'))),
            'tls_client_sig_algs': None if signatures is None else masked(signatures), 'tls_client_alpn': names,
            'tls_ech': 65037 in types or 65486 in types, 'ja4': both[0], 'ja4_raw': both[1]}


def server_columns(sh, exchange):
    versions = supported(sh)
    version = versions[0] if versions else sh.number('version')
    answer = sh.alpn()
    found = {'tls_version': version, 'tls_version_str': VERSIONS[version], 'tls_cipher_suite': sh.numbers('ciphersuite')[0],
             'ja3s_hash': show(sh.element, sh.field('ja3s')), 'tls_server_alpn': text(answer[0]) if answer else None,
             'tls_key_exchange_group': None, 'tls_key_exchange_group_name': None, 'tls_key_exchange_length': None}
    group = bits = None
    share = sh.extension(51)
    if share is not None:
        group = integers(share, sh.field('extensions_key_share_group'))[0]
        bits = 8 * integers(share, sh.field('extensions_key_share_key_exchange_length'))[0]
    elif exchange is not None and named(exchange.element, exchange.field('server_named_curve')) is not None:
        group, bits = exchange.number('server_named_curve'), 8 * exchange.number('server_point_len')
    elif exchange is not None and named(exchange.element, exchange.field('p')) is not None:
        prime = raw(named(exchange.element, exchange.field('p')))
        bits = int.from_bytes(prime, 'big').bit_length()
        if prime.hex().startswith('ffffffffffffffffadf85458a2bb4a9a'):
            group = FFDHE[bits]
        found['tls_key_exchange_group_name'] = 'dhe'
    if group is not None:
        found['tls_key_exchange_group_name'] = GROUPS[group]
    found['tls_key_exchange_group'], found['tls_key_exchange_length'] = group, bits
    return found


def resumed(sh, all_records):
    """From the ServerHello in TLS 1.3, else from what the server sends before its ChangeCipherSpec."""
    if 0x0304 in supported(sh):
        return sh.extension(41) is not None
    seen = False
    for r in all_records:
        if r.forward != sh.forward:
            continue
        for m in r.messages:
            if m.element is sh.element:
                seen = True
            elif seen and m.type in (11, 12, 14):
                return False
        if seen and r.type == 20:
            return True
    return None


def handshake_packets(all_records):
    """Packets with bytes of records of type 22: those tshark put together for the first record of a packet, and the packet itself."""
    frames = set()
    first = {}
    for r in all_records:
        starts = first.setdefault(r.packet.number, r)
        if r.type == 22:
            frames.add(r.packet.number)
            if starts is r:
                frames.update(r.packet.segments)
    return len(frames)


NOTHING = ('tls_version tls_version_str tls_cipher_suite tls_cipher_count tls_extension_count tls_sni tls_alpn ja3_hash ja3s_hash tls_handshake_packets tls_cert_count '
           'tls_cert_total_length tls_cert_first_length tls_cert_chain_length tls_session_id_len tls_session_ticket_ext tls_session_resumed tls_psk_ext tls_early_data_ext '
           'tls_key_exchange_group tls_key_exchange_group_name tls_key_exchange_length tls_transport tls_client_ciphers tls_client_extensions tls_client_groups '
           'tls_client_sig_algs tls_client_alpn tls_server_alpn tls_hello_retry tls_ech ja3_raw ja4 ja4_raw tls_cert_sha256 tls_cert_issuer tls_cert_subject_cn tls_cert_san '
           'tls_cert_not_before tls_cert_not_after tls_cert_self_signed tls_cert_key tls_record_lengths tls_alert').split()


def columns(flow):
    found = {name: None for name in NOTHING}
    if any(p.protocol('openvpn') for p in flow.packets):
        # a handshake inside the messages of another protocol
        found['tls_detected'] = False
        return found
    quic, lines = quic_messages(flow), records(flow)
    messages = quic or [m for r in lines for m in r.messages]
    ch, sh, retry = hellos(messages)
    found['tls_detected'] = bool(ch or sh)
    if not found['tls_detected']:
        return found
    transport = 'quic' if quic else 'dtls' if flow.kind == 'udp' else 'tcp'
    if transport == 'tcp' and any(p.length and not p.protocol('tls') and p.number < lines[0].packet.number and p.number not in lines[0].packet.segments for p in flow.packets):
        transport = 'starttls'
    found['tls_transport'] = transport
    if ch:
        found.update(client_columns(ch, transport))
    if sh or retry:
        found['tls_hello_retry'] = retry is not None
    # of a message in fragments, only the last shows what is in it
    exchange = next((m for m in messages if m.type == 12 and any(named(m.element, m.field(x)) is not None for x in ('server_named_curve', 'p'))), None)
    if sh:
        found.update(server_columns(sh, exchange))
        found['tls_session_resumed'] = resumed(sh, lines)
        chain = next((m for m in messages if m.type == 11 and m.forward == sh.forward and named(m.element, m.field('certificates_length')) is not None), None)
        if chain:
            certificates = [raw(x) for x in all_named(chain.element, chain.field('certificate'))]
            found.update({'tls_cert_count': len(certificates), 'tls_cert_chain_length': len(certificates), 'tls_cert_total_length': sum(map(len, certificates)),
                          'tls_cert_first_length': len(certificates[0])})
            found.update(certificate.columns(certificates[0]))
    if not quic:
        client = ch.forward if ch else not sh.forward
        found['tls_handshake_packets'] = handshake_packets(lines)
        found['tls_record_lengths'] = [r.length if r.forward == client else -r.length for r in lines][:50]
        found['tls_alert'] = next((r.alert for r in lines if r.type == 21 and r.alert is not None), None)
    return found
