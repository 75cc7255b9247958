"""Certificates in the eyes of Python's cryptography: makes a CA with a server certificate, or judges sets of them.

JSON on standard input, JSON on standard output, all files in base64:
{"make": DOMAIN} gives {"ca.crt", "ca.key", "tls.crt", "tls.key"};
{"cases": [{"ca", "tls", "hosts"}]} gives for each null, or why the verifier refuses it.
"""

import base64
import datetime
import json
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.verification import PolicyBuilder, Store

NOW = datetime.datetime.now(datetime.timezone.utc)


def named(name):
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def usage(sign_certificates):
    others = dict.fromkeys(
        [
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ],
        False,
    )
    return x509.KeyUsage(
        digital_signature=not sign_certificates,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        **others,
    )


def builder(subject, issuer, key, days):
    return (
        x509.CertificateBuilder()
        .subject_name(named(subject))
        .issuer_name(named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - datetime.timedelta(hours=1))
        .not_valid_after(NOW + datetime.timedelta(days=days))
    )


def make(domain):
    """As the tutorial of cryptography's documentation has it."""
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    key_id = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
    ca = (
        builder("made with Python", "made with Python", ca_key, 3650)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage(sign_certificates=True), critical=True)
        .add_extension(key_id, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    server = (
        builder(domain, "made with Python", key, 90)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(domain), x509.DNSName(f"*.{domain}")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage(sign_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_id), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    form = (pem, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    files = {
        "ca.crt": ca.public_bytes(pem),
        "ca.key": ca_key.private_bytes(*form),
        "tls.crt": server.public_bytes(pem),
        "tls.key": key.private_bytes(*form),
    }
    return {name: base64.b64encode(content).decode() for name, content in files.items()}


def judge(case):
    try:
        ca = x509.load_pem_x509_certificates(base64.b64decode(case["ca"]))
        chain = x509.load_pem_x509_certificates(base64.b64decode(case["tls"]))
        for host in case["hosts"]:
            policy = PolicyBuilder().store(Store(ca)).time(NOW)
            policy.build_server_verifier(x509.DNSName(host)).verify(chain[0], chain[1:])
    except Exception as error:  # whatever it is, it does not take them
        return f"{type(error).__name__}: {error}"
    return None


def main():
    request = json.load(sys.stdin)
    answer = make(request["make"]) if "make" in request else [judge(case) for case in request["cases"]]
    json.dump(answer, sys.stdout)


main()
