"""The certificates of the servers that are recorded. Valid from 2020 to 2120; keys are new every time."""
import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, ed448, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

BEGIN, END = datetime.datetime(2020, 1, 1), datetime.datetime(2119, 12, 31, 23, 59, 59)
KEYS = {
    'rsa': lambda: rsa.generate_private_key(65537, 2048),
    'rsa1024': lambda: rsa.generate_private_key(65537, 1024),
    'rsa3072': lambda: rsa.generate_private_key(65537, 3072),
    'dsa': lambda: dsa.generate_private_key(1024),
    'ec': lambda: ec.generate_private_key(ec.SECP256R1()),
    'ec384': lambda: ec.generate_private_key(ec.SECP384R1()),
    'ed25519': ed25519.Ed25519PrivateKey.generate,
    'ed448': ed448.Ed448PrivateKey.generate,
}


def name(*parts):
    return x509.Name([x509.NameAttribute(k, v) for k, v in parts])


def sign(subject, key, issuer, issuer_key, san=(), ca=False, begin=BEGIN, end=END):
    hashed = None if isinstance(issuer_key, (ed25519.Ed25519PrivateKey, ed448.Ed448PrivateKey)) else hashes.SHA256()
    b = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key()) \
        .serial_number(x509.random_serial_number()).not_valid_before(begin).not_valid_after(end) \
        .add_extension(x509.BasicConstraints(ca, None), True)
    if san:
        b = b.add_extension(x509.SubjectAlternativeName(
            [x509.IPAddress(ipaddress.ip_address(x[3:])) if x.startswith('ip:') else x509.DNSName(x) for x in san]), False)
    if not ca:
        b = b.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), False)
    return b.sign(issuer_key, hashed)


def pem(*certificates):
    return b''.join(c.public_bytes(serialization.Encoding.PEM) for c in certificates)


def private(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def make(folder):
    """Write NAME.pem and NAME.key for every certificate, NAME-issuers.pem where there are such, and ca.pem."""
    def write(file, *parts):
        with open('%s/%s' % (folder, file), 'wb') as f:
            f.write(b''.join(parts))

    root_name = name((NameOID.COUNTRY_NAME, 'XX'), (NameOID.ORGANIZATION_NAME, 'Example Trust'), (NameOID.COMMON_NAME, 'Example Root CA'))
    middle_name = name((NameOID.COUNTRY_NAME, 'XX'), (NameOID.ORGANIZATION_NAME, 'Example Trust'), (NameOID.COMMON_NAME, 'Example Issuing CA 1'))
    root_key, middle_key = KEYS['rsa'](), KEYS['ec']()
    root = sign(root_name, root_key, root_name, root_key, ca=True)
    middle = sign(middle_name, middle_key, root_name, root_key, ca=True)
    write('ca.pem', pem(root))

    www = name((NameOID.COUNTRY_NAME, 'XX'), (NameOID.ORGANIZATION_NAME, 'Example, Inc.'), (NameOID.COMMON_NAME, 'www.example.com'))
    sans = ['www.example.com', 'example.com', '*.example.com', 'ip:198.51.100.20', 'ip:2001:db8:2::20']
    for kind in KEYS:
        key = KEYS[kind]()
        write(kind + '.pem', pem(sign(www, key, root_name, root_key, sans)))
        write(kind + '.key', private(key))
    key = KEYS['ec']()
    write('chain.pem', pem(sign(www, key, middle_name, middle_key, sans)))
    write('chain-issuers.pem', pem(middle, root))
    write('chain.key', private(key))
    key = KEYS['rsa']()
    write('big.pem', pem(sign(www, key, middle_name, middle_key, ['host%03d.department-of-many-names.example.com' % i for i in range(300)])))
    write('big-issuers.pem', pem(middle))
    write('big.key', private(key))
    key = KEYS['rsa']()
    own = name((NameOID.COUNTRY_NAME, 'XX'), (NameOID.STATE_OR_PROVINCE_NAME, 'Zürich'), (NameOID.ORGANIZATION_NAME, 'Beispiel+Söhne "AG"'),
               (NameOID.COMMON_NAME, 'device.test'), (NameOID.EMAIL_ADDRESS, 'admin@device.test'))
    write('self.pem', pem(sign(own, key, own, key)))
    write('self.key', private(key))
    key = KEYS['ec']()
    write('expired.pem', pem(sign(name((NameOID.COMMON_NAME, 'old.example.com')), key, root_name, root_key, ['old.example.com'],
                                  begin=datetime.datetime(1999, 12, 31), end=datetime.datetime(2001, 2, 3, 4, 5, 6))))
    write('expired.key', private(key))
    key = KEYS['ec']()
    write('client.pem', pem(sign(name((NameOID.ORGANIZATION_NAME, 'Example, Inc.'), (NameOID.COMMON_NAME, 'client 7')), key, root_name, root_key)))
    write('client.key', private(key))
