"""/trunks and their sub-ports: paths, bodies, who may."""

from typing import Any

import pytest

from netweft.store import Object

from ..conftest import Api, refused


@pytest.fixture
def ports(api: Api) -> list[Object]:
    return [api.make("alice", "port", network_id=api.network()["id"]) for _ in range(3)]


def sub(port: Object, id: int) -> Object:
    return {"port_id": port["id"], "segmentation_type": "vlan", "segmentation_id": id}


def change(api: Api, trunk: Object, verb: str, *sub_ports: Object, who: str = "alice") -> Any:
    return api(who, "PUT", f"/trunks/{trunk['id']}/{verb}_subports", {"sub_ports": list(sub_ports)})


def test_a_trunks_life(api: Api, ports: list[Object]) -> None:
    trunk = api.make("alice", "trunk", name="t", port_id=ports[0]["id"], sub_ports=[sub(ports[1], 10)])
    assert (trunk["status"], trunk["admin_state_up"], trunk["project_id"]) == ("DOWN", True, "red")
    added = change(api, trunk, "add", sub(ports[2], 20))
    assert (added.status_code, added.json()["id"]) == (200, trunk["id"])
    listed = api.get("alice", f"/trunks/{trunk['id']}/get_subports")
    assert listed == {"sub_ports": [sub(ports[1], 10), sub(ports[2], 20)]}
    details = api.get("alice", f"/ports/{ports[0]['id']}")["port"]["trunk_details"]
    assert [each["mac_address"] for each in details["sub_ports"]] == [port["mac_address"] for port in ports[1:]]
    assert "trunk_details" not in api.get("alice", f"/ports/{ports[1]['id']}")["port"]
    assert change(api, trunk, "remove", {"port_id": ports[1]["id"]}).json()["sub_ports"] == [sub(ports[2], 20)]
    assert api.names("alice", f"/trunks?status=DOWN&port_id={ports[0]['id']}") == ["t"]
    assert api("alice", "DELETE", f"/trunks/{trunk['id']}").status_code == 204
    assert api("alice", "DELETE", f"/ports/{ports[0]['id']}").status_code == 204


def test_refusals_are_neutrons(api: Api, ports: list[Object]) -> None:
    trunk = api.make("alice", "trunk", port_id=ports[0]["id"], sub_ports=[sub(ports[1], 10)])
    assert refused(change(api, trunk, "add", sub(ports[2], 10))) == (409, "DuplicateSubPort")
    assert refused(change(api, trunk, "add", sub(ports[1], 20))) == (409, "TrunkPortInUse")
    assert refused(change(api, trunk, "add", sub(ports[2], 4095))) == (400, "InvalidInput")
    assert refused(change(api, trunk, "add", {"colour": "red"})) == (400, "InvalidInput")
    assert refused(change(api, trunk, "remove", {"port_id": ports[2]["id"]})) == (404, "SubPortNotFound")
    assert refused(api("alice", "PUT", f"/trunks/{trunk['id']}/add_subports", {"a": 1})) == (400, "HTTPBadRequest")
    again = api("alice", "POST", "/trunks", {"trunk": {"port_id": ports[0]["id"]}})
    assert refused(again) == (409, "ParentPortInUse")
    for port, type in ((ports[0], "PortInUseAsTrunkParent"), (ports[1], "PortInUseAsSubPort")):
        assert refused(api("alice", "DELETE", f"/ports/{port['id']}")) == (409, type)


def test_ports_of_others_are_not_to_be_had(api: Api, ports: list[Object]) -> None:
    trunk = api.make("alice", "trunk", port_id=ports[0]["id"])
    theirs = api.make("bob", "port", network_id=api.network("bob")["id"])
    assert refused(change(api, trunk, "add", sub(theirs, 10))) == (404, "PortNotFound")
    stolen = api("bob", "POST", "/trunks", {"trunk": {"port_id": ports[1]["id"]}})
    assert refused(stolen) == (404, "PortNotFound")
    assert refused(change(api, trunk, "add", sub(theirs, 10), who="bob")) == (404, "TrunkNotFound")
    assert refused(change(api, trunk, "add", sub(ports[1], 10), who="adam")) == (403, "PolicyNotAuthorized")
    assert change(api, trunk, "add", sub(theirs, 10), who="admin").status_code == 200


NOWHERE = {"id": "5283fb86-4c69-46d0-8ea0-43533bbee357"}


def test_what_makes_no_sense_is_said_before_what_is_not_there_or_in_use(api: Api, ports: list[Object]) -> None:
    trunk = api.make("alice", "trunk", port_id=ports[0]["id"], sub_ports=[sub(ports[1], 10)])
    for port in (NOWHERE, ports[1], ports[0]):
        for senseless in (
            {"port_id": port["id"]},
            {"port_id": port["id"], "segmentation_type": "vlan"},
            sub(port, 0),
            sub(port, 4095),
            sub(port, 20) | {"segmentation_type": "magic"},
        ):
            assert refused(change(api, trunk, "add", senseless)) == (400, "InvalidInput")
            body = {"trunk": {"port_id": NOWHERE["id"], "sub_ports": [senseless]}}
            assert api("alice", "POST", "/trunks", body).status_code == 400
    twice = [sub(ports[2], 20), sub(ports[2], 21)], [sub(ports[2], 20), sub(NOWHERE, 20)]
    for subs in twice:
        assert refused(change(api, trunk, "add", *subs)) == (400, "InvalidInput")
    assert refused(change(api, trunk, "add", sub(NOWHERE, 10))) == (404, "PortNotFound")
    assert refused(change(api, trunk, "add", sub(ports[0], 20))) == (409, "ParentPortInUse")
    assert change(api, trunk, "remove", {"port_id": ports[1]["id"]}).status_code == 200
