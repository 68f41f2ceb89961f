"""Firewalls through the API, as tests make them."""

from typing import Any

import httpx
from tests.api.network.conftest import Api

from netweft.store import Object

GROUP, POLICY, RULE = "firewall_group", "firewall_policy", "firewall_rule"
PLURALS = {GROUP: "firewall_groups", POLICY: "firewall_policies", RULE: "firewall_rules"}


def path_of(member: str, id: str = "") -> str:
    return f"/fwaas/{PLURALS[member]}" + (f"/{id}" if id else "")


def ask(api: Api, who: str, member: str, **values: Any) -> httpx.Response:
    return api(who, "POST", path_of(member), {member: values})


def make(api: Api, who: str, member: str, **values: Any) -> Object:
    answer = ask(api, who, member, **values)
    assert answer.status_code == 201, answer.text
    made: Object = answer.json()[member]
    return made


def rule(api: Api, who: str = "alice", **values: Any) -> Object:
    return make(api, who, "firewall_rule", **values)


def policy(api: Api, who: str = "alice", *rules: Object, **values: Any) -> Object:
    return make(api, who, "firewall_policy", firewall_rules=[one["id"] for one in rules], **values)


def group(api: Api, who: str = "alice", **values: Any) -> Object:
    return make(api, who, "firewall_group", **values)


def change(api: Api, who: str, member: str, object: Object, **changes: Any) -> httpx.Response:
    return api(who, "PUT", path_of(member, object["id"]), {member: changes})


def changed(api: Api, who: str, member: str, object: Object, **changes: Any) -> Object:
    answer = change(api, who, member, object, **changes)
    assert answer.status_code == 200, answer.text
    found: Object = answer.json()[member]
    return found


def shown(api: Api, who: str, member: str, object: Object) -> Object:
    found: Object = api.get(who, path_of(member, object["id"]))[member]
    return found


def delete(api: Api, who: str, member: str, object: Object) -> httpx.Response:
    return api(who, "DELETE", path_of(member, object["id"]))


def act(api: Api, who: str, policy: Object, action: str, **values: Any) -> httpx.Response:
    return api(who, "PUT", f"{path_of('firewall_policy', policy['id'])}/{action}", values)


def vm_port(api: Api, who: str = "alice", network: Object | None = None, **values: Any) -> Object:
    on = network or api.network(who, cidr="10.0.0.0/24")
    return api.make(who, "port", network_id=on["id"], device_owner="compute:nova", device_id="vm", **values)


def interface(api: Api, who: str = "alice", cidr: str = "10.1.0.0/24") -> Object:
    """A router's, on a network of its own.  Returns what the router says of it: `port_id`, `id`."""
    network = api.network(who)
    subnet = api.make(who, "subnet", network_id=network["id"], ip_version=4, cidr=cidr)
    router = api.make(who, "router", name="r")
    answer = api(who, "PUT", f"/routers/{router['id']}/add_router_interface", {"subnet_id": subnet["id"]})
    assert answer.status_code == 200, answer.text
    found: Object = answer.json()
    return found
