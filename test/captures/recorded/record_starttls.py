"""STARTTLS: openssl s_client, servers of a few lines, and PostgreSQL. Packages: postgresql postgresql-client."""
import contextlib
import os
import shutil
import subprocess
import time

from lab import CLIENT, SERVER4, talk

PORTS = [('smtp', 25), ('lmtp', 24), ('pop3', 110), ('imap', 143), ('ftp', 21), ('xmpp', 5222), ('xmpp-server', 5269), ('irc', 6667), ('nntp', 119),
         ('sieve', 4190), ('ldap', 389), ('mysql', 3306)]


def session(lab, protocol, port, *options):
    p = lab.start(CLIENT, ['openssl', 's_client', '-connect', '%s:%d' % (SERVER4, port), '-starttls', protocol, '-servername', 'mail.example.com',
                           '-CAfile', 'ca.pem', '-name', 'client.example.com', *options], stdin=subprocess.PIPE)
    with contextlib.suppress(BrokenPipeError):
        talk(p, [b'NOOP\r\n'])


def starttls(lab):
    for protocol, port in PORTS:
        with lab.server('python3', os.path.join(os.path.dirname(__file__), 'starttls_server.py'), protocol, port, port=port):
            session(lab, protocol, port, '-tls1_2')
    with lab.server('python3', os.path.join(os.path.dirname(__file__), 'starttls_server.py'), 'smtp', 587, port=587):
        session(lab, 'smtp', 587)                                                                   # TLS 1.3
    with lab.server('python3', os.path.join(os.path.dirname(__file__), 'starttls_server.py'), 'smtp-refused', 25, port=25):
        session(lab, 'smtp', 25)                                                                    # sends its ClientHello all the same


@contextlib.contextmanager
def cluster(lab):
    """A PostgreSQL server with TLS, run by the account postgres."""
    where, data = subprocess.run(['pg_config', '--bindir'], stdout=subprocess.PIPE, check=True).stdout.decode().strip(), lab.path('data')
    as_postgres = ['runuser', '-u', 'postgres', '--']
    os.mkdir(data)
    shutil.chown(data, 'postgres')
    subprocess.run(as_postgres + [where + '/initdb', '-D', data, '-U', 'postgres', '-A', 'trust', '--no-sync'], check=True, stdout=subprocess.DEVNULL, cwd='/')
    for kind in ('pem', 'key'):
        shutil.copy(lab.path('rsa.' + kind), data + '/server.' + kind)
        shutil.chown(data + '/server.' + kind, 'postgres')
        os.chmod(data + '/server.' + kind, 0o600)
    with open(data + '/pg_hba.conf', 'a') as f:
        f.write('host all all all trust\n')
    with lab.server(*as_postgres, where + '/postgres', '-D', data, '-p', 5432, '-c', 'listen_addresses=*', '-c', 'ssl=on', '-c', 'ssl_cert_file=server.pem',
                    '-c', 'ssl_key_file=server.key', '-c', 'unix_socket_directories=' + data, '-c', 'fsync=off', port=5432) as p:
        time.sleep(1)
        yield p
    shutil.rmtree(data)


def postgresql(lab):
    with cluster(lab):
        for mode in ('require', 'disable'):
            lab.client('psql', '-Xqc', 'SELECT 1', 'host=db.example.com user=postgres sslmode=' + mode)
        lab.client('psql', '-Xqc', 'SELECT 1', 'host=db.example.com user=postgres sslmode=require ssl_max_protocol_version=TLSv1.2')
        session(lab, 'postgres', 5432)


SCENES = [
    ('starttls.pcap', 'STARTTLS of SMTP, LMTP, POP3, IMAP, FTP, XMPP, IRC, NNTP, sieve, LDAP and MySQL with TLS 1.2, of SMTP with 1.3; refused (openssl)', starttls),
    ('postgresql.pcap', 'PostgreSQL with TLS 1.3, 1.2 and in the clear (psql, openssl)', postgresql),
]
