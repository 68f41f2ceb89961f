"""docs/codes.md out of the table of codes: `python -m netweft.control.explain.codes_doc > docs/codes.md`."""

from collections.abc import Iterable, Iterator

from netweft.control.explain.codes import CODES
from netweft.control.explain.examine import CHECKS
from netweft.control.trace import codes as trace
from netweft.findings import Code

_TITLES = {
    "ports": "Ports",
    "networks": "Networks",
    "subnets": "Subnets",
    "trunks": "Trunks",
    "routers": "Routers",
    "floatingips": "Floating IPs",
    "security_groups": "Security groups",
    "security_group_rules": "Security group rules",
    "address_groups": "Address groups",
    "policies": "QoS policies",
    "firewall_groups": "Firewall groups",
    "firewall_policies": "Firewall policies",
    "firewall_rules": "Firewall rules",
    "address_scopes": "Address scopes",
    "loadbalancers": "Load balancers",
    "listeners": "Listeners of load balancers",
    "l7policies": "L7 policies",
    "l7rules": "L7 rules",
    "healthmonitors": "Health monitors",
    "pools": "Pools of load balancers",
    "members": "Members of pools",
    "agents": "Agents",
}


def document() -> str:
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Codes of findings"
    yield ""
    yield "Generated from `control/explain/codes.py` (`python -m netweft.control.explain.codes_doc > docs/codes.md`)."
    yield "What [`netweft explain`](explain.md) and [`netweft trace`](trace.md) find has one of these codes; a code"
    yield "never changes its meaning."
    yield ""
    yield "*Blocks*: the object does not work because of it, and the exit code is 1. A fix by an *admin* is shown to"
    yield "admins only. Words in braces are filled in; those in capitals are for you to choose."
    of_kind = {kind: [code for check in CHECKS if check.kind == kind for code in check.codes] for kind in _TITLES}
    for kind, title in _TITLES.items():
        yield from _table(title, [one for one in CODES if one in of_kind[kind]])
    yield from _table("Packets, by what the API says", trace.PACKET)
    yield from _table("Packets, by what nodes say", [one for one in trace.CODES if one not in trace.PACKET])


def _table(title: str, codes: Iterable[Code]) -> Iterator[str]:
    yield ""
    yield f"## {title}"
    yield ""
    yield "| code | meaning | blocks | fix | by |"
    yield "|---|---|---|---|---|"
    for code in codes:
        blocks, by = "yes" if code.blocks else "no", "admin" if code.by_admin else "owner"
        yield f"| `{code.code}` | {code.meaning} | {blocks} | `{code.fix}` | {by} |"


if __name__ == "__main__":
    print(document(), end="")
