"""What is read off pytest's output, and what the table says of it."""

from pathlib import Path

import pytest
from tests.kernel.results import BEGIN, END, HEAD, SPENT, Output, Result, Table, Turn, after, table, turns
from tests.kernel.run import EVERY, TOGETHER, together

SAID = b"""collecting ... collected 4 items

tests/netns/test_a.py::test_one[4-a lie, told] PASSED                 [ 25%]
tests/netns/test_a.py::test_two ERROR                                 [ 50%]\r
E       tests/netns/test_a.py::test_two FAILED to say so
tests/netns/test_a.py::test_two ERROR                                 [ 50%]
tests/netns/test_a.py::test_three SKIPPED (no real machine)           [ 75%]
tests/netns/test_a.py::test_fo"""
DAY = "2026-11-28"
RESULTS = (
    Result("tests/netns/test_a.py::test_one[4-a lie, told]", "PASSED"),
    Result("tests/netns/test_a.py::test_two", "ERROR"),
    Result("tests/netns/test_a.py::test_two", "ERROR"),
    Result("tests/netns/test_a.py::test_three", "SKIPPED"),
)


def test_what_pytest_says_is_kept_however_it_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    """And shown are the tests, with why one has failed."""
    for size in (1, 7, len(SAID)):
        output = Output()
        for start in range(0, len(SAID), size):
            output.write(SAID[start : start + size])
        assert tuple(output.results) == RESULTS
        assert output.text() == SAID.decode().replace("\r", "")
        assert capsys.readouterr().out.splitlines() == SAID.decode().replace("\r", "").splitlines()[2:-1]


def test_the_table_names_what_failed_and_what_was_not_reached() -> None:
    turns = [
        Turn("tests/netns/test_a.py", "one", DAY, RESULTS, finished=True),
        Turn("tests/netns/test_a.py", "other", DAY, RESULTS[:1]),
        Turn("tests/netns/test_b.py", "other", DAY, RESULTS[-1:], finished=True),
        Turn("tests/netns/test_c.py", "other", DAY),
    ]
    assert [one.test for one in turns[0].failures] == ["tests/netns/test_a.py::test_two"] * 2
    assert table(turns) == (
        HEAD
        + "| `tests/netns/test_a.py` | one | 2026-11-28 |  | 1 | 1 | `test_two` |\n"
        + "| `tests/netns/test_a.py` | other | 2026-11-28 |  | 1 | 0 | the rest was not reached |\n"
        + "| `tests/netns/test_b.py` | other | 2026-11-28 |  | 0 | 1 | - |\n"
        + "| `tests/netns/test_c.py` | other | 2026-11-28 |  | 0 | 0 | not reached |\n"
    )


def test_a_run_writes_what_it_gets_to_and_leaves_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "document.md"
    path.write_text(f"before\n{BEGIN}{END}after\n")
    a, b = "tests/netns/test_a.py", "tests/netns/test_b.py"
    before = [Turn(a, "one", DAY, RESULTS, finished=True), Turn(a, "other", DAY), Turn(b, "one", DAY, RESULTS[:1])]
    for turn in reversed(before):
        Table(path).put(turn)
    assert path.read_text() == f"before\n{BEGIN}{table(before)}{END}after\n"
    assert Table(path).oldest_first(["c", a, b], "one") == ("c", a, b)
    later = "2026-11-29"
    Table(path).put(Turn(a, "one", later))
    Table(path).put(Turn(b, "one", later, RESULTS[:1], finished=True))
    assert Table(path).oldest_first([b, "c", a], "one") == ("c", a, b)
    after = [*before[:2], Turn(b, "one", later, RESULTS[:1], finished=True)]
    assert path.read_text() == f"before\n{BEGIN}{table(after)}{END}after\n"


def test_of_one_day_the_longest_is_first(tmp_path: Path) -> None:
    path, files = tmp_path / "document.md", [f"tests/netns/test_{name}.py" for name in "abcd"]
    path.write_text(BEGIN + END)
    for name, commit, seconds in zip(files, ("0f", "a7+", "3e"), (7, 70, 0), strict=False):
        Table(path).put(Turn(name, "one", f"{DAY} {commit}", RESULTS[:1], finished=True, seconds=seconds))
    assert Table(path).oldest_first(files, "one") == tuple(files[place] for place in (3, 1, 0, 2))


def test_each_file_has_what_it_took_of_a_processor() -> None:
    output = Output()
    for spent, test in ((7, "a.py::test_one"), (9, "a.py::test_two"), (12, "c.py::test_it")):
        output.write(f"{SPENT}{spent}\ntests/netns/test_{test} PASSED [ 1%]\n".encode())
    found = turns([f"tests/netns/test_{name}.py" for name in "abc"], "one", DAY, output.results, finished=True)
    assert [turn.seconds for turn in found] == [9, 0, 3]
    assert [row.split(" | ")[3] for row in table(found).splitlines()[2:]] == ["9", "", "3"]


def test_of_several_in_one_guest_each_has_its_own() -> None:
    a, b, c = (f"tests/netns/test_{name}.py" for name in "abc")
    one = Result(f"{b}::test_it", "PASSED")
    for finished in (False, True):
        found = turns([a, b, c], "one", DAY, [*RESULTS, one], finished=finished)
        assert [(turn.tests, turn.results, turn.finished) for turn in found] == [
            (a, RESULTS, True),
            (b, (one,), finished),
            (c, (), finished),
        ]
    (turn,) = turns([f"{b}::test_it"], "one", DAY, [one, *RESULTS], finished=True)
    assert turn.results == (one,)


def test_those_with_the_same_lab_are_tried_together() -> None:
    words = together(EVERY)
    assert sorted(" ".join(words).split()) == sorted(EVERY)
    assert max(len(word.split()) for word in words) == TOGETHER
    three, two = ("talk", "trace", "floating"), ("connections", "dhcp", "firewall")
    for word in words:
        tried = [{f"tests/netns/test_{name}.py" for name in some} & set(word.split()) for some in (three, two)]
        assert not all(tried), word


def test_one_with_parameters_is_known_by_its_name() -> None:
    found = (
        Result("tests/netns/test_a.py::test_one[4]", "PASSED"),
        Result("tests/netns/test_a.py::test_one_more", "PASSED"),
    )
    (turn,) = turns(["tests/netns/test_a.py::test_one"], "one", DAY, found, finished=True)
    assert turn.results == found[:1]


def test_where_a_guest_ended_the_files_after_that_get_another_one() -> None:
    asked = [f"tests/netns/test_{name}.py" for name in "abc"]
    assert after(asked, []) == asked[1:]
    assert after(asked, [Result("tests/netns/test_a.py::test_one", "PASSED")]) == asked[1:]
    assert after(asked, [Result("tests/netns/test_b.py::test_one", "PASSED")]) == asked[2:]
    assert after(asked, [Result("tests/netns/test_c.py::test_one", "PASSED")]) == []
