"""Networks and ports: logical switches, their ports, the way to a wire."""

from collections.abc import Iterator, Mapping

from netweft.model.node import ovn_metadata_port
from netweft.plugins.mechanisms import Row, Wanted
from netweft.plugins.mechanisms.ovn import dhcp, metadata, names
from netweft.plugins.mechanisms.ovn.rows import (
    GATEWAY,
    Rows,
    addresses,
    neutron_name,
    port_key,
    router_port_name,
    switch_key,
)
from netweft.plugins.mechanisms.ovn.schema import row


def desired(rows: Rows, balancers: Mapping[str, list[str]], named: Mapping[str, str]) -> Iterator[tuple[str, Wanted]]:
    """balancers: of switches, by key.  named: network -> the row with its names."""
    parents = {sub["port_id"]: (trunk, sub) for trunk in rows.trunks.values() for sub in trunk["sub_ports"]}
    for network in rows.networks.values():
        yield from _switch(network, balancers.get(switch_key(network["id"]), []), named.get(network["id"]))
    for network in rows.told & rows.networks.keys():
        name = ovn_metadata_port(network)
        columns = {"name": name, "type": "localport", "addresses": [metadata.ADDRESSES]}
        yield port_key(name), Wanted(row(columns, switch_key(network)))
    for port in rows.ports.values():
        yield _port(rows, port, parents)
    for ports in rows.router_ports.values():
        for port in ports:
            if port["network_id"] in rows.networks:
                yield _router_side(port)


def _switch(network: Row, balancers: list[str], named: str | None) -> Iterator[tuple[str, Wanted]]:
    name = neutron_name(network["id"])
    # no requested-tnl-key: what has that key already, such as a router, would get another one; ovn-controller before
    # 24.03 crashes then, or has no flows of the new network (OVN's commit 425f699e2b20)
    config = {"vlan-passthru": str(bool(network.get("vlan_transparent"))).lower()}
    columns = {
        "name": name,
        "other_config": config,
        "load_balancer": balancers,
        "dns_records": [named] if named else [],
    }
    yield switch_key(network["id"]), Wanted(row(columns))
    if physical := network.get("provider:physical_network"):
        name = f"provnet-{network['id']}"
        wire = {
            "name": name,
            "type": "localnet",
            "addresses": ["unknown"],
            "options": {"network_name": physical},
            "tag": network.get("provider:segmentation_id"),
        }
        yield port_key(name), Wanted(row(wire, switch_key(network["id"])))


def _port(rows: Rows, port: Row, parents: Mapping[str, tuple[Row, Row]]) -> tuple[str, Wanted]:
    mac, ips = port["mac_address"], addresses(port)
    pairs = [(pair.get("mac_address") or mac, pair["ip_address"]) for pair in port.get("allowed_address_pairs") or ()]
    is_guarded = port["port_security_enabled"]
    others = sorted({other for other, _ in pairs} - {mac})
    columns = {
        "name": port["id"],
        "addresses": [" ".join([mac, *ips]), *([] if is_guarded and not others else ["unknown"])],
        "options": _bound(rows, port) | names.of_port(port),
        "enabled": bool(port["admin_state_up"]),
        "dhcpv4_options": dhcp.options_of(rows, port, 4),
        "dhcpv6_options": dhcp.options_of(rows, port, 6),
    }
    if is_guarded:
        own = [ip for other, ip in pairs if other == mac]
        columns["port_security"] = [
            " ".join([mac, *ips, *own]),
            *(" ".join([other, *(ip for of, ip in pairs if of == other)]) for other in others),
        ]
    virtual, owners = rows.shared(port)
    if virtual:
        columns |= {"type": "virtual", "options": {"virtual-ip": virtual, "virtual-parents": ",".join(owners)}}
    if port["id"] in parents:
        trunk, sub = parents[port["id"]]
        columns |= {"parent_name": trunk["port_id"], "tag": sub["segmentation_id"]}
    return port_key(port["id"]), Wanted(row(columns, switch_key(port["network_id"])), frozenset({port["id"]}))


def _bound(rows: Rows, port: Row) -> dict[str, str]:
    """While it moves: the chassis where it is first, and where it comes to."""
    hosts = rows.places(port)
    return {"requested-chassis": ",".join(hosts)} if hosts else {}


def _router_side(port: Row) -> tuple[str, Wanted]:
    """A router's port, seen from the switch."""
    options = {"router-port": router_port_name(port["id"])}
    if port["device_owner"] == GATEWAY:
        options["nat-addresses"] = "router"
    columns = {"name": port["id"], "type": "router", "addresses": ["router"], "options": options}
    return port_key(port["id"]), Wanted(row(columns, switch_key(port["network_id"])))
