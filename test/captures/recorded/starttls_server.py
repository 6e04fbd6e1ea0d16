"""The cleartext part of protocols with STARTTLS, then an echo inside TLS, for one client. argv: protocol port"""
import socket
import ssl
import sys

# say: the server's words; until: what ends the client's answer
TALKS = {
    'smtp': [('220 mail.example.com ESMTP\r\n', '\r\n'), ('250-mail.example.com\r\n250-SIZE 10240000\r\n250-STARTTLS\r\n250 HELP\r\n', '\r\n'),
             ('220 2.0.0 Ready to start TLS\r\n', None)],
    'smtp-refused': [('220 mail.example.com ESMTP\r\n', '\r\n'), ('250-mail.example.com\r\n250 HELP\r\n', '\r\n'),
                     ('502 5.5.1 Unrecognized command\r\n', 'close')],
    'lmtp': [('220 mail.example.com LMTP\r\n', '\r\n'), ('250-mail.example.com\r\n250 STARTTLS\r\n', '\r\n'), ('220 2.0.0 Begin TLS negotiation now.\r\n', None)],
    'pop3': [('+OK POP3 server ready.\r\n', '\r\n'), ('+OK Begin TLS negotiation now.\r\n', None)],
    'imap': [('* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] IMAP server ready.\r\n', '\r\n'),
             ('* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\n. OK Capability completed.\r\n', '\r\n'), ('. OK Begin TLS negotiation now.\r\n', None)],
    'ftp': [('220 FTP server ready.\r\n', '\r\n'), ('234 Proceed with negotiation.\r\n', None)],
    'xmpp': [('', '>'), ("<?xml version='1.0'?><stream:stream from='mail.example.com' id='1' version='1.0' xmlns='jabber:client' "
                         "xmlns:stream='http://etherx.jabber.org/streams'><stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
                         "</stream:features>", '/>'), ("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", None)],
    'irc': [('', '\r\n'), (':irc.example.com 670 * :STARTTLS successful, proceed with TLS handshake\r\n', None)],
    'nntp': [('200 news.example.com ready\r\n', '\r\n'), ('101 Capability list:\r\nVERSION 2\r\nSTARTTLS\r\n.\r\n', '\r\n'), ('382 Continue with TLS negotiation\r\n', None)],
    'sieve': [('"IMPLEMENTATION" "Example"\r\n"SIEVE" "fileinto"\r\n"STARTTLS"\r\n"VERSION" "1.0"\r\nOK "Sieve ready."\r\n', '\r\n'),
              ('OK "Begin TLS negotiation now."\r\n', None)],
    'ldap': [('', '1.3.6.1.4.1.1466.20037'), ('0\x0c\x02\x01\x01x\x07\n\x01\x00\x04\x00\x04\x00', None)],
    'mysql': [('N\0\0\0\n8.0.32-example\0\x08\0\0\0abcdefgh\0\xff\xff\xff\x02\0\xff\xdf\x15\0\0\0\0\0\0\0\0\0\0ijklmnopqrst\0caching_sha2_password\0', 36), ('', None)],
}
TALKS['xmpp-server'] = TALKS['xmpp']

with socket.create_server(('', int(sys.argv[2]))) as listener:
    c = listener.accept()[0]
    for say, until in TALKS[sys.argv[1]]:
        c.sendall(say.encode('latin-1'))
        got = b''
        if until == 'close':
            c.recv(65536)
            sys.exit()
        while until and not (len(got) >= until if isinstance(until, int) else until.encode() in got):
            data = c.recv(65536)
            if not data:
                sys.exit('%s: ended after %r' % (sys.argv[1], got))
            got += data
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain('rsa.pem', 'rsa.key')
    with context.wrap_socket(c, server_side=True) as t:
        while True:
            data = t.recv(65536)
            if not data:
                break
            t.sendall(data)
