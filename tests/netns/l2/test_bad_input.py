"""What people get wrong, with real agents: Neutron's answer to the stock SDK, a status that says why, no half work."""

from collections.abc import Iterator
from typing import Any

import openstack
import pytest
from openstack import exceptions
from tests.netns.harness import Lab, until

from netweft.lab import vm
from netweft.lab.cloud import credentials
from netweft.lab.vm import Vm

pytestmark = [pytest.mark.client, pytest.mark.filterwarnings("ignore")]  # the SDK warns of what it will itself remove

PHYSNET1 = {"provider:network_type": "vlan", "provider:physical_network": "physnet1"}
MAPPINGS = ["physnet1:br-eth1", "public:br-ex"]


@pytest.fixture(scope="module")
def nodes() -> int:
    return 1


@pytest.fixture(scope="module")
def sdk(lab: Lab) -> Any:
    """The network proxy of a connection."""
    known: dict[str, Any] = {name[3:].lower(): value for name, value in credentials(lab.layout).items()}
    known.pop("identity_api_version", None)
    return openstack.connect(load_yaml_config=False, load_envvars=False, **known).network


@pytest.fixture
def remapped(lab: Lab) -> Iterator[None]:
    yield
    lab.configure_agent("hv1", bridge_mappings=MAPPINGS)


def untouched(lab: Lab, machine: Vm) -> bool:
    """Nothing on the switch knows of it."""
    row = lab.vsctl("hv1", "get", "Port", machine.vif, "tag", "external_ids").split()
    ofport = lab.vsctl("hv1", "get", "Interface", machine.vif, "ofport")
    return row == ["[]", "{}"] and not any(f"in_port={ofport}," in flow for flow in lab.flows("hv1", "br-int"))


def neutron_error(refusal: exceptions.HttpException) -> tuple[str, str]:
    assert refusal.response is not None
    body = refusal.response.json()["NeutronError"]
    return body["type"], body["message"]


@pytest.mark.parametrize(
    ("mappings", "missing"),
    [(["public:br-ex"], "physical network physnet1"), (["physnet1:br-nowhere", "public:br-ex"], "br-nowhere")],
    ids=["a physical network that no host has", "a mapping to a bridge that is not there"],
)
def test_where_the_wire_is_missing_the_port_says_so_and_heals(
    lab: Lab, sdk: Any, remapped: None, mappings: list[str], missing: str
) -> None:
    lab.configure_agent("hv1", bridge_mappings=mappings)
    machine, other = lab.describe_vm("hv1", lab.network("10.1.0.0/24", **PHYSNET1)), lab.network("10.2.0.0/24")
    sdk.update_port(machine.port_id, binding_host_id="hv1")
    vm.add(lab.layout, machine)
    until(lambda: missing in str(lab.port(machine).get("status_detail")), f"the port names {missing}")
    assert sdk.get_port(machine.port_id).status == "DOWN"
    assert len(lab.vsctl("hv1", "list-ports", "br-eth1").split()) == 1, "its NIC"
    assert lab.port(lab.add_vm("hv1", other))["status"] == "ACTIVE", "others are wired"
    lab.configure_agent("hv1", bridge_mappings=MAPPINGS)
    until(lambda: sdk.get_port(machine.port_id).status == "ACTIVE", "ACTIVE once it is there")
    lab.remove_vm(machine)


def test_a_sub_port_used_twice(lab: Lab, sdk: Any) -> None:
    network, inner = lab.network("10.3.0.0/24"), lab.network("10.4.0.0/24")
    parents = [sdk.create_port(network_id=network) for _ in range(2)]
    sub, another = (sdk.create_port(network_id=inner) for _ in range(2))
    tagged = {"segmentation_type": "vlan", "segmentation_id": 10}
    first = sdk.create_trunk(port_id=parents[0].id, sub_ports=[tagged | {"port_id": sub.id}])
    second = sdk.create_trunk(port_id=parents[1].id)
    with lab.cloud() as cloud:
        words = {"name": "trunk", "node": "hv1", "network": "", "port": parents[0].id}
        machine = vm.create(cloud, lab.layout, vm.describe(cloud, lab.layout, kind="netns", **words))
        until(lambda: cloud.find("trunks", first.id)["status"] == "ACTIVE", "the trunk is ACTIVE")
    until(lambda: lab.in_sync("hv1"), "hv1 in sync")
    before = lab.flows("hv1", "br-int")
    with pytest.raises(exceptions.ConflictException) as refused:
        sdk.add_trunk_subports(second, [tagged | {"port_id": sub.id}])
    assert neutron_error(refused.value) == ("TrunkPortInUse", f"Port {sub.id} is in use by another trunk.")
    with pytest.raises(exceptions.ConflictException, match="segmentation_type vlan and segmentation_id 10"):
        sdk.add_trunk_subports(first, [tagged | {"port_id": another.id}])
    assert sdk.get_trunk_subports(second)["sub_ports"] == []
    assert len(sdk.get_trunk_subports(first)["sub_ports"]) == 1
    until(lambda: lab.in_sync("hv1"), "hv1 in sync")
    assert lab.flows("hv1", "br-int") == before
    vm.remove(lab.layout, machine)


def test_out_of_local_vlans_the_port_says_so_and_is_wired_when_one_is_free(lab: Lab, sdk: Any) -> None:
    """Three for four networks."""
    held = len({row for row in lab.vsctl("hv1", "--bare", "--columns=tag", "list", "Port").split() if row})
    lab.configure_agent("hv1", local_vlans=f"1:{held + 3}")
    machines = [lab.add_vm("hv1", lab.network(f"10.{number}.0.0/24")) for number in range(10, 13)]
    late = lab.describe_vm("hv1", lab.network("10.13.0.0/24"))
    vm.add(lab.layout, late)
    until(lambda: "no local VLAN is free" in str(lab.port(late).get("status_detail")), "the port says why")
    assert sdk.get_port(late.port_id).status == "DOWN"
    assert untouched(lab, late)
    lab.remove_vm(machines[0])
    until(lambda: sdk.get_port(late.port_id).status == "ACTIVE", "wired with what was given back")
    for machine in (*machines[1:], late):
        lab.remove_vm(machine)
    lab.configure_agent("hv1", local_vlans="1:4094")


def test_overlapping_ranges_at_the_api(sdk: Any) -> None:
    wanted = {"network_type": "vlan", "physical_network": "physnet1", "shared": True}
    kept = sdk.create_network_segment_range(minimum=300, maximum=309, **wanted)
    with pytest.raises(exceptions.ConflictException) as refused:
        sdk.create_network_segment_range(minimum=309, maximum=320, **wanted)
    assert neutron_error(refused.value)[0] == "NetworkSegmentRangeOverlaps"
    assert [found.id for found in sdk.network_segment_ranges() if not found.default] == [kept.id]
    sdk.delete_network_segment_range(kept)
