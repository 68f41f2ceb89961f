"""Which paths a pattern of an access rule is for."""

import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from netweft.plugins.identity.access import AccessRule, matches, permits


@pytest.mark.parametrize(
    ("pattern", "path", "good"),
    [
        ("/v2.0/networks", "/v2.0/networks", True),
        ("/v2.0/networks", "/v2.0/networks/1", False),
        ("/v2.0/networks", "/v2x0/networks", False),
        ("/v2.0/networks/*", "/v2.0/networks/1", True),
        ("/v2.0/networks/*", "/v2.0/networks/", False),
        ("/v2.0/networks/*", "/v2.0/networks/1/tags", False),
        ("/v2.0/{collection}/{id}", "/v2.0/ports/1", True),
        ("/v2.0/ports/{id}/tags/*", "/v2.0/ports/1/tags/a", True),
        ("/v2.0/**", "/v2.0/ports/1/tags/a", True),
        ("/v2.0/**", "/v2.0/", True),
        ("/v2.0/**", "/v2.0", False),
        ("/**/tags", "/v2.0/ports/1/tags", True),
        ("/**/tags", "/v2.0/ports/1/tags/a", False),
        ("/p*/x", "/ports/x", True),
        ("/{", "/{", True),
    ],
)
def test_patterns(pattern: str, path: str, good: bool) -> None:
    assert matches(pattern, path) is good


@given(st.text("ab/*{}", max_size=12), st.text("ab/", max_size=12))
@example("/a*a", "/aaa")
@example("**", "")
def test_as_a_regular_expression_has_it(pattern: str, path: str) -> None:
    parts = re.findall(r"\{[^}]*\}|\*\*|\*|[^*]", pattern)
    known = {"**": ".*", "*": "[^/]+"}
    expression = "".join("[^/]+" if p.startswith("{") and len(p) > 1 else known.get(p, re.escape(p)) for p in parts)
    assert matches(pattern, path) is (re.fullmatch(expression, path) is not None)


def test_no_pattern_takes_long() -> None:
    pattern, path = "/" + "**a*" * 56, "/" + "a" * 8000 + "/b"
    started = time.process_time()
    assert not matches(pattern, path)
    assert time.process_time() - started < 1.0  # backtracking would not end today


def test_service_and_method_count() -> None:
    rules = [AccessRule("network", "GET", "/v2.0/**")]
    assert permits(rules, "network", "GET", "/v2.0/ports")
    assert not permits(rules, "network", "POST", "/v2.0/ports")
    assert not permits(rules, "network", "HEAD", "/v2.0/ports")
    assert not permits(rules, "identity", "GET", "/v2.0/ports")
    assert not permits([], "network", "GET", "/v2.0/ports")
