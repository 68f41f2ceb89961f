"""Secrets and containers of them: made, read, given away, deleted."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from netweft.control.key_manager.errors import BadKeyRequest, KeyNotFound, PayloadThere, QuotaReached, TooLarge
from netweft.control.key_manager.keyring import Keyring
from netweft.store import Object, Query, ReadTransaction, WriteTransaction

SECRETS, CONTAINERS = "key_manager_secrets", "key_manager_containers"
TITLES: Final = {SECRETS: "secret", CONTAINERS: "container"}
MOST: Final = {SECRETS: 1000, CONTAINERS: 500}  # of a project
MOST_BYTES: Final = 20_000  # of a payload, Barbican's
MOST_CONSUMERS: Final = 200
PAYLOAD, CONTENT = "payload", "content_type"
_NAMES: Final = {
    "certificate": ({"certificate"}, {"private_key", "private_key_passphrase", "intermediates"}),
    "rsa": ({"public_key", "private_key"}, {"private_key_passphrase"}),
}


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")


class Secrets:
    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def create(self, tx: WriteTransaction, wanted: Object, payload: bytes | None) -> Object:
        """wanted: with project and creator."""
        made = _born(tx, SECRETS, wanted | {"metadata": {}})
        if payload is not None:
            made |= {PAYLOAD: self._sealed(tx, made, payload)}
        tx.insert(SECRETS, made)
        return made

    def fill(self, tx: WriteTransaction, secret: Object, payload: bytes, content_type: str) -> None:
        """One without a payload, which is held."""
        if secret.get(PAYLOAD):
            raise PayloadThere()
        sealed = self._sealed(tx, secret, payload)
        tx.update(SECRETS, secret["id"], {PAYLOAD: sealed, CONTENT: content_type, "updated": now()})

    def payload(self, secret: Object) -> bytes:
        """Raises KeyNotFound where there is none, NoKey."""
        if not secret.get(PAYLOAD):
            raise KeyNotFound(what="secret payload")
        return self._keyring.decrypt(secret[PAYLOAD], _about(secret))

    def _sealed(self, tx: WriteTransaction, secret: Object, payload: bytes) -> str:
        if len(payload) > MOST_BYTES:
            raise TooLarge()
        if not payload:
            raise BadKeyRequest(reason="If 'payload' specified, must be non empty.")
        return self._keyring.encrypt(payload, _about(secret), lambda: _is_first(tx))


def find(tx: ReadTransaction, kind: str, id: str) -> Object:
    """Raises KeyNotFound, also for what has expired."""
    found = tx.get(kind, id)
    if found is None or is_over(found):
        raise KeyNotFound(what=TITLES[kind])
    return found


def lock(tx: WriteTransaction, kind: str, id: str) -> Object:
    found = tx.lock(kind, id)
    if found is None or is_over(found):
        raise KeyNotFound(what=TITLES[kind])
    return found


def create_container(tx: WriteTransaction, wanted: Object) -> Object:
    """wanted: `secrets` are (name, id) pairs that the caller may read."""
    _check_names(wanted["type"], [name for name, _ in wanted["secrets"]], {id for _, id in wanted["secrets"]})
    made = _born(tx, CONTAINERS, wanted)
    tx.insert(CONTAINERS, made)
    return made


def edit_secrets(tx: WriteTransaction, container: Object, secrets: Sequence[tuple[str, str]]) -> None:
    if container["type"] != "generic":
        raise BadKeyRequest(reason="Only 'generic' containers can be modified.")
    _check_names("generic", [name for name, _ in secrets], {id for _, id in secrets})
    tx.update(CONTAINERS, container["id"], {"secrets": [list(one) for one in secrets], "updated": now()})


def set_consumers(tx: WriteTransaction, kind: str, one: Object, consumers: Sequence[Object]) -> Object:
    if len(consumers) > MOST_CONSUMERS:
        raise QuotaReached(project=one["project_id"], quota=MOST_CONSUMERS, kind="consumers")
    return tx.update(kind, one["id"], {"consumers": list(consumers), "updated": now()})


def _check_names(kind: str, names: Sequence[str], ids: set[str]) -> None:
    if len(set(names)) < len(names):
        raise BadKeyRequest(reason="Duplicate reference names are not allowed.")
    if len(ids) < len(names):
        raise BadKeyRequest(reason="Duplicate secret ids are not allowed.")
    if kind not in _NAMES:
        return
    needed, more = _NAMES[kind]
    if missing := needed - set(names):
        raise BadKeyRequest(reason=f"A {kind} container needs a secret named {', '.join(sorted(missing))}.")
    if wrong := set(names) - needed - more:
        raise BadKeyRequest(reason=f"A {kind} container has no secret named {', '.join(sorted(wrong))}.")


def _born(tx: WriteTransaction, kind: str, wanted: Mapping[str, object]) -> Object:
    project = str(wanted["project_id"])
    tx.take_turns(f"{kind} of {project}")
    own = {"project_id": [project]}
    if tx.count(kind, own) >= MOST[kind] and not _sweep(tx, kind, own):
        raise QuotaReached(project=project, quota=MOST[kind], kind=f"{TITLES[kind]}s")
    at = now()
    return {"id": str(uuid.uuid4()), "acl": None, "consumers": [], "created": at, "updated": at} | dict(wanted)


def _sweep(tx: WriteTransaction, kind: str, own: Mapping[str, list[str]]) -> bool:
    """What has expired goes, since nobody can delete it; whether any has."""
    over = [one["id"] for one in tx.query(kind, Query(own)) if is_over(one)]
    for id in over:
        tx.delete(kind, id)
    return bool(over)


def _is_first(tx: ReadTransaction) -> bool:
    return not any(one.get(PAYLOAD) for one in tx.query(SECRETS, Query()))


def _about(secret: Object) -> str:
    return f"{secret['project_id']} {secret['id']}"


def is_over(one: Object) -> bool:
    return bool(one.get("expiration")) and one["expiration"] <= now()
