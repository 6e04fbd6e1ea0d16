"""Columns of group ssh from tshark's fields."""
import hashlib

from .pdml import all_named, integer, named, raw, show, text

LISTS = ('kex_algorithms server_host_key_algorithms encryption_algorithms_client_to_server encryption_algorithms_server_to_client mac_algorithms_client_to_server '
         'mac_algorithms_server_to_client compression_algorithms_client_to_server compression_algorithms_server_to_client languages_client_to_server '
         'languages_server_to_client').split()
AEAD = ('chacha20-poly1305@openssh.com', 'aes128-gcm@openssh.com', 'aes256-gcm@openssh.com')
NOTHING = ('ssh_version ssh_client_software ssh_server_software ssh_client_version ssh_server_version ssh_hassh ssh_hassh_server ssh_kex_packets ssh_encrypted_packets '
           'ssh_client_kexinit ssh_server_kexinit ssh_negotiated ssh_host_key_sha256').split()


class Side:
    def __init__(self):
        self.line = self.lists = self.hassh = self.newkeys = None
        self.messages = []


def first_common(own, other, skip=()):
    return next((a for a in own.split(',') if a in other.split(',') and a not in skip), None)


def negotiated(client, server):
    indicators = ('ext-info-c', 'ext-info-s', 'kex-strict-c-v00@openssh.com', 'kex-strict-s-v00@openssh.com')
    chosen = [first_common(a, b, indicators) for a, b in zip(client[:8], server[:8])]
    for cipher, mac in ((2, 4), (3, 5)):
        if chosen[cipher] in AEAD:
            chosen[mac] = 'implicit'
    return chosen


def key_blob(proto):
    """The host key put together from its parts."""
    parts = ['type'] + {'ssh-ed25519': ['eddsa.key'], 'ssh-rsa': ['rsa.e', 'rsa.n']}.get(show(proto, 'ssh.host_key.type'), ['ecdsa.id', 'ecdsa.q'])
    values = [raw(named(proto, 'ssh.host_key.' + p)) for p in parts]
    blob = b''.join(len(v).to_bytes(4, 'big') + v for v in values)
    assert len(blob) == integer(proto, 'ssh.host_key.length')
    return blob


def columns(flow):
    found = {name: None for name in NOTHING}
    found['ssh_detected'] = False
    if flow.kind != 'tcp':
        return found
    client, server = Side(), Side()
    host_key = None
    later = 0
    for p in flow.packets:
        side = client if flow.forward(p) else server
        if side.newkeys and p.length:
            later += 1
        for proto in p.protocol('ssh'):
            line = named(proto, 'ssh.protocol')
            if line is not None and not side.line:
                side.line = raw(line)
            for x in all_named(proto, 'ssh.message_code'):
                if side.newkeys:
                    break
                code = int(x.get('show'))
                side.messages.append(code)
                if code == 21:
                    side.newkeys = p
                    # more in the same packet than the messages in the clear
                    later += int(proto.get('size')) > sum(4 + int(x.get('show')) for x in all_named(proto, 'ssh.packet_length'))
            if named(proto, 'ssh.kex_algorithms') is not None and not side.lists:
                side.lists = [raw(named(proto, 'ssh.' + name)).decode() for name in LISTS]
                hassh = 'hassh' if side is client else 'hasshserver'
                side.hassh = show(proto, 'ssh.kex.' + hassh)
            if host_key is None and named(proto, 'ssh.host_key.length') is not None:
                host_key = key_blob(proto)
    if not client.line and not server.line:
        return found
    found['ssh_detected'] = True
    for name, side in (('client', client), ('server', server)):
        if side.line:
            version, software = side.line.split(b'-', 2)[1:]
            found['ssh_%s_version' % name], found['ssh_%s_software' % name] = version.decode(), text(software.rstrip(b'\r\n'))
        found['ssh_%s_kexinit' % name] = side.lists
    found['ssh_version'] = '2.0'
    found['ssh_hassh'], found['ssh_hassh_server'] = client.hassh, server.hassh
    found['ssh_kex_packets'] = sum(20 <= m <= 49 for s in (client, server) for m in s.messages)
    if client.newkeys or server.newkeys:
        found['ssh_encrypted_packets'] = later
    if client.lists and server.lists:
        found['ssh_negotiated'] = negotiated(client.lists, server.lists)
    if host_key:
        found['ssh_host_key_sha256'] = '\\x' + hashlib.sha256(host_key).hexdigest()
    return found
