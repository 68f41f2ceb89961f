"""The table of codes: one meaning each, each told by a check, docs/codes.md made from it."""

import re
from pathlib import Path

from netweft.control.explain.codes import CODES
from netweft.control.explain.codes_doc import document
from netweft.control.explain.examine import CHECKS

DOC = Path(__file__).parents[4] / "docs" / "codes.md"


def test_the_document_is_current() -> None:
    assert DOC.read_text() == document(), "run: python -m netweft.control.explain.codes_doc > docs/codes.md"
    assert all(f"| `{code.code}` |" in document() for code in CODES)


def test_each_code_is_of_one_check() -> None:
    told = [code for check in CHECKS for code in check.codes]
    assert sorted(told) == sorted(CODES)
    names = [code.code for code in CODES]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)+", name) for name in names)


def test_only_admins_see_hosts() -> None:
    assert [code.code for code in CODES if not code.by_admin and re.search(r"\{(host|rivals)\}", code.fix)] == []
