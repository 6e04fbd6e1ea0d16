#!/usr/bin/env python3
"""Write all captures of this folder, README.md, which says what each is for, and the values that flows of damaged ones must have.

usage: make_captures.py [FOLDER]    (this folder by default)

Needs Python 3.8, zstd(1) and lz4(1). The output is the same every time.
"""
import os
import sys

sys.dont_write_bytecode = True

import demo      # noqa: E402
import files     # noqa: E402
import fragments  # noqa: E402
import layers    # noqa: E402
import messages  # noqa: E402
import names     # noqa: E402
import sessions  # noqa: E402
import ssh_dns   # noqa: E402
import web       # noqa: E402

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'recorded'))
import record    # noqa: E402

HEAD = """# Captures

Small captures for the tests, all but one made by make_captures.py, which also writes this file; together they reach every branch of
the reader and the decoder. Those in recorded/ are recordings of real programs, made by recorded/record.py: they are for the
application protocols. Addresses are from the documentation ranges (RFC 5737, RFC 3849) and private ones.
expected/ holds what tshark says of the well-formed ones, expected/protocols/ of the protocols in recorded/, http_heads.pcap and
http2_frames.pcap; check_tshark.py and check_protocols.py make it anew. What was put into ssh_damage, dns_damage and dns_tcp is in expected/protocols/ as well.

| File | Exercises |
|---|---|
"""
RECORDED = ("| recorded_loopback.pcap | not made but recorded (dumpcap): curl to openssl s_server over TLS 1.3, to python3 -m http.server over IPv6, "
            "and to a closed port; nanoseconds, segments larger than any Ethernet frame |\n")


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
    rows = []
    for module in (files, layers, fragments, sessions, web, messages, names, demo, ssh_dns):
        for name, about, make in module.CAPTURES:
            data = make()
            with open(os.path.join(folder, name), 'wb') as f:
                f.write(data)
            rows.append('| %s | %s |\n' % (name, about))
    values = os.path.join(folder, 'expected', 'protocols')
    os.makedirs(values, exist_ok=True)
    for name, text in ssh_dns.EXPECTED.items():
        with open(os.path.join(values, name), 'w') as f:
            f.write(text)
    rows.append(RECORDED)
    rows += ['| recorded/%s | %s |\n' % (name, about) for name, about, *_ in record.SCENES]
    with open(os.path.join(folder, 'README.md'), 'w') as f:
        f.write(HEAD + ''.join(rows))


if __name__ == '__main__':
    main()
