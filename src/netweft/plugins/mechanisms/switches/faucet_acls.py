"""ACLs in Faucet's configuration file: rules of OpenFlow matches.  Pure: a document in, changed in place.

What a machine sends is an ACL of its interface.  What goes to it is one of its VLAN, which matches its MAC address: an
interface of Faucet has no ACL for what it sends.  OpenFlow 1.3 knows no TCP flags, so what stands for replies of TCP is
left out.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from netweft.plugins.mechanisms.switches import acls
from netweft.plugins.mechanisms.switches.acls import Entry

OURS: Final = "netweft-"
LISTS, VLANS, ACLS_IN = "acls", "vlans", "acls_in"
_REST: Final = f"{OURS}rest"  # of a VLAN: what is for none of our machines
_ETHER: Final = {4: 0x0800, 6: 0x86DD}
_PORTS: Final = {"6": "tcp", "17": "udp", "132": "sctp"}
_ICMP: Final = {"1": "icmpv4", "58": "icmpv6"}
_ALL_ONES: Final = 0xFFFF

Document = dict[str, Any]


def name_of(dp: str, key: str) -> str:
    way, _, port = key.partition(" ")
    return f"{OURS}{dp}-{port}-{way.removeprefix('acl-')}"


def wanted(key: str, value: Mapping[str, Any]) -> dict[str, Any]:
    """vid: of the VLAN whose ACL it is, 0: the interface's.  rules: as the file has them."""
    way = key.partition(" ")[0]
    base = {"eth_dst": value["mac"]} if way == acls.OUT else {}
    rules = [_rule(base | match, 1) for one in acls.entries_of(value) for match in _matches(way, one)]
    rules += [_rule(base | {"eth_type": ether}, 0) for ether in _ETHER.values()]
    return {"vid": value["vid"] if base else 0, "rules": rules if base else [*rules, _rule({}, 1)]}


def there(document: Document, interface: Mapping[str, Any] | None, name: str) -> dict[str, Any] | None:
    """As `wanted`; None: no such ACL is in force."""
    rules = (document.get(LISTS) or {}).get(name)
    if rules is None:
        return None
    if interface is not None and name in (interface.get(ACLS_IN) or ()):
        return {"vid": 0, "rules": rules}
    vids = (_vid(key, vlan) for key, vlan in _vlans(document) if name in (vlan.get(ACLS_IN) or ()))
    return next(({"vid": vid, "rules": rules} for vid in vids), None)


def put(document: Document, interface: dict[str, Any] | None, name: str, what: Mapping[str, Any] | None) -> str:
    """what: as `wanted`; None: it goes.  Why not; empty when it is done."""
    if what is not None:
        if interface is None:
            return "there is no such interface"
        if foreign := _foreign(interface if not what["vid"] else _vlan(document, what["vid"]) or {}):
            where = f"VLAN {what['vid']}" if what["vid"] else "it"
            return f"ACL {foreign} is on {where} already, and is not ours"
    _take_away(document, interface, name)
    if what is None:
        return ""
    target = interface
    if what["vid"]:
        target = _vlan(document, what["vid"])
        if target is None:
            target = document.setdefault(VLANS, {}).setdefault(what["vid"], {})
        document.setdefault(LISTS, {})[_REST] = [_rule({}, 1)]
    assert target is not None
    ours = [one for one in target.get(ACLS_IN) or () if one != _REST]
    target[ACLS_IN] = [*ours, name, *([_REST] if what["vid"] else [])]
    document.setdefault(LISTS, {})[name] = what["rules"]
    return ""


def _take_away(document: Document, interface: dict[str, Any] | None, name: str) -> None:
    for one in filter(None, (interface, *(vlan for _, vlan in _vlans(document)))):
        if name in (listed := one.get(ACLS_IN) or ()):
            one[ACLS_IN] = [other for other in listed if other != name]
            if set(one[ACLS_IN]) <= {_REST}:
                del one[ACLS_IN]
    for key in [key for key, vlan in _vlans(document) if not vlan and isinstance(key, int)]:
        del document[VLANS][key]  # it was there for its ACLs
    gone = {name} if any(_REST in (vlan.get(ACLS_IN) or ()) for _, vlan in _vlans(document)) else {name, _REST}
    lists = document.get(LISTS) or {}
    for listed_name in gone & lists.keys():
        del lists[listed_name]
    for section in (VLANS, LISTS):
        if section in document and not document[section]:
            del document[section]


def _foreign(target: Mapping[str, Any]) -> str:
    listed = [*(target.get(ACLS_IN) or ()), *filter(None, [target.get("acl_in")])]
    return next((str(one) for one in listed if not str(one).startswith(OURS)), "")


def _vlans(document: Document) -> list[tuple[Any, dict[str, Any]]]:
    return [(key, vlan) for key, vlan in (document.get(VLANS) or {}).items() if isinstance(vlan, dict)]


def _vlan(document: Document, vid: int) -> dict[str, Any] | None:
    return next((vlan for key, vlan in _vlans(document) if _vid(key, vlan) == vid), None)


def _vid(key: Any, vlan: Mapping[str, Any]) -> int:
    return int(found) if isinstance(found := vlan.get("vid", key), int) else 0


# -- matches


def _rule(match: Mapping[str, Any], allow: int) -> dict[str, Any]:
    return {"rule": {**match, "actions": {"allow": allow}}}


def _matches(way: str, one: Entry) -> Iterator[dict[str, Any]]:
    """Several where a range of ports is several masks; none where OpenFlow has no such match."""
    if one.established:
        return
    match: dict[str, Any] = {"eth_type": _ETHER[one.version]}
    if one.remote != acls.ANY:
        match[f"ipv{one.version}_{'dst' if way == acls.IN else 'src'}"] = one.remote
    if one.protocol != acls.ANY:
        match["ip_proto"] = int(one.protocol)
    if one.has("icmp"):
        kind, _, code = one.icmp.partition(".")
        match[f"{_ICMP[one.protocol]}_type"] = int(kind)
        match |= {f"{_ICMP[one.protocol]}_code": int(code)} if code else {}
    prefix = _PORTS.get(one.protocol)
    for source in _masks(one.sources) if prefix and one.has("sources") else [None]:
        for destination in _masks(one.destinations) if prefix and one.has("destinations") else [None]:
            yield {
                **match,
                **({} if source is None else {f"{prefix}_src": source}),
                **({} if destination is None else {f"{prefix}_dst": destination}),
            }


def _masks(ports: str) -> Iterator[int | str]:
    """`80-90` as ports and `value/mask`."""
    first, _, last = ports.partition("-")
    start, end = int(first), int(last or first)
    while start <= end:
        size = start & -start or _ALL_ONES + 1
        while start + size - 1 > end:
            size //= 2
        yield start if size == 1 else f"{start:#06x}/{_ALL_ONES + 1 - size:#06x}"
        start += size
