"""An instance of HAProxy on this node: for each of a balancer's proxy ports that is bound here."""

from collections.abc import Iterator
from ipaddress import ip_address, ip_network

from netweft.dataplane.haproxy.values import Instance, Nic
from netweft.model import L7Policy, L7Rule, Listener, LoadBalancer, Member, Network, Pool, Proxy, Subnet
from netweft.reconcile.memo import Reader
from netweft.services import node_facts
from netweft.services.lb.proxy.config import Tree, render
from netweft.services.lb.trees import Parts


def proxy(read: Reader, id: str) -> Iterator[Instance]:
    """Nothing for one that is another node's, or whose balancer is not known here."""
    found: Proxy = read.get(("proxy", id))
    if found.host_id != node_facts.host_facts(read).name:
        return
    balancer: LoadBalancer | None = read.get(("load_balancer", found.load_balancer_id))
    parts: Parts | None = read.get(("tree", found.load_balancer_id))
    network: Network | None = read.get(("network", found.network_id))
    if balancer is None or parts is None or network is None:
        return
    nic = _nic(found, network, read.get(("subnets", found.network_id)) or ())
    try:
        made = render(_tree(balancer, parts))
    except ValueError as error:
        yield Instance(id=found.load_balancer_id, nic=nic, problem=str(error))
        return
    yield Instance(
        id=found.load_balancer_id,
        nic=nic,
        config=made.text,
        structure=made.structure,
        servers=made.servers,
        material=made.material,
        lists=made.lists,
    )


def _tree(balancer: LoadBalancer, parts: Parts) -> Tree:
    return Tree(
        balancer=balancer,
        listeners=parts.of(Listener),
        pools=parts.of(Pool),
        members=parts.of(Member),
        policies=parts.of(L7Policy),
        rules=parts.of(L7Rule),
        instances=len(parts.of(Proxy)),
        own=tuple(fixed.ip_address for one in parts.of(Proxy) for fixed in one.fixed_ips),
    )


def _nic(found: Proxy, network: Network, subnets: tuple[Subnet, ...]) -> Nic:
    known = {subnet.id: subnet for subnet in subnets}
    held = [(one, known[one.subnet_id]) for one in found.fixed_ips if one.subnet_id in known]
    gateways: dict[int, str] = {}
    for _, subnet in held:
        if subnet.gateway_ip:
            gateways.setdefault(ip_address(subnet.gateway_ip).version, subnet.gateway_ip)
    return Nic(
        port_id=found.id,
        mac=found.mac_address,
        addresses=tuple((one.ip_address, ip_network(subnet.cidr).prefixlen) for one, subnet in held),
        gateways=tuple(gateways[version] for version in sorted(gateways)),
        mtu=network.mtu,
    )
