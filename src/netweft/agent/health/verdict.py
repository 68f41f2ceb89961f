"""What is said of a member, by what it has answered so far.  No clock, no I/O."""

from typing import Final

from netweft.model.health import Health
from netweft.services.health.watched import Check

ONLINE: Final = "ONLINE"
ERROR: Final = "ERROR"


class Verdict:
    """known: what was said before this agent started, or by another node: it holds until there is better, so that
    neither a restart nor a move makes a member flap.  status: None: nobody knows yet: it gets no traffic."""

    def __init__(self, known: str) -> None:
        self.status: Health | None = None
        if known in (ONLINE, "DRAINING"):
            self.status = ONLINE
        elif known == ERROR:
            self.status = ERROR
        self.why = ""
        self.failures = self._successes = 0

    def hear(self, check: Check, *, well: bool, why: str = "") -> bool:
        """Whether that changes what is said.  A member of which nothing is known is well with its first success."""
        self.failures, self._successes = (0, self._successes + 1) if well else (self.failures + 1, 0)
        if well and (self.status is None or (self.status == ERROR and self._successes >= check.rise)):
            self.status, self.why = ONLINE, ""
            return True
        if not well and self.status != ERROR and self.failures >= check.fall:
            self.status, self.why = ERROR, why
            return True
        return False

    def condemn(self, why: str) -> bool:
        """It cannot be probed: no probe is needed."""
        changed = self.status != ERROR
        self.status, self.why = ERROR, why
        self.failures = self._successes = 0
        return changed

    def pause(self, check: Check, took: float) -> float:
        """From the last probe to the next.  The first missed answer's waiting time is made up for, so that a failure is
        reported within `delay` x `max_retries_down`."""
        left = check.fall - 1
        if self.status != ERROR and self.failures and left > 0:
            return max(took, check.delay - took / left)
        return max(took, check.delay)
