"""Pools: members that do the same, and how one of them is chosen."""

import re
from typing import Any

from netweft.control.lb import listeners, tls, vocabulary
from netweft.control.lb.errors import DuplicatePool, ListenerNoChildren, PoolInUseByL7Policy, ValidationFailure
from netweft.control.lb.tls import Looked
from netweft.control.lb.tree import Tree
from netweft.control.lb.vocabulary import LISTENERS, MEMBERS, MONITORS, POLICIES, POOLS, PROMETHEUS
from netweft.store import Object

PERSISTENCE = "session_persistence"
_AUTHORITY = ("ca_tls_container_ref", "crl_container_ref")
_BAD_COOKIE = re.compile(r'[\x00-\x20"(),/:-@\[-\]{}\x7f]')
_SAID_FOR_DATAGRAMS = ("persistence_timeout", "persistence_granularity")
_DATAGRAMS = "/".join(vocabulary.DATAGRAMS)


def create(tree: Tree, wanted: Object, listener: Object | None, looked: Looked) -> Object:
    """listener: of the tree, whose default pool it becomes."""
    if listener is not None:
        if listener["protocol"] == PROMETHEUS:
            raise ListenerNoChildren(protocol=PROMETHEUS)
        listeners.check_protocols(listener["protocol"], wanted["protocol"])
        if listener["default_pool_id"]:
            raise DuplicatePool()
    check(wanted["protocol"], wanted.get(PERSISTENCE))
    tree.begin()
    pool = made(tree, wanted, looked)
    if listener is not None:
        tree.update(LISTENERS, listener["id"], {"default_pool_id": pool["id"]})
    return pool


def made(tree: Tree, wanted: Object, looked: Looked) -> Object:
    """In a tree that may change."""
    check(wanted["protocol"], wanted.get(PERSISTENCE))
    _check_tls(wanted, wanted, looked)
    wanted = {"healthmonitor_id": None} | wanted
    if wanted["tls_enabled"]:
        wanted |= tls.defaults(wanted)
    (pool,) = tree.insert(POOLS, [wanted])
    return pool


def update(tree: Tree, current: Object, changes: Object, looked: Looked) -> Object:
    if changes.get(PERSISTENCE):
        kept = current[PERSISTENCE] or {}
        given = {name: value for name, value in changes[PERSISTENCE].items() if value is not None}
        if not given.get("type") and kept.get("type"):
            given["type"] = kept["type"]
        changes = changes | {PERSISTENCE: _whole(given)}
        check(current["protocol"], changes[PERSISTENCE])
    _check_tls(current | changes, changes, looked)
    if (current | changes)["tls_enabled"]:
        changes = changes | tls.defaults(current | changes)
    tree.begin()
    tree.affects(_listeners(tree, current["id"]))
    return tree.update(POOLS, current["id"], changes)


def delete(tree: Tree, current: Object) -> None:
    """With its members and its monitor."""
    for policy in tree.rows(POLICIES).values():
        if policy["redirect_pool_id"] == current["id"]:
            raise PoolInUseByL7Policy(id=current["id"], l7policy_id=policy["id"])
    tree.begin()
    for id in _listeners(tree, current["id"]):
        tree.update(LISTENERS, id, {"default_pool_id": None})
    for kind in (MEMBERS, MONITORS):
        tree.delete(kind, [one["id"] for one in tree.of_pool(kind, current["id"])])
    tree.delete(POOLS, [current["id"]])


def touch(tree: Tree, pool: Object) -> None:
    """That something of the pool changes: it and who leads there are PENDING_UPDATE."""
    tree.affects([pool["id"], *_listeners(tree, pool["id"])])


def _listeners(tree: Tree, pool_id: str) -> list[str]:
    return [id for id, one in tree.rows(LISTENERS).items() if one["default_pool_id"] == pool_id]


def _whole(persistence: Object) -> Object:
    names = ("type", "cookie_name", *_SAID_FOR_DATAGRAMS)
    return {name: persistence.get(name) for name in names}


def check(protocol: str, persistence: Any) -> None:
    if not persistence:
        return
    if not persistence.get("type"):
        raise ValidationFailure(detail="Invalid session_persistence provided.")
    if protocol in vocabulary.DATAGRAMS:
        _check_datagrams(persistence)
    elif any(persistence.get(name) for name in _SAID_FOR_DATAGRAMS):
        detail = "persistence_timeout and persistence_granularity is only for UDP and SCTP protocol pools."
        raise ValidationFailure(detail=detail)
    _check_cookie(persistence)


def _check_datagrams(persistence: Object) -> None:
    if persistence.get("cookie_name"):
        if persistence["type"] == "SOURCE_IP":
            detail = (
                "session_persistence SOURCE_IP type for UDP and SCTP protocols only accepts: type, "
                "persistence_timeout, persistence_granularity."
            )
            raise ValidationFailure(detail=detail)
        raise ValidationFailure(detail=f"Cookie names are not supported for {_DATAGRAMS} pools.")
    if persistence["type"] != "SOURCE_IP":
        kind = persistence["type"]
        detail = f"Session persistence of type {kind} is not supported for {_DATAGRAMS} protocol pools."
        raise ValidationFailure(detail=detail)


def _check_cookie(persistence: Object) -> None:
    name, needs = persistence.get("cookie_name"), persistence["type"] == "APP_COOKIE"
    if name and not needs:
        detail = 'Field "cookie_name" can only be specified with session persistence of type "APP_COOKIE".'
        raise ValidationFailure(detail=detail)
    if name and _BAD_COOKIE.search(name):
        raise ValidationFailure(detail='Supplied "cookie_name" is invalid.')
    if needs and not name:
        detail = 'Field "cookie_name" must be specified when using the "APP_COOKIE" session persistence type.'
        raise ValidationFailure(detail=detail)


def _check_tls(after: Object, changes: Object, looked: Looked) -> None:
    if after["crl_container_ref"] and not after["ca_tls_container_ref"]:
        raise ValidationFailure(detail="A CA certificate reference is required to specify a revocation list.")
    tls.check_ciphers(changes.get("tls_ciphers"))
    tls.check_certificates(looked, [changes.get("tls_container_ref")])
    tls.check_authority(looked, after, changes, _AUTHORITY)
    if after["tls_enabled"]:
        tls.check_offers(changes)
