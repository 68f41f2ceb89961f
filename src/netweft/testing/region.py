"""A region without a server, a switch or a kernel: nodes that render what they should have, fake bridges that do it.

The region plays the server (who is where, and so what is in each node's view) and Open vSwitch (OpenFlow ports).
"""

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from netweft.model import (
    AddressGroup,
    FirewallGroup,
    FirewallLog,
    FirewallPolicy,
    FirewallRule,
    FixedIp,
    FloatingAddress,
    FloatingIp,
    GatewayPort,
    GroupMember,
    Key,
    Listener,
    LoadBalancer,
    Member,
    MeteringLabel,
    Network,
    Node,
    Object,
    Peer,
    Pool,
    Port,
    PortForwarding,
    Proxy,
    QosPolicy,
    Router,
    RouterPort,
    SecurityGroup,
    SecurityGroupRule,
    Segment,
    Subnet,
    Trunk,
    key_of,
)
from netweft.services.addresses import prefix
from netweft.services.fields import tagged
from netweft.services.pipeline import INT, TUN, physical_role
from netweft.services.values import BY_OVS, PHYSICAL, HostFacts
from netweft.testing.node import UPLINKS, FakeNode
from netweft.testing.switch import Delivery, Overlay, Packet, Wire

MAPPINGS = {"physnet1": "br-eth1", "public": "br-ex"}
ANYTHING = SecurityGroup(
    id="0000ffff-2222-4000-8000-000000000000",
    rules=tuple(
        SecurityGroupRule(id=f"{direction} {ethertype}", direction=direction, ethertype=ethertype)
        for direction in ("ingress", "egress")
        for ethertype in ("IPv4", "IPv6")
    ),
)
WIRE_PORT = 1  # the NIC's, on a physical network's bridge


def network(number: int, network_type: str = "vxlan", physical_network: str = "physnet1") -> Network:
    key = None if network_type in ("local", "flat") else 1000 + number
    segment = Segment(network_type, physical_network if network_type in PHYSICAL else None, key)
    return Network(id=f"{number:08x}-0000-4000-8000-000000000000", segments=(segment,))


def subnet(net: Network, cidr: str, **more: object) -> Subnet:
    """A network has one of each IP version."""
    version = prefix(cidr).version
    made = Subnet(id=_subnet_id(net, cidr), network_id=net.id, ip_version=version, cidr=cidr)
    return replace(made, **more)


def _subnet_id(net: Network, address: str) -> str:
    return f"{net.id[:8]}-{6 if ':' in address else 4}"


def port(number: int, net: Network, *ips: str, **more: object) -> Port:
    """Port 7 is fa:16:3e:00:00:07 with 10.0.0.7, or the addresses given; its group lets everything pass."""
    addresses = ips or (f"10.0.0.{number}",)
    return Port(
        id=f"{number:08x}-1111-4000-8000-000000000000",
        network_id=net.id,
        mac_address=f"fa:16:3e:00:{number >> 8:02x}:{number & 255:02x}",
        fixed_ips=tuple(FixedIp(_subnet_id(net, ip), ip) for ip in addresses),
        **{"security_groups": (ANYTHING.id,), **more},  # type: ignore[arg-type]
    )


def router(number: int, **more: object) -> Router:
    return replace(Router(id=f"{number:08x}-3333-4000-8000-000000000000"), **more)


def interface(number: int, of: Router, net: Network, *ips: str) -> RouterPort:
    return RouterPort(
        id=f"{number:08x}-4444-4000-8000-000000000000",
        network_id=net.id,
        router_id=of.id,
        mac_address=f"fa:16:3e:ff:{number >> 8:02x}:{number & 255:02x}",
        fixed_ips=tuple(FixedIp(_subnet_id(net, ip), ip) for ip in ips),
    )


def gateway(number: int, of: Router, net: Network, host: str, *ips: str) -> GatewayPort:
    return GatewayPort(
        id=f"{number:08x}-5555-4000-8000-000000000000",
        network_id=net.id,
        router_id=of.id,
        host_id=host,
        mac_address=f"fa:16:3e:ee:{number >> 8:02x}:{number & 255:02x}",
        fixed_ips=tuple(FixedIp(_subnet_id(net, ip), ip) for ip in ips),
    )


def floating_ip(
    number: int, of: Router, net: Network, address: str, fixed: str, port: Port | None = None
) -> FloatingIp:
    """port: whose the fixed address is; without one it is where the gateway is, as if it were bound nowhere."""
    return FloatingIp(
        id=f"{number:08x}-6666-4000-8000-000000000000",
        router_id=of.id,
        floating_network_id=net.id,
        floating_ip_address=address,
        fixed_ip_address=fixed,
        port_id=port.id if port else "",
        mac_address=f"fa:16:3e:dd:{number >> 8:02x}:{number & 255:02x}",
    )


def port_forwarding(
    number: int, of: Router, net: Network, outside: tuple[str, str], inside: tuple[str, str], protocol: int = 17
) -> PortForwarding:
    """outside, inside: an address, and a port or `first:last`."""
    ranges = {"external": outside[1].split(":"), "internal": inside[1].split(":")}
    ends = {f"{side}_first": int(ports[0]) for side, ports in ranges.items()}
    ends |= {f"{side}_last": int(ports[-1]) for side, ports in ranges.items()}
    return PortForwarding(
        id=f"{number:08x}-7777-4000-8000-000000000000",
        router_id=of.id,
        floating_network_id=net.id,
        floating_ip_address=outside[0],
        internal_ip_address=inside[0],
        protocol=protocol,
        **ends,
    )


def _member(group_id: str, one: Port) -> GroupMember:
    ranges = tuple(pair for pair in one.allowed_address_pairs if prefix(pair.ip_address).mask is not None)
    singles = [pair.ip_address for pair in one.allowed_address_pairs if pair not in ranges]
    addresses = (*(fixed.ip_address for fixed in one.fixed_ips), *singles)
    return GroupMember(group_id=group_id, port_id=one.id, ip_addresses=addresses, ranges=ranges)


class Region:
    """Nodes hv1, hv2, ... with tunnel addresses 192.0.2.1, 192.0.2.2, ..."""

    def __init__(self, nodes: int = 2, unwired: frozenset[str] = frozenset()) -> None:
        """unwired: nodes that are not on the physical network `public`."""
        self.overlay = Overlay()
        self.wires = {name: Wire() for name in MAPPINGS}
        self.nodes: dict[str, FakeNode] = {}
        self.networks: dict[str, Network] = {}
        self.subnets: dict[str, Subnet] = {}
        self.ports: dict[str, Port] = {}
        self.groups: dict[str, SecurityGroup] = {ANYTHING.id: ANYTHING}
        self.address_groups: dict[str, AddressGroup] = {}
        self.trunks: dict[str, Trunk] = {}
        self.routers: dict[str, Router] = {}
        self.router_ports: dict[str, RouterPort] = {}
        self.gateway_ports: dict[str, GatewayPort] = {}
        self.floating_ips: dict[str, FloatingIp] = {}
        self.policies: dict[str, QosPolicy] = {}
        self.port_forwardings: dict[str, PortForwarding] = {}
        self.balancing: dict[Key, LoadBalancer | Listener | Pool | Member | Proxy] = {}
        self.labels: dict[str, MeteringLabel] = {}
        self.firewalls: dict[str, FirewallGroup | FirewallPolicy | FirewallRule | FirewallLog] = {}
        self.bound: dict[str, str] = {}
        self.switches: dict[str, str] = {}  # VTEPs, with their tunnel addresses: what is bound there is behind them
        self.ahead: dict[str, str] = {}  # port -> node of a binding that is not active
        for number in range(1, nodes + 1):
            tunnel_ip = f"192.0.2.{number}"
            name = f"hv{number}"
            wired = {net: bridge for net, bridge in MAPPINGS.items() if name not in unwired or net != "public"}
            host = HostFacts(name=name, tunnel_ip=tunnel_ip, tunnel_types=BY_OVS, bridge_mappings=wired)
            node = FakeNode(name, host)
            self.nodes[node.name] = node
            ofports = [ofport for ofport in UPLINKS.overlays.values() if ofport]
            self.overlay.attach(node.bridges[TUN.role], ofports, prefix(tunnel_ip).value)
            for physical in wired:
                self.wires[physical].attach(node.bridges[physical_role(physical)], WIRE_PORT)

    def create(self, *objects: Object) -> None:
        for obj in objects:
            match obj:
                case Network():
                    self.networks[obj.id] = obj
                case Subnet():
                    self.subnets[obj.id] = obj
                case Port():
                    self.ports[obj.id] = obj
                case SecurityGroup():
                    self.groups[obj.id] = obj
                case AddressGroup():
                    self.address_groups[obj.id] = obj
                case Trunk():
                    self.trunks[obj.id] = obj
                case Router():
                    self.routers[obj.id] = obj
                case RouterPort():
                    self.router_ports[obj.id] = obj
                case GatewayPort():
                    self.gateway_ports[obj.id] = obj
                case FloatingIp():
                    self.floating_ips[obj.id] = obj
                case QosPolicy():
                    self.policies[obj.id] = obj
                case LoadBalancer() | Listener() | Pool() | Member() | Proxy():
                    self.balancing[key_of(obj)] = obj
                case MeteringLabel():
                    self.labels[obj.id] = obj
                case FirewallGroup() | FirewallPolicy() | FirewallRule() | FirewallLog():
                    self.firewalls[obj.id] = obj
                case PortForwarding():
                    self.port_forwardings[obj.id] = obj

    def sub_ports(self) -> dict[str, tuple[str, int]]:
        """sub-port -> the port whose interface it uses, its tag there."""
        trunks = self.trunks.values()
        return {sub.port_id: (trunk.port_id, sub.segmentation_id) for trunk in trunks for sub in trunk.sub_ports}

    def plug(self, node: str, *ports: Port) -> None:
        for wanted in ports:
            self.bound[wanted.id] = node
            self.nodes[node].plug(wanted.id)

    def settle(self) -> None:
        for node in self.nodes.values():
            node.see(self.view_of(node.name))
            node.settle()

    def hosts(self) -> dict[str, str]:
        """Where each port is bound: a sub-port with its trunk's."""
        return self.bound | {
            id: self.bound[parent] for id, (parent, _) in self.sub_ports().items() if parent in self.bound
        }

    def view_of(self, name: str) -> list[Object]:
        bound = self.hosts()
        here = {id: self.ports[id] for id, node in bound.items() if node == name and id in self.ports}
        here |= {id: replace(self.ports[id], active=False) for id, node in self.ahead.items() if node == name}
        own = [port for port in self.gateway_ports.values() if name in port.order]
        led: list[GatewayPort | RouterPort] = [*own, *(p for p in self.router_ports.values() if name in p.order)]
        networks = {wanted.network_id for wanted in here.values()} | {port.network_id for port in led}
        networks, routers = self._reached(networks, {port.router_id for port in led})
        peers = [
            Peer(
                id=id,
                network_id=self.ports[id].network_id,
                mac_address=self.ports[id].mac_address,
                ip_addresses=tuple(fixed.ip_address for fixed in self.ports[id].fixed_ips),
                port_security_enabled=self.ports[id].port_security_enabled,
                allowed_address_pairs=self.ports[id].allowed_address_pairs,
                host_id=node,
                dns_name=self.ports[id].dns_name,
                dns_domain=self.ports[id].dns_domain,
            )
            for id, node in bound.items()
            if node != name and id in self.ports and self.ports[id].network_id in networks
        ]
        peers += [
            Peer(
                id=one.id,
                network_id=one.network_id,
                mac_address=one.mac_address,
                ip_addresses=tuple(fixed.ip_address for fixed in one.fixed_ips),
                host_id=one.host_id,
                is_gateway=True,
            )
            for one in self.gateway_ports.values()
            if one.host_id not in (name, "") and one.network_id in networks
        ]
        on = {one.network_id for one in here.values()}
        gateways = [port for port in self.gateway_ports.values() if port.router_id in routers]
        answering = [port for port in self.router_ports.values() if port.network_id in networks]
        hosts = {peer.host_id for peer in peers} | {host for port in gateways for host in port.order}
        hosts |= {host for port in answering for host in port.order}
        behind = {port.router_id for port in own}
        floating = [one for one in self.floating_ips.values() if one.port_id in here or one.router_id in behind]
        wires = networks | {one.floating_network_id for one in floating}
        return [
            *(self.networks[id] for id in wires if id in self.networks),
            *(subnet for subnet in self.subnets.values() if subnet.network_id in wires),
            *here.values(),
            *(trunk for trunk in self.trunks.values() if trunk.port_id in here),
            *peers,
            *map(self._seen, hosts - {name, ""}),
            *self._firewall({id for one in here.values() for id in one.security_groups} | self._of_vips(networks)),
            *self.policies.values(),
            *self.firewalls.values(),
            *self._addresses(),
            *(self.labels.values() if routers else ()),
            *(self.routers[id] for id in routers),
            *gateways,
            *floating,
            *(
                FloatingAddress(
                    id=one.id,
                    floating_network_id=one.floating_network_id,
                    floating_ip_address=one.floating_ip_address,
                    mac_address=one.mac_address,
                )
                for one in self.floating_ips.values()
                if one.floating_network_id in on
            ),
            *(one for one in self.port_forwardings.values() if one.router_id in routers),
            *(port for port in self.router_ports.values() if port.network_id in networks),
            *self._balancing(networks),
        ]

    def _balancing(self, networks: set[str]) -> Iterator[Object]:
        ids = {
            one.id
            for one in self.balancing.values()
            if isinstance(one, LoadBalancer) and one.vip_network_id in networks
        }
        for one in self.balancing.values():
            if (one.id if isinstance(one, LoadBalancer) else one.load_balancer_id) in ids:
                yield one

    def _seen(self, host: str) -> Node:
        if host in self.switches:
            return Node(name=host, tunnel_ip=self.switches[host], tunnel_types=("vxlan",), speaks_bfd=False)
        facts = self.nodes[host].host
        wired = tuple(sorted(facts.bridge_mappings))
        return Node(name=host, tunnel_ip=facts.tunnel_ip, tunnel_types=BY_OVS, floating_ips=wired)

    def _reached(self, networks: set[str], routers: set[str]) -> tuple[set[str], set[str]]:
        """The networks that routers lead to from these, and the routers."""
        ports = self.router_ports.values()
        routers = (routers | {port.router_id for port in ports if port.network_id in networks}) & self.routers.keys()
        more = networks | {port.network_id for port in ports if port.router_id in routers}
        return (networks, routers) if more == networks else self._reached(more, routers)

    def _addresses(self) -> Iterator[AddressGroup]:
        """What firewall rules name."""
        rules = [one for one in self.firewalls.values() if isinstance(one, FirewallRule)]
        named = {id for one in rules for id in (one.source_address_group_id, one.destination_address_group_id) if id}
        return (self.address_groups[id] for id in sorted(named) if id in self.address_groups)

    def _of_vips(self, networks: set[str]) -> set[str]:
        """Groups of the VIPs there."""
        return {id for one in self._balancing(networks) if isinstance(one, LoadBalancer) for id in one.vip_sg_ids}

    def _firewall(self, ids: Iterable[str]) -> Iterator[Object]:
        """These groups, and who is in what their rules name."""
        groups = [self.groups[id] for id in ids if id in self.groups]
        yield from groups
        for rule in (rule for group in groups for rule in group.rules):
            if rule.remote_address_group_id in self.address_groups:
                yield self.address_groups[rule.remote_address_group_id]
            for one in self.ports.values():
                if rule.remote_group_id in one.security_groups:
                    yield _member(rule.remote_group_id or "", one)

    def send(self, frm: Port, packet: Packet) -> list[Delivery]:
        """What comes out of the region's VIFs when a port's VM sends this."""
        parent, tag = self.sub_ports().get(frm.id, (frm.id, 0))
        return self.send_at(self.bound[parent], parent, {**packet, **({"vlan_vid": tagged(tag)} if tag else {})})

    def send_at(self, name: str, plugged: str, packet: Packet) -> list[Delivery]:
        node = self.nodes[name]
        ofport = node.vifs[plugged].ofport
        assert ofport is not None
        return list(node.bridges[INT.role].receive(packet, ofport))

    def receivers(self, frm: Port, packet: Packet) -> list[str]:
        """Ids of the ports that get it, sorted; twice when they get it twice."""
        return self.ids_of(self.send(frm, packet))

    def ids_of(self, deliveries: Iterable[Delivery]) -> list[str]:
        """Where a sub-port has the frame's tag, it is the sub-port's."""
        at = {
            (node.bridges[INT.role].name, vif.ofport): port_id
            for node in self.nodes.values()
            for port_id, vif in node.vifs.items()
        }
        subs = {(parent, tagged(tag)): id for id, (parent, tag) in self.sub_ports().items()}
        found = ((at[delivery.bridge, delivery.ofport], delivery.packet["vlan_vid"]) for delivery in deliveries)
        return sorted(subs.get((port_id, vid), port_id) for port_id, vid in found)
