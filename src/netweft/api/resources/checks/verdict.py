"""What a trace says of a check.  Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from netweft.control.checks import FAILING, PASSING, UNKNOWN
from netweft.control.errors import Refused
from netweft.control.trace import codes

_MOST = 500  # characters of a reason


class Verdict(NamedTuple):
    status: str
    code: str | None = None
    reason: str = ""


def by_rows(must_pass: bool, told: Mapping[str, Any]) -> Verdict | None:
    """None: by the rows it is as it must be, or that is not known: nodes have to be queried."""
    if must_pass:
        return _failing(told["findings"]) if told["passes"] is False else None
    return _passes() if told["passes"] else None


def by_nodes(must_pass: bool, told: Mapping[str, Any]) -> Verdict:
    passes, findings = told["passes"], told["findings"]
    if not must_pass:
        there_it_does = any(one["code"] == codes.OVS_PASSES.code for one in findings)
        return _passes() if passes or there_it_does else Verdict(PASSING) if passes is False else _unknown(told)
    return Verdict(PASSING) if passes else _failing(findings) if passes is False else _unknown(told)


def refused(why: Refused) -> Verdict:
    return Verdict(FAILING, codes.END_NOT_FOUND.code, str(why)[:_MOST])


def _failing(findings: Sequence[Mapping[str, Any]]) -> Verdict:
    first = next((one for one in findings if one["blocks"]), None)
    if first is None:
        return Verdict(UNKNOWN)
    return Verdict(
        FAILING, first["code"], f"{first['object']['type']} {first['object']['id']}: {first['message']}"[:_MOST]
    )


def _passes() -> Verdict:
    return Verdict(FAILING, codes.PASSES_BUT_MUST_NOT.code, codes.PASSES_BUT_MUST_NOT.meaning)


def _unknown(told: Mapping[str, Any]) -> Verdict:
    """Where nodes are not asked, or do not answer."""
    return Verdict(UNKNOWN, None, "not found out: " + ("a node does not say" if told["unseen"] else "see the trace"))
