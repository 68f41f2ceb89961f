"""Whether what a body names, and is Neutron's, is there for the caller, who leads traffic there."""

from collections.abc import Iterable

from netweft.api.policy import check_named, check_ports
from netweft.control.errors import NotFound
from netweft.control.lb.errors import InvalidSubresource
from netweft.plugins.identity import Context
from netweft.store import Object, WriteTransaction

# the words of the rules -> of a balancer's body
_OF_A_BALANCER = {
    "network_id": "vip_network_id",
    "subnet_id": "vip_subnet_id",
    "qos_policy_id": "vip_qos_policy_id",
    "port_id": "vip_port_id",
}
_TITLES = {
    "network_id": "Network",
    "subnet_id": "Subnet",
    "qos_policy_id": "qos_policy",
    "security_group_id": "Security Group",
    "port_id": "Port",
}


def check_balancer(tx: WriteTransaction, context: Context, wanted: Object) -> None:
    asked = [(rule, wanted[name]) for rule, name in _OF_A_BALANCER.items() if wanted.get(name)]
    asked += [("security_group_id", id) for id in wanted.get("vip_sg_ids") or ()]
    asked += [("subnet_id", vip["subnet_id"]) for vip in wanted.get("additional_vips") or ()]
    _check(tx, context, asked)
    for pool in wanted.get("pools") or ():
        check_members(tx, context, pool["members"])
    for listener in wanted.get("listeners") or ():
        pools = [listener["default_pool"], *(one["redirect_pool"] for one in listener["l7policies"])]
        for pool in pools:
            check_members(tx, context, pool["members"] if pool else ())


def check_members(tx: WriteTransaction, context: Context, members: Iterable[Object]) -> None:
    _check(tx, context, [("subnet_id", id) for id in dict.fromkeys(one["subnet_id"] for one in members) if id])


def _check(tx: WriteTransaction, context: Context, asked: Iterable[tuple[str, str]]) -> None:
    for rule, id in asked:
        try:
            if rule == "port_id":
                check_ports(tx, context, [{rule: id}])
                continue
            check_named(tx, context, [{rule: id}])
        except NotFound:
            raise InvalidSubresource(resource=_TITLES[rule], id=id) from None
        if context.sees_all and tx.get(_KINDS[rule], id) is None:
            raise InvalidSubresource(resource=_TITLES[rule], id=id)


_KINDS = {
    "network_id": "networks",
    "subnet_id": "subnets",
    "qos_policy_id": "policies",
    "security_group_id": "security_groups",
}
