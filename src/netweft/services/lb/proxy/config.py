"""A balancer as a configuration of HAProxy: all of its listeners that flows can't serve.

What is the process's own (the `global` section) is not in it: that is its keeper's.
"""

from collections.abc import Iterable, Iterator
from ipaddress import IPv6Address, ip_address

from msgspec import Struct

from netweft.dataplane.haproxy.values import Material, ServerState
from netweft.model.load_balancer import L7Policy, L7Rule, Listener, LoadBalancer, Member, Pool
from netweft.model.proxy import needs_proxy
from netweft.services.lb.proxy import policies, tls
from netweft.services.lb.proxy.backends import backend, backend_name, server_states
from netweft.services.lb.proxy.frontends import frontend
from netweft.services.lb.proxy.policies import Policy
from netweft.services.lb.proxy.quoting import name

_DEFAULTS = (
    *("retries 3", "option redispatch", "option splice-auto", "option clitcpka", "option srvtcpka"),
    *("timeout connect 5000", "timeout client 50000", "timeout server 50000", "timeout http-request 30000"),
    *("timeout tunnel 3600000", "timeout http-keep-alive 50000"),
)


class Tree(Struct, frozen=True):
    """A balancer and all that belongs to it, in any order.  instances: how many share its connections.  own: their
    addresses."""

    balancer: LoadBalancer
    listeners: tuple[Listener, ...] = ()
    pools: tuple[Pool, ...] = ()
    members: tuple[Member, ...] = ()
    policies: tuple[L7Policy, ...] = ()
    rules: tuple[L7Rule, ...] = ()
    instances: int = 1
    own: tuple[str, ...] = ()

    @property
    def vips(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.balancer.vip_address, *(vip.ip_address for vip in self.balancer.vips))))

    def members_of(self, pool_id: str) -> tuple[Member, ...]:
        return tuple(sorted((one for one in self.members if one.pool_id == pool_id), key=lambda one: one.id))

    def asked_of(self, pool_id: str) -> tuple[Member, ...]:
        """Without those that are HAProxy itself: it would ask itself, and that again, until nobody else can."""
        return tuple(one for one in self.members_of(pool_id) if not self._is_itself(one))

    def _is_itself(self, member: Member) -> bool:
        found = ip_address(member.address)
        at = (found.ipv4_mapped if isinstance(found, IPv6Address) else None) or found
        return at.is_loopback or at.is_unspecified or at in {ip_address(one) for one in (*self.vips, *self.own)}

    def proxied(self) -> Iterator[Listener]:
        pools = {pool.id: pool for pool in self.pools}
        for one in sorted(self.listeners, key=lambda one: one.id):
            pool = pools.get(one.default_pool_id or "")
            if needs_proxy(one, pool, self.members_of(pool.id) if pool else (), self.vips):
                yield one


class Rendered(Struct, frozen=True):
    """text: the configuration.  structure: the same without what can be changed while it runs.  lists: files that it
    names, and what they say."""

    text: str
    structure: str
    servers: tuple[ServerState, ...]
    material: tuple[Material, ...]
    lists: tuple[tuple[str, str], ...] = ()


def render(tree: Tree) -> Rendered:
    """Raises ValueError for what cannot be said to HAProxy."""
    served = [_Served(tree, one) for one in tree.proxied() if one.admin_state_up and tree.balancer.admin_state_up]
    needed = dict.fromkeys(one for listener in served for one in listener.material())
    return Rendered(
        text=_text(tree, served, states=True),
        structure=_text(tree, served, states=False),
        servers=tuple(state for one in served for state in one.states()),
        material=tuple(needed),
        lists=tuple(found for one in served if (found := tls.listed(one.listener))),
    )


class _Served:
    """One listener, with what it uses of the tree."""

    def __init__(self, tree: Tree, listener: Listener) -> None:
        self.listener = listener
        own = [one for one in tree.policies if one.listener_id == listener.id]
        self.policies: list[Policy] = policies.in_order(own, tree.rules)
        used = {listener.default_pool_id, *(one.policy.redirect_pool_id for one in self.policies)}
        up = (pool for pool in tree.pools if pool.id in used and pool.admin_state_up)
        self.pools = {pool.id: pool for pool in sorted(up, key=lambda pool: pool.id)}
        self._tree = tree

    def backend(self, pool_id: str) -> str | None:
        return backend_name(pool_id, self.listener.id) if pool_id in self.pools else None

    def material(self) -> Iterator[Material]:
        yield from tls.of_listener(self.listener)
        for pool in self.pools.values():
            yield from tls.of_pool(pool)

    def states(self) -> Iterator[ServerState]:
        for pool in self.pools.values():
            yield from server_states(self.listener, pool, self._tree.asked_of(pool.id))

    def sections(self, *, states: bool) -> Iterator[tuple[str, Iterable[str]]]:
        vips = self._tree.vips
        lines = frontend(
            self.listener,
            self.policies,
            self.backend,
            vips=vips,
            instances=self._tree.instances,
            has_ipv6=any(ip_address(vip).version == 6 for vip in vips),
        )
        yield f"frontend {name(self.listener.id)}", lines
        for pool in self.pools.values():
            members = self._tree.asked_of(pool.id)
            yield f"backend {self.backend(pool.id)}", backend(self.listener, pool, members, states=states)


def _text(tree: Tree, served: Iterable[_Served], *, states: bool) -> str:
    sections = [("defaults", _DEFAULTS), *(section for one in served for section in one.sections(states=states))]
    sections += [(f"backend {policies.nobody(mode)}", [f"mode {mode}"]) for mode in ("http", "tcp")]
    return "\n".join(f"{head}\n" + "".join(f"    {line}\n" for line in lines) for head, lines in sections)
