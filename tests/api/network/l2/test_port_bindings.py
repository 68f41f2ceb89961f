"""/ports/ID/bindings, as Nova uses it to move a VM."""

from typing import Any

import pytest

from netweft.control.l2 import binding
from netweft.model import NodeFacts
from netweft.store import Object, Store

from ..conftest import Api, refused


@pytest.fixture
def port(api: Api, store: Store) -> Object:
    for number, node in enumerate(("hv1", "hv2"), 1):
        with store.write() as tx:
            binding.node_connected(tx, node, NodeFacts(tunnel_ip=f"192.0.2.{number}"))
    network = api.network("alice")
    owner = {"project_id": "red", "device_owner": "compute:nova"}
    return api.make("admin", "port", network_id=network["id"], **{"binding:host_id": "hv1"}, **owner)


def create(api: Api, port: Object, who: str = "admin", **values: Any) -> Any:
    return api(who, "POST", f"/ports/{port['id']}/bindings", {"binding": values})


def test_a_move(api: Api, port: Object) -> None:
    made = create(api, port, host="hv2", profile={"a": 1}, vnic_type="normal")
    assert made.status_code == 201
    shown = made.json()["binding"]
    assert shown.items() >= {"host": "hv2", "status": "INACTIVE", "vif_type": "ovs", "profile": {"a": 1}}.items()
    path = f"/ports/{port['id']}/bindings"
    assert [one["host"] for one in api.get("admin", path)["bindings"]] == ["hv1", "hv2"]
    assert api.get("admin", f"{path}/hv2") == {"binding": shown}
    changed = api("admin", "PUT", f"{path}/hv2", {"binding": {"profile": {"b": 2}}})
    assert changed.json()["binding"]["profile"] == {"b": 2}
    activated = api("admin", "PUT", f"{path}/hv2/activate")
    assert (activated.status_code, activated.json()["status"]) == (200, "ACTIVE")
    assert api.get("admin", f"/ports/{port['id']}")["port"]["binding:host_id"] == "hv2"
    assert api("admin", "DELETE", f"{path}/hv1").status_code == 204
    assert [one["host"] for one in api.get("admin", path)["bindings"]] == ["hv2"]


def test_refusals_are_neutrons(api: Api, port: Object) -> None:
    path = f"/ports/{port['id']}/bindings"
    assert refused(create(api, port, host="hv1")) == (409, "PortBindingAlreadyExists")
    assert refused(create(api, port, host="hv9")) == (409, "PortBindingError")
    assert refused(create(api, port)) == (400, "HTTPBadRequest")
    assert refused(create(api, port, host="hv2", colour="red")) == (400, "HTTPBadRequest")
    many = api("admin", "POST", path, {"bindings": [{"host": "hv2"}, {"host": "hv3"}]})
    assert refused(many) == (400, "HTTPBadRequest")
    assert refused(api("admin", "PUT", f"{path}/hv1/activate")) == (409, "PortBindingAlreadyActive")
    assert refused(api("admin", "PUT", f"{path}/hv2/activate")) == (404, "PortBindingNotFound")
    assert refused(api("admin", "DELETE", f"{path}/hv2")) == (404, "PortBindingNotFound")
    assert refused(api("admin", "GET", "/ports/nothing/bindings")) == (404, "PortNotFound")


def test_bindings_are_admins_and_services_business(api: Api, port: Object) -> None:
    assert refused(create(api, port, "alice", host="hv2")) == (403, "PolicyNotAuthorized")
    path = f"/ports/{port['id']}/bindings"
    assert api.get("alice", path) == {"bindings": []}
    assert create(api, port, "nova", host="hv2").status_code == 201
    for method, one in (("GET", "hv2"), ("PUT", "hv2"), ("DELETE", "hv2"), ("PUT", "hv2/activate"), ("DELETE", "hv9")):
        answer = api("alice", method, f"{path}/{one}", {"binding": {"vnic_type": "normal"}})
        assert refused(answer) == (404, "PortBindingNotFound")
    assert refused(create(api, port, "bob", host="hv2")) == (404, "PortNotFound")
