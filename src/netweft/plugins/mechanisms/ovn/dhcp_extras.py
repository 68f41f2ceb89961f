"""A port's own DHCP options, in OVN's names and writing (ovn-nb(5), DHCP_Options).

They come from tenants and end up in the text of OVN's flows: what is no address, no number and no route is written as
one quoted string, and what OVN does not know, or would not take, is left out and said.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from typing import Final, TypeAlias

from netweft.plugins.mechanisms import Row

Writer: TypeAlias = Callable[[str], str]
_PREFIX: Final = re.compile(r"^option6?:")


def _addresses(value: str) -> str:
    return _set(str(IPv4Address(one.strip())) for one in value.split(","))


def _addresses6(value: str) -> str:
    return _set(str(IPv6Address(one.strip().strip("[]"))) for one in value.split(","))


def _routes(value: str) -> str:
    parts = [part.strip() for part in value.split(",")]
    if len(parts) % 2:
        raise ValueError(f"{parts[-1]} has no next hop")
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return _set(f"{IPv4Network(to, strict=False)},{IPv4Address(by)}" for to, by in pairs)


def _set(words: Iterable[str]) -> str:
    found = list(words)
    return found[0] if len(found) == 1 and "," not in found[0] else "{" + ", ".join(found) + "}"


def _number(most: int) -> Writer:
    def write(value: str) -> str:
        if not 0 <= (found := int(value, 0)) <= most:
            raise ValueError(f"more than {most}")
        return str(found)

    return write


def quoted(value: str) -> str:
    """As OVN's lexer reads strings: JSON's."""
    if not value.isprintable():
        raise ValueError("not printable")
    return json.dumps(value)


def _host(value: str) -> str:
    try:
        return str(IPv4Address(value))
    except ValueError:
        return quoted(value)


_BYTE, _LONG = _number(255), _number(2**32 - 1)
# code -> dnsmasq's name, OVN's name, how it is written
_V4: Final[Mapping[int, tuple[str, str, Writer]]] = {
    1: ("netmask", "netmask", _addresses),
    3: ("router", "router", _addresses),
    6: ("dns-server", "dns_server", _addresses),
    7: ("log-server", "log_server", _addresses),
    9: ("lpr-server", "lpr_server", _addresses),
    12: ("hostname", "hostname", quoted),
    15: ("domain-name", "domain_name", quoted),
    16: ("swap-server", "swap_server", _addresses),
    19: ("ip-forward-enable", "ip_forward_enable", _number(1)),
    21: ("policy-filter", "policy_filter", _addresses),
    23: ("default-ttl", "default_ttl", _BYTE),
    26: ("mtu", "mtu", _number(65535)),
    28: ("broadcast", "broadcast_address", quoted),
    31: ("router-discovery", "router_discovery", _number(1)),
    32: ("router-solicitation", "router_solicitation", _addresses),
    35: ("arp-timeout", "arp_cache_timeout", _BYTE),
    36: ("ethernet-encap", "ethernet_encap", _number(1)),
    37: ("tcp-ttl", "tcp_ttl", _BYTE),
    38: ("tcp-keepalive", "tcp_keepalive_interval", _BYTE),
    41: ("nis-server", "nis_server", _addresses),
    42: ("ntp-server", "ntp_server", _addresses),
    44: ("netbios-ns", "netbios_name_server", _addresses),
    46: ("netbios-nodetype", "netbios_node_type", _BYTE),
    51: ("lease-time", "lease_time", _LONG),
    58: ("T1", "T1", _LONG),
    59: ("T2", "T2", _LONG),
    66: ("tftp-server", "tftp_server", _host),
    67: ("bootfile-name", "bootfile_name", quoted),
    119: ("domain-search", "domain_search_list", quoted),
    121: ("classless-static-route", "classless_static_route", _routes),
    150: ("tftp-server-address", "tftp_server_address", _addresses),
    210: ("path-prefix", "path_prefix", quoted),
    249: ("microsoft-static-route", "ms_classless_static_route", _routes),
    252: ("wpad", "wpad", quoted),
}
_V6: Final[Mapping[int, tuple[str, str, Writer]]] = {
    23: ("dns-server", "dns_server", _addresses6),
    24: ("domain-search", "domain_search", quoted),
}
_BY_NAME: Final[dict[int, dict[str, tuple[str, Writer]]]] = {
    version: {name: (ours, write) for code, (known, ours, write) in table.items() for name in (known, str(code))}
    for version, table in ((4, _V4), (6, _V6))
}
_BY_NAME[4]["server-ip-address"] = ("next_server", _addresses)  # no option, but a field of the answer (siaddr)


def options(port: Row, version: int) -> dict[str, str]:
    """OVN's name -> value; an empty one: it is not to be said."""
    found = {}
    for extra in _of(port, version):
        try:
            name, value = _written(extra, version)
        except ValueError:
            continue
        found[name] = value
    return found


def unsaid(port: Row) -> str:
    """Which OVN does not say, and why; empty: all are said."""
    found = []
    for version in (4, 6):
        for extra in _of(port, version):
            try:
                _written(extra, version)
            except ValueError as error:
                found.append(str(error))
    return f"extra_dhcp_opts: {'; '.join(found)}" if found else ""


def _of(port: Row, version: int) -> list[Row]:
    return [one for one in port.get("extra_dhcp_opts") or () if int(one.get("ip_version") or 4) == version]


def _written(extra: Row, version: int) -> tuple[str, str]:
    """Raises ValueError."""
    name, value = str(extra["opt_name"]), str(extra["opt_value"] or "")
    known = _BY_NAME[version].get(_PREFIX.sub("", name.strip()))
    if known is None:
        raise ValueError(f"OVN has no DHCP option {name!r} of IPv{version}")
    try:
        return known[0], known[1](value) if value else ""
    except (ValueError, OverflowError) as error:
        raise ValueError(f"DHCP option {name!r} cannot be {value!r} on OVN: {error}") from None
