"""Names of VMs: `ovn-controller` answers queries by UDP to any server for what stands in a network's row of `DNS`.

As on our own hosts (docs/names.md) a port is found by its name with its own domain, its network's, the setting's, and
alone, and its addresses lead back.  Queries for other names go on to the server that they are meant for.
"""

from collections import defaultdict
from collections.abc import Iterator

from netweft.model.names import fully_qualified, host_name, pointer, rooted
from netweft.plugins.mechanisms import Row, Wanted
from netweft.plugins.mechanisms.ovn.dhcp_extras import quoted
from netweft.plugins.mechanisms.ovn.rows import HOST, Rows, addresses
from netweft.plugins.mechanisms.ovn.schema import key, row


def desired(rows: Rows, domain: str) -> dict[str, Wanted]:
    """By network.  domain: the setting's."""
    records: dict[str, dict[str, dict[str, None]]] = defaultdict(lambda: defaultdict(dict))
    for port in rows.all_ports.values():
        network = rows.networks.get(port["network_id"])
        is_somewhere = port.get(HOST) or port["id"] in rows.vips
        if network is None or port["network_id"] not in rows.networks_here or not is_somewhere:
            continue
        for name, value in _of(port, network, domain):
            records[port["network_id"]][name.rstrip(".").lower()][value.rstrip(".").lower()] = None
    return {
        network: Wanted(row({"records": {name: " ".join(values) for name, values in of.items()}}))
        for network, of in records.items()
    }


def key_of(network_id: str) -> str:
    return key("DNS", network_id)


def _of(port: Row, network: Row, domain: str) -> Iterator[tuple[str, str]]:
    if not (name := port.get("dns_name")):
        return
    domains = dict.fromkeys(map(rooted, (port.get("dns_domain") or network.get("dns_domain") or domain, domain, "")))
    full = [fully_qualified(name, one) for one in domains]
    for address in addresses(port):
        for one in full:
            yield one, address
        yield pointer(address), full[0]


def of_port(port: Row) -> dict[str, str]:
    """What DHCP calls it; `ovn-northd` takes it as it stands, so it is a string of OVN's."""
    own = addresses(port, 4)
    name = (port.get("dns_name") or "").rstrip(".").partition(".")[0]
    return {"hostname": quoted(name or host_name(own[0]))} if own else {}
