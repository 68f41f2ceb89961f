"""Health monitors: what is asked of a pool's members.  A pool has one at most."""

from typing import Any

from netweft.control.lb import pools, vocabulary
from netweft.control.lb.errors import DuplicateHealthMonitor, InvalidOption, ValidationFailure
from netweft.control.lb.tree import Tree
from netweft.control.lb.vocabulary import MEMBERS, MONITORS, POOLS
from netweft.model.load_balancer import NO_MONITOR, OFFLINE
from netweft.store import Object

_DEFAULTS = {"http_method": "GET", "url_path": "/", "expected_codes": "200"}  # of those that speak HTTP
_NEEDED = ("delay", "max_retries", "timeout")


def create(tree: Tree, pool: Object, wanted: Object) -> Object:
    _check_pool(pool["protocol"], wanted["type"], wanted["delay"])
    tree.begin()
    return made(tree, pool, wanted)


def made(tree: Tree, pool: Object, wanted: Object) -> Object:
    """In a tree that may change."""
    _check_pool(pool["protocol"], wanted["type"], wanted["delay"])
    if _speaks_http(wanted["type"]):
        wanted = wanted | {name: wanted[name] or value for name, value in _DEFAULTS.items()}
    else:
        _refuse_http(wanted["type"], {name: value for name, value in wanted.items() if value})
    _check_names(wanted)
    if tree.of_pool(MONITORS, pool["id"]):
        raise DuplicateHealthMonitor()
    (monitor,) = tree.insert(MONITORS, [wanted | {"pool_id": pool["id"]}])
    tree.write(POOLS, pool["id"], {"healthmonitor_id": monitor["id"]})
    pools.touch(tree, pool)
    _judge_anew(tree, pool["id"])
    return monitor


def update(tree: Tree, pool: Object, current: Object, changes: Object) -> Object:
    if not _speaks_http(current["type"]):
        _refuse_http(current["type"], changes)
    for name in _NEEDED:
        if name in changes and changes[name] is None:
            raise InvalidOption(value=None, option=name)
    changes = changes | {name: value for name, value in _DEFAULTS.items() if changes.get(name, value) is None}
    after = current | changes
    _check_names(after)
    _check_pool(pool["protocol"], current["type"], after["delay"])
    tree.begin()
    pools.touch(tree, pool)
    updated = tree.update(MONITORS, current["id"], changes)
    if updated["admin_state_up"] != current["admin_state_up"]:
        _judge_anew(tree, pool["id"])
    return updated


def delete(tree: Tree, pool: Object, current: Object) -> None:
    tree.begin()
    pools.touch(tree, pool)
    tree.delete(MONITORS, [current["id"]])
    tree.write(POOLS, pool["id"], {"healthmonitor_id": None})
    _judge_anew(tree, pool["id"])


def status_of_new(tree: Tree, pool: Object) -> str:
    """Of a member that nobody has asked yet: where there is who asks, it gets no traffic before it has answered."""
    return OFFLINE if any(one["admin_state_up"] for one in tree.of_pool(MONITORS, pool["id"])) else NO_MONITOR


def _judge_anew(tree: Tree, pool_id: str) -> None:
    """Members are as nobody has asked them."""
    status = status_of_new(tree, {"id": pool_id})
    for member in tree.of_pool(MEMBERS, pool_id):
        if member["operating_status"] != status:
            tree.write(MEMBERS, member["id"], {"operating_status": status})


def _speaks_http(type: str) -> bool:
    return type in (vocabulary.MONITOR_HTTP, vocabulary.MONITOR_HTTPS)


def _refuse_http(type: str, given: Object) -> None:
    for name in _DEFAULTS:
        if name in given:
            raise InvalidOption(value=name, option=f"health monitors of type {type}")


def _check_names(values: Object) -> None:
    version: Any = values["http_version"]
    if values["domain_name"] and not version:
        raise ValidationFailure(detail="'http_version' must be specified when 'domain_name' is provided.")
    if values["domain_name"] and version < 1.1:
        option = "health monitors HTTP 1.1 domain name health check"
        raise InvalidOption(value=f"http_version {version}", option=option)


def _check_pool(protocol: str, type: str, delay: int) -> None:
    """Whether such a monitor is one for such a pool."""
    if protocol not in vocabulary.DATAGRAMS:
        if type in vocabulary.ONLY_OF_DATAGRAMS:
            protocols = "/".join(vocabulary.DATAGRAMS)
            raise ValidationFailure(detail=f"The {type} type is only supported for pools of type {protocols}.")
        return
    if type not in vocabulary.OF_DATAGRAMS:
        types = "/".join(vocabulary.OF_DATAGRAMS)
        detail = f"The associated pool protocol is {protocol}, so only a {types} health monitor is supported."
        raise ValidationFailure(detail=detail)
    if type == vocabulary.UDP_CONNECT and delay < vocabulary.LEAST_UDP_DELAY:
        least = vocabulary.LEAST_UDP_DELAY
        detail = f"The request delay value {delay} should be larger than {least} for {type} health monitor type."
        raise ValidationFailure(detail=detail)
