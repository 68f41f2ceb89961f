"""Where nobody wants spans: nothing of OpenTelemetry is imported, and what is in the way of a request costs nothing."""

import subprocess
import sys
import time

import pytest

from netweft.spans import arriving, recording


@pytest.mark.parametrize("module", ["netweft.server.run", "netweft.agent.main"])
def test_nothing_of_it_is_imported(module: str) -> None:
    script = f"import sys, {module}; print([name for name in sys.modules if name.startswith('opentelemetry')])"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout == "[]\n"


def test_it_costs_next_to_nothing() -> None:
    """What a request of the API meets of it: some 2 µs of a millisecond."""
    started = time.thread_time()
    for _ in range(10_000):
        assert arriving.arrived("POST", [(b"traceparent", b"x")]) is None
        arriving.let_in(project_id="p", user_id="u")
        with recording.child("write transaction"):
            assert recording.begin("feed", None) is None
    assert time.thread_time() - started < 10_000 * 50e-6
