"""A machine behind a VTEP talks with VMs over VXLAN only because Netweft configured both."""

from collections.abc import Iterator

import pytest
from tests.netns.harness import Lab, until
from tests.netns.switches.vteps import NAME, SLOWLY, Vtep, vtep_of

from netweft.lab.host import Host

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def vtep(lab: Lab) -> Iterator[Vtep]:
    lab.let_strangers_in()
    with vtep_of(lab) as made:
        yield made


def test_a_machine_behind_a_vtep_is_on_a_vxlan_network(lab: Lab, vtep: Vtep) -> None:
    network = lab.network("10.60.0.0/24")
    machines = [lab.add_vm(node, network) for node in ("hv1", "hv2")]
    with lab.cloud() as cloud:
        made = cloud.create("ports", network_id=network, **{"binding:vnic_type": "baremetal"})
        address = made["fixed_ips"][0]["ip_address"]
        plain = Host(name="behind", physical_network="physnet1", vlan=1, addresses=(f"{address}/24",))
        with vtep.emulated():
            port = vtep.plug(plain, made["mac_address"])
            profile = {"local_link_information": [{"switch_info": NAME, "port_id": port}]}
            cloud.update("ports", made["id"], {"binding:host_id": "node-8", "binding:profile": profile})
            until(
                lambda: cloud.find("ports", made["id"])["status"] == "ACTIVE", "ACTIVE once its switch has it", SLOWLY
            )
            until(lambda: all(vtep.pings("behind", one.nic.address) for one in machines), "it talks with VMs", SLOWLY)
        vtep.wipe()
        with vtep.emulated():  # the switch was rebooted, and has lost what it had
            until(lambda: vtep.bindings(port), "it is bound again", SLOWLY)
            until(lambda: vtep.pings("behind", machines[0].nic.address), "it talks again", SLOWLY)
            cloud.delete("ports", made["id"])
            for machine in machines:  # by now one of them may be on a hypervisor behind it
                lab.remove_vm(machine)
            until(lambda: not vtep.has(network) and not vtep.bindings(port), "gone with the last port", SLOWLY)


def test_a_hypervisor_that_has_vlans_only_is_on_a_vxlan_network_through_its_switch(lab: Lab, vtep: Vtep) -> None:
    network = lab.network("10.61.0.0/24")
    vtep.rack("hv2")
    lab.configure_agent("hv2", tunnel_ip=None)
    with vtep.emulated():
        one, other = lab.add_vm("hv1", network), lab.add_vm("hv2", network)
        until(lambda: lab.ping(one, other.nic.address) and lab.ping(other, one.nic.address), "they talk", SLOWLY)
        vxlan, vlan = lab.port(other)["binding:vif_details"]["binding_levels"]
        assert (vxlan["bound_by"], vxlan["provider:network_type"]) == (vtep.name, "vxlan")
        assert (vlan["bound_by"], vlan["provider:physical_network"]) == ("hv2", "physnet1")
        assert vtep.bindings("hv2-1") == [f"{vlan['provider:segmentation_id']:04}", f"netweft-{network}"]
        lab.remove_vm(other)
        until(
            lambda: not vtep.has(network) and not vtep.bindings("hv2-1"), "the VLAN leaves with the last port", SLOWLY
        )
