"""Bodies of the key manager's API: what may be in them, and what answers say."""

import base64
import binascii
import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import Meta, Struct

from netweft.api.encoding import Malformed, decode
from netweft.control.key_manager.access import OPEN
from netweft.control.key_manager.errors import BadKeyRequest, KeyNotFound
from netweft.control.key_manager.secrets import CONTAINERS, CONTENT, PAYLOAD, SECRETS
from netweft.store import Object

ROOT: Final = "/key-manager"
Name: TypeAlias = Annotated[str, Meta(max_length=255)]
SecretType: TypeAlias = Literal["symmetric", "public", "private", "passphrase", "certificate", "opaque"]
_REF: Final = re.compile(r"/(secrets|containers)/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/?$")
_BINARY: Final = frozenset({"application/octet-stream", "application/pkix-cert", "application/pkcs8"})
TEXT, OCTETS = "text/plain", "application/octet-stream"


class NewSecret(Struct, frozen=True, kw_only=True):
    name: Name | None = None
    algorithm: Name | None = None
    mode: Name | None = None
    bit_length: Annotated[int, Meta(ge=1, le=2**31)] | None = None
    secret_type: SecretType | None = None
    expiration: str | None = None
    payload: str | None = None
    payload_content_type: Name | None = None
    payload_content_encoding: Literal["base64"] | None = None


class SecretRef(Struct, frozen=True):
    secret_ref: str
    name: Name | None = None


class NewContainer(Struct, frozen=True, kw_only=True):
    type: Literal["generic", "rsa", "certificate"]
    name: Name | None = None
    secret_refs: Annotated[list[SecretRef], Meta(max_length=100)] = []


class ContainerConsumer(Struct, frozen=True):
    """URL: of whoever uses it."""

    name: Name
    URL: Annotated[str, Meta(min_length=1, max_length=1000)]


class SecretConsumer(Struct, frozen=True):
    service: Name
    resource_type: Name
    resource_id: Name


class Metadata(Struct, frozen=True):
    metadata: Annotated[dict[Name, Annotated[str, Meta(max_length=1000)]], Meta(max_length=100)]


class Readers(Struct, frozen=True, rename="kebab"):
    users: Annotated[list[Name], Meta(max_length=200)] | None = None
    project_access: bool | None = None


class Acl(Struct, frozen=True, forbid_unknown_fields=True):
    read: Readers


T = TypeVar("T", bound=Struct)


def parsed(body: bytes, type: type[T]) -> T:
    """Raises BadKeyRequest."""
    try:
        found: T = decode(body, type)
        return found
    except Malformed as malformed:
        raise BadKeyRequest(reason=f"Provided object does not match schema: {malformed}") from None


def id_of(ref: str, what: str) -> str:
    """Of a secret, or a container.  Raises KeyNotFound."""
    found = _REF.search(ref)
    if found is None:
        raise KeyNotFound(what=what)
    return found[2]


def expiration(text: str | None) -> str | None:
    """Raises BadKeyRequest."""
    if not text:
        return None
    try:
        when = datetime.fromisoformat(text)
        when = when.replace(tzinfo=when.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadKeyRequest(reason="Invalid date for 'expiration'") from None
    if when <= datetime.now(UTC):
        raise BadKeyRequest(reason="'expiration' is before current time")
    return when.strftime("%Y-%m-%dT%H:%M:%S")


def payload(wanted: NewSecret) -> tuple[bytes | None, str | None]:
    """It, and its type.  Raises BadKeyRequest."""
    kind = wanted.payload_content_type
    if wanted.payload is None:
        if kind is not None:
            reason = "payload_content_type must not be supplied when payload is not provided"
            raise BadKeyRequest(reason=reason)
        return None, None
    if kind is None:
        raise BadKeyRequest(reason="If 'payload' is supplied, 'payload_content_type' must also be supplied.")
    return content(wanted.payload.encode(), kind, wanted.payload_content_encoding), normal(kind)


def content(body: bytes, kind: str, encoding: str | None, *, raw: bool = False) -> bytes:
    """raw: as the body of a request, where octets need no encoding.  Raises BadKeyRequest."""
    kind = normal(kind)
    if kind == TEXT:
        if encoding:
            raise BadKeyRequest(reason="payload_content_encoding must not be specified when payload is text")
        try:
            body.decode()
        except UnicodeDecodeError:
            raise BadKeyRequest(reason="the payload is no text in UTF-8") from None
        return body
    if kind not in _BINARY:
        raise BadKeyRequest(reason="payload_content_type is not one of text/plain, application/octet-stream")
    if encoding is None and raw:
        return body
    if encoding != "base64":
        raise BadKeyRequest(reason="payload_content_encoding must be specified when payload is binary: base64")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise BadKeyRequest(reason="Unable to decode request data: it is no base64") from None


def normal(kind: str) -> str:
    """Without a character set: text is UTF-8."""
    return kind.partition(";")[0].strip().lower()


class Shown:
    """base: of references."""

    def __init__(self, base: str) -> None:
        self._base = f"{base.rstrip('/')}{ROOT}/v1"

    def ref(self, kind: str, id: str) -> str:
        return f"{self._base}/{'secrets' if kind == SECRETS else 'containers'}/{id}"

    def secret(self, one: Object) -> dict[str, Any]:
        names = ("name", "secret_type", "algorithm", "bit_length", "mode", "expiration", "creator_id")
        shown = {name: one[name] for name in (*names, "created", "updated")}
        shown |= {"status": "ACTIVE", "consumers": one["consumers"], "secret_ref": self.ref(SECRETS, one["id"])}
        return shown | ({"content_types": {"default": one[CONTENT]}} if one.get(PAYLOAD) else {})

    def container(self, one: Object) -> dict[str, Any]:
        shown = {name: one[name] for name in ("name", "type", "created", "updated", "creator_id", "consumers")}
        refs = [{"name": name, "secret_ref": self.ref(SECRETS, id)} for name, id in one["secrets"]]
        return shown | {"status": "ACTIVE", "secret_refs": refs, "container_ref": self.ref(CONTAINERS, one["id"])}

    def acl(self, one: Object) -> dict[str, Any]:
        return one["acl"] or OPEN


def acl_of(wanted: Acl, before: Object | None, at: str) -> Object:
    """before: what is not said stays as it is there."""
    old = ((before or {}).get("read") or {}) if before else {}
    read = wanted.read
    access = read.project_access if read.project_access is not None else old.get("project-access", True)
    users = read.users if read.users is not None else old.get("users", [])
    return {
        "read": {
            "project-access": access,
            "users": list(dict.fromkeys(users)),
            "created": old.get("created", at),
            "updated": at,
        }
    }


def plain(one: Struct) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(one)
    return found
