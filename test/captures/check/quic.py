"""Columns of group quic from tshark's fields."""
from . import tls
from .pdml import all_named, integer, named, raw, text

NAMES = {1: 'QUIC v1', 0x6b3343cf: 'QUIC v2', 0xff00001d: 'QUIC draft-29'}
NUMBERS = {1: 'max_idle_timeout', 3: 'max_udp_payload_size', 4: 'initial_max_data', 5: 'initial_max_stream_data_bidi_local', 6: 'initial_max_stream_data_bidi_remote',
           7: 'initial_max_stream_data_uni', 8: 'initial_max_streams_bidi', 9: 'initial_max_streams_uni', 10: 'ack_delay_exponent', 11: 'max_ack_delay',
           14: 'active_connection_id_limit', 0x20: 'max_datagram_frame_size'}
HEX = {0: 'original_destination_connection_id', 2: 'stateless_reset_token', 13: 'preferred_address', 15: 'initial_source_connection_id', 16: 'retry_source_connection_id',
       17: 'version_information', 0x3128: 'google_connection_options'}
FLAGS = {12: 'disable_active_migration', 0x2ab2: 'grease_quic_bit'}
NOTHING = ('quic_version quic_version_str quic_dcid_len quic_scid_len quic_pn_length quic_initial_packets quic_0rtt_detected quic_retry_detected quic_spin_bit quic_alpn '
           'quic_sni quic_dcid quic_scid quic_token_length quic_transport_params').split()

DECRYPTED = 'quic_token_length quic_pn_length quic_alpn quic_sni quic_transport_params'.split()


class Long:
    """A packet with a long header; kind as in version 1: 0 Initial, 1 0-RTT, 2 Handshake, 3 Retry."""

    def __init__(self, packet, forward, element):
        self.packet, self.forward, self.element = packet, forward, element
        self.version = integer(element, 'quic.version')
        kind = integer(element, 'quic.long.packet_type')
        second = integer(element, 'quic.long.packet_type_v2')
        self.kind = kind if second is None else (second - 1) % 4
        if self.version == 0:
            self.kind = None


def version_name(v):
    if v in NAMES:
        return NAMES[v]
    return ('reserved 0x%08x' if v & 0x0f0f0f0f == 0x0a0a0a0a else 'unknown (0x%08x)') % v


def varint(data):
    n = 1 << (data[0] >> 6)
    return int.from_bytes(bytes([data[0] & 0x3f]) + data[1:n], 'big')


def parameters(ch):
    x = ch.extension(57)
    if x is None:
        return None
    found = {}
    kinds = [varint(raw(k)) for k in all_named(x, 'tls.quic.parameter.type')]
    for kind, value in zip(kinds, map(raw, all_named(x, 'tls.quic.parameter.value'))):
        if kind % 31 == 27:
            found['grease'] = found.get('grease', 0) + 1
        elif kind in NUMBERS:
            found[NUMBERS[kind]] = varint(value)
        elif kind in FLAGS:
            found[FLAGS[kind]] = True
        elif kind == 0x3129:
            found['user_agent'] = text(value)
        else:
            found[HEX.get(kind, str(kind))] = value.hex()
    return found


def spin(flow, longs):
    """Whether the bit differs between two following 1-RTT packets of a direction; None if no direction has two."""
    answer = None
    for forward in (True, False):
        bits = [integer(q, 'quic.spin_bit') for p in flow.packets if flow.forward(p) == forward for q in p.protocol('quic') if integer(q, 'quic.header_form') == 0]
        if len(bits) > 1:
            answer = bool(answer) or any(a != b for a, b in zip(bits, bits[1:]))
    return answer


def blind(flow):
    """Whether the client sent an Initial of a reserved version, which has no keys: tshark takes those of version 1, and is lost at the next one."""
    return any(integer(q, 'quic.version') & 0x0f0f0f0f == 0x0a0a0a0a for p in flow.packets for q in p.protocol('quic') if integer(q, 'quic.header_form') == 1)


def columns(flow):
    found = {name: None for name in NOTHING}
    found['quic_detected'] = False
    if flow.kind != 'udp':
        return found
    longs = [Long(p, flow.forward(p), q) for p in flow.packets for q in p.protocol('quic') if integer(q, 'quic.header_form') == 1]
    if not longs:
        return found
    client = longs[0].forward
    own = [x for x in longs if x.forward == client]
    served = [x for x in longs if x.forward != client and x.version]
    first = own[0].element
    version = (served or own)[-1].version
    initial = next((x for x in own if x.kind == 0), None)
    numbered = next((x for x in own + longs if x.kind == 0 and named(x.element, 'quic.packet_number_length') is not None), None)
    dcid, scid = (raw(x) if x is not None else b'' for x in (named(first, 'quic.dcid'), named(first, 'quic.scid')))
    ch, _, _ = tls.hellos(tls.quic_messages(flow))
    alpn = tls.client_columns(ch, 'quic') if ch else {}
    found.update({'quic_detected': True, 'quic_version': version, 'quic_version_str': version_name(version), 'quic_dcid_len': len(dcid), 'quic_scid_len': len(scid),
                  'quic_dcid': '\\x' + dcid.hex(), 'quic_scid': '\\x' + scid.hex(),
                  'quic_pn_length': integer(numbered.element, 'quic.packet_number_length') + 1 if numbered else None,
                  'quic_initial_packets': sum(1 for x in longs if x.kind == 0 and x.version & 0x0f0f0f0f != 0x0a0a0a0a),
                  'quic_0rtt_detected': any(x.kind == 1 for x in longs), 'quic_retry_detected': any(x.kind == 3 and x.forward != client for x in longs),
                  'quic_spin_bit': spin(flow, longs), 'quic_alpn': alpn.get('tls_alpn'), 'quic_sni': alpn.get('tls_sni'),
                  'quic_token_length': integer(initial.element, 'quic.token_length') if initial else None,
                  'quic_transport_params': parameters(ch) if ch else None, 'tls_handshake_packets':
                  len({x.packet.number for x in longs if x.kind in (0, 2)}) if ch else None})
    return found
