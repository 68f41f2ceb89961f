"""docs/trace-tried.md: the faults that are tried, made of their declarations."""

import os
from collections.abc import Iterator
from pathlib import Path

from tests.netns.test_trace import LAB
from tests.unit.control.trace.faults import FAULTS, HEALTHY

from netweft.control.trace.codes import CODES, PACKET

DOC = Path(__file__).parents[4] / "docs" / "trace-tried.md"


def document() -> str:
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Faults that trace was tried with"
    yield ""
    yield "Generated (`NETWEFT_WRITE_TABLES=1 pytest tests/unit/control/trace/test_tried.py`) from what the tests try:"
    yield f"{len(FAULTS)} faults of rows, each on one of {len(HEALTHY)} ways of which nothing is said without it"
    yield f"(`tests/unit/control/trace/faults.py`), and {len(LAB)} that are made on the nodes of a lab of three"
    yield "(`tests/netns/test_trace.py`). Each is made alone, and the code in its line has to come first."
    yield ""
    yield "| fault | made in | comes first | of |"
    yield "|---|---|---|---|"
    for fault in FAULTS:
        of = f"{fault.on}, the answer" if fault.back else fault.on
        yield f"| {fault.what} | rows | `{fault.code}` | {of} |"
    for one in LAB:
        said = f"`{one.code}`" if one.code else f"nothing, and not seen: {one.unseen.strip(': ')}"
        yield f"| {one.what} | a lab | {said} | {one.frm} to {one.to} |"


def test_the_table_is_current() -> None:
    if os.environ.get("NETWEFT_WRITE_TABLES"):
        DOC.write_text(document())
    assert DOC.read_text() == document(), "run it with NETWEFT_WRITE_TABLES=1"


def test_each_code_of_packets_is_tried() -> None:
    tried = {fault.code for fault in (*FAULTS, *LAB)}
    elsewhere = {  # test_way.py and tests/api/network/test_trace*.py, by themselves
        "router-does-not-listen", "no-common-ip-version", "not-reached-from-outside", "answer-misses-nat",
        "interface-not-in-openvswitch", "openvswitch-not-as-wanted", "tunnel-to-nobody",
        "openvswitch-sends-elsewhere", "openvswitch-lets-pass", "packet-lost",
    }  # fmt: skip
    assert {code.code for code in CODES} - tried == elsewhere
    assert {code.code for code in PACKET} - tried <= elsewhere
