#!/usr/bin/env python3
"""Seeds of fuzz_anonymize: texts with addresses, TCP options and values of preferred_address as the target reads them."""
import os

here = os.path.dirname(os.path.abspath(__file__))
out = os.path.join(here, 'corpus', 'anonymize')
TEXTS = {
    'ipv4': '192.0.2.1:8080', 'hyphens': 'ip-192-0-2-1.example.org', 'ipv6': '[2001:db8::1]:443', 'mapped': '::ffff:192.0.2.1', 'zone': 'fe80::1%eth0',
    'mac': 'aa:bb:cc:dd:ee:ff\\@fe80::1._apple-mobdev2._tcp.local', 'reverse4': '1.2.0.192.in-addr.arpa.', 'network4': '0/25.2.0.192.IN-ADDR.ARPA',
    'reverse6': '1.' + '0.' * 23 + '8.b.d.0.1.0.0.2.ip6.arpa', 'service': 'b._dns-sd._udp.0.2.0.192.in-addr.arpa', 'oid': '2.5.4.97=#0c03,CN=192.0.2.1',
    'svcb': '1 . alpn=h2 ipv4hint=192.0.2.1,192.0.2.2 ipv6hint=2001:db8::1', 'colons': '::::1:2:3:::', 'digits': '1.2.3.4.5.6.7.8-9-10-11-12.256.1.1.1',
}
BYTES = {
    'add_addr4': b'\1' + bytes([1, 30, 8, 0x34, 7, 192, 0, 2, 1]), 'add_addr6': b'\1' + bytes([30, 28, 0x30, 7]) + bytes(24),
    'add_addr_cut': b'\1' + bytes([30, 18, 0x30, 7, 192, 0]), 'syn': b'\1' + bytes.fromhex('020405b40402080a0000000100000000010303071e0c0001'),
    'preferred': b'\2' + bytes([192, 0, 2, 1, 1, 187]) + bytes(35), 'preferred_short': b'\2' + bytes(23),
}

os.makedirs(out, exist_ok=True)
for name, text in TEXTS.items():
    BYTES['text_' + name] = b'\0' + text.encode()
for name, data in BYTES.items():
    with open(os.path.join(out, name), 'wb') as f:
        f.write(data)
