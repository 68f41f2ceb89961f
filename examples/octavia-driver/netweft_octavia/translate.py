"""Objects of Octavia's provider interface as bodies of requests to Netweft's API, which has Octavia's own names.

What Octavia tells besides goes: contents of TLS containers, which Netweft fetches by their references itself, and ids,
which are kept as tags.
"""

from collections.abc import Mapping
from typing import Any, Final

Body = dict[str, Any]

TAG: Final = "octavia:"
_IDS: Final = ("loadbalancer_id", "listener_id", "pool_id", "member_id", "healthmonitor_id", "l7policy_id", "l7rule_id")
_CHILDREN: Final = ("listeners", "pools", "default_pool", "members", "healthmonitor", "l7policies", "rules")
_OTHERS: Final = ("project_id", "vip_address", "default_pool_id", "redirect_pool_id")
# kind -> the attribute that has its own id
OWN: Final[Mapping[str, str]] = {
    "loadbalancers": "loadbalancer_id",
    "listeners": "listener_id",
    "pools": "pool_id",
    "members": "member_id",
    "healthmonitors": "healthmonitor_id",
    "l7policies": "l7policy_id",
    "rules": "l7rule_id",
}


def tag(id: str) -> str:
    return f"{TAG}{id}"


def plain(object: Mapping[str, Any]) -> Body:
    """Its own attributes, none that names another object, nor what is none of Netweft's."""
    dropped = {*_IDS, *_CHILDREN, *_OTHERS, "vip_network_id", "vip_subnet_id", "vip_port_id"}
    kept = {name: value for name, value in object.items() if name not in dropped}
    return {name: value for name, value in kept.items() if value is not None and not name.endswith("_data")}


def created(kind: str, object: Mapping[str, Any]) -> Body:
    return plain(object) | {"tags": [tag(object[OWN[kind]])]}


def changed(object: Mapping[str, Any]) -> Body:
    """Of an update, which has what changes: null is a value there."""
    return {name: value for name, value in object.items() if name not in {*_IDS, *_CHILDREN, *_OTHERS}}


def balancer(object: Mapping[str, Any]) -> Body:
    """With all that it is made with.  Pools are named by Octavia's ids, so that listeners can name them."""
    body = created("loadbalancers", object) | {"vip_port_id": object["vip_port_id"]}
    if object.get("project_id"):
        body["project_id"] = object["project_id"]
    pools = {one["pool_id"]: one for one in object.get("pools") or ()}
    for one in object.get("listeners") or ():
        if found := one.get("default_pool"):
            pools.setdefault(found["pool_id"], found)
    body["listeners"] = [_listener(one) for one in object.get("listeners") or ()]
    body["pools"] = [_pool(one) for one in pools.values()]
    return body


def _listener(object: Mapping[str, Any]) -> Body:
    body = created("listeners", object)
    pool = (object.get("default_pool") or {}).get("pool_id") or object.get("default_pool_id")
    if pool:
        body["default_pool"] = {"name": pool}
    if object.get("l7policies"):
        body["l7policies"] = [_policy(one) for one in object["l7policies"]]
    return body


def _policy(object: Mapping[str, Any]) -> Body:
    body = created("l7policies", object)
    if object.get("redirect_pool_id"):
        body["redirect_pool"] = {"name": object["redirect_pool_id"]}
    return body | {"rules": [created("rules", one) for one in object.get("rules") or ()]}


def _pool(object: Mapping[str, Any]) -> Body:
    body = created("pools", object) | {"name": object["pool_id"]}
    if object.get("healthmonitor"):
        body["healthmonitor"] = created("healthmonitors", object["healthmonitor"])
    return body | {"members": [member(one) for one in object.get("members") or ()]}


def member(object: Mapping[str, Any]) -> Body:
    return created("members", object)
