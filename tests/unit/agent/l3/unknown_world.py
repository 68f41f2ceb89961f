"""Hosts that answer ARP and neighbour discovery, agents that ask, switches between them that evaluate the real flows.

Frames that an agent gets or sends are bytes, those in a fake switch are fields; what is between is here."""

from collections import defaultdict
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address

from netweft.agent.desired import Desired
from netweft.agent.l3.resolver import Resolver
from netweft.agent.l3.routers import Errors, Neighbours
from netweft.agent.packet_ins import PacketIns
from netweft.dataplane.openflow.fields import ETH_ARP, ETH_IPV6, ND_ADVERT, ND_SOLICIT
from netweft.dataplane.openflow.messages import PacketIn
from netweft.dataplane.packets import arp, icmp
from netweft.dataplane.packets.datagram import packet
from netweft.model import Port
from netweft.services.addresses import prefix, text_of_mac
from netweft.services.fields import HANDED_UP, Reason, Why, cookie
from netweft.services.l2.announce import Packet as Said
from netweft.services.pipeline import physical_role
from netweft.testing import packets
from netweft.testing.region import Region
from netweft.testing.switch import Delivery, Packet

_CLAIMS = (Why.ANSWERED, Why.CLAIMED)


class Agent(Desired):
    """Of a node of the region: what it learns is in place at once."""

    def __init__(self, region: Region, name: str) -> None:
        super().__init__()
        self.node = region.nodes[name]
        self._rendering = self.node.rendering
        self.said: list[Said] = []
        self.handed_up = 0
        self.resolver = Resolver(self, self.said.append, self.node.settle)
        routers = (self.resolver, Errors(self, self.resolver), Neighbours(self))
        self.packet_ins = PacketIns(self, lambda: routers, self.said.append, self.node.settle)

    @property
    def known(self) -> dict[str, str]:
        return {str(place.address): known.mac.hex(":") for place, known in self.resolver._known.items()}


class World:
    """has: of a port, or of `wire`, the addresses that it answers for, with the MACs that it says.

    got: what came to each port, but for ARP and neighbour discovery.  heard: what came to each of these."""

    def __init__(self, region: Region, wire: str = "physnet1") -> None:
        self.region, self.wire = region, region.wires[wire]
        self.agents = {name: Agent(region, name) for name in region.nodes}
        self.has: defaultdict[str, dict[str, str]] = defaultdict(dict)
        self.got: defaultdict[str, list[Packet]] = defaultdict(list)
        self.heard: defaultdict[str, list[Packet]] = defaultdict(list)
        self.silent: set[str] = set()
        self.phys = physical_role(wire)

    def send(self, frm: Port, packet: Packet) -> None:
        self._deliver(self.region.send(frm, packet))
        self._settle()

    def from_wire(self, packet: Packet) -> None:
        self._deliver(list(self.wire.carry(None, packet)))
        self._settle()

    def passes(self, seconds: float, clock: list[float]) -> None:
        for _ in range(round(seconds * 4)):
            clock[0] += 0.25
            for agent in self.agents.values():
                agent.resolver.tick()
            self._settle()

    def _settle(self) -> None:
        for _ in range(50):
            if not self._turn():
                return
        raise AssertionError("they never stop talking")

    def _turn(self) -> bool:
        busy = False
        for agent in self.agents.values():
            bridge = agent.node.bridges["int"]
            punted, bridge.punted = bridge.punted, []
            for one in punted:
                agent.said += agent.packet_ins.answer(_packet_in(one))
            agent.handed_up += len(punted)
            saying, agent.said[:] = list(agent.said), []
            for out in saying:
                self._deliver(list(bridge.packet_out(_fields(out.frame), out.actions)))
            busy |= bool(punted or saying)
        heard, self.wire.heard = self.wire.heard, []
        for one in heard:
            self._hears("wire", one)
        return busy or bool(heard)

    def _deliver(self, deliveries: Iterable[Delivery]) -> None:
        for delivery in deliveries:
            (port_id,) = self.region.ids_of([delivery])
            self._hears(port_id, delivery.packet)

    def _hears(self, who: str, one: Packet) -> None:
        if one["eth_type"] != ETH_ARP and one.get("icmpv6_type") not in (ND_SOLICIT, ND_ADVERT):
            self.got[who].append(one)
            return
        self.heard[who].append(one)
        for address, its_mac in self.has[who].items() if who not in self.silent else ():
            reply = _reply(one, address, its_mac)
            if reply is None:
                continue
            if who == "wire":
                self._deliver(list(self.wire.carry(None, {**reply, "vlan_vid": one["vlan_vid"]})))
            else:
                self._deliver(self.region.send(self.region.ports[who], reply))


def _reply(one: Packet, address: str, its_mac: str) -> Packet | None:
    if one["eth_type"] == ETH_ARP:
        if one["arp_op"] != 1 or one["arp_tpa"] != prefix(address).value or one["arp_spa"] == one["arp_tpa"]:
            return None
        requester = text_of_mac(one["arp_sha"])
        return packets.arp(its_mac, address, str(IPv4Address(one["arp_spa"])), op=2, dst=requester)
    if one["icmpv6_type"] != ND_SOLICIT or one["nd_target"] != prefix(address).value:
        return None
    said = packets.advertise(its_mac, address, address, tll=its_mac, dst=text_of_mac(one["nd_sll"]))
    return {**said, "ipv6_dst": one["ipv6_src"]}


def _packet_in(one: Packet) -> PacketIn:
    why = one.get(HANDED_UP, 0)
    reason = Reason.NETWORK_CLAIM if why in _CLAIMS else Reason.ROUTER_HAND_UP
    if not why:  # of a gateway's own flows, or of those who ask for routers
        reason = Reason.ROUTER_NEIGHBOUR if one.get("icmpv6_type") == ND_SOLICIT else Reason.ROUTER_RESOLVE
    registers = {name: value for name, value in one.items() if name.startswith("reg")}
    return PacketIn(cookie(reason), registers, _frame(one))


def _frame(one: Packet) -> bytes:
    src, dst = (one[name].to_bytes(6, "big") for name in ("eth_src", "eth_dst"))
    if one["eth_type"] == ETH_ARP:
        asked = arp.request(one["arp_sha"].to_bytes(6, "big"), IPv4Address(one["arp_spa"]), IPv4Address(one["arp_tpa"]))
        return dst + src + asked[12:20] + one["arp_op"].to_bytes(2, "big") + asked[22:]
    version = 6 if one["eth_type"] == ETH_IPV6 else 4
    kind: type[IPv4Address] | type[IPv6Address] = IPv6Address if version == 6 else IPv4Address
    ends = (kind(one[f"ipv{version}_src"]), kind(one[f"ipv{version}_dst"]))
    if one.get("icmpv6_type") == ND_ADVERT:
        option = bytes((2, 1)) + one["nd_tll"].to_bytes(6, "big")
        return icmp.message((src, dst), ends, ND_ADVERT, 0, 0, one["nd_target"].to_bytes(16, "big") + option)
    if one.get("icmpv6_type") == ND_SOLICIT:
        return icmp.question(src, IPv6Address(one["ipv6_src"]), IPv6Address(one["nd_target"]), to=dst)
    return packet((src, dst), ends, one["ip_proto"], bytes(8))


def _fields(frame: bytes) -> Packet:
    at = {"eth_dst": int.from_bytes(frame[:6], "big"), "eth_src": int.from_bytes(frame[6:12], "big")}
    eth_type = int.from_bytes(frame[12:14], "big")
    if eth_type == ETH_ARP:
        parts = {"arp_op": (20, 2), "arp_sha": (22, 6), "arp_spa": (28, 4), "arp_tha": (32, 6), "arp_tpa": (38, 4)}
        inside = {name: int.from_bytes(frame[start : start + size], "big") for name, (start, size) in parts.items()}
        return {**at, "eth_type": eth_type, **inside}
    if eth_type == ETH_IPV6:
        src, dst = (int.from_bytes(frame[start : start + 16], "big") for start in (22, 38))
        found: dict[str, int] = {**at, "eth_type": eth_type, "ipv6_src": src, "ipv6_dst": dst, "ip_proto": frame[20]}
        found |= {"icmpv6_type": frame[54], "icmpv6_code": frame[55], "ip_ttl": frame[21]}
        if frame[54] in (ND_SOLICIT, ND_ADVERT):
            option = "nd_sll" if frame[54] == ND_SOLICIT else "nd_tll"
            found |= {"nd_target": int.from_bytes(frame[62:78], "big"), option: int.from_bytes(frame[80:86], "big")}
        return found
    ends = {"ipv4_src": int.from_bytes(frame[26:30], "big"), "ipv4_dst": int.from_bytes(frame[30:34], "big")}
    return {**at, "eth_type": eth_type, **ends, "ip_proto": frame[23], "ip_ttl": frame[22]}


def announced(frm: Port, address: str, its_mac: str = "") -> Packet:
    """Gratuitously, by ARP or an unsolicited advertisement."""
    own = its_mac or frm.mac_address
    if ":" in address:
        return packets.advertise(own, address, address, tll=own)
    return packets.arp(own, address, address)
