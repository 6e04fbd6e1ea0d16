"""A client and a server host, each a network namespace, joined by a virtual Ethernet of MTU 1500; programs run in them, tcpdump between.

Addresses are from the documentation ranges, names are under example.com and .test, and a resolver outside is never asked.
"""
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time

CLIENT, SERVER = 'jjrec-client', 'jjrec-server'
ADDRESS = {CLIENT: ('192.0.2.10', '2001:db8:1::10'), SERVER: ('198.51.100.20', '2001:db8:2::20')}
CLIENT4, CLIENT6 = ADDRESS[CLIENT]
SERVER4, SERVER6 = ADDRESS[SERVER]
NAMES = 'example.com www.example.com alt.example.com mail.example.com ssh.example.com db.example.com quic.example.com device.test'
HERE = os.path.dirname(os.path.abspath(__file__))

# nothing of this machine's settings: no OpenSSL defaults, no proxy, no home folder, no user's name
ENV = {'PATH': '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL': 'C', 'TZ': 'UTC', 'OPENSSL_CONF': '/dev/null'}


def run(*command, **more):
    return subprocess.run(command, check=True, **more)


class Lab:
    def __enter__(self):
        self.work = tempfile.mkdtemp(prefix='jjrec.')
        os.chmod(self.work, 0o755)
        self.hosts = {}
        try:
            for ns in (CLIENT, SERVER):
                run('ip', 'netns', 'add', ns)
                folder = '/etc/netns/' + ns
                os.makedirs(folder, exist_ok=True)
                with open(folder + '/hosts', 'w') as f:
                    f.write('127.0.0.1 localhost\n%s %s\n%s six.example.com\n' % (SERVER4, NAMES, SERVER6))
                with open(folder + '/resolv.conf', 'w') as f:
                    f.write('nameserver %s\n' % SERVER4)
            run('ip', 'link', 'add', 'eth0', 'netns', CLIENT, 'address', '02:00:00:00:00:0a', 'type', 'veth',
                'peer', 'name', 'eth0', 'netns', SERVER, 'address', '02:00:00:00:00:0b')
            for ns, other in ((CLIENT, SERVER), (SERVER, CLIENT)):
                ip = ['ip', '-n', ns]
                run(*ip, 'link', 'set', 'lo', 'up')
                # real segments and checksums
                run('ip', 'netns', 'exec', ns, 'ethtool', '-K', 'eth0', 'tx', 'off', 'tso', 'off', 'gso', 'off', 'gro', 'off',
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                run(*ip, 'addr', 'add', ADDRESS[ns][0] + '/32', 'dev', 'eth0')
                run(*ip, 'link', 'set', 'eth0', 'up')
                run(*ip, 'addr', 'add', ADDRESS[ns][1] + '/128', 'dev', 'eth0', 'nodad')
                run(*ip, 'route', 'add', ADDRESS[other][0], 'dev', 'eth0')
                run(*ip, 'route', 'add', ADDRESS[other][1], 'dev', 'eth0')
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for ns in (CLIENT, SERVER):
            subprocess.run(['ip', 'netns', 'del', ns], stderr=subprocess.DEVNULL)
            shutil.rmtree('/etc/netns/' + ns, ignore_errors=True)
        shutil.rmtree(self.work, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.work, name)

    def command(self, ns, command):
        # a host name of its own; programs put it into what they send
        return ['ip', 'netns', 'exec', ns, 'unshare', '-u', 'sh', '-c', 'hostname "$0"; exec "$@"', ns.replace('jjrec-', '') + '.example.com'] + \
            [str(x) for x in command]

    def start(self, ns, command, env=None, **more):
        more.setdefault('stdin', subprocess.DEVNULL)
        more.setdefault('stdout', open(self.path('log'), 'ab'))
        more.setdefault('stderr', subprocess.STDOUT)
        return subprocess.Popen(self.command(ns, command), env=dict(ENV, HOME=self.work, **(env or {})), cwd=self.work, start_new_session=True, **more)

    def client(self, *command, check=True, timeout=20, input=None, env=None):
        """Run a client to its end; its output, which is in the error when it fails."""
        p = subprocess.run(self.command(CLIENT, command), env=dict(ENV, HOME=self.work, **(env or {})), cwd=self.work, timeout=timeout,
                           input=input, stdin=None if input is not None else subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if check and p.returncode:
            raise RuntimeError('%s: status %d\n%s' % (' '.join(map(str, command)), p.returncode, p.stdout.decode(errors='replace')))
        return p.stdout

    @contextlib.contextmanager
    def server(self, *command, port=None, udp=False, env=None, **more):
        """A server that runs while the block does; waits until it listens."""
        p = self.start(SERVER, command, env=env, **more)
        try:
            for _ in range(200):
                if p.poll() is not None:
                    raise RuntimeError('%s ended\n%s' % (' '.join(map(str, command)), open(self.path('log'), errors='replace').read()[-2000:]))
                if port is None or self.listens(port, udp):
                    break
                time.sleep(0.05)
            else:
                raise RuntimeError('%s does not listen at port %d' % (' '.join(map(str, command)), port))
            yield p
        finally:
            stop(p)

    def listens(self, port, udp):
        return subprocess.run(['ip', 'netns', 'exec', SERVER, 'ss', '-Hln' + ('u' if udp else 't'), 'sport', '=', ':%d' % port],
                              stdout=subprocess.PIPE).stdout.strip() != b''

    @contextlib.contextmanager
    def capture(self, name, what='tcp or udp or icmp'):
        """Everything between the hosts while the block runs goes to the file NAME, whole packets, microseconds."""
        target = os.path.join(HERE, name)
        p = subprocess.Popen(['ip', 'netns', 'exec', CLIENT, 'tcpdump', '-i', 'eth0', '-n', '-U', '--immediate-mode', '-Z', 'root', '-s', '0',
                              '-w', self.path('out.pcap'), what], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        line = p.stderr.readline()
        if b'listening on' not in line:
            raise RuntimeError(line.decode() + p.stderr.read().decode())
        try:
            yield
            time.sleep(0.3)
        finally:
            p.send_signal(signal.SIGINT)
            said = p.stderr.read().decode()
            p.wait()
        if ' 0 packets dropped by kernel' not in ' ' + said.replace('\n', ' '):
            raise RuntimeError('packets were lost: ' + said)
        shutil.copy(self.path('out.pcap'), target)
        os.chmod(target, 0o644)
        print('%s %d' % (name, os.path.getsize(target)))


def stop(p):
    """End a program and what it started."""
    for s in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(p.pid, s)
        try:
            p.wait(3)
            return
        except subprocess.TimeoutExpired:
            pass


def talk(p, lines, pause=0.15):
    """Say lines to a program that reads its standard input, with time for the answer to each, then close it and wait for its end."""
    for line in lines:
        time.sleep(pause)
        p.stdin.write(line)
        p.stdin.flush()
    time.sleep(pause)
    with contextlib.suppress(BrokenPipeError):
        p.stdin.close()
    p.wait(20)
