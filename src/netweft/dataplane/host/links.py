"""Network interfaces of the kernel: link state, MTU, addresses, veth pairs.

Only interfaces that the caller names are touched; only what carries our alias is deleted.  pyroute2 runs in a worker
thread: its own asyncio does not run on uvloop (docs/decisions/0033).
"""

import asyncio
import errno
from collections.abc import Callable, Iterable
from typing import Concatenate, ParamSpec, TypeVar

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from netweft.dataplane.host import endpoint, netlink
from netweft.dataplane.host.errors import HostError
from netweft.dataplane.host.values import Address, Endpoint, VethPair

__all__ = ["HostError", "HostLinks"]

P = ParamSpec("P")
T = TypeVar("T")


class HostLinks:
    """Every `ensure_*` is idempotent and does nothing when all is well already."""

    def __init__(self) -> None:
        self._one_at_a_time = asyncio.Lock()

    async def ensure_up(self, interface: str, *, mtu: int | None = None) -> bool:
        """True if something had to be changed.  Raises HostError, also when there is no such interface."""
        return await self._run(netlink.ensure_up, interface, mtu)

    async def ensure_address(self, address: Address) -> bool:
        """True if it had to be added."""
        return await self._run(netlink.ensure_address, address)

    async def delete_addresses(self, *, but: Iterable[str]) -> list[str]:
        """Of all addresses that we made only these stay.  Returns what went."""
        return await self._run(netlink.delete_addresses, frozenset(but))

    async def ensure_endpoint(self, end: Endpoint) -> bool:
        """True if something had to be changed.  Raises HostError, also when there is no such interface."""
        return await self._run(endpoint.ensure, end)

    async def ensure_veth(self, pair: VethPair) -> bool:
        """True if something had to be changed.  Raises HostError when something else has one of the names."""
        return await self._run(netlink.ensure_veth, pair)

    async def delete_veth(self, name: str) -> bool:
        """Only a veth that we made is deleted; False if there is none of that name."""
        return await self._run(netlink.delete_veth, name)

    async def _run(self, function: Callable[Concatenate[IPRoute, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        def call() -> T:
            with IPRoute() as socket:
                return function(socket, *args, **kwargs)

        try:
            async with self._one_at_a_time:
                return await asyncio.to_thread(call)
        except NetlinkError as error:
            raise HostError(f"{_named(args)}: {errno.errorcode.get(error.code, error.code)}") from error
        except OSError as error:
            raise HostError(f"{_named(args)}: {error.strerror}") from error


def _named(args: tuple[object, ...]) -> str:
    return str(args[0]) if args else "netlink"
