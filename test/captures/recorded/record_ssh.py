"""SSH. Packages: openssh-client openssh-server dropbear-bin."""
import contextlib
import os

from lab import SERVER4, SERVER6

SSHD = """Port %(port)d
PidFile none
AuthorizedKeysFile %(work)s/authorized
PermitRootLogin yes
UsePAM no
StrictModes no
PrintMotd no
PrintLastLog no
UseDNS no
%(lines)s
"""


def keys(lab):
    if os.path.exists(lab.path('authorized')):
        return
    os.makedirs('/run/sshd', exist_ok=True)     # sshd's empty folder
    for kind in ('ed25519', 'rsa', 'ecdsa'):
        lab.client('ssh-keygen', '-q', '-t', kind, '-N', '', '-C', 'host', '-f', 'host_' + kind)
    lab.client('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'client', '-f', 'identity')
    os.rename(lab.path('identity.pub'), lab.path('authorized'))


@contextlib.contextmanager
def sshd(lab, host_keys=('ed25519', 'rsa', 'ecdsa'), port=22, **settings):
    keys(lab)
    lines = ['HostKey %s' % lab.path('host_' + k) for k in host_keys] + ['%s %s' % x for x in settings.items()]
    with open(lab.path('sshd_config'), 'w') as f:
        f.write(SSHD % {'port': port, 'work': lab.work, 'lines': '\n'.join(lines)})
    with lab.server('/usr/sbin/sshd', '-D', '-e', '-f', lab.path('sshd_config'), port=port) as p:
        yield p


def ssh(lab, *options, command='echo hello', address=SERVER4, check=True):
    given = [x for o in options for x in ('-o', o)]
    lab.client('ssh', '-F', 'none', '-i', 'identity', '-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-o', 'BatchMode=yes', *given,
               'root@' + address, command, check=check)


def exchanges(lab):
    with sshd(lab, KexAlgorithms='+diffie-hellman-group14-sha1,diffie-hellman-group1-sha1,diffie-hellman-group-exchange-sha1',
              HostKeyAlgorithms='+ssh-rsa', Ciphers='+aes128-cbc', MACs='+hmac-md5'):
        ssh(lab)
        for kex in ('curve25519-sha256', 'ecdh-sha2-nistp384', 'diffie-hellman-group14-sha256', 'diffie-hellman-group-exchange-sha256',
                    'diffie-hellman-group1-sha1'):
            ssh(lab, 'KexAlgorithms=' + kex)
        for host_key in ('rsa-sha2-512', 'ecdsa-sha2-nistp256'):
            ssh(lab, 'HostKeyAlgorithms=' + host_key)
        for cipher, mac in (('aes128-ctr', 'hmac-sha2-256-etm@openssh.com'), ('aes256-gcm@openssh.com', 'hmac-sha1'), ('aes128-cbc', 'hmac-md5')):
            ssh(lab, 'Ciphers=' + cipher, 'MACs=' + mac, 'Compression=yes')


def sessions(lab):
    with sshd(lab, port=2222, VersionAddendum='an addendum of its own'):
        ssh(lab, 'Port=2222', address=SERVER6)
        ssh(lab, 'Port=2222', 'KexAlgorithms=diffie-hellman-group1-sha1', check=False)                    # no common kex
        ssh(lab, 'Port=2222', 'RekeyLimit=16K', command='head -c 20000 /dev/zero')
        ssh(lab, 'Port=2222', 'IdentityFile=/dev/null', 'IdentitiesOnly=yes', check=False)                # not let in
    with lab.server('dropbear', '-F', '-E', '-p', 22, '-r', 'dropbear.key', '-s', port=22):
        ssh(lab, check=False)
        lab.client('dbclient', '-y', '-y', '-p', '22', '-i', 'dropbear.key', 'root@' + SERVER4, 'true', check=False)


def dropbear(lab):
    lab.client('dropbearkey', '-t', 'ed25519', '-f', 'dropbear.key')


def others(lab):
    dropbear(lab)
    sessions(lab)


SCENES = [
    ('ssh_kex.pcap', 'SSH: each kind of key exchange, host key, cipher and MAC, with compression (OpenSSH)', exchanges),
    ('ssh_sessions.pcap', 'SSH over IPv6 and at another port, no common algorithm, keys renewed, not let in; another program at either end (OpenSSH, Dropbear)', others),
]
