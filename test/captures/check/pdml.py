"""Packets of a capture as tshark dissects them."""
import os
import subprocess
import xml.etree.ElementTree as ElementTree

# what runs at a port that is not its own
DECODE_AS = ['tcp.port==8443,tls', 'tcp.port==853,tls', 'udp.port==8853,quic', 'udp.port==853,quic', 'tcp.port==2222,ssh', 'udp.port==4433,dtls',
             'udp.port==5684,dtls']
# servers of HTTP/2 that speak before tshark has seen the preface
DECODE_ALSO = {'http2_h2c.pcap': ['tcp.port==80,http2', 'tcp.port==8080,http2']}


class Packet:
    def __init__(self, element):
        self.protocols = [(p.get('name'), p) for p in element if p.tag == 'proto']
        first = {name: p for name, p in reversed(self.protocols)}
        frame = first['frame']
        self.number = integer(frame, 'frame.number')
        seconds, fraction = show(frame, 'frame.time_epoch').split('.')
        self.time = int(seconds) * 10**9 + int((fraction + '0' * 9)[:9])
        self.stream = None
        for kind in ('tcp', 'udp'):
            if kind in first and ('ip' in first or 'ipv6' in first):
                ip = first['ip'] if 'ip' in first else first['ipv6']
                version = 'ip' if 'ip' in first else 'ipv6'
                header = first[kind]
                self.kind = kind
                self.stream = (kind, int(show(header, kind + '.stream')))
                self.source = (show(ip, version + '.src'), int(show(header, kind + '.srcport')))
                self.target = (show(ip, version + '.dst'), int(show(header, kind + '.dstport')))
                self.length = int(show(header, 'tcp.len')) if kind == 'tcp' else int(show(header, 'udp.length')) - 8
        if 'icmp' in first or 'icmpv6' in first:
            self.stream = None
        self.segments = [int(x.get('show')) for _, p in self.protocols for x in p.iter('field') if x.get('name') == 'tcp.segment'] or \
            [int(x.get('show')) for x in element.iter('field') if x.get('name') == 'tcp.segment']

    def protocol(self, name):
        """The dissections of that name, also those inside others."""
        return [x for _, p in self.protocols for x in p.iter('proto') if x.get('name') == name]


class Flow:
    def __init__(self, packets):
        self.packets = packets
        self.kind = packets[0].kind
        self.initiator, self.responder = packets[0].source, packets[0].target
        self.first_frame = packets[0].number

    def forward(self, packet):
        return packet.source == self.initiator

    def ports(self):
        return {self.initiator[1], self.responder[1]}


def all_named(element, name):
    return [x for x in element.iter() if x.get('name') == name]


def named(element, name):
    return next((x for x in element.iter() if x.get('name') == name), None)


def show(element, name):
    x = named(element, name)
    return None if x is None else x.get('show')


def raw(x):
    """Bytes of a field; those of an empty one are not in the dissection."""
    return bytes.fromhex(x.get('value') or '')


def integer(element, name):
    """A field as number: from its bytes unless they are only part of one."""
    x = named(element, name)
    if x is None:
        return None
    return int(x.get('show'), 0)


def integers(element, name):
    return [int.from_bytes(raw(x), 'big') for x in all_named(element, name)]


def flows(path):
    """TCP and UDP conversations in order of their first packet."""
    command = ['tshark', '-n', '-r', path, '-T', 'pdml']
    for rule in DECODE_AS + DECODE_ALSO.get(os.path.basename(path), []):
        command += ['-d', rule]
    out = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, env=dict(os.environ, TZ='UTC')).stdout
    groups = {}
    for element in ElementTree.fromstring(out).iter('packet'):
        p = Packet(element)
        if p.stream:
            groups.setdefault(p.stream, []).append(p)
    return [Flow(g) for g in groups.values()]


def text(data):
    """Bytes outside printable ASCII as \\xHH."""
    return ''.join(chr(b) if 0x20 <= b <= 0x7e else '\\x%02x' % b for b in data)
