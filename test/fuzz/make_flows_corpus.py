#!/usr/bin/env python3
"""Seeds of fuzz_flows: our small captures behind a byte of options."""
import os

here = os.path.dirname(os.path.abspath(__file__))
captures = os.path.join(here, '..', 'captures')
out = os.path.join(here, 'corpus', 'flows')
os.makedirs(out, exist_ok=True)
for name in sorted(os.listdir(captures)):
    path = os.path.join(captures, name)
    if not name.endswith(('.pcap', '.pcapng')) or not 100 < os.path.getsize(path) < 4400:
        continue
    with open(path, 'rb') as f, open(os.path.join(out, name.replace('.', '_')), 'wb') as g:
        g.write(bytes([sum(name.encode()) % 128]) + f.read())
