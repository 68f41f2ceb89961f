"""`traceparent` headers: those of the W3C's text, and what strangers send."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netweft.spans.parents import Parent, parsed

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
IDS = (int(TRACE, 16), int(SPAN, 16))


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (f"00-{TRACE}-{SPAN}-01", Parent(*IDS, True)),
        (f"00-{TRACE}-{SPAN}-00", Parent(*IDS, False)),
        (f"00-{TRACE}-{SPAN}-fe", Parent(*IDS, False)),
        (f"00-{TRACE}-{SPAN}-09", Parent(*IDS, True)),
        (f"cc-{TRACE}-{SPAN}-01", Parent(*IDS, True)),
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like", Parent(*IDS, True)),
        (f"cc-{TRACE}-{SPAN}-01.what-the-future-will-not-be-like", None),
        (f"00-{TRACE}-{SPAN}-01-more", None),
        (f"ff-{TRACE}-{SPAN}-01", None),
        (f"00-{TRACE.upper()}-{SPAN}-01", None),
        (f"00-{'0' * 32}-{SPAN}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE[:-1]}-{SPAN}-01", None),
        (f"00-{TRACE}-{SPAN}-1", None),
        (f"00-{TRACE}-{SPAN}-0g", None),
        (f" 00-{TRACE}-{SPAN}-01", None),
        (f"00-{TRACE}-{SPAN}-01\n", None),
        (f"00-{'٣' * 32}-{SPAN}-01", None),
        (f"cc-{TRACE}-{SPAN}-01-{'x' * 2**20}", None),
        ("", None),
    ],
)
def test_a_header(header: str, found: Parent | None) -> None:
    assert parsed(header) == found


@given(st.text(max_size=120))
def test_any_text_is_taken_or_is_none(text: str) -> None:
    assert parsed(text) is None or text[2] == "-"


@given(st.builds(Parent, st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.booleans()))
def test_what_is_written_is_read(parent: Parent) -> None:
    assert parsed(str(parent)) == parent


def test_a_huge_header_costs_nothing() -> None:
    huge = "00-" + "a" * 2**24
    started = time.thread_time()
    assert [parsed(huge) for _ in range(1000)] == [None] * 1000
    assert time.thread_time() - started < 1
