"""Flows that a bridge refuses, reported on the object whose they are: of a port, of the ports of a network; the rest is
the node's.  What is to change of that object stays as it was on that bridge; everybody else is served.  It is retried.
"""

from collections.abc import Iterable, Mapping

from netweft.model import Port, PortState, PortStatus
from netweft.services.fields import object_bits


class Refusals:
    """text: all of them, in words; empty when there are none.  of_no_port: those that no port's status shows."""

    def __init__(self) -> None:
        self.text = ""
        self.of_no_port: list[str] = []
        self._told: set[str] = set()

    def statuses(
        self, refused: Mapping[int, str], ports: Mapping[str, Port], statuses: Mapping[str, PortStatus]
    ) -> Iterable[PortStatus]:
        """Of the ports concerned, and of those that are not any more.  refused: the object's bits in cookies -> why."""
        self.text = "; ".join(refused.values())
        told: dict[str, str] = {}
        blamed: set[int] = set()
        for port_id in statuses if refused else ():
            bits = {object_bits(id) for id in (port_id, *_network(ports.get(port_id)))} & refused.keys()
            if bits:
                told[port_id] = refused[min(bits)]
                blamed |= bits
        self.of_no_port = [why for bits, why in refused.items() if bits not in blamed]
        healed = (self._told - told.keys()) & statuses.keys()
        self._told = set(told)
        return [
            *(PortStatus(port_id, PortState.ERROR, why) for port_id, why in told.items()),
            *(statuses[port_id] for port_id in healed),
        ]


def _network(port: Port | None) -> tuple[str, ...]:
    return (port.network_id,) if port else ()
