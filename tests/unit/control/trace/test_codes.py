"""The codes of traces: one meaning each, of the same form as explain's, none of both."""

import re

from netweft.control.explain.codes import CODES as KNOWN
from netweft.control.trace.codes import CODES, PACKET


def test_each_code_is_one() -> None:
    names = [code.code for code in (*KNOWN, *CODES)]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)+", name) for name in names)
    assert set(PACKET) <= set(CODES)


def test_only_admins_see_hosts() -> None:
    wrong = r"\{(host|interface|bridge)\}"
    assert [code.code for code in CODES if not code.by_admin and re.search(wrong, code.fix)] == []
    assert [code.code for code in CODES if code.by_admin and code in PACKET] == ["external-subnet-no-gateway"]
