"""How many of each a project may have.  Exact, as Neutron's are: see control/quotas."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from netweft.control import quotas
from netweft.control.errors import OverQuota
from netweft.control.lb import vocabulary
from netweft.control.lb.errors import QuotaMet
from netweft.control.lb.vocabulary import BALANCERS, L7RULES, LISTENERS, MEMBERS, MONITORS, POLICIES, POOLS
from netweft.store import WriteTransaction

KIND: Final = "lb_quotas"
DEFAULTS: Final = {
    "loadbalancer": 100,
    "listener": 1000,
    "pool": 1000,
    "member": 10_000,
    "healthmonitor": 1000,
    "l7policy": 1000,
    "l7rule": 5000,
}
_MEMBERS: Final = {
    BALANCERS: "loadbalancer",
    LISTENERS: "listener",
    POOLS: "pool",
    MEMBERS: "member",
    MONITORS: "healthmonitor",
    POLICIES: "l7policy",
    L7RULES: "l7rule",
}


def check(tx: WriteTransaction, project_id: str, made: Iterable[str]) -> None:
    """made: the kinds of what was made.  Raises QuotaMet."""
    for kind in Counter(made):
        member = _MEMBERS[kind]
        try:
            quotas.check(tx, member, DEFAULTS[member], [{"project_id": project_id}], kind=KIND)
        except OverQuota:
            raise QuotaMet(resource=vocabulary.TITLES[kind]) from None
