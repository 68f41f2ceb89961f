"""Certificates for tests: an authority, what it has signed, and what it has revoked.  Keys are of elliptic curves."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID

_BORN = datetime.now(UTC) - timedelta(days=1)
_ENDS = _BORN + timedelta(days=400)


@dataclass(frozen=True)
class Certificate:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        return self.locked_key(b"")

    def locked_key(self, passphrase: bytes) -> str:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, _locked(passphrase)).decode()

    def pkcs12(self, *more: "Certificate", passphrase: bytes = b"") -> bytes:
        others = [one.certificate for one in more] or None
        return pkcs12.serialize_key_and_certificates(b"x", self.key, self.certificate, others, _locked(passphrase))


def _locked(passphrase: bytes) -> KeySerializationEncryption:
    return BestAvailableEncryption(passphrase) if passphrase else NoEncryption()


def authority(name: str = "An authority") -> Certificate:
    return _made(name, None, is_authority=True)


def signed(by: Certificate, name: str, *names: str) -> Certificate:
    """names: further ones of the server's."""
    return _made(name, by, names=(name, *names))


def revoked(by: Certificate, *gone: Certificate) -> str:
    """The authority's list of them, as PEM."""
    made = x509.CertificateRevocationListBuilder().issuer_name(by.certificate.subject)
    made = made.last_update(_BORN).next_update(_ENDS)
    for one in gone:
        entry = x509.RevokedCertificateBuilder().serial_number(one.certificate.serial_number).revocation_date(_BORN)
        made = made.add_revoked_certificate(entry.build())
    return made.sign(by.key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def _made(name: str, by: Certificate | None, *, is_authority: bool = False, names: Any = ()) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(by.certificate.subject if by else subject)
    made = made.public_key(key.public_key()).serial_number(x509.random_serial_number())
    made = made.not_valid_before(_BORN).not_valid_after(_ENDS)
    made = made.add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    if names:
        made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), critical=False)
    return Certificate(made.sign(by.key if by else key, hashes.SHA256()), key)
