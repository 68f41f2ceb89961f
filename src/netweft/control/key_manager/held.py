"""What a reference of a balancer's stands for: a certificate with its key, authorities, or lists of revoked ones.

References are URLs of this key manager's containers and secrets.  A balancer uses what its own project may read.
"""

import re
from collections.abc import Callable
from typing import Any, Final

from netweft.control.key_manager import access
from netweft.control.key_manager.errors import KeyNotFound, NoKey
from netweft.control.key_manager.secrets import CONTAINERS, SECRETS, Secrets, find
from netweft.store import Object, ReadTransaction

_REF: Final = re.compile(r"/v1/(secrets|containers)/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/?$")
_PEM: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----\r?\n.*?-----END \1-----", re.DOTALL)


class Unusable(Exception):
    """What is there is not what it should be; one sentence, which says nothing of its content."""


class Held:
    """Raises LookupError for a reference to nothing, or to what is another project's; Unusable."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets

    def read(self, tx: ReadTransaction, project_id: str, ref: str, kind: str) -> bytes:
        """As PEM.  kind: certificate, authorities or revoked."""
        what: Callable[[ReadTransaction, str, str], bytes] = getattr(self, kind)
        return what(tx, project_id, ref)

    def certificate(self, tx: ReadTransaction, project_id: str, ref: str) -> bytes:
        """The certificate, those between it and its authority, and its key without a passphrase."""
        parts = self._parts(tx, project_id, ref)
        if "certificate" not in parts or "private_key" not in parts:
            raise Unusable(f"{ref} is no certificate with its private key")
        try:
            return _bundle(parts)
        except (ValueError, TypeError) as error:
            raise Unusable(f"{ref}: {_first_line(error)}") from None

    def authorities(self, tx: ReadTransaction, project_id: str, ref: str) -> bytes:
        from cryptography import x509

        pem = self._payload(tx, project_id, ref, "certificate")
        return _checked(ref, pem, b"CERTIFICATE", x509.load_pem_x509_certificate, "certificate")

    def revoked(self, tx: ReadTransaction, project_id: str, ref: str) -> bytes:
        from cryptography import x509

        pem = self._payload(tx, project_id, ref, "certificate")
        return _checked(ref, pem, b"X509 CRL", x509.load_pem_x509_crl, "list of revoked certificates")

    def _parts(self, tx: ReadTransaction, project_id: str, ref: str) -> dict[str, bytes]:
        kind, id = _parsed(ref)
        if kind == CONTAINERS:
            found = _find(tx, CONTAINERS, id, project_id, ref)
            return {name: self._read(tx, secret, project_id, ref) for name, secret in found["secrets"]}
        payload = self._read(tx, id, project_id, ref)
        return _of_pkcs12(payload) or _of_pem(payload)

    def _payload(self, tx: ReadTransaction, project_id: str, ref: str, part: str) -> bytes:
        kind, id = _parsed(ref)
        if kind == CONTAINERS:
            secrets = dict(_find(tx, CONTAINERS, id, project_id, ref)["secrets"])
            id = secrets.get(part) or ""
        return self._read(tx, id, project_id, ref)

    def _read(self, tx: ReadTransaction, id: str, project_id: str, ref: str) -> bytes:
        try:
            return self._secrets.payload(_find(tx, SECRETS, id, project_id, ref))
        except KeyNotFound:
            raise LookupError(ref) from None
        except NoKey as problem:
            raise Unusable(str(problem)) from None


def _parsed(ref: str) -> tuple[str, str]:
    found = _REF.search(ref)
    if found is None:
        raise LookupError(ref)
    return (CONTAINERS if found[1] == "containers" else SECRETS), found[2]


def _find(tx: ReadTransaction, kind: str, id: str, project_id: str, ref: str) -> Object:
    try:
        found = find(tx, kind, id)
    except KeyNotFound:
        raise LookupError(ref) from None
    if found["project_id"] != project_id or not access.project_access(found):
        raise LookupError(ref)
    return found


def _of_pkcs12(payload: bytes) -> dict[str, bytes] | None:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs12

    if payload[:1] != b"\x30":  # DER of a sequence
        return None
    try:
        key, certificate, more = pkcs12.load_key_and_certificates(payload, None)
    except ValueError:
        return None
    parts: dict[str, bytes] = {}
    if key is not None:
        parts["private_key"] = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    if certificate is not None:
        parts["certificate"] = certificate.public_bytes(Encoding.PEM)
    if more:
        parts["intermediates"] = b"".join(one.public_bytes(Encoding.PEM) for one in more)
    return parts


def _of_pem(payload: bytes) -> dict[str, bytes]:
    """The first certificate is the one, others lie between it and its authority."""
    parts: dict[str, bytes] = {}
    for found in _PEM.finditer(payload):
        block = found[0] + b"\n"
        if found[1].endswith(b"PRIVATE KEY"):
            parts.setdefault("private_key", block)
        elif found[1] == b"CERTIFICATE":
            name = "certificate" if "certificate" not in parts else "intermediates"
            parts[name] = parts.get(name, b"") + block
    return parts


def _bundle(parts: dict[str, bytes]) -> bytes:
    """Written anew: nothing is in it that was not understood."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization as s

    passphrase = parts.get("private_key_passphrase")
    key = s.load_pem_private_key(parts["private_key"], passphrase.strip() if passphrase else None)
    certificate = x509.load_pem_x509_certificate(parts["certificate"])
    if _public(key.public_key()) != _public(certificate.public_key()):
        raise ValueError("the private key is not that of the certificate")
    chain = x509.load_pem_x509_certificates(parts["intermediates"]) if parts.get("intermediates") else []
    written = [one.public_bytes(s.Encoding.PEM) for one in (certificate, *chain)]
    written.append(key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption()))
    return b"".join(written)


def _public(key: Any) -> bytes:
    from cryptography.hazmat.primitives import serialization as s

    return bytes(key.public_bytes(s.Encoding.DER, s.PublicFormat.SubjectPublicKeyInfo))


def _checked(ref: str, pem: bytes, label: bytes, load: Callable[[bytes], Any], what: str) -> bytes:
    blocks = [found[0] + b"\n" for found in _PEM.finditer(pem) if found[1] == label]
    try:
        for block in blocks:
            load(block)
    except ValueError as error:
        raise Unusable(f"{ref}: {_first_line(error)}") from None
    if not blocks:
        raise Unusable(f"{ref} is no {what} in PEM")
    return b"".join(blocks)


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]
