"""When a member is said to be well, and when not."""

import pytest

from netweft.agent.health.verdict import Verdict
from netweft.services.health.watched import Check

CHECK = Check(type="TCP", delay=5, timeout=3, rise=3, fall=3)


def said(verdict: Verdict, answers: str) -> str:
    """answers: + and -.  What is said after each: O, E or ?."""
    found = []
    for answer in answers:
        verdict.hear(CHECK, well=answer == "+")
        found.append((verdict.status or "?")[0])
    return "".join(found)


@pytest.mark.parametrize(
    ("known", "answers", "is_said"),
    [
        ("OFFLINE", "+", "O"),  # a new one: its first success is enough
        ("OFFLINE", "--+", "??O"),  # nothing before it
        ("OFFLINE", "---+++", "??EEEO"),
        ("ONLINE", "--+--+---", "OOOOOOOOE"),  # one after the other, or they do not count
        ("ERROR", "++-+++", "EEEEEO"),
        ("NO_MONITOR", "+", "O"),
        ("DRAINING", "--", "OO"),
    ],
)
def test_what_is_said(known: str, answers: str, is_said: str) -> None:
    assert said(Verdict(known), answers) == is_said


def test_changes_are_reported_once() -> None:
    verdict = Verdict("ONLINE")
    assert [verdict.hear(CHECK, well=False, why=str(n)) for n in range(5)] == [False, False, True, False, False]
    assert verdict.why == "2"


def test_a_member_that_cannot_be_probed_is_out_at_once_and_comes_back_like_any_other() -> None:
    verdict = Verdict("ONLINE")
    assert verdict.condemn("not plugged in") and not verdict.condemn("not plugged in")
    assert said(verdict, "+++") == "EEO"


def test_a_member_that_is_silent_is_out_as_soon_as_one_that_refuses() -> None:
    """From the last success on: the time that was waited is made up for, and no two questions overlap."""
    for took in (0.0, 3.0):
        verdict, at = Verdict("ONLINE"), CHECK.delay
        while verdict.status == "ONLINE":
            verdict.hear(CHECK, well=False)
            ended = at + took
            at += verdict.pause(CHECK, took)
        assert ended <= CHECK.delay * CHECK.fall
