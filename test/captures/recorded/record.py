#!/usr/bin/env python3
"""Record the captures of this folder anew: real programs that talk to each other in network namespaces of their own.

usage: record.py            all of them
       record.py NAME ...   those whose names begin with one of these

Needs root, Linux with namespaces and veth, and these packages of Debian 12: iproute2 ethtool tcpdump python3-cryptography openssl;
each module names what else it needs. A recording is not the same twice (keys, random numbers, times), so a new one needs new
expected values: ../check_tshark.py. The tests read the committed files and need none of this.
"""
import sys

sys.dont_write_bytecode = True

import record_browsers  # noqa: E402
import record_dns       # noqa: E402
import record_http      # noqa: E402
import record_quic      # noqa: E402
import record_ssh       # noqa: E402
import record_starttls  # noqa: E402
import record_tls       # noqa: E402
import record_vpn       # noqa: E402

SCENES = [scene for module in (record_tls, record_starttls, record_http, record_quic, record_ssh, record_dns, record_browsers, record_vpn) for scene in module.SCENES]


def main():
    import certificates
    from lab import Lab
    wanted = sys.argv[1:]
    with Lab() as lab:
        certificates.make(lab.work)
        for name, _, scene, *what in SCENES:
            if not wanted or any(name.startswith(w) for w in wanted):
                with lab.capture(name, *what):
                    scene(lab)


if __name__ == '__main__':
    main()
