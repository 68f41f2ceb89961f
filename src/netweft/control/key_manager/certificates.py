"""Certificates, keys and lists of revoked ones as users sent them: read, checked and written anew.

Somebody's bytes: whatever is in them, the answer is what was requested or Unreadable, and it takes no long time.  A key
behind a passphrase says itself how often that is to be hashed: too often is refused before it is begun.  Whether a key
of RSA has prime factors takes seconds to find out: nobody looks.
"""

import binascii
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from netweft.control.key_manager.derivation import rounds
from netweft.control.key_manager.pkcs12 import pem_of

MOST_ROUNDS: Final = 60_000  # of hashing, together; OpenSSL asks for 2,048, Java for 10,000, Bouncy Castle for 51,200
MOST_BITS: Final = 8192  # of RSA: a handshake takes a node the longer the more
_PEM: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----\r?\n(.*?)-----END \1-----", re.DOTALL)


class Unreadable(Exception):
    """One sentence, which says nothing of the content."""


def parts(payload: bytes) -> dict[str, bytes]:
    """Of PKCS #12 without a passphrase, or of PEM: the certificate, its private_key, intermediates."""
    return _of_pem(pem_of(payload) or payload)


def bundle(given: dict[str, bytes]) -> bytes:
    """Written anew: nothing is in it that was not understood."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization as s

    if "certificate" not in given or "private_key" not in given:
        raise Unreadable("no certificate with its private key")
    with _reading():
        key = _key(given["private_key"], given.get("private_key_passphrase"))
        certificate = x509.load_pem_x509_certificate(given["certificate"])
        if _public(key.public_key()) != _public(certificate.public_key()):
            raise Unreadable("the private key is not that of the certificate")
        chain = x509.load_pem_x509_certificates(given["intermediates"]) if given.get("intermediates") else []
        written = [one.public_bytes(s.Encoding.PEM) for one in (certificate, *chain)]
        written.append(key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption()))
        return b"".join(written)


def authorities(pem: bytes) -> bytes:
    from cryptography import x509

    def load(block: bytes) -> None:
        x509.load_pem_x509_certificate(block).subject  # noqa: B018  (it is read on use)

    return _checked(pem, b"CERTIFICATE", load, "certificate")


def revoked(pem: bytes) -> bytes:
    from cryptography import x509

    def load(block: bytes) -> None:
        x509.load_pem_x509_crl(block).issuer  # noqa: B018

    return _checked(pem, b"X509 CRL", load, "list of revoked certificates")


def is_issued_by(revoked: bytes, authorities: bytes) -> bool:
    """Both as the functions above gave them."""
    from cryptography import x509

    subjects = {one.subject for one in x509.load_pem_x509_certificates(authorities)}
    return x509.load_pem_x509_crl(revoked).issuer in subjects


@contextmanager
def _reading() -> Iterator[None]:
    """All that the library raises for what it cannot read."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        yield
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise Unreadable((str(error) or type(error).__name__).splitlines()[0][:200]) from None


def _key(pem: bytes, passphrase: bytes | None) -> Any:
    from cryptography.hazmat.primitives import serialization as s
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    found = next((one for one in _PEM.finditer(pem) if one[1].endswith(b"PRIVATE KEY")), None)
    if found is None:
        raise Unreadable("no private key in PEM")
    if found[1] == b"ENCRYPTED PRIVATE KEY" and rounds(_decoded(found[2])) > MOST_ROUNDS:
        raise Unreadable(f"the passphrase would have to be hashed more than {MOST_ROUNDS} times")
    if found[1] == b"OPENSSH PRIVATE KEY":
        raise Unreadable("the private key has OpenSSH's form, which is not that of a certificate's")
    pem = found[0] + b"\n"
    key = s.load_pem_private_key(pem, passphrase.strip() if passphrase else None, unsafe_skip_rsa_key_validation=True)
    if isinstance(key, RSAPrivateKey):
        _check_rsa(key)
    return key


def _check_rsa(key: Any) -> None:
    """That its numbers belong together, which is all but whether p and q are primes."""
    if key.key_size > MOST_BITS:
        raise Unreadable(f"the private key of RSA has {key.key_size} bits, and may have {MOST_BITS}")
    numbers = key.private_numbers()
    p, q, d, e = numbers.p, numbers.q, numbers.d, numbers.public_numbers.e
    good = p > 1 and q > 1 and p * q == numbers.public_numbers.n
    good = good and numbers.dmp1 == d % (p - 1) and numbers.dmq1 == d % (q - 1) and numbers.iqmp * q % p == 1
    if not (good and d * e % (p - 1) == 1 and d * e % (q - 1) == 1):
        raise Unreadable("the private key's numbers do not belong together")


def _decoded(text: bytes) -> bytes:
    """As whoever reads it later takes it: where that cannot be said, it is not read."""
    if b":" in text:
        raise Unreadable("the private key has lines before its content")
    try:
        return binascii.a2b_base64(text)
    except binascii.Error:
        raise Unreadable("the private key is not in base64") from None


def _of_pem(payload: bytes) -> dict[str, bytes]:
    """The first certificate is the one, others lie between it and its authority."""
    found: dict[str, bytes] = {}
    for match in _PEM.finditer(payload):
        block = match[0] + b"\n"
        if match[1].endswith(b"PRIVATE KEY"):
            found.setdefault("private_key", block)
        elif match[1] == b"CERTIFICATE":
            name = "certificate" if "certificate" not in found else "intermediates"
            found[name] = found.get(name, b"") + block
    return found


def _public(key: Any) -> bytes:
    from cryptography.hazmat.primitives import serialization as s

    return bytes(key.public_bytes(s.Encoding.DER, s.PublicFormat.SubjectPublicKeyInfo))


def _checked(pem: bytes, label: bytes, load: Callable[[bytes], None], what: str) -> bytes:
    blocks = [found[0] + b"\n" for found in _PEM.finditer(pem) if found[1] == label]
    with _reading():
        for block in blocks:
            load(block)
    if not blocks:
        raise Unreadable(f"no {what} in PEM")
    return b"".join(blocks)
