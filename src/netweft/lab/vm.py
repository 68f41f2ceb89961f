"""Virtual machines: plugged in as Nova would do it.

First the API hears where the port will be (`binding:host_id`), then the VIF appears on `br-int` with the port's id in
its `external_ids`, then the port becomes ACTIVE.  What runs behind the VIF, and what the VIF is, is the business of a
kind of guest: `guest_netns`, `guest_internal`, `guest_hybrid`, `guest_qemu`, `guest_debian`.
"""

import re
import uuid
from base64 import b64encode
from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any

from msgspec import Struct

from netweft.lab import dhcp_client, guest_debian, guest_hybrid, guest_internal, guest_netns, guest_qemu
from netweft.lab.build import exists, node_of
from netweft.lab.cloud import Cloud
from netweft.lab.commands import vsctl
from netweft.lab.guest import Guest, Nic
from netweft.lab.layout import Kind, LabError, Layout, NodeLayout, NoLab
from netweft.lab.records import Records

ACTIVE_WITHIN = 30.0
_GUESTS: Mapping[Kind, Guest] = {
    "netns": guest_netns,
    "internal": guest_internal,
    "hybrid": guest_hybrid,
    "qemu": guest_qemu,
    "debian": guest_debian,
}


class Vm(Struct, frozen=True, kw_only=True):
    """port_is_ours: made together with the VM, so it goes with it.  keys: public ones, as in authorized_keys."""

    name: str
    node: str
    kind: Kind
    uuid: str
    port_id: str
    network_id: str
    nic: Nic
    port_is_ours: bool = False
    user_data: bytes = b""
    keys: tuple[str, ...] = ()

    @property
    def vif(self) -> str:
        """Its port on `br-int`."""
        return _GUESTS[self.kind].vif(self.nic)


def records(layout: Layout) -> Records[Vm]:
    return Records(Vm, "VM", layout.vms, layout.vm_file)


def add(layout: Layout, vm: Vm) -> None:
    """Plugs it in and starts it; it does not need the server.  What goes wrong leaves nothing behind."""
    node = node_of(layout, vm.node)
    guest = _GUESTS[vm.kind]
    records(layout).write(vm)
    try:
        guest.prepare(node, vm.name, vm.nic)
        plug_in(node, vm)
        guest.start(node, vm.name, vm.nic)
    except BaseException:
        remove(layout, vm)
        raise


def plug_in(node: NodeLayout, vm: Vm) -> None:
    """What libvirt does, and all that an agent needs to know."""
    marks = {
        "iface-id": vm.port_id,
        "iface-status": "active",
        "attached-mac": f'"{vm.nic.mac}"',
        "vm-uuid": vm.uuid,
    }
    columns = (*_GUESTS[vm.kind].columns(), *(f"external_ids:{key}={value}" for key, value in marks.items()))
    vsctl(node, "--no-wait", "add-port", "br-int", vm.vif, "--", "set", "Interface", vm.vif, *columns)


def remove(layout: Layout, vm: Vm) -> None:
    """Switches it off and unplugs it; it does not need the server."""
    node = node_of(layout, vm.node)
    _GUESTS[vm.kind].stop(node, vm.name)
    vsctl(node, "--no-wait", "--if-exists", "del-port", "br-int", vm.vif)
    _GUESTS[vm.kind].discard(node, vm.name, vm.nic)
    records(layout).remove(vm.name)


def execute(layout: Layout, vm: Vm, argv: tuple[str, ...]) -> int:
    """Runs it inside, with this terminal; the exit status."""
    return _GUESTS[vm.kind].execute(node_of(layout, vm.node), vm.name, argv)


def create(cloud: Cloud, layout: Layout, vm: Vm) -> Vm:
    """`lab vm add`, seen from the API: bind, plug in, wait until the port is ACTIVE."""
    try:
        bound = {"binding:host_id": vm.node, "device_id": vm.uuid, "device_owner": "compute:lab"}
        cloud.update("ports", vm.port_id, bound)
        cloud.give_metadata(vm.port_id, _metadata(vm))
        add(layout, vm)
        cloud.wait_active(vm.port_id, ACTIVE_WITHIN)
    except BaseException:
        destroy(cloud, layout, vm)
        raise
    return vm


def _metadata(vm: Vm) -> dict[str, object]:
    """A key is called by its comment, where it has one."""
    keys = {(key.split(maxsplit=2)[2:] or [f"key{place}"])[0].strip(): key for place, key in enumerate(vm.keys)}
    hostname = re.sub(r"[^A-Za-z0-9.-]|[.-]+$|\.(?=[.-])", "-", vm.name).strip("-")
    return {"hostname": hostname, "public_keys": keys, "user_data": b64encode(vm.user_data).decode()}


def destroy(cloud: Cloud, layout: Layout, vm: Vm) -> None:
    remove(layout, vm)
    if vm.port_is_ours:
        cloud.delete("ports", vm.port_id)
    else:
        cloud.update("ports", vm.port_id, {"binding:host_id": "", "device_id": "", "device_owner": ""})


def describe(
    cloud: Cloud,
    layout: Layout,
    *,
    name: str,
    node: str,
    kind: Kind,
    port: str,
    network: str,
    dhcp: bool | None = None,
    user_data: bytes = b"",
    keys: tuple[str, ...] = (),
) -> Vm:
    """From what was requested to a VM that can be added.  Exactly one of `port` and `network` is given.
    dhcp: whether it learns its address where it can; None: if it is a real machine."""
    if not exists(layout):
        raise NoLab(layout.lab)
    records(layout).refuse_another(name)
    node_of(layout, node)
    _GUESTS[kind].check()
    if dhcp:
        dhcp_client.check()
    found = cloud.find("ports", port) if port else None
    if found:
        if other := next((vm for vm in records(layout).all() if vm.port_id == found["id"]), None):
            raise LabError(f"port {port} is VM {other.name!r}'s")
    else:
        found = cloud.create("ports", network_id=cloud.find("networks", network)["id"], name=name)
    return Vm(
        name=name,
        node=node,
        kind=kind,
        uuid=str(uuid.uuid4()),
        port_id=found["id"],
        network_id=found["network_id"],
        nic=_nic(cloud, found, dhcp=kind in ("qemu", "debian") if dhcp is None else dhcp),
        port_is_ours=not port,
        user_data=user_data,
        keys=keys,
    )


def _nic(cloud: Cloud, port: Mapping[str, Any], *, dhcp: bool) -> Nic:
    """What a VM learns by DHCP, or would learn from its metadata."""
    network = cloud.find("networks", port["network_id"])
    subnets = {subnet["id"]: subnet for subnet in cloud.list("subnets", network_id=port["network_id"])}
    addresses, gateways = [], {}
    learnt = [fixed for fixed in port["fixed_ips"] if dhcp and _is_leased(subnets[fixed["subnet_id"]])][:1]
    for fixed in (*learnt, *(fixed for fixed in port["fixed_ips"] if fixed not in learnt)):
        subnet = subnets[fixed["subnet_id"]]
        addresses.append(f"{fixed['ip_address']}/{ip_network(subnet['cidr']).prefixlen}")
        if subnet["gateway_ip"]:
            gateways[subnet["ip_version"]] = subnet["gateway_ip"]
    return Nic(
        tap=f"tap{port['id'][:11]}",
        mac=port["mac_address"],
        mtu=network["mtu"],
        addresses=tuple(addresses),
        gateways=tuple(gateways.values()),
        dhcp=bool(learnt),
    )


def _is_leased(subnet: Mapping[str, Any]) -> bool:
    return bool(subnet["ip_version"] == 4 and subnet["enable_dhcp"])
