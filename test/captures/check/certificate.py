"""Columns of the leaf certificate from openssl x509."""
import functools
import hashlib
import ipaddress
import re
import subprocess
import tempfile

CURVES = {'prime256v1': ('secp256r1', 256), 'secp384r1': ('secp384r1', 384), 'secp521r1': ('secp521r1', 521)}


def openssl(der, *options):
    return subprocess.run(['openssl', 'x509', '-inform', 'DER', '-noout', *options], input=der, stdout=subprocess.PIPE, check=True).stdout.decode()


def key(der):
    text = openssl(der, '-text')
    kind = re.search(r'Public Key Algorithm: (\S+)', text).group(1)
    bits = re.search(r'Public-Key: \((\d+) bit\)', text)
    if kind == 'id-ecPublicKey':
        return 'ec:%s:%d' % CURVES[re.search(r'ASN1 OID: (\S+)', text).group(1)]
    if kind in ('ED25519', 'ED448'):
        return {'ED25519': 'ed25519:256', 'ED448': 'ed448:448'}[kind]
    return '%s:%s' % ({'rsaEncryption': 'rsa', 'dsaEncryption': 'dsa', 'rsassaPss': 'rsa-pss'}[kind], bits.group(1))


def names(der):
    text = openssl(der, '-ext', 'subjectAltName')
    found = []
    for entry in re.split(r',\s*|\n\s*', text):
        kind, _, value = entry.strip().partition(':')
        if kind == 'DNS':
            found.append(value.lower())
        elif kind == 'IP Address':
            found.append(str(ipaddress.ip_address(value)))
    return found[:256] or None


def self_signed(der):
    """Whether the certificate names itself as issuer, and its own key verifies it."""
    if openssl(der, '-issuer').split('=', 1)[1] != openssl(der, '-subject').split('=', 1)[1]:
        return False
    with tempfile.NamedTemporaryFile(suffix='.pem') as f:
        subprocess.run(['openssl', 'x509', '-inform', 'DER', '-out', f.name], input=der, check=True)
        return subprocess.run(['openssl', 'verify', '-no_check_time', '-check_ss_sig', '-partial_chain', '-CAfile', f.name, f.name], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL).returncode == 0


@functools.lru_cache(None)
def columns(der):
    issuer = openssl(der, '-issuer', '-nameopt', 'RFC2253,-esc_msb').split('=', 1)[1].strip('\n')
    common = re.findall(r'^\s+commonName\s+= (.*)$', openssl(der, '-subject', '-nameopt', 'multiline,utf8,-esc_msb'), re.M)
    before, after = (re.sub(r'(\d) (\d)', r'\1T\2', x.split('=')[1]).replace('Z', '+00:00') for x in
                     openssl(der, '-startdate', '-enddate', '-dateopt', 'iso_8601').split('\n')[:2])
    return {'tls_cert_sha256': '\\x' + hashlib.sha256(der).hexdigest(), 'tls_cert_issuer': issuer, 'tls_cert_subject_cn': common[-1] if common else None,
            'tls_cert_san': names(der), 'tls_cert_not_before': before, 'tls_cert_not_after': after, 'tls_cert_self_signed': self_signed(der), 'tls_cert_key': key(der)}
