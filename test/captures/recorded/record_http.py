"""HTTP/1 and HTTP/2. Packages: curl nginx-light nghttp2-server nghttp2-client nghttp2-proxy."""
import contextlib
import os

from lab import SERVER4

PROXY = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'proxy.py')
NGINX = """daemon off; user root; worker_processes 1; pid %(work)s/nginx.pid; error_log stderr;
events { worker_connections 64; }
http {
    access_log off; server_tokens on; default_type text/plain; keepalive_timeout 5; root %(work)s/www;
    %(temp)s
    server { listen 80; listen [::]:80; server_name www.example.com; gzip on; gzip_types text/plain; gzip_min_length 1;
        location /moved { return 301 /; }
        location /denied { return 403; }
        location /form { return 204; }
        location /stream { proxy_pass http://127.0.0.1:8000/; }
    }
    server { listen 443 ssl http2; listen [::]:443 ssl http2; listen 8443 ssl; ssl_certificate %(work)s/ec.pem; ssl_certificate_key %(work)s/ec.key;
        ssl_protocols TLSv1.2 TLSv1.3; }
}
"""


def pages(lab):
    os.makedirs(lab.path('www'), exist_ok=True)
    for name, text in (('index.html', '<link rel="stylesheet" href="/style.css"><p>Hello</p>\n'), ('style.css', 'p { color: green }\n'),
                       ('page.txt', 'All of this is an example. ' * 120)):
        with open(lab.path('www/' + name), 'w') as f:
            f.write(text)


@contextlib.contextmanager
def nginx(lab):
    pages(lab)
    temp = ' '.join('%s_temp_path %s/temp;' % (x, lab.work) for x in ('client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'))
    with open(lab.path('nginx.conf'), 'w') as f:
        f.write(NGINX % {'work': lab.work, 'temp': temp})
    with lab.server('nginx', '-c', lab.path('nginx.conf'), '-e', 'stderr', port=80) as p:
        yield p


def curl(lab, *options, **more):
    lab.client('curl', '-sS', '-m', 10, '--cacert', 'ca.pem', '-o', '/dev/null', *options, **more)


RAW = """import socket, sys, time
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
for part in sys.argv[3:]:
    s.sendall(part.encode().decode('unicode_escape').encode('latin-1'))
    time.sleep(0.1)
s.settimeout(1)
try:
    while s.recv(65536):
        pass
except socket.timeout:
    pass
"""


def raw(lab, *parts):
    """Send these parts, each in a segment of its own."""
    lab.client('python3', '-c', RAW, SERVER4, 80, *parts)


def http1(lab):
    host = 'http://www.example.com'
    with nginx(lab):
        curl(lab, host + '/')
        curl(lab, host + '/page.txt', '--compressed', '-A', 'Example/1.0 (a test; not a browser)')
        curl(lab, host + '/', '-0')                                                                 # HTTP/1.0
        curl(lab, host + '/', '-I')                                                                 # HEAD
        curl(lab, host + '/missing', host + '/moved', host + '/denied')                             # three in one connection
        curl(lab, host + '/form', '-d', 'name=value&more=1', '-H', 'User-Agent:')                   # POST, no User-Agent
        curl(lab, host + '/form', '-T', lab.path('www/page.txt'), '-H', 'Expect: 100-continue', '--expect100-timeout', '1')
        curl(lab, host + '/page.txt', '-r', '0-99', '-X', 'OPTIONS')
        curl(lab, 'http://six.example.com/', '-H', 'Host: WWW.Example.com:80')                      # IPv6
        curl(lab, '-x', 'http://%s:80' % SERVER4, host + '/page.txt')                               # absolute form
        raw(lab, 'GET /page.txt\\r\\n')                                                             # HTTP/0.9
        raw(lab, 'GET / HT', 'TP/1.1\\r\\nHo', 'st: www.example.com\\r\\nUser-Agent: in pieces\\r\\nConnection: close\\r\\n', '\\r\\n')
        raw(lab, 'GET / HTTP/1.1\\r\\nHost: www.example.com\\r\\n\\r\\nHEAD /page.txt HTTP/1.1\\r\\nHost: example.com\\r\\nConnection: close\\r\\n\\r\\n')
        raw(lab, '\\r\\nget / HTTP/1.1\\r\\n\\r\\n')                                                # refused: 400


def https(lab):
    host = 'https://www.example.com'
    with nginx(lab):
        curl(lab, host + '/', '--http2')                                                            # TLS 1.3, hidden answer
        curl(lab, host + '/', '--http2', '--tls-max', '1.2')                                        # ALPN h2 in the clear
        curl(lab, host + '/', '--http1.1', '--tls-max', '1.2')
        curl(lab, host + '/', '--no-alpn')
        curl(lab, host + ':8443/', '--http2', '--tls-max', '1.2')                                   # offers h2, gets http/1.1
        curl(lab, 'https://six.example.com/', '-k')
        curl(lab, 'https://%s/' % SERVER4)                                                          # no server_name


def h2c(lab):
    host = 'http://www.example.com'
    pages(lab)
    with lab.server('nghttpd', '--no-tls', '-d', lab.path('www'), '-p', '/index.html=/style.css', '--trailer', 'checksum: none', 80, port=80):
        curl(lab, host + '/page.txt', '--http2-prior-knowledge')
        curl(lab, host + '/missing', '--http2-prior-knowledge', '-H', 'X-Example: a, b')
        lab.client('nghttp', '-n', host + '/', host + '/style.css', host + '/missing')               # three streams at once
        curl(lab, host + '/', '--http2-prior-knowledge', '-d', 'name=value', '-A', 'Example/2.0 (\u00e4)')
        lab.client('nghttp', '-n', host + '/index.html')                                            # with a push
        lab.client('nghttp', '-n', '--continuation', '-w', 14, host + '/page.txt')
        lab.client('nghttp', '-n', '--no-dep', '-b', 40, '-H', ':method: HEAD', '-H', 'x-long: ' + 'v' * 20000, host + '/')
    with lab.server('nghttpd', '--no-tls', '-d', lab.path('www'), 8080, port=8080):
        curl(lab, 'http://six.example.com:8080/', '--http2-prior-knowledge')


def upgrade(lab):
    """HTTP/1.1 that becomes HTTP/2 by 101, and that does not."""
    pages(lab)
    host = 'http://www.example.com'
    with lab.server('nghttpd', '--no-tls', '-a', '127.0.0.1', '-d', lab.path('www'), 8081, port=8081), \
            lab.server('nghttpx', '--frontend=*,80;no-tls', '--backend=127.0.0.1,8081;;proto=h2', '--no-via', '--workers=1', '--errorlog-file=/dev/stderr',
                       '--conf=/dev/null', port=80):
        curl(lab, host + '/page.txt', '--http2')
        curl(lab, host + '/', host + '/style.css', '--http2', '-A', 'Example/3.0')
        lab.client('nghttp', '-n', '-u', host + '/', host + '/style.css')
    with nginx(lab):
        curl(lab, host + '/', '--http2')                                                            # not taken


def proxied(lab):
    """TLS behind HTTP CONNECT and behind SOCKS 5."""
    with nginx(lab), lab.server('python3', PROXY, 3128, port=3128), lab.server('python3', PROXY, 1080, port=1080):
        curl(lab, '-x', 'http://%s:3128' % SERVER4, 'https://www.example.com/')
        curl(lab, '-x', 'socks5h://%s:1080' % SERVER4, 'https://www.example.com/', '--tls-max', '1.2')
        curl(lab, '-x', 'http://%s:3128' % SERVER4, 'https://denied.example.com/', check=False)


SCENES = [
    ('http1.pcap', 'HTTP/1.1, 1.0 and 0.9: methods, several requests in one connection, in pieces, pipelined, absolute form, refused (curl, nginx)', http1),
    ('https.pcap', 'HTTP/2 and HTTP/1.1 in TLS 1.3 and 1.2, with and without ALPN and server name (curl, nginx)', https),
    ('http2_h2c.pcap', 'HTTP/2 in the clear: several streams, push, trailers, continuation, padding, POST (curl, nghttp, nghttpd)', h2c),
    ('http2_upgrade.pcap', 'HTTP/1.1 upgraded to HTTP/2, and not (curl, nghttp, nghttpx, nginx)', upgrade),
    ('http_proxy.pcap', 'TLS after HTTP CONNECT and after SOCKS 5, and a refused CONNECT (curl)', proxied),
]
