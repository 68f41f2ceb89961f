"""What is read off pytest's output, and what the table says of it."""

from tests.kernel.results import HEAD, Output, Result, failures, table

SAID = b"""collecting ... collected 4 items

tests/netns/test_a.py::test_one[4-a lie, told] PASSED                 [ 25%]
tests/netns/test_a.py::test_two ERROR                                 [ 50%]
E       tests/netns/test_a.py::test_two FAILED to say so
tests/netns/test_a.py::test_two ERROR                                 [ 50%]
tests/netns/test_b.py::test_three SKIPPED (no real machine)           [ 75%]
tests/netns/test_b.py::test_fo"""


def test_what_pytest_says_is_kept_however_it_is_cut() -> None:
    for size in (1, 7, len(SAID)):
        output = Output()
        for start in range(0, len(SAID), size):
            output.write(SAID[start : start + size])
        assert output.results == [
            Result("tests/netns/test_a.py::test_one[4-a lie, told]", "PASSED"),
            Result("tests/netns/test_a.py::test_two", "ERROR"),
            Result("tests/netns/test_a.py::test_two", "ERROR"),
            Result("tests/netns/test_b.py::test_three", "SKIPPED"),
        ]


def test_the_table_names_what_failed_and_what_was_not_reached() -> None:
    output = Output()
    output.write(SAID)
    assert [one.test for one in failures(output.results)] == ["tests/netns/test_a.py::test_two"] * 2
    assert table(output.results, ["tests/netns/test_a.py", "tests/netns/test_b.py", "tests/netns/test_c.py"]) == (
        HEAD
        + "| `tests/netns/test_a.py` | 1 | 0 | `test_two` |\n"
        + "| `tests/netns/test_b.py` | 0 | 1 | - |\n"
        + "| `tests/netns/test_c.py` | 0 | 0 | not reached in the time |\n"
    )
