"""Port forwardings: as Neutron's driver has them, load balancers with one member for each port, on the router."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

from netweft.plugins.mechanisms import Row, Wanted
from netweft.plugins.mechanisms.ovn.rows import Rows
from netweft.plugins.mechanisms.ovn.schema import key, row

MOST_PORTS: Final = 2048  # of one range: OVN has an entry, and flows, for each


def balancers(rows: Rows) -> dict[str, dict[str, Wanted]]:
    """Router -> its balancers: one for each protocol of a floating IP."""
    parts: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for one in rows.forwardings.values():
        parts[one["floatingip_id"], one["protocol"]].append(one)
    found: dict[str, dict[str, Wanted]] = defaultdict(dict)
    for (id, protocol), forwardings in parts.items():
        floating = rows.floating_ips.get(id)
        if floating is None or (router := floating.get("router_id") or "") not in rows.routers:
            continue
        name, vips, refused = f"pf-floatingip-{id}-{protocol}", dict[str, str](), ""
        for one in forwardings:
            if (count := len(_range(one["external_port_range"]))) > MOST_PORTS:
                refused = f"{count} ports are forwarded by one range; OVN is told of no more than {MOST_PORTS}"
            else:
                vips |= _vips(floating["floating_ip_address"], one)
        columns = {"name": name, "protocol": protocol, "vips": vips}
        ports = frozenset(str(one["internal_port_id"]) for one in forwardings)
        found[router][key("Load_Balancer", name)] = Wanted(row(columns), ports, refused)
    return found


def desired(balancers: Mapping[str, Mapping[str, Wanted]]) -> Iterator[tuple[str, Wanted]]:
    for its in balancers.values():
        yield from its.items()


def _vips(address: str, forwarding: Row) -> dict[str, str]:
    """Several outside may be one inside."""
    outside, inside = _range(forwarding["external_port_range"]), _range(forwarding["internal_port_range"])
    to = forwarding["internal_ip_address"]
    return {f"{address}:{one}": f"{to}:{inside[at % len(inside)]}" for at, one in enumerate(outside)}


def _range(said: str) -> range:
    first, _, last = said.partition(":")
    return range(int(first), int(last or first) + 1)
