"""Each probe can be asked, and docs/ground.md is what the probes of now would write with the answers that are in it."""

import json
from pathlib import Path

import pytest
from tests.ground.document import DOCUMENT, Answer, Document, written
from tests.ground.probe import Probe, Seen
from tests.ground.run import PROBES, SAYS, said
from tests.ground.stage import DATAPATHS, Stage, stage

ANSWER = Answer(PROBES[0].name, "kernel", "3.1.0", "2026-11-29", None, "**5**, and `this` counts")


def test_the_document_is_current() -> None:
    assert DOCUMENT.read_text() == written(PROBES, Document().answers())


def test_the_userspace_datapath_has_answered_all() -> None:
    asked = {answer.probe for answer in Document().answers() if answer.datapath == DATAPATHS["netdev"]}
    assert asked == {probe.name for probe in PROBES}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    document = Document(tmp_path / "ground.md")
    others = (ANSWER._replace(datapath="userspace", right=True), ANSWER._replace(probe=PROBES[1].name, right=False))
    document.put(PROBES, (ANSWER, *others))
    assert set(document.answers()) == {ANSWER, *others}
    again = ANSWER._replace(day="2027-01-01", words="**8**")
    document.put(PROBES, (again,))
    assert set(document.answers()) == {again, *others}


def test_what_a_run_elsewhere_said() -> None:
    output = f"booting\r\n{SAYS}{json.dumps(ANSWER)}\r\nbye\r\n"
    assert list(said(output)) == [ANSWER]


def test_names_are_unique() -> None:
    assert len({probe.name for probe in PROBES}) == len(PROBES)


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.look.__name__)
async def test_it_answers_queries(probe: Probe) -> None:
    async with stage("netdev") as there:
        assert isinstance(there, Stage)
        seen = await probe.look(there)
    assert isinstance(seen, Seen)
    assert seen.words
    assert "|" not in seen.words
    assert "\n" not in seen.words
