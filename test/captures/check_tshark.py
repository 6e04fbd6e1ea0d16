#!/usr/bin/env python3
"""Ask tshark what is in the well-formed captures, and write expected/NAME.tsv: one line per conversation, with the column names
of the flow type. The tests compare with these files, so they need no tshark.

usage: check_tshark.py          write the files anew
       check_tshark.py --diff   only say which would change (exit status 1 if any)
"""
import collections
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))

# Left out: damaged files and frames, fragments, and captures in which time ends flows, which tshark's streams know nothing of.
NAMES = """pcap_le_us.pcap pcap_be_us.pcap pcap_le_ns.pcap pcap_be_ns.pcap pcap_modified.pcap pcap_modified_be.pcap snaplen64.pcap
pcapng_le.pcapng pcapng_be.pcapng pcapng_sections.pcapng pcapng_tsresol.pcapng pcapng_mixed_links.pcapng pcap_le_us.pcap.gz
pcap_le_us.pcap.zst pcap_le_us.pcap.lz4 pcapng_be.pcapng.gz link_raw.pcap link_ipv4.pcap link_ipv6.pcap link_null.pcap
link_sll.pcap link_sll2.pcap link_ppp.pcap link_ppp_hdlc.pcap link_chdlc.pcap link_80211.pcap
encap_vlan.pcap encap_mpls.pcap encap_pppoe.pcap encap_llc.pcap padding.pcap ipv4_options.pcap icmp.pcap
icmpv6.pcap tunnels.pcap tcp_close.pcap tcp_wrap.pcap tcp_disorder.pcap concurrent.pcap many_udp.pcap long_flow.pcap swap_a.pcap swap_b.pcap
turn_a.pcap turn_b.pcap messages_tcp.pcap tls_names.pcap demo.pcapng recorded_loopback.pcap""".split() + sorted(
    'recorded/' + f for f in os.listdir(os.path.join(HERE, 'recorded')) if f.endswith('.pcap') and f != 'dns_fragments.pcap')

FIELDS = """frame.number frame.time_epoch frame.protocols ip.src ip.dst ip.proto ip.len ip.hdr_len ip.ttl ipv6.src ipv6.dst ipv6.nxt
ipv6.plen ipv6.hlim tcp.srcport tcp.dstport tcp.len tcp.flags tcp.stream udp.srcport udp.dstport udp.length udp.stream vlan.id ieee8021ad.id
icmp.type icmp.code icmp.ident icmpv6.type icmpv6.code icmpv6.echo.identifier""".split()

COLUMNS = """first_frame src_ip src_port dst_ip dst_port protocol start_ns duration_ns packets_fwd packets_bwd bytes_fwd bytes_bwd
payload_bytes_fwd payload_bytes_bwd tcp_syn_count tcp_synack_count tcp_fin_count tcp_rst_count tcp_ack_count tcp_psh_count ip_ttl_fwd_min
ip_ttl_fwd_max ip_ttl_bwd_min ip_ttl_bwd_max vlan_ids""".split()

ICMP_PAIRS = [{0, 8}, {9, 10}, {13, 14}, {15, 16}, {17, 18}]


def plain(path):
    """The capture for tshark, which knows gzip, zstd and lz4 only in some builds."""
    tool = {'zst': 'zstd', 'lz4': 'lz4'}.get(path.rsplit('.', 1)[1])
    if not tool:
        return path, None
    return '-', subprocess.run([tool, '-dcq', path], stdout=subprocess.PIPE, check=True).stdout


def packets(path):
    name, data = plain(path)
    command = ['tshark', '-n', '-r', name, '-T', 'fields', '-E', 'occurrence=a', '-E', 'separator=/t', '-o', 'ip.defragment:FALSE',
               '-o', 'ipv6.defragment:FALSE']
    for f in FIELDS:
        command += ['-e', f]
    out = subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout.decode()
    for line in out.splitlines():
        yield dict(zip(FIELDS, line.split('\t')))


def packet(r):
    """The innermost IP packet of a line of tshark, or None. A header quoted by an ICMP error is not innermost."""
    layers = r['frame.protocols'].split(':')
    for i, x in enumerate(layers):
        if x in ('icmp', 'icmpv6'):
            layers = layers[:i + 1]
            break
    ips = [x for x in layers if x in ('ip', 'ipv6')]
    if not ips:
        return None
    version = ips[-1]

    def at(field, layer):
        values = r[field].split(',') if r[field] else []
        n = layers.count(layer)
        return values[min(n, len(values)) - 1] if values and n else None
    p = {'number': int(r['frame.number']), 'vlans': [int(x) for f in ('ieee8021ad.id', 'vlan.id') if r[f] for x in r[f].split(',')]}
    sec, frac = r['frame.time_epoch'].split('.')
    p['ts'] = int(sec) * 10**9 + int((frac + '0' * 9)[:9])
    if version == 'ip':
        p['src'], p['dst'], p['proto'] = at('ip.src', 'ip'), at('ip.dst', 'ip'), int(at('ip.proto', 'ip'))
        p['len'], p['head'], p['ttl'] = int(at('ip.len', 'ip')), int(at('ip.hdr_len', 'ip')), int(at('ip.ttl', 'ip'))
    else:
        p['src'], p['dst'], p['proto'] = at('ipv6.src', 'ipv6'), at('ipv6.dst', 'ipv6'), int(at('ipv6.nxt', 'ipv6'))
        p['len'], p['head'], p['ttl'] = int(at('ipv6.plen', 'ipv6')) + 40, 40, int(at('ipv6.hlim', 'ipv6'))
        if 'icmpv6' in layers:
            p['proto'] = 58
    last = layers[len(layers) - 1 - layers[::-1].index(version):]
    p['sport'] = p['dport'] = p['flags'] = None
    p['payload'] = p['len'] - p['head']
    if 'tcp' in last:
        p['sport'], p['dport'], p['payload'] = int(at('tcp.srcport', 'tcp')), int(at('tcp.dstport', 'tcp')), int(at('tcp.len', 'tcp'))
        p['flags'], p['stream'] = int(at('tcp.flags', 'tcp'), 16), ('tcp', at('tcp.stream', 'tcp'))
    elif 'udp' in last:
        p['sport'], p['dport'], p['payload'] = int(at('udp.srcport', 'udp')), int(at('udp.dstport', 'udp')), int(at('udp.length', 'udp')) - 8
        p['stream'] = ('udp', at('udp.stream', 'udp'))
    elif p['proto'] in (1, 58):
        name = 'icmp' if p['proto'] == 1 else 'icmpv6'
        kind, code = (r[name + x].split(',')[0] for x in ('.type', '.code'))
        ident = (r['icmp.ident'] if p['proto'] == 1 else r['icmpv6.echo.identifier']).split(',')[0]
        if p['proto'] == 58 and '.hopopt' in r['frame.protocols']:
            p['head'] += 8
        p['payload'] = max(0, p['len'] - p['head'] - 8)
        twin = [x for x in ICMP_PAIRS if kind and int(kind) in x] if p['proto'] == 1 else []
        p['stream'] = (name, ident, frozenset((p['src'], p['dst']))) if ident else \
            (name, tuple(twin[0]) if twin else (kind, code), frozenset((p['src'], p['dst'])) if twin else (p['src'], p['dst']))
    else:
        p['stream'] = (p['proto'], frozenset((p['src'], p['dst'])))
    return p


def text(v):
    return '\\N' if v is None else str(v)


def conversations(path):
    groups = collections.OrderedDict()
    for r in packets(path):
        p = packet(r)
        if p:
            groups.setdefault((tuple(p['vlans']), p['stream']), []).append(p)
    for g in groups.values():
        a, b = (g[0]['src'], g[0]['sport']), (g[0]['dst'], g[0]['dport'])
        if g[0]['flags'] is not None and g[0]['flags'] & 0x12 == 0x12:
            a, b = b, a
        fwd = [p for p in g if (p['src'], p['sport']) == a]
        bwd = [p for p in g if (p['src'], p['sport']) != a]
        row = {'first_frame': g[0]['number'], 'src_ip': a[0], 'src_port': a[1], 'dst_ip': b[0], 'dst_port': b[1], 'protocol': g[0]['proto'],
               'start_ns': g[0]['ts'], 'duration_ns': max(p['ts'] for p in g) - g[0]['ts'],
               'vlan_ids': '{%s}' % ','.join(map(str, g[0]['vlans'])) if g[0]['vlans'] else None}
        for name, side in (('fwd', fwd), ('bwd', bwd)):
            row['packets_' + name], row['bytes_' + name] = len(side), sum(p['len'] for p in side)
            row['payload_bytes_' + name] = sum(p['payload'] for p in side)
            row['ip_ttl_%s_min' % name] = min((p['ttl'] for p in side), default=None)
            row['ip_ttl_%s_max' % name] = max((p['ttl'] for p in side), default=None)
        flags = [p['flags'] for p in g if p['flags'] is not None]
        counts = {'syn': lambda f: f & 0x12 == 2, 'synack': lambda f: f & 0x12 == 0x12, 'fin': lambda f: f & 1, 'rst': lambda f: f & 4,
                  'ack': lambda f: f & 16, 'psh': lambda f: f & 8}
        for name, has in counts.items():
            row['tcp_%s_count' % name] = sum(1 for f in flags if has(f)) if flags else None
        yield row


def main():
    folder, differ = os.path.join(HERE, 'expected'), False
    os.makedirs(folder, exist_ok=True)
    for name in NAMES:
        rows = sorted(conversations(os.path.join(HERE, name)), key=lambda r: r['first_frame'])
        out = '\t'.join(COLUMNS) + '\n' + ''.join('\t'.join(text(r[c]) for c in COLUMNS) + '\n' for r in rows)
        target = os.path.join(folder, os.path.basename(name) + '.tsv')
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
