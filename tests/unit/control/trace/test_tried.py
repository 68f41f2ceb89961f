"""The table of faults in docs/explain.md, made of the declarations of what the tests try; and that they are enough."""

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.api.network.test_trace import FAULTS as SAID
from tests.netns.explain.trace_faults import LAB
from tests.unit.api.trace.faults import IN_VMS, LARGE, LOST
from tests.unit.control.explain.test_healthy import FAULTS as OF_OBJECTS
from tests.unit.control.trace.faults import FAULTS, HEALTHY

from netweft.control.explain.codes import CODES as OBJECTS
from netweft.control.trace.codes import CODES, UNDERLAY_FAULT
from netweft.control.trace.codes import CODES as PACKETS

DOC = Path(__file__).parents[4] / "docs" / "explain.md"
BLOCK = re.compile("(?<=<!-- faults: begin -->\n).*(?=<!-- faults: end -->)", re.DOTALL)
MEANING = {one.code: one.meaning for one in (*OBJECTS, *PACKETS)}


class Tried(NamedTuple):
    what: str
    made_in: str
    code: str
    of: str


def tried() -> Iterator[Tried]:
    for fault in FAULTS:
        yield Tried(fault.what, "rows", fault.code, f"{fault.on}, the answer" if fault.back else fault.on)
    for one in OF_OBJECTS:
        yield Tried(MEANING[one.code].rstrip("."), "rows", one.code, f"`explain` of {one.kind.replace('_', ' ')}")
    for in_vm in IN_VMS:
        yield Tried(in_vm.what, "what a VM sends", in_vm.code, in_vm.on)
    for lost in (*LOST, LARGE):
        yield Tried(lost.what, "where a probe is seen", lost.code, "two nodes")
    for code in SAID:
        yield Tried(MEANING[code].rstrip("."), "what a node says", code, "one network")
    for made in LAB:
        yield Tried(made.what, "a lab", made.code, f"{made.frm} to {made.to}")


def block() -> str:
    every = list(dict.fromkeys(tried()))
    kinds = {one.code for one in every if one.code}
    places = Counter(one.made_in for one in every)
    lines = [
        f"{len(every)} faults of {len(kinds)} kinds: {', '.join(f'{n} in {place}' for place, n in places.items())}.",
        f"Those of rows are made on {len(HEALTHY)} ways of which nothing is said without them.",
        "",
        "| fault | made in | comes first | of |",
        "|---|---|---|---|",
        *(f"| {one.what} | {one.made_in} | {_said(one.code)} | {one.of} |" for one in every),
    ]
    return "\n".join(lines) + "\n"


def _said(code: str) -> str:
    return f"`{code}`" if code else "nothing, and who was not seen"


def test_the_table_is_current() -> None:
    if os.environ.get("NETWEFT_WRITE_TABLES"):
        DOC.write_text(BLOCK.sub(lambda _: block(), DOC.read_text()))
    found = BLOCK.search(DOC.read_text())
    assert found is not None
    assert found[0] == block(), "run it with NETWEFT_WRITE_TABLES=1"


def test_there_are_enough() -> None:
    every = set(tried())
    assert len(every) >= 60
    assert len({one.code for one in every if one.code}) >= 25


def test_each_code_of_packets_is_tried() -> None:
    known = {one.code for one in tried()}
    elsewhere = {  # test_way.py, test_lower.py, test_trace.py of the API and of `live`, by themselves
        "router-does-not-listen", "no-common-ip-version", "not-reached-from-outside", "answer-misses-nat",
        "openvswitch-sends-elsewhere", "openvswitch-lets-pass", "packet-lost", "passes-but-must-not",
        "check-cannot-be-made", "tunnel-address-of-several", UNDERLAY_FAULT.code,
    }  # fmt: skip
    assert {code.code for code in CODES} - known == elsewhere
