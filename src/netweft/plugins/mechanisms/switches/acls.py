"""What security groups become on a switch: entries of the ACLs of a bare-metal port's own link.  Pure.

    acl-in Ethernet7    what the machine sends: rules of direction egress
    acl-out Ethernet7   what goes to the machine: rules of direction ingress

An entry permits; what none permits is dropped.  A switch follows no connections: what stands for replies of a stateful
group's rules is in `_replies` (decision 0661).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_interface, ip_network
from typing import Any, Final, Self

from msgspec import Struct
from msgspec.structs import astuple

from netweft.model.protocols import NUMBERS
from netweft.plugins.mechanisms import BareMetal, Row, View

IN, OUT = "acl-in", "acl-out"
KINDS: Final = frozenset({"address_groups", "ports", "security_group_rules", "security_groups"})
ANY: Final = "any"
_NOTHING: Final = "-"
_WAYS: Final = {"egress": IN, "ingress": OUT}
_OPPOSITE: Final = {IN: OUT, OUT: IN}
_VERSIONS: Final = {"IPv4": 4, "IPv6": 6}
_ICMP: Final = {4: "1", 6: "58"}
_TCP, _UDP = "6", "17"
_ECHO: Final = {4: ("8", "0"), 6: ("128", "129")}  # request, reply
_ERRORS: Final = {4: ("3", "11", "12"), 6: ("1", "2", "3", "4")}  # about what the machine has sent


class Entry(Struct, frozen=True):
    """protocol: its number, or any.  remote: a prefix, or any.  sources, destinations: ports, `80` or `80-90`.
    icmp: type, or `type.code`."""

    version: int
    protocol: str = ANY
    remote: str = ANY
    sources: str = _NOTHING
    destinations: str = _NOTHING
    icmp: str = _NOTHING
    established: bool = False

    def text(self) -> str:
        """As it is kept, and shown in a plan."""
        *words, established = (str(word) for word in astuple(self))
        return " ".join([f"ipv{words[0]}", *words[1:], *(["established"] if established == "True" else [])])

    @classmethod
    def parse(cls, text: str) -> Self:
        version, protocol, remote, sources, destinations, icmp, *flags = text.split()
        return cls(int(version[-1]), protocol, remote, sources, destinations, icmp, bool(flags))

    def has(self, field: str) -> bool:
        return str(getattr(self, field)) not in (ANY, _NOTHING)


# what every machine needs before it has an address; as hypervisors let VMs do
_IMPLIED: Final = {
    IN: (
        Entry(4, _UDP, sources="68", destinations="67"),
        Entry(6, _UDP, sources="546", destinations="547"),
        *(Entry(6, _ICMP[6], icmp=kind) for kind in ("131", "132", "133", "135", "136", "143")),
    ),
    OUT: (
        Entry(4, _UDP, sources="67", destinations="68"),
        Entry(6, _UDP, sources="547", destinations="546"),
        *(Entry(6, _ICMP[6], icmp=kind) for kind in ("130", "131", "132", "134", "135", "136")),
    ),
}


def entries(bare: BareMetal, view: View) -> dict[str, list[str]]:
    """acl-in and acl-out -> texts of entries.  Who looks at rules that name groups looks at all ports."""
    groups = {id: group for id in bare.groups if (group := view.rows("security_groups").get(id))}
    found: dict[str, set[Entry]] = {way: set(implied) for way, implied in _IMPLIED.items()}
    for rule in view.rows("security_group_rules").values():
        if (group := groups.get(rule["security_group_id"])) is None:
            continue
        way = _WAYS[rule["direction"]]
        permitted = list(_entries(rule, view))
        found[way].update(permitted)
        if group.get("stateful", True):
            found[_OPPOSITE[way]].update(_replies(permitted, way))
    return {way: sorted(one.text() for one in every) for way, every in found.items()}


def _entries(rule: Row, view: View) -> Iterator[Entry]:
    version = _VERSIONS[rule["ethertype"]]
    protocol = _protocol(rule.get("protocol"), version)
    first, last = rule.get("port_range_min"), rule.get("port_range_max")
    ports = icmp = _NOTHING
    if protocol in _ICMP.values():
        icmp = _NOTHING if first is None else str(first) if last is None else f"{first}.{last}"
    elif first is not None:
        ports = str(first) if first == last else f"{first}-{last}"
    for remote in _remotes(rule, view, version):
        yield Entry(version, protocol, remote, destinations=ports, icmp=icmp)


def _protocol(name: Any, version: int) -> str:
    if name is None or str(name).lower() in (ANY, "ip", "0"):
        return ANY
    if version == 6 and str(name).lower() in ("icmp", "1"):
        return _ICMP[6]
    return str(NUMBERS.get(str(name).lower(), name))


def _remotes(rule: Row, view: View, version: int) -> Iterable[str]:
    """Prefixes; any where the rule names none."""
    if prefix := rule.get("remote_ip_prefix"):
        found = [prefix]
    elif group := rule.get("remote_group_id"):
        members = (port for port in view.rows("ports").values() if group in (port.get("security_groups") or ()))
        found = [one for port in members for one in _addresses(port)]
    elif group := rule.get("remote_address_group_id"):
        found = list((view.rows("address_groups").get(group) or {}).get("addresses") or ())
    else:
        return [ANY]
    networks = {ip_network(one, strict=False) for one in found}
    return [ANY if not one.prefixlen else str(one) for one in networks if one.version == version]


def _addresses(port: Row) -> Iterator[str]:
    pairs = port.get("allowed_address_pairs") or ()
    for one in (*(port.get("fixed_ips") or ()), *pairs):
        yield str(ip_interface(one["ip_address"]).network)


def _replies(permitted: Sequence[Entry], way: str) -> Iterator[Entry]:
    """What lets nobody begin anything: TCP that is established, echo replies, ICMP errors.  UDP's replies look like
    anything else: they need a rule of their own."""
    for one in permitted:
        if one.protocol in (ANY, _TCP):
            yield Entry(one.version, _TCP, one.remote, sources=one.destinations, established=True)
        request, reply = _ECHO[one.version]
        if one.protocol == ANY or (
            one.protocol == _ICMP[one.version] and one.icmp.split(".")[0] in (_NOTHING, request)
        ):
            yield Entry(one.version, _ICMP[one.version], one.remote, icmp=reply)
        if way == IN:
            for kind in _ERRORS[one.version]:
                yield Entry(one.version, _ICMP[one.version], icmp=kind)


def entries_of(value: Mapping[str, Any], version: int = 0) -> list[Entry]:
    found = map(Entry.parse, value["entries"])
    return [one for one in found if version in (0, one.version)]


def is_acl(key: str) -> bool:
    return key.partition(" ")[0] in (IN, OUT)
