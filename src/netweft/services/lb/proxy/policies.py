"""L7 policies and their rules, as lines of a frontend.

Octavia's order: what rejects comes first, then what redirects, then what chooses a pool; within each by position.
All rules of a policy have to match; one without rules matches nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from msgspec import Struct

from netweft.model.load_balancer import L7Policy, L7Rule
from netweft.services.lb.proxy.quoting import formatted, name, quoted, sample

_ORDER: Final = ("REJECT", "REDIRECT_PREFIX", "REDIRECT_TO_URL", "REDIRECT_TO_POOL")
# PCRE gives up after so many steps of backtracking from one place: patterns of a tenant can't be told from bad ones
_MOST_STEPS: Final = 2000
_MATCH: Final = {"REGEX": "reg", "STARTS_WITH": "beg", "ENDS_WITH": "end", "CONTAINS": "sub", "EQUAL_TO": "str"}


class Policy(Struct, frozen=True):
    policy: L7Policy
    rules: tuple[L7Rule, ...]

    @property
    def refuses(self) -> bool:
        """It answers the client itself; and sees the request as that has sent it."""
        return self.policy.action != "REDIRECT_TO_POOL"


def in_order(policies: Iterable[L7Policy], rules: Iterable[L7Rule]) -> list[Policy]:
    """Those that can match, in the order in which they are looked at."""
    by_policy: dict[str, list[L7Rule]] = {}
    for rule in rules:
        if rule.admin_state_up:
            by_policy.setdefault(rule.l7policy_id, []).append(rule)
    found = [
        Policy(one, tuple(sorted(by_policy[one.id], key=lambda rule: rule.id)))
        for one in policies
        if one.admin_state_up and one.id in by_policy
    ]
    return sorted(found, key=lambda one: (_ORDER.index(one.policy.action), one.policy.position, one.policy.id))


def lines(policies: Sequence[Policy], backend: Callable[[str], str | None]) -> Iterator[str]:
    """backend: its name for a pool; None for a pool that serves nobody."""
    for one in policies:
        yield from (f"acl {_acl(rule)} {_condition(rule)}" for rule in one.rules)
        yield _action(one, backend)


def _acl(rule: L7Rule) -> str:
    return f"rule-{name(rule.id)}"


def _action(one: Policy, backend: Callable[[str], str | None]) -> str:
    policy = one.policy
    when = "if " + " ".join(("!" if rule.invert else "") + _acl(rule) for rule in one.rules)
    match policy.action:
        case "REDIRECT_TO_URL":
            return f"http-request redirect code {_code(policy)} location {_place(policy, policy.redirect_url)} {when}"
        case "REDIRECT_PREFIX":
            return f"http-request redirect code {_code(policy)} prefix {_place(policy, policy.redirect_prefix)} {when}"
        case "REDIRECT_TO_POOL":
            return f"use_backend {backend(policy.redirect_pool_id or '') or nobody('http')} {when}"
        case _:
            return f"http-request deny {when}"


def nobody(mode: str) -> str:
    """The backend that has no members: 503, or a connection that ends."""
    return f"nobody-{mode}"


def _place(policy: L7Policy, where: str | None) -> str:
    if not where:
        raise ValueError(f"policy {policy.id} leads nowhere")
    return formatted(where)


def _code(policy: L7Policy) -> int:
    return int(policy.redirect_http_code or 302)


def _value(rule: L7Rule) -> str:
    """In Octavia quotes stand around one with spaces."""
    is_quoted = len(rule.value) > 1 and rule.value[0] == rule.value[-1] == '"' and rule.compare_type != "REGEX"
    limit = f"(*LIMIT_MATCH={_MOST_STEPS})" if rule.compare_type == "REGEX" else ""
    return limit + (rule.value[1:-1] if is_quoted else rule.value)


def _condition(rule: L7Rule) -> str:
    pattern = f"-m {_MATCH[rule.compare_type]} -- {quoted(_value(rule))}"
    match rule.type:
        case "HOST_NAME":
            return f"req.hdr(host),host_only -i {pattern}"
        case "PATH":
            return f"path {pattern}"
        case "FILE_TYPE":
            return f"path,field(-1,.) {pattern}"
        case "HEADER":
            return f"{sample('req.hdr', rule.key)} {pattern}"
        case "COOKIE":
            return f"{sample('req.cook', rule.key)} {pattern}"
        case "SSL_CONN_HAS_CERT":
            return "ssl_c_used"
        case "SSL_VERIFY_RESULT":
            return f"ssl_c_verify -m int -- {int(rule.value)}"
        case "SSL_DN_FIELD":
            return f"{sample('ssl_c_s_dn', rule.key)} {pattern}"
    raise ValueError(f"rule {rule.id} has the unknown type {rule.type}")
