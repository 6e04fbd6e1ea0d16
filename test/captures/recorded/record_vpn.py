"""VPNs and Tor. Packages: iputils-ping openvpn wireguard-go wireguard-tools tor; /dev/net/tun."""
import os
import subprocess
import time

from lab import CLIENT, SERVER, SERVER4

OPENVPN = ['openvpn', '--dev', 'tun', '--ca', 'ca.pem', '--cipher', 'AES-256-GCM', '--topology', 'subnet', '--verb', '3', '--keepalive', '10', '60']


def openvpn(lab):
    lab.client('openvpn', '--genkey', 'secret', 'static.key')
    lab.client('openssl', 'dhparam', '-out', 'dh.pem', '-dsaparam', '2048', timeout=60)
    for options, port in ((['--proto', 'udp4'], 1194), (['--proto', 'tcp4'], 1194), (['--proto', 'udp4', '--tls-auth', 'static.key'], 11940),
                          (['--proto', 'udp4', '--tls-crypt', 'static.key'], 1194)):
        ours, theirs = list(options), list(options)
        if '--tls-auth' in options:
            ours.append('1')
            theirs.append('0')
        tcp = 'tcp4' in options
        if tcp:
            ours[1], theirs[1] = 'tcp4-client', 'tcp4-server'
        command = [*OPENVPN, '--mode', 'server', '--tls-server', '--server', '10.8.0.0', '255.255.255.0', '--cert', 'ec.pem', '--key', 'ec.key', '--dh', 'none', '--port', port, *theirs]
        with lab.server(*command, port=port, udp=not tcp):
            p = lab.start(CLIENT, [*OPENVPN, '--client', '--nobind', '--remote', SERVER4, port, '--cert', 'client.pem', '--key', 'client.key', *ours])
            for _ in range(60):
                time.sleep(0.1)
                if subprocess.run(['ip', 'netns', 'exec', CLIENT, 'ping', '-c', '1', '-W', '1', '10.8.0.1'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0:
                    break
            else:
                raise RuntimeError('no tunnel\n' + open(lab.path('log'), errors='replace').read()[-3000:])
            lab.client('ping', '-c', '3', '-i', '0.2', '10.8.0.1')
            p.terminate()
            p.wait()
            time.sleep(0.3)


def wireguard(lab):
    keys = {ns: subprocess.run(['wg', 'genkey'], stdout=subprocess.PIPE, check=True).stdout for ns in (CLIENT, SERVER)}
    public = {ns: subprocess.run(['wg', 'pubkey'], input=k, stdout=subprocess.PIPE, check=True).stdout.decode().strip() for ns, k in keys.items()}
    ends = {CLIENT: ('10.9.0.2/24', SERVER), SERVER: ('10.9.0.1/24', CLIENT)}
    running = []
    for ns, (address, other) in ends.items():
        with open(lab.path('wg.' + ns), 'wb') as f:
            f.write(keys[ns])
        running.append(lab.start(ns, ['wireguard-go', '-f', 'wg-' + ns[6:9]]))
        time.sleep(1)
        peer = ['peer', public[other], 'allowed-ips', '10.9.0.0/24']
        listen = ['listen-port', '51820'] if ns == SERVER else []
        to = ['endpoint', SERVER4 + ':51820'] if ns == CLIENT else []
        for command in (['wg', 'set', 'wg-' + ns[6:9], *listen, 'private-key', lab.path('wg.' + ns), *peer, *to], ['ip', 'addr', 'add', address, 'dev', 'wg-' + ns[6:9]],
                        ['ip', 'link', 'set', 'wg-' + ns[6:9], 'up']):
            subprocess.run(['ip', 'netns', 'exec', ns, *command], check=True)
    try:
        lab.client('ping', '-c', '3', '-i', '0.2', '10.9.0.1')
    finally:
        for p in running:
            p.terminate()


def tor(lab):
    """A client with a bridge of its own: both fail to find a network, after the link between them stands."""
    common = ['SocksPort 0', 'Log notice stdout', 'DisableNetwork 0', 'AssumeReachable 1']
    for name, lines in (('bridge', ['ORPort %s:9001' % SERVER4, 'BridgeRelay 1', 'ExitRelay 0', 'PublishServerDescriptor 0', 'Nickname example', 'ContactInfo none', 'ExtORPort auto']),
                        ('tor', ['UseBridges 1', 'Bridge %s:9001' % SERVER4, 'SocksPort 9050'])):
        os.makedirs(lab.path(name), exist_ok=True)
        with open(lab.path(name + '.conf'), 'w') as f:
            f.write('\n'.join([x for x in common if not x.startswith('SocksPort') or name == 'bridge'] + lines + ['DataDirectory ' + lab.path(name)]) + '\n')
    with lab.server('tor', '-f', 'bridge.conf', port=9001):
        p = lab.start(CLIENT, ['tor', '-f', 'tor.conf'])
        time.sleep(12)
        p.terminate()
        p.wait()


SCENES = [
    ('vpn_openvpn.pcap', 'OpenVPN over UDP and TCP, with tls-auth and with tls-crypt', openvpn, 'port 1194 or port 11940'),
    ('vpn_wireguard.pcap', 'WireGuard (wireguard-go)', wireguard, 'udp port 51820'),
    ('tor_bridge.pcap', 'Tor: a client and a bridge', tor, 'tcp port 9001'),
]
