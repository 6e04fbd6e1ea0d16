"""A proxy for one client at a time: HTTP CONNECT and SOCKS 5 by name, to this host only. argv: port"""
import select
import socket
import sys


def pump(a, b):
    while True:
        for s in select.select([a, b], [], [])[0]:
            data = s.recv(65536)
            if not data:
                return
            (b if s is a else a).sendall(data)


def serve(client):
    first = client.recv(65536)
    if first[:1] == b'\x05':
        client.sendall(b'\x05\x00')
        request = client.recv(65536)
        port = int.from_bytes(request[-2:], 'big')
        server = socket.create_connection(('127.0.0.1', port))
        client.sendall(b'\x05\x00\x00\x01\x7f\x00\x00\x01' + request[-2:])
    else:
        while b'\r\n\r\n' not in first:
            first += client.recv(65536)
        target = first.split()[1].decode()
        if 'denied' in target:
            client.sendall(b'HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n')
            return
        server = socket.create_connection(('127.0.0.1', int(target.rsplit(':', 1)[1])))
        client.sendall(b'HTTP/1.1 200 Connection established\r\n\r\n')
    pump(client, server)


with socket.create_server(('', int(sys.argv[1]))) as listener:
    while True:
        with listener.accept()[0] as c:
            serve(c)
