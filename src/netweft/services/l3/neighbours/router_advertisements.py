"""Router advertisements: what the routers of a port's network say to it (RFC 4861, RFC 4862, RFC 8106).

Each node sends them to its own ports, solicited or not; none is ever on the wire.  A solicitation goes on besides:
there may be routers of other kinds, elsewhere.
"""

from collections.abc import Iterable, Iterator
from ipaddress import IPv6Address, IPv6Network
from typing import Final

from msgspec.structs import replace

from netweft.dataplane.openflow.fields import ETH_IPV6, PROTO_ICMPV6, ROUTER_SOLICIT
from netweft.dataplane.openflow.flow import Controller
from netweft.dataplane.packets.router_advert import Advertisement, Domain, PrefixInfo, Server
from netweft.model import RouterPort, Subnet
from netweft.services.addresses import link_local, mac, octets, parsed
from netweft.services.dhcp.requests import STATEFUL, STATELESS
from netweft.services.fields import AGENT, IN_PORT, LOCAL_VLAN, Reason, cookie
from netweft.services.metadata import ends
from netweft.services.pipeline import INT, Value
from netweft.services.service import Service, Wanted
from netweft.services.values import Advertised, Asked, Flood, LocalNetwork, LocalPort, Uplinks

ASK: Final = 26  # as `l3.neighbours`
REQUESTS = INT["requests"]
ON = INT["egress"].goto
_SOLICITS: Final[dict[str, Value]] = {
    "eth_type": ETH_IPV6,
    "ip_proto": PROTO_ICMPV6,
    "icmpv6_type": ROUTER_SOLICIT,
    "icmpv6_code": 0,
}
# seconds: RFC 4861 6.2.1, RFC 8106 5.1; a router says itself again at least three times before it is forgotten
MOST_BETWEEN: Final = 600
ROUTER_LIFETIME = SERVER_LIFETIME = 3 * MOST_BETWEEN
VALID, PREFERRED = 86400, 14400
LONGEST_LABEL: Final = 63  # bytes, of a name in DNS


def network(_: Uplinks, here: LocalNetwork, __: Flood) -> Iterator[Wanted]:
    if here.advertised:
        owner = cookie(Reason.NETWORK_ADVERTISE, here.network.id)
        yield REQUESTS.flow(ASK, owner, {LOCAL_VLAN: here.vlan, **_SOLICITS}, Controller(AGENT), ON)


def port(here: LocalPort) -> Iterator[Wanted]:
    """What is advertised to it; and one that solicits without end is ignored for a while."""
    if not here.network.advertised:
        return
    routers = tuple(filter(None, (_said(one, here) for one in here.routers)))
    if routers:
        yield Advertised(number=here.number, network_id=here.port.network_id, routers=routers)
    if Asked.ROUTER in here.deaf_to:
        owner = cookie(Reason.NETWORK_ADVERTISE, here.port.network_id)
        yield REQUESTS.flow(ASK + 1, owner, {IN_PORT: here.number, **_SOLICITS}, ON)


def _said(router: RouterPort, here: LocalPort) -> Advertisement | None:
    """None: it has no address in a subnet that is advertised."""
    own = {fixed.subnet_id for fixed in router.fixed_ips}
    subnets = [one for one in here.subnets if one.id in own and one.ipv6_ra_mode and one.ip_version == 6]
    if not subnets:
        return None
    modes = {subnet.ipv6_ra_mode for subnet in subnets}
    source = IPv6Address(link_local(mac(router.mac_address)))
    addresses = {source, *(parsed(fixed.ip_address) for fixed in router.fixed_ips)}
    return Advertisement(
        mac=octets(router.mac_address),
        source=source,
        lifetime=ROUTER_LIFETIME,
        managed=STATEFUL in modes,
        other=bool(modes & {STATEFUL, STATELESS}),
        low=not any(one.gateway_ip and parsed(one.gateway_ip) in addresses for one in subnets),
        mtu=here.network.network.mtu,
        prefixes=tuple(map(_prefix, subnets)),
        servers=tuple(Server(address, SERVER_LIFETIME) for address in _servers(here, subnets)),
        domains=tuple(Domain(name, SERVER_LIFETIME) for name in _domains(here, subnets)),
    )


def _prefix(subnet: Subnet) -> PrefixInfo:
    return PrefixInfo(IPv6Network(subnet.cidr), subnet.ipv6_ra_mode != STATEFUL, VALID, PREFERRED)


def _servers(here: LocalPort, subnets: Iterable[Subnet]) -> list[IPv6Address]:
    """Of those that don't leave it to DHCPv6 alone.  `::` stands for none.  The node itself where the network
    has no other, by DHCP neither: a VM that queries both may take the node's refusal for an answer."""
    told = [one for one in subnets if one.ipv6_ra_mode != STATEFUL]
    if told and here.network.names and not any(one.dns_nameservers for one in here.subnets):
        return [ends.SERVER_6]
    found = dict.fromkeys(parsed(server) for one in told for server in one.dns_nameservers)
    return [one for one in found if isinstance(one, IPv6Address) and not one.is_unspecified]


def _domains(here: LocalPort, subnets: Iterable[Subnet]) -> list[str]:
    """Likewise.  What DNS cannot write is left out."""
    name = here.network.domain
    told = name.isascii() and all(0 < len(label) <= LONGEST_LABEL for label in name.split("."))
    return [name] if told and any(one.ipv6_ra_mode != STATEFUL for one in subnets) else []


def to_say(before: Advertised | None, now: Advertised | None) -> list[Advertisement]:
    """What has to be advertised to a port after what was before: what is new, and what holds no longer.

    A prefix that a router no longer says is still on the link, and the port's address is its own: it is deprecated, no
    more.  What another router still says holds."""
    held, said = _by_mac(before), _by_mac(now)
    prefixes = {prefix.network for one in said.values() for prefix in one.prefixes}
    servers = {server.address for one in said.values() for server in one.servers}
    domains = {domain.name for one in said.values() for domain in one.domains}
    news: list[Advertisement] = []
    for who in sorted(held.keys() | said.keys()):
        was, one = held.get(who), said.get(who)
        if was is None or was == one:
            news += [one] if one and one != was else []
            continue
        gone = tuple(replace(prefix, preferred=0) for prefix in was.prefixes if prefix.network not in prefixes)
        lost = tuple(replace(server, lifetime=0) for server in was.servers if server.address not in servers)
        left = tuple(replace(domain, lifetime=0) for domain in was.domains if domain.name not in domains)
        now_said = one or replace(was, lifetime=0, prefixes=(), servers=(), domains=())
        news.append(
            replace(
                now_said,
                prefixes=now_said.prefixes + gone,
                servers=now_said.servers + lost,
                domains=now_said.domains + left,
            )
        )
    return news


def _by_mac(said: Advertised | None) -> dict[bytes, Advertisement]:
    return {one.mac: one for one in said.routers} if said else {}


ADVERTISEMENTS = Service("router advertisements", network=network, port=port)
