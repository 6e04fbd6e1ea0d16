#!/usr/bin/env python3
"""Ask tshark, and openssl for certificates, what application protocols are in the recordings and in some of the other captures, and write
expected/protocols/NAME.tsv: first packet of the flow, column, value as JSON. The tests compare with these files, so they need no tshark.

What tshark does not say itself (JA4, whether a session was resumed, SSH negotiation, transactions of DNS, ...) is worked out in check/
from its fields, by other code than the extension's.

usage: check_protocols.py [--diff]    with --diff, only say which files would change (exit status 1 if any)
"""
import json
import os
import sys

sys.dont_write_bytecode = True

from check import dns, http, pdml, quic, ssh, tls  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))

GET = {'http_method': 'GET', 'http_version': 'http/1.1', 'http_status': 200}
GET2 = {'http2_detected': True, 'http_method': 'GET', 'http_version': 'h2', 'http_host': 'www.example.com', 'http_user_agent': 'by-hand/2', 'http_status': 200}


def counts(total, data, headers, settings, goaway, streams, multiplexed):
    return {'http2_frame_count': total, 'http2_data_frames': data, 'http2_headers_frames': headers, 'http2_settings_frames': settings,
            'http2_push_promise_frames': total and 0, 'http2_goaway_frames': goaway, 'http2_window_update_frames': total and 0, 'http2_streams_estimate': streams,
            'http2_server_push': None if total is None else False, 'http2_multiplexed': multiplexed}


# What tshark does not see, by the place of the flow in its capture: prefixes of columns to leave out, and values from what was recorded
BY_HAND = {
    ('http1.pcap', 10): ((), {'http_method': 'GET', 'http_version': 'http/0.9', 'http_status': None, 'http_host': None}),
    ('http1.pcap', 13): ((), {'http_method': 'get', 'http_version': 'http/1.1', 'http_status': 400, 'http_host': None}),
    ('http2_h2c.pcap', 3): ((), {'http_user_agent': 'Example/2.0 (\\xc3\\xa4)'}),
    # a header block in several frames
    ('http2_h2c.pcap', 5): (('http_', 'http2_'), {'http2_detected': True, 'http_method': 'GET', 'http_host': 'www.example.com', 'http_status': 200, 'http2_goaway_frames': 1}),
    ('http2_h2c.pcap', 6): (('http_', 'http2_'), {'http2_detected': True, 'http_method': 'HEAD', 'http_host': 'www.example.com', 'http_status': 200, 'http2_goaway_frames': 1}),
    # IRC, and a client that goes on after STARTTLS was refused
    ('starttls.pcap', 7): (('tls_', 'http'), {'tls_detected': True, 'tls_transport': 'starttls', 'tls_sni': 'mail.example.com', 'tls_version': 771, 'tls_cert_count': 1}),
    ('starttls.pcap', 13): (('tls_', 'http'), {'tls_detected': True, 'tls_transport': 'starttls', 'tls_sni': 'mail.example.com', 'tls_version': None}),
    # fields over several lines, empty lines before the request, segments in disorder and lost, a beginning that was not captured
    ('http_heads.pcap', 1): ((), {'http_host': 'www.example.com:81'}),
    ('http_heads.pcap', 2): ((), {'http_user_agent': 'one two three'}),
    ('http_heads.pcap', 4): ((), dict(GET, http_host='empty.example', http_status=204)),
    ('http_heads.pcap', 5): ((), dict(GET, http_host='pieces.example', http_user_agent='in pieces')),
    ('http_heads.pcap', 6): ((), dict(GET, http_host=None, http_user_agent=None)),
    ('http_heads.pcap', 7): ((), {'http_version': 'http/1.1', 'http_status': 304, 'http2_preface_seen': None}),
    # the preface after an upgrade that was refused is none
    ('http_heads.pcap', 9): (('http2_',), {'http2_detected': False, 'http2_preface_seen': False, 'http2_frame_count': None, 'http_version': 'http/1.1'}),
    # a header block in several frames, segments in disorder and lost, a server that speaks first, a beginning that was not captured
    ('http2_frames.pcap', 2): ((), {'http_host': 'www.example.com', 'http_user_agent': 'by-hand/2'}),
    ('http2_frames.pcap', 3): (('http2_',), dict(GET2, http2_preface_seen=True, **counts(13, 3, 6, 3, 1, 3, True))),
    ('http2_frames.pcap', 4): (('http2_',), dict(GET2, http2_preface_seen=True, **counts(None, None, None, None, None, None, None))),
    ('http2_frames.pcap', 5): (('http2_',), dict(GET2, http2_preface_seen=True, **counts(5, 0, 2, 3, 0, 1, False))),
    ('http2_frames.pcap', 6): (('http2_',), dict(GET2, http2_preface_seen=None, **counts(5, 0, 2, 3, 0, 1, False))),
}

# captures that are not in recorded/
MADE = ['http_heads.pcap', 'http2_frames.pcap', 'demo.pcapng', 'recorded_loopback.pcap']

# of IP fragments tshark puts the whole together, the extension reads the first one
LEFT_OUT = ['dns_fragments.pcap']


def row(flow):
    found = tls.columns(flow)
    found.update(quic.columns(flow))
    if quic.blind(flow):
        # tshark does not see the second hello when the client begins again with another version
        found = {k: v for k, v in found.items() if k == 'quic_detected' or k.startswith('quic_') and k not in quic.DECRYPTED}
    else:
        found.update(http.columns(flow, found))
    found.update(ssh.columns(flow))
    found.update(dns.columns(flow))
    # columns of a protocol that is not there are NULL without being listed
    absent = tuple(p + '_' for p in ('tls', 'quic', 'ssh', 'dns') if not found.get(p + '_detected', True))
    return {k: v for k, v in found.items() if v is not None or k.endswith('_detected') or
            not k.startswith(absent) and not ('tls_' in absent and k.startswith('ja')) and not (k.startswith('http2_') and not found.get('http2_detected', True))}


def main():
    folder, differ = os.path.join(HERE, 'expected', 'protocols'), False
    os.makedirs(folder, exist_ok=True)
    recorded = ['recorded/' + f for f in sorted(os.listdir(os.path.join(HERE, 'recorded'))) if f.endswith('.pcap') and f not in LEFT_OUT]
    for path in recorded + MADE:
        name, out = os.path.basename(path), ''
        for i, flow in enumerate(sorted(pdml.flows(os.path.join(HERE, path)), key=lambda f: f.first_frame)):
            without, also = BY_HAND.get((name, i), ((), {}))
            found = {k: v for k, v in row(flow).items() if not (without and k.startswith(without))}
            found.update(also)
            for column, value in sorted(found.items()):
                out += '%d\t%s\t%s\n' % (flow.first_frame, column, json.dumps(value, ensure_ascii=False, separators=(',', ':')))
        target = os.path.join(folder, name + '.tsv')
        if '--diff' in sys.argv:
            with open(target) as f:
                if f.read() != out:
                    print(name, 'differs')
                    differ = True
        else:
            with open(target, 'w') as f:
                f.write(out)
    return differ


if __name__ == '__main__':
    sys.exit(main())
