"""What a reference of a balancer's leads to, and what that means: a certificate with its key, authorities, lists of
revoked ones.

References are URLs of a key manager's containers and secrets; their content is the container's secrets by name, or the
secret's payload.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple, TypeAlias

from netweft.control.key_manager import access, certificates
from netweft.control.key_manager.certificates import Unreadable
from netweft.control.key_manager.errors import KeyNotFound
from netweft.control.key_manager.secrets import CONTAINERS, SECRETS, Secrets, find
from netweft.store import Object, ReadTransaction

Content: TypeAlias = Mapping[str, bytes]
PAYLOAD: Final = ""  # the name of a secret's only content
_DER_SEQUENCE: Final = b"\x30"  # PKCS #12 is one
_REF: Final = re.compile(r"/v1/(secrets|containers)/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/?$")


class Reference(NamedTuple):
    """kind: what it is named as, certificate, authorities or revoked."""

    kind: str
    ref: str


class Unusable(Exception):
    """What is there is not what it should be; one sentence, which says nothing of its content."""


class Pkcs12Unreadable(Unusable):
    """Broken, or with a passphrase."""


def parsed(ref: str) -> tuple[str, str]:
    """CONTAINERS or SECRETS, and the id.  Raises LookupError."""
    found = _REF.search(ref)
    if found is None:
        raise LookupError(ref)
    return (CONTAINERS if found[1] == "containers" else SECRETS), found[2]


def stored(tx: ReadTransaction, secrets: Secrets, project_id: str, refs: Iterable[str]) -> dict[str, Content]:
    """Of this server's key manager: a balancer uses what its own project may read; what leads nowhere is not in it.
    Raises NoKey."""
    found = {}
    for ref in refs:
        try:
            found[ref] = _content(tx, secrets, project_id, *parsed(ref))
        except (LookupError, KeyNotFound):
            continue
    return found


def meaning(content: Content, reference: Reference) -> bytes:
    """As PEM: the certificate, those between it and its authority, and its key without a passphrase; or authorities;
    or lists.  May take seconds of the processor.  Raises LookupError, Unusable."""
    try:
        return _MEANINGS[reference.kind](content, reference.ref)
    except Unreadable as problem:
        raise Unusable(f"{reference.ref}: {problem}") from None


def _certificate(content: Content, ref: str) -> bytes:
    if PAYLOAD not in content:
        return certificates.bundle(dict(content))
    payload = content[PAYLOAD]
    found = certificates.parts(payload)
    if not found and payload[:1] == _DER_SEQUENCE:
        raise Pkcs12Unreadable(f"{ref} is no PKCS #12, or has a passphrase: it is read without one")
    return certificates.bundle(found)


def _authorities(content: Content, ref: str) -> bytes:
    return certificates.authorities(_pem(content, ref))


def _revoked(content: Content, ref: str) -> bytes:
    return certificates.revoked(_pem(content, ref))


_MEANINGS: Final[Mapping[str, Callable[[Content, str], bytes]]] = {
    "certificate": _certificate,
    "authorities": _authorities,
    "revoked": _revoked,
}
KINDS: Final = frozenset(_MEANINGS)


def _pem(content: Content, ref: str) -> bytes:
    found = content.get(PAYLOAD, content.get("certificate"))
    if found is None:
        raise LookupError(ref)
    return found


def _content(tx: ReadTransaction, secrets: Secrets, project_id: str, kind: str, id: str) -> Content:
    one = _usable(tx, kind, id, project_id)
    if kind == SECRETS:
        return {PAYLOAD: secrets.payload(one)}
    return {name: secrets.payload(_usable(tx, SECRETS, secret, project_id)) for name, secret in one["secrets"]}


def _usable(tx: ReadTransaction, kind: str, id: str, project_id: str) -> Object:
    found = find(tx, kind, id)
    if found["project_id"] != project_id or not access.project_access(found):
        raise LookupError(id)
    return found
