"""What the flows of a load balancer are made of."""

from msgspec import Struct

from netweft.model import Listener, LoadBalancer, QosPolicy
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
    clients that differ in no bit of it; None: each client's by itself."""

    id: str
    reason: Reason
    number: int
    by_source: bool = False
    netmask: Prefix | None = None
    backends: tuple[Backend, ...] = ()


class Served(Struct, frozen=True, kw_only=True):
    """A listener that flows serve, or lead to who does.  clients: prefixes of those who may; None: everybody."""

    listener: Listener
    protocol: int
    spread: Spread
    clients: tuple[str, ...] | None = None


class LocalBalancer(Struct, frozen=True, kw_only=True):
    """A load balancer whose VIP's network is wired here.

    vips: its addresses.  on_link: what is in its network.  by: IP version -> the MAC of the router that leads elsewhere
    from there.  pings: by IP version, who may ping it, as prefixes; None: everybody.  qos: its policy, where the
    datapath has meters.  frame: the largest, in bytes, where it has one.  gives_pieces: whether conntrack gives a
    datagram on as the fragments that it came in: the userspace datapath's."""

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
