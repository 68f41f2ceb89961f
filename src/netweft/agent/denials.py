"""Ports plugged in here that the server says this node cannot have, and why.  The server tries again by itself."""

from collections.abc import Mapping

import structlog

from netweft.agent.desired import Desired

log = structlog.get_logger(__name__)


class Denials:
    def __init__(self, desired: Desired) -> None:
        self.reasons: dict[str, str] = {}
        self._desired = desired

    def add(self, reasons: Mapping[str, str]) -> None:
        for port_id, reason in reasons.items():
            if self.reasons.get(port_id) != reason:
                log.warning("port denied", port=port_id, reason=reason)
        self.reasons.update(reasons)
        self.forget()

    def forget(self) -> None:
        """What is ours by now, or not plugged in any more."""
        if self.reasons:
            vifs, ours = self._desired.vifs, self._desired.view.ports
            self.reasons = {id: why for id, why in self.reasons.items() if id in vifs and id not in ours}
