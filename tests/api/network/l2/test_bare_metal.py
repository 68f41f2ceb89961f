"""Ports of machines that are no VMs: bound where a switch knows them, and refused by name."""

from collections.abc import Iterator, Sequence

import pytest

from netweft.control.l2 import hosts, wires
from netweft.control.l2.segments import ID, PHYSICAL, TYPE
from netweft.model import Network
from netweft.plugins.mechanisms import Link, vetoes
from netweft.store import Object, Store

from ..conftest import Api, refused

HOST, VIF, PROFILE, VNIC = "binding:host_id", "binding:vif_type", "binding:profile", "binding:vnic_type"


class Tor:
    """A switch that is asked only; port `full` has no room."""

    def can_bind(self, host: str, network: Network, links: Sequence[Link]) -> str | None:
        if not any(link.switch_info == "tor1" for link in links):
            return "hv9 is too far away" if host == "hv9" else None
        return "switch tor1: full is full" if any(link.port_id == "full" for link in links) else ""


@pytest.fixture(autouse=True)
def tor() -> Iterator[None]:
    owner = object()
    vetoes.know(owner, [Tor()])  # type: ignore[list-item]
    yield
    vetoes.forget(owner)


def plugged(switch: str = "tor1", port: str = "e1") -> Object:
    return {PROFILE: {"local_link_information": [{"switch_info": switch, "port_id": port}]}}


def update(api: Api, port: Object, **changes: object) -> Object:
    found: Object = api("admin", "PUT", f"/ports/{port['id']}", {"port": changes}).json()["port"]
    return found


@pytest.fixture
def port(api: Api) -> Object:
    return api.make("admin", "port", network_id=api.network("admin")["id"], **{VNIC: "baremetal"})


def test_it_is_bound_where_a_switch_knows_it(api: Api, port: Object) -> None:
    bound = update(api, port, **{HOST: "node-1"}, **plugged())
    assert (bound[VIF], bound["status"], bound["status_detail"]) == ("other", "DOWN", "")
    assert update(api, port, **{HOST: ""})[VIF] == "unbound"


@pytest.mark.parametrize(
    ("profile", "why"),
    [
        (plugged("tor9"), "no switch that is known is called tor9"),
        (plugged("tor1", "full"), "switch tor1: full is full"),
        ({PROFILE: {}}, "binding:profile has no local_link_information"),
        ({PROFILE: None}, "binding:profile has no local_link_information"),
    ],
)
def test_why_it_is_not_bound_is_said(api: Api, port: Object, profile: Object, why: str) -> None:
    bound = update(api, port, **{HOST: "node-1"}, **profile)
    assert bound[VIF] == "binding_failed"
    assert why in bound["status_detail"]
    assert update(api, port, **plugged())[VIF] == "other"  # what it is plugged into is looked at again


def test_what_its_switch_has_is_bound(store: Store, api: Api, port: Object) -> None:
    """It was bound before anybody knew of the switch."""
    assert update(api, port, **{HOST: "node-1"}, **plugged("tor9"))[VIF] == "binding_failed"
    store.run(lambda tx: wires.report(tx, "switch:tor9", {}, [port["id"]]))
    bound = api.get("admin", f"/ports/{port['id']}")["port"]
    assert (bound[VIF], bound["status"], bound["status_detail"]) == ("other", "ACTIVE", "")


def test_a_trunks_sub_ports_are_where_it_is(api: Api, port: Object) -> None:
    under = api.make("admin", "port", network_id=api.network("admin")["id"])
    one = {"port_id": under["id"], "segmentation_type": "vlan", "segmentation_id": 10}
    api.make("admin", "trunk", port_id=port["id"], sub_ports=[one])
    update(api, port, **{HOST: "node-1"}, **plugged())
    bound = api.get("admin", f"/ports/{under['id']}")["port"]
    assert (bound[VIF], bound[HOST], bound[VNIC]) == ("other", "node-1", "baremetal")


def test_a_veto_is_for_hosts_too() -> None:
    facts: Object = {"bridge_mappings": {"physnet1": "br-eth1"}, "tunnel_ip": None, "tunnel_types": []}
    node: Object = {"configurations": facts}
    wire = {TYPE: "vlan", PHYSICAL: "physnet1", ID: 101, "id": "net"}
    assert hosts.binding("hv8", node, wire)[VIF] == "ovs"
    refusal = hosts.binding("hv9", node, wire)
    assert (refusal[VIF], refusal["status_detail"]) == ("binding_failed", "hv9 is too far away")


def test_who_is_no_admin_says_nothing_of_switches(api: Api) -> None:
    wanted = {"network_id": api.network("alice")["id"]} | plugged()
    assert refused(api("alice", "POST", "/ports", {"port": wanted})) == (403, "PolicyNotAuthorized")
