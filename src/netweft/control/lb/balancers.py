"""Balancers: made with their VIP, alone or with all that they are to have; changed; deleted."""

import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from netweft.control import locks
from netweft.control.lb import l7, listeners, members, monitors, offers, pools, quota
from netweft.control.lb.errors import ValidationFailure
from netweft.control.lb.proxies import Proxies, give_up
from netweft.control.lb.tls import Looked
from netweft.control.lb.tree import AFFECTED, CHANGE, Tree, in_place, under_way
from netweft.control.lb.vips import GROUPS, POLICY, Vips
from netweft.control.lb.vocabulary import BALANCERS, CHILDREN, LISTENERS, PENDING_CREATE, PENDING_DELETE, POOLS
from netweft.control.standard import UseCases, now
from netweft.model.load_balancer import FLAVOR
from netweft.store import Link, Object, WriteTransaction

_SINGLE = "when creating a fully populated loadbalancer."


class Balancers:
    """ports: as they are for us, not for those who ask for ports."""

    def __init__(self, ports: UseCases) -> None:
        self._vips, self._proxies = Vips(ports), Proxies(ports)

    def create(self, tx: WriteTransaction, wanted: Object, looked: Looked, *, placed: bool = True) -> Tree:
        """wanted: also its listeners and pools, if it is to have some.  What its body names is held.
        placed: HAProxy, too, where it is needed, so that its nodes hear of all at once.  Raises NotPlaced."""
        told_listeners, told_pools = wanted.pop("listeners"), wanted.pop("pools")
        balancer: Object = {"id": str(uuid.uuid4())} | self._offered(tx, wanted)
        balancer |= self._vips.give(tx, balancer)
        self._check_network(balancer)
        balancer |= {
            "provisioning_status": PENDING_CREATE,
            CHANGE: 1,
            AFFECTED: [],
            "created_at": now(),
            "updated_at": None,
        }
        tx.insert(BALANCERS, balancer, [Link("vip_port_id", "ports", balancer["vip_port_id"]), *offers.links(balancer)])
        tree = Tree(tx, balancer)
        made = [BALANCERS, *self._fill(tree, told_listeners, told_pools, looked)]
        quota.check(tx, balancer["project_id"], made)
        if placed:
            self._proxies.place_new(tx, tree)
        return tree

    def update(self, tx: WriteTransaction, id: str, changes: Object) -> Tree:
        """What it names is held."""
        tree = Tree.of(tx, id)
        if changes.get(GROUPS):
            refuse_groups(tree)
        tree.begin(child=False)
        self._vips.change(tx, tree.balancer, {name: changes[name] for name in (POLICY, GROUPS) if name in changes})
        tree.balancer = tx.update(BALANCERS, id, changes | {"updated_at": now()})
        return tree

    def delete(self, tx: WriteTransaction, id: str, *, cascade: bool) -> None:
        """It is there, and nobody can change it, until its nodes have taken it down: see `in_place`."""
        locks.to_change(tx, BALANCERS, id, {})
        tree = Tree.of(tx, id)
        if not cascade and any(tree.rows(kind) for kind in (LISTENERS, POOLS)):
            raise ValidationFailure(detail=f"Cannot delete Load Balancer {id} - it has children")
        tree.begin_to_go()
        self._proxies.take_back(tx, id)

    def in_place(self, tx: WriteTransaction, id: str, change: int) -> bool:
        """Its nodes have what that change has made of it: what was to go does."""
        found = tx.glance.get(BALANCERS, id)
        if found is None or found["provisioning_status"] != PENDING_DELETE:
            done = in_place(tx, id, change)
            if done:
                give_up(tx, id)
            return done
        locks.to_change(tx, BALANCERS, id, {})
        tree = Tree.of(tx, id)
        if not under_way(tree.balancer, change):
            return False
        for kind in reversed(CHILDREN):
            tree.delete(kind, list(tree.rows(kind)))
        tx.delete(BALANCERS, id)
        self._vips.take_back(tx, tree.balancer)
        return True

    def fail_over(self, tx: WriteTransaction, id: str) -> None:
        """HAProxy goes to other nodes; what flows serve every node does already.  They are asked whether they have it
        in place."""
        Tree.of(tx, id).begin(child=False)
        self._proxies.move(tx, id)

    def _offered(self, tx: WriteTransaction, wanted: Object) -> Object:
        flavor_id, zone_id = wanted["flavor_id"], wanted["availability_zone"]
        flavor = offers.meaning(tx, offers.FLAVOR, flavor_id, "flavor_id") if flavor_id else {}
        zone = offers.meaning(tx, offers.ZONE, zone_id, "availability zone") if zone_id else {}
        provider = offers.provider(wanted["provider"], flavor.get("provider_name"))
        return wanted | {"provider": provider, FLAVOR: flavor.get("data", {}), offers.ZONE_DATA: zone.get("data", {})}

    def _check_network(self, balancer: Object) -> None:
        allowed = balancer[offers.ZONE_DATA].get("valid_vip_networks")
        if allowed and balancer["vip_network_id"] not in allowed:
            detail = "Supplied VIP network_id is not allowed by the configuration of this deployment."
            raise ValidationFailure(detail=detail)

    def _fill(
        self, tree: Tree, told_listeners: Sequence[Object], told_pools: Sequence[Object], looked: Looked
    ) -> Iterable[str]:
        """The kinds of what was made, once each."""
        wanted_listeners, by_name = _named_pools(told_listeners, told_pools)
        ids: dict[str | None, str] = {}
        for name, wanted in by_name:
            ids[name] = self._make_pool(tree, wanted, looked)["id"]
        for one in wanted_listeners:
            self._make_listener(tree, one, ids, looked)
        return [kind for kind in CHILDREN if tree.rows(kind)] if ids or wanted_listeners else []

    def _make_pool(self, tree: Tree, wanted: Object, looked: Looked) -> Object:
        for name in ("protocol", "lb_algorithm"):
            if not wanted[name]:
                detail = f"Pool definition for '{wanted['name']}' missing required attribute: {name}"
                raise ValidationFailure(detail=detail)
        below = {name: wanted.pop(name) for name in ("members", "healthmonitor")}
        pool = pools.made(tree, wanted, looked)
        if below["healthmonitor"]:
            monitors.made(tree, pool, below["healthmonitor"])
        members.made(tree, pool, below["members"] or [])
        return pool

    def _make_listener(self, tree: Tree, wanted: Object, ids: dict[str | None, str], looked: Looked) -> None:
        policies = wanted.pop("l7policies") or []
        default = wanted.pop("default_pool")
        if default:
            wanted["default_pool_id"] = ids[default["name"]]
        listener = listeners.made(tree, wanted, looked)
        for one in policies:
            redirect = one.pop("redirect_pool")
            target = ids[redirect["name"]] if redirect else None
            l7.made(tree, listener, one | {"redirect_pool_id": target})


def refuse_groups(tree: Tree) -> None:
    if any(one["allowed_cidrs"] for one in tree.rows(LISTENERS).values()):
        detail = "Allowed CIDRs are not allowed when using custom VIP Security Groups."
        raise ValidationFailure(detail=detail)


def _named_pools(
    told_listeners: Sequence[Object], told_pools: Sequence[Object]
) -> tuple[list[Object], list[tuple[str | None, Object]]]:
    """Pools stand beside listeners or in them, in full once; everywhere else their name stands for them."""
    found = list(told_pools)
    referred: list[str] = []
    for holder, name in _places(told_listeners):
        pool: Any = holder[name]
        if not pool:
            continue
        if not pool["name"]:
            raise ValidationFailure(detail=f"Pools must be named {_SINGLE}")
        if pool["protocol"] or pool["lb_algorithm"]:
            found.append(pool)
        else:
            referred.append(pool["name"])
    names = [one["name"] for one in found]
    if len(set(names)) < len(names):
        raise ValidationFailure(detail=f"Pool names must be unique {_SINGLE}")
    if missing := [name for name in referred if name not in names]:
        raise ValidationFailure(detail=f"Pool '{missing[0]}' was referenced but no full definition was found.")
    return [dict(one) for one in told_listeners], [(one["name"], dict(one)) for one in found]


def _places(told_listeners: Iterable[Object]) -> Iterable[tuple[Object, str]]:
    for one in told_listeners:
        yield one, "default_pool"
        for policy in one["l7policies"] or ():
            yield policy, "redirect_pool"
