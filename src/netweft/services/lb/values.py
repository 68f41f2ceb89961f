"""What the flows of a load balancer are made of."""

from msgspec import Struct

from netweft.model import Listener, LoadBalancer, QosPolicy, VipPort
from netweft.model.wire_macs import wire_mac
from netweft.services.addresses import Prefix
from netweft.services.fields import Reason
from netweft.services.values import LocalNetwork


class Service(Struct, frozen=True, order=True):
    """Where a member listens.  protocol: its number."""

    protocol: int
    address: Prefix
    port: int


class Backend(Struct, frozen=True):
    """Who can get a listener's connections: a member, or what stands in for all of them.  Weight 0: no new ones."""

    id: str
    at: Service
    weight: int = 1


class Spread(Struct, frozen=True, kw_only=True):
    """Backends that share what comes for a listener.  id, reason: whose they are.  number: what POOL says.
    by_source: one client's connections all go to one of them, else each has a place of its own.  netmask: those of all
    clients that differ in no bit of it; None: each client's by itself.
    on_wire: connections from physical hosts come to it."""

    id: str
    reason: Reason
    number: int
    by_source: bool = False
    netmask: Prefix | None = None
    on_wire: bool = False
    backends: tuple[Backend, ...] = ()


class Served(Struct, frozen=True, kw_only=True):
    """A listener that flows serve, or lead to who does.  clients: prefixes of those who may; None: everybody."""

    listener: Listener
    protocol: int
    spread: Spread
    clients: tuple[str, ...] | None = None


class VipOnWire(Struct, frozen=True, kw_only=True):
    """A VIP whose network has a wire here.  node: this one.  answers: it answers physical hosts."""

    port: VipPort
    node: str
    answers: bool = False

    @property
    def may_answer(self) -> bool:
        """This node, now or when others are gone."""
        return self.node in self.port.order

    @property
    def own_mac(self) -> int:
        """By which this node answers for it: no switch sees one MAC at several of its ports."""
        return wire_mac(self.node, self.port.id)

    @property
    def leading_mac(self) -> int:
        """By which this node leads to members on the wire, and their answers come back to it: of all VIPs of the
        network, since which one it was for cannot be seen there."""
        return wire_mac(self.node, self.port.network_id)

    @property
    def others_leading(self) -> tuple[int, ...]:
        return tuple(wire_mac(host, self.port.network_id) for host in self.port.order if host != self.node)

    @property
    def others_macs(self) -> tuple[int, ...]:
        """Those of the other nodes that may answer."""
        return tuple(wire_mac(host, self.port.id) for host in self.port.order if host != self.node)


class LocalBalancer(Struct, frozen=True, kw_only=True):
    """A load balancer whose VIP's network is wired here.

    vips: its addresses.  on_link: what is in its network.  by: IP version -> the MAC of the router that leads elsewhere
    from there.  pings: by IP version, who may ping it, as prefixes; None: everybody.  qos: its policy, where the
    datapath has meters.  frame: the largest, in bytes, where it has one.  gives_pieces: whether conntrack gives a
    datagram on as the fragments that it came in: the userspace datapath's.  wire: None where its network has none
    here."""

    balancer: LoadBalancer
    network: LocalNetwork
    vips: tuple[Prefix, ...]
    served: tuple[Served, ...] = ()
    on_link: tuple[Prefix, ...] = ()
    by: dict[int, int] = {}
    pings: dict[int, tuple[str, ...] | None] = {}
    qos: QosPolicy | None = None
    frame: int = 0
    gives_pieces: bool = False
    wire: VipOnWire | None = None
