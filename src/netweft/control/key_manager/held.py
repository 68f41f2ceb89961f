"""What a reference of a balancer's stands for: a certificate with its key, authorities, or lists of revoked ones.

References are URLs of this key manager's containers and secrets.  A balancer uses what its own project may read.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from netweft.control.key_manager import access, certificates
from netweft.control.key_manager.certificates import Unreadable
from netweft.control.key_manager.errors import KeyNotFound, NoKey
from netweft.control.key_manager.secrets import CONTAINERS, SECRETS, Secrets, find
from netweft.store import Object, ReadTransaction

_DER_SEQUENCE: Final = b"\x30"  # PKCS #12 is one
_REF: Final = re.compile(r"/v1/(secrets|containers)/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/?$")


class Unusable(Exception):
    """What is there is not what it should be; one sentence, which says nothing of its content."""


class Pkcs12Unreadable(Unusable):
    """Broken, or with a passphrase."""


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
        with _of(ref):
            return certificates.bundle(self._parts(tx, project_id, ref))

    def authorities(self, tx: ReadTransaction, project_id: str, ref: str) -> bytes:
        with _of(ref):
            return certificates.authorities(self._payload(tx, project_id, ref, "certificate"))

    def revoked(self, tx: ReadTransaction, project_id: str, ref: str) -> bytes:
        with _of(ref):
            return certificates.revoked(self._payload(tx, project_id, ref, "certificate"))

    def _parts(self, tx: ReadTransaction, project_id: str, ref: str) -> dict[str, bytes]:
        kind, id = _parsed(ref)
        if kind == CONTAINERS:
            found = _find(tx, CONTAINERS, id, project_id, ref)
            return {name: self._read(tx, secret, project_id, ref) for name, secret in found["secrets"]}
        payload = self._read(tx, id, project_id, ref)
        found = certificates.parts(payload)
        if not found and payload[:1] == _DER_SEQUENCE:
            raise Pkcs12Unreadable(f"{ref} is no PKCS #12, or has a passphrase: it is read without one")
        return found

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


@contextmanager
def _of(ref: str) -> Iterator[None]:
    """What cannot be read is this reference's."""
    try:
        yield
    except Unreadable as problem:
        raise Unusable(f"{ref}: {problem}") from None


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
