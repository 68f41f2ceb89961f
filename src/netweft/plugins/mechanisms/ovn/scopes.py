"""Address scopes: a router leads from one into another by NAT only (0471).  What would be routed is dropped by a
policy, after the route was chosen; what comes from the external network's own scope is not translated.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from netweft.plugins.mechanisms import Row, Wanted
from netweft.plugins.mechanisms.ovn.rows import GATEWAY, Rows, router_key, router_port_name
from netweft.plugins.mechanisms.ovn.schema import key, row

PRIORITY: Final = 1000
_OF_NETWORK: Final = {4: "ipv4_address_scope", 6: "ipv6_address_scope"}


def policies(rows: Rows, router: Row, ports: Sequence[Row]) -> Iterator[tuple[str, Wanted]]:
    """One for each port that something may not leave by.  IPv4 goes outside translated, or is of the same scope."""
    for version in _OF_NETWORK:
        its = [port for port in ports if version == 6 or port["device_owner"] != GATEWAY]
        for out in its:
            if others := sorted(_names(one for one in its if _scope(rows, one, version) != _scope(rows, out, version))):
                name = router_port_name(out["id"])
                columns = {
                    "priority": PRIORITY,
                    "match": f'ip{version} && outport == "{name}" && inport == {{{", ".join(others)}}}',
                    "action": "drop",
                }
                wanted = Wanted(row(columns, router_key(router["id"])))
                yield key("Logical_Router_Policy", f"{router['id']}-scope{version}-{out['id']}"), wanted


def is_translated(rows: Rows, inside: Row, gateway: Row) -> bool:
    """Whether IPv4 from this port's network gets an address of the gateway's."""
    scope = _scope(rows, inside, 4)
    return scope is None or scope != _scope(rows, gateway, 4)


def _scope(rows: Rows, port: Row, version: int) -> str | None:
    found: str | None = rows.networks[port["network_id"]].get(_OF_NETWORK[version])
    return found


def _names(ports: Iterable[Row]) -> Iterator[str]:
    return (f'"{router_port_name(port["id"])}"' for port in ports)
