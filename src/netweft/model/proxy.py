"""HAProxy for a load balancer: which listeners need it, and where it runs.

A listener that flows can't serve is served by HAProxy on a few hypervisors at once.  Each of these instances has a
port of its own in the VIP's network (`device_owner` PROXY_OWNER, `device_id` the balancer's id), bound to the node
that runs it.  To the flows these ports are the listener's members.
"""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct, field

from netweft.model.load_balancer import LEAST_CONNECTIONS, LOAD_BALANCER, Listener, Member, Pool
from netweft.model.network import FixedIp

PROXY_OWNER: Final = "network:load_balancer_proxy"
BUILD: Final = "BUILD"
HTTP_PROTOCOLS: Final = frozenset({"HTTP", "TERMINATED_HTTPS", "PROMETHEUS"})
_DATAGRAMS: Final = frozenset({"UDP", "SCTP"})  # HAProxy speaks TCP only
_PROXY_PROTOCOLS: Final = frozenset({"PROXY", "PROXYV2"})
_COOKIES: Final = frozenset({"HTTP_COOKIE", "APP_COOKIE"})


class Proxy(Struct, frozen=True, kw_only=True, tag="proxy", omit_defaults=True):
    """An instance, by its port's id: where flows send what is for its balancer, while it is up.

    status: the port's: ACTIVE while HAProxy serves there, BUILD before it was expected to for the first time."""

    id: str
    load_balancer_id: str = field(name=LOAD_BALANCER)
    network_id: str
    mac_address: str
    fixed_ips: tuple[FixedIp, ...] = ()
    host_id: str = field(default="", name="binding:host_id")
    status: str = "DOWN"

    @property
    def is_up(self) -> bool:
        return self.status == "ACTIVE"

    @property
    def gets_traffic(self) -> bool:
        """Also one that starts: its balancer is not ACTIVE before it serves, and flows that lead there are made
        meanwhile."""
        return self.is_up or (self.status == BUILD and bool(self.host_id))


def needs_proxy(
    listener: Listener, pool: Pool | None, members: Iterable[Member] = (), vips: Iterable[str] = ()
) -> bool:
    """pool: the listener's default one, with its members.  vips: the balancer's addresses: a member of another IP
    version is out of their flows' reach."""
    if listener.protocol in _DATAGRAMS:
        return False
    if listener.protocol in HTTP_PROTOCOLS or listener.connection_limit >= 0:
        return True
    if pool is None:
        return False
    persistence = pool.session_persistence
    return (
        pool.protocol in _PROXY_PROTOCOLS
        or pool.lb_algorithm == LEAST_CONNECTIONS
        or pool.tls_enabled
        or (persistence is not None and persistence.type in _COOKIES)
        or _mixes(members, vips)
    )


def _mixes(members: Iterable[Member], vips: Iterable[str]) -> bool:
    versions = {":" in vip for vip in vips}
    return any({":" in member.address} != versions for member in members) if versions else False
