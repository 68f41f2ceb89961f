"""Switches taps on that are plugged in and off: vswitchd leaves one so, now and then, whose row was there before it.

Each device once: who switches it off again means it.  Other devices belong to who made them, and have two ends; of them
the port's status says that they are off.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping

import structlog

from netweft.dataplane.host import kernel_state
from netweft.dataplane.host.errors import HostError
from netweft.dataplane.ovsdb.rows import Vif

TAP = "tun"  # what the kernel calls taps, too

log = structlog.get_logger(__name__)


def _switch_on(interface: str, ifindex: int) -> bool:
    found = kernel_state.link(interface)
    if found is None or found.kind != TAP or found.number != ifindex or found.up:
        return False
    from netweft.dataplane.host.taps import switch_on  # the netlink library takes long to import

    return switch_on(interface, ifindex)


class TapsSide:
    def __init__(self, switch_on: Callable[[str, int], bool] = _switch_on) -> None:
        self._switch_on = switch_on
        self._off: dict[str, Vif] = {}  # by port
        self._tried: dict[str, int] = {}  # port -> the kernel's number of the one that was seen to

    def observe(self, plugged: Mapping[str, Vif | None]) -> None:
        """What is plugged in otherwise than before."""
        for port_id, vif in plugged.items():
            if vif is not None and vif.down and vif.ifindex:
                self._off[port_id] = vif
            else:
                self._off.pop(port_id, None)
            if vif is None:
                self._tried.pop(port_id, None)

    async def see_to(self, port_ids: Collection[str]) -> None:
        """Of these ports."""
        for port_id, vif in list(self._off.items()):
            if port_id in port_ids and vif.ifindex and self._tried.get(port_id) != vif.ifindex:
                self._tried[port_id] = vif.ifindex
                try:
                    if await asyncio.to_thread(self._switch_on, vif.name, vif.ifindex):
                        log.info("tap switched on", interface=vif.name)
                except HostError as error:
                    log.warning("tap not switched on", problem=str(error))
