"""Checks of ports.  Those that routers, floating IPs and load balancers have are plugged in nowhere."""

from collections.abc import Iterator

from netweft.control.explain import codes
from netweft.control.explain import hosts as its_host
from netweft.control.explain.rules import lets
from netweft.control.explain.snapshot import Row, Snapshot, Told
from netweft.control.l2.hosts import FAILED, HOST, VIF_TYPE, is_bare_metal
from netweft.control.l2.trunks import PART_OF
from netweft.control.l2.wires import LACKS
from netweft.control.l3.owners import OWNERS
from netweft.control.rbac import IS_EXTERNAL
from netweft.model.load_balancer import VIP_OWNER
from netweft.model.node import OVN_AGENT


def is_plugged_in(port: Row) -> bool:
    """Or has to be."""
    return not (port.get("device_owner") in (*OWNERS, VIP_OWNER) and port.get("device_id"))


def not_bound(seen: Snapshot, port: Row) -> Iterator[Told]:
    if port[HOST] or not is_plugged_in(port):
        return
    trunk = seen.get("trunks", port.get(PART_OF))
    if trunk is not None:
        about = (("trunks", trunk["id"]),)
        yield Told(codes.PORT_TRUNK_NOT_BOUND, values={"parent": trunk["port_id"]}, about=about)
    else:
        yield Told(codes.PORT_NOT_BOUND)


def trunk_down(seen: Snapshot, port: Row) -> Iterator[Told]:
    trunk = seen.get("trunks", port.get(PART_OF))
    if trunk is not None and not trunk["admin_state_up"]:
        yield Told(codes.PORT_TRUNK_ADMIN_DOWN, values={"trunk": trunk["id"]}, about=(("trunks", trunk["id"]),))


def binding_failed(seen: Snapshot, port: Row) -> Iterator[Told]:
    if port[HOST] and port[VIF_TYPE] == FAILED:
        agent, network = seen.agent(port[HOST]), seen.get("networks", port["network_id"])
        if agent is None:
            code = codes.PORT_HOST_UNKNOWN
        elif network is not None and not its_host.is_able(agent, network):
            code = codes.PORT_NO_SEGMENT
        else:
            code = codes.PORT_BINDING_FAILED
        yield Told(code, port.get("status_detail") or "", {"host": port[HOST]})


def host_dead(seen: Snapshot, port: Row) -> Iterator[Told]:
    if is_plugged_in(port):
        yield from its_host.dead(seen, port[HOST], codes.PORT_HOST_DEAD)


def host_behind(seen: Snapshot, port: Row) -> Iterator[Told]:
    if is_plugged_in(port):
        yield from its_host.behind(seen, port[HOST], codes.PORT_HOST_BEHIND)


def metadata_down(seen: Snapshot, port: Row) -> Iterator[Told]:
    """Of VMs: others ask for none."""
    if is_plugged_in(port):
        yield from its_host.metadata_down(seen, port[HOST], codes.PORT_METADATA_DOWN)


def host_problems(seen: Snapshot, port: Row) -> Iterator[Told]:
    if is_plugged_in(port):
        yield from its_host.problems(seen, port[HOST], codes.PORT_HOST_PROBLEMS)


def not_wired(seen: Snapshot, port: Row) -> Iterator[Told]:
    """What its node reports; what the API itself has switched off is said by others."""
    if not _waits_for_a_wire(port) or is_bare_metal(port):
        return
    network = seen.get("networks", port["network_id"])
    if port.get("status_detail"):
        yield Told(codes.PORT_NOT_WIRED, port["status_detail"], {"host": port[HOST]})
    elif port["admin_state_up"] and (network is None or network["admin_state_up"]):
        detail = f"{port[HOST]} has no Interface with external_ids:iface-id={port['id']}"
        yield Told(codes.PORT_NOT_PLUGGED, detail, {"device": port.get("device_id") or "SERVER"})


def _waits_for_a_wire(port: Row) -> bool:
    return bool(is_plugged_in(port) and port[HOST] and port[VIF_TYPE] != FAILED and port["status"] != "ACTIVE")


def switch_lacks(seen: Snapshot, port: Row) -> Iterator[Told]:
    """A VM's port is ACTIVE all the same: its node has wired it, and nothing of it passes the switch."""
    lacks = port.get(LACKS) or {}
    for name, why in sorted(lacks.items()):
        yield Told(codes.PORT_SWITCH_LACKS, f"{name}: {why}", {"follower": name})
    if not lacks and is_bare_metal(port) and _waits_for_a_wire(port) and port["admin_state_up"]:
        yield Told(codes.PORT_SWITCH_PENDING)


def nothing_in(seen: Snapshot, port: Row) -> Iterator[Told]:
    if _is_filtered(port) and not lets(seen, port["security_groups"], "ingress"):
        yield Told(codes.PORT_NOTHING_IN, values=_group(port, "ingress"))


def nothing_out(seen: Snapshot, port: Row) -> Iterator[Told]:
    if _is_filtered(port) and not lets(seen, port["security_groups"], "egress"):
        yield Told(codes.PORT_NOTHING_OUT, values=_group(port, "egress"))


def _is_filtered(port: Row) -> bool:
    return bool(port.get("port_security_enabled")) and is_plugged_in(port)


def _group(port: Row, direction: str) -> dict[str, str]:
    return {"direction": direction, "group": next(iter(port["security_groups"]), "GROUP")}


def pair_taken(seen: Snapshot, port: Row) -> Iterator[Told]:
    """By a port that is in use: one that is bound nowhere keeps the address for whoever has the pair."""
    pairs = {pair["ip_address"]: pair for pair in port.get("allowed_address_pairs") or ()}
    for other in seen.all("ports", network_id=port["network_id"]):
        if other["id"] == port["id"] or not (other[HOST] and other["status"] == "ACTIVE"):
            continue
        for address in {fixed["ip_address"] for fixed in other["fixed_ips"]} & pairs.keys():
            detail = f"{address} is that of port {other['id']}"
            values = {"address": address, "mac": pairs[address]["mac_address"]}
            yield Told(codes.PORT_PAIR_TAKEN, detail, values, (("ports", other["id"]),))


def no_dhcp(seen: Snapshot, port: Row) -> Iterator[Told]:
    network = seen.get("networks", port["network_id"])
    if not is_plugged_in(port) or network is None or network.get(IS_EXTERNAL):
        return
    ids = dict.fromkeys(fixed["subnet_id"] for fixed in port["fixed_ips"])
    for subnet in seen.many("subnets", ids):
        if not subnet["enable_dhcp"]:
            yield Told(codes.PORT_NO_DHCP, values={"subnet": subnet["id"]})


def no_metadata(seen: Snapshot, port: Row) -> Iterator[Told]:
    agent = seen.agent(port[HOST]) if is_plugged_in(port) and port[HOST] else None
    if agent is not None and agent.get("agent_type") == OVN_AGENT and its_host.metadata(agent):
        yield Told(codes.PORT_NO_METADATA)
