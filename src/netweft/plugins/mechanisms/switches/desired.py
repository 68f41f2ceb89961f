"""What a switch should have, from what is bound where: pure.

vlan 101               -> its name there        where the switch has a list of VLANs
tagged Ethernet1 101   -> True                  a link to a host that has ports, routers or gateways on that VLAN
untagged Ethernet7     -> 101                   a bare-metal port's own link: an access port
native Ethernet7       -> 101                   the same beside the tagged VLANs of its trunk's sub-ports
enabled Ethernet7      -> True                  where ports that nobody uses are shut
bond Port-Channel3     -> 7                     a port channel that the file tells of; its MLAG's number, or 0
member Ethernet1       -> 3                     in the port channel of that number
acl-in Ethernet7       -> its entries           what a bare-metal port's security groups let it send; acl-out: get
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

from netweft.model import Network, Port
from netweft.plugins.mechanisms import BareMetal, Link, View, Wanted
from netweft.plugins.mechanisms.switches import acls
from netweft.plugins.mechanisms.switches.inventory import Acls, Switch

VLAN: Final = "vlan"
FLAT: Final = "flat"
# what goes into command lines comes from a profile, which whoever may bind ports has written
_PORT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./:+-]*(?: [A-Za-z0-9][A-Za-z0-9_./:+-]*)*")
_WAYS: Final = ("bond", "member", acls.IN, acls.OUT, "vlan", "tagged", "untagged", "native", "enabled")  # so are made


def vlan_key(vid: int) -> str:
    return f"vlan {vid}"


def tagged(port: str, vid: int) -> str:
    return f"tagged {port} {vid}"


def untagged(port: str) -> str:
    return f"untagged {port}"


def native(port: str) -> str:
    return f"native {port}"


def enabled(port: str) -> str:
    return f"enabled {port}"


def bond(port: str) -> str:
    return f"bond {port}"


def member(port: str) -> str:
    return f"member {port}"


def number(name: str) -> int:
    """Of a bond: its name ends in it."""
    return int(name[len(name.rstrip("0123456789")) :])


def parts(key: str) -> tuple[str, str, int]:
    """What kind of thing, on which port ("" for a VLAN itself), which VLAN (0 where the value says it)."""
    way, _, rest = key.partition(" ")
    if way == "vlan":
        return way, "", int(rest)
    if way == "tagged":
        port, _, vid = rest.rpartition(" ")
        return way, port, int(vid)
    return way, rest, 0


def rank(key: str) -> tuple[int, str]:
    return _WAYS.index(key.partition(" ")[0]), key


def vlan_of(switch: Switch, network: Network) -> int | None:
    """The VLAN that the network is on this switch's wires."""
    for segment in network.segments:
        if segment.network_type == VLAN and switch.on(segment.physical_network):
            return segment.segmentation_id
    return None


def refusal(switch: Switch, network: Network, port: str = "", *, bare_metal: bool = False) -> str:
    """Why this network cannot be there; empty when it can, or need not be."""
    vid = vlan_of(switch, network)
    if vid is None:
        return f"switch {switch.name} can do no segment of network {network.id}" if bare_metal else ""
    if switch.allowed_vlans is not None and vid not in switch.allowed_vlans:
        return f"switch {switch.name}: VLAN {vid} is not among its ngs_allowed_vlans"
    return port_refusal(switch, port)


def port_refusal(switch: Switch, port: str) -> str:
    if port and not (_PORT.fullmatch(port) and re.fullmatch(switch.port_form or ".*", port)):
        return f"switch {switch.name}: no port can be called {port[:80]!r}"
    if port and not switch.allows(port):
        return f"switch {switch.name}: port {port} is not among its ngs_allowed_ports"
    return ""


def named_in(switch: Switch, link: Link) -> tuple[str, ...]:
    """The switch's port that a link of a bare-metal port names, if it is this switch's."""
    named = {link.switch_id.lower(), link.switch_info.lower()} & switch.names
    return (switch.carrier(link.port_id),) if link.port_id and named else ()


def desired(switch: Switch, hosts: Iterable[str], view: View) -> Mapping[str, Wanted]:
    """hosts: those that are linked to any switch; looked at where frames only pass through this one."""
    found = _Found(switch)
    found.bonds()
    for host, ports in switch.hosts.items():
        there, carriers = view.host(host), [switch.carrier(port) for port in ports]
        for network in there.networks.values():
            found.tag(carriers, network, _on(there.ports.values(), network))
    for bare in sorted(view.bare_metal(), key=lambda port: port.id):
        if plugged := [port for link in bare.links for port in named_in(switch, link)]:
            found.plug(plugged, bare, view)
    if switch.transit and switch.trunk_ports:
        for host in sorted(set(hosts) - switch.hosts.keys()):
            for network in view.host(host).networks.values():
                found.pass_through(network)
        for bare in view.bare_metal():
            for network in (bare.network, *bare.tagged.values()):
                found.pass_through(network)
    return dict(found.items())


class _Found:
    def __init__(self, switch: Switch) -> None:
        self._switch = switch
        self._values: dict[str, object] = {}
        self._ports: dict[str, set[str]] = {}
        self._refused: dict[str, str] = {}

    def bonds(self) -> None:
        for name, one in self._switch.bonds.items():
            self._want(bond(name), one.mlag, ())
            for port in one.members:
                self._want(member(port), number(name), ())

    def tag(self, links: Iterable[str], network: Network, ports: Iterable[str]) -> None:
        vid, ports = vlan_of(self._switch, network), set(ports)
        if vid is None:
            return
        for link in links:
            why = refusal(self._switch, network, link)
            self._want(tagged(link, vid), True, ports, why)
            if not why:
                self._vlan(vid, network, ports)

    def plug(self, links: Iterable[str], bare: BareMetal, view: View) -> None:
        vid = vlan_of(self._switch, bare.network)
        lists, unguarded = self._guard(bare, view)
        for link in links:
            why = refusal(self._switch, bare.network, link, bare_metal=True) or unguarded
            for way, texts in lists.items():
                self._want(f"{way} {link}", {"mac": bare.mac, "vid": vid, "entries": texts}, {bare.id}, why)
            self._want((native if bare.tagged else untagged)(link), vid, {bare.id}, why)
            if vid is not None and not why:
                self._vlan(vid, bare.network, {bare.id})
            if self._switch.disable_inactive_ports:
                self._want(enabled(link), True, {bare.id}, why)
            for sub_port, network in bare.tagged.items():
                self.tag([link], network, {sub_port})

    def _guard(self, bare: BareMetal, view: View) -> tuple[dict[str, list[str]], str]:
        """Its ACLs; and why it must not be plugged in without."""
        how = self._switch.acls
        if how == Acls.REFUSE and bare.guarded:
            return {}, f"switch {self._switch.name} has no ACLs (netweft_acls): no port with port security is let on"
        if how != Acls.YES or not bare.guarded:
            return {}, ""
        if bare.tagged:
            return {}, f"switch {self._switch.name}: an ACL cannot tell the networks of a trunk apart"
        lists = acls.entries(bare, view)
        if (most := max(map(len, lists.values()))) > self._switch.acl_entries:
            why = f"its security groups are {most} entries of an ACL; netweft_acl_entries is {self._switch.acl_entries}"
            return {}, f"switch {self._switch.name}: {why}"
        return lists, ""

    def pass_through(self, network: Network) -> None:
        vid = vlan_of(self._switch, network)
        if vid is not None and not refusal(self._switch, network):
            self._vlan(vid, network, set())

    def items(self) -> Iterator[tuple[str, Wanted]]:
        for key, value in self._values.items():
            yield key, Wanted(value, frozenset(self._ports[key]), self._refused.get(key, ""))

    def _vlan(self, vid: int, network: Network, ports: set[str]) -> None:
        """With all that leads to other switches.  Two networks cannot have the same VLAN of a wire."""
        if self._switch.manage_vlans:
            name = self._switch.network_name_format.format(network_id=network.id.replace("-", ""), segmentation_id=vid)
            self._want(vlan_key(vid), name, ports)
        for trunk in self._switch.trunk_ports:
            self._want(tagged(trunk, vid), True, ports)

    def _want(self, key: str, value: object, ports: Collection[str], refused: str = "") -> None:
        """Where two want a port for themselves, the one whose id is first has it."""
        if key not in self._refused and self._values.get(key, value) != value:
            taken = f"switch {self._switch.name}: another port is plugged in there, on VLAN {self._values[key]}"
            key, refused = f"{key} of {min(ports, default='')}", refused or taken  # only told: no port is called so
        self._values[key] = value
        self._ports.setdefault(key, set()).update(ports)
        if refused:
            self._refused[key] = refused


def _on(ports: Iterable[Port], network: Network) -> set[str]:
    return {port.id for port in ports if port.network_id == network.id}
