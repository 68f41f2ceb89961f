"""Network interfaces of the kernel: link state, MTU, addresses, veth pairs; and word of every change.

Only interfaces that the caller names are touched; only what carries our alias is deleted.
"""

from collections.abc import Callable

from netweft.dataplane.host.values import Address, VethPair


class HostError(Exception):
    """The kernel refused; the message names the interface and the errno."""


class HostLinks:
    """Made by `open`.  Every `ensure_*` is idempotent and does nothing when all is well already."""

    @classmethod
    async def open(cls, on_change: Callable[[], None] | None = None) -> "HostLinks":
        """on_change: called from the event loop after a link or an address has changed, whoever changed it."""
        raise NotImplementedError

    async def ensure_up(self, interface: str, *, mtu: int | None = None) -> bool:
        """True if something had to be changed.  Raises HostError, also when there is no such interface."""
        raise NotImplementedError

    async def ensure_address(self, address: Address) -> bool:
        """True if it had to be added."""
        raise NotImplementedError

    async def ensure_veth(self, pair: VethPair) -> bool:
        """True if something had to be changed."""
        raise NotImplementedError

    async def delete_veth(self, name: str) -> bool:
        """Only a veth that we made is deleted; False if there is none of that name."""
        raise NotImplementedError

    async def has_address(self, ip: str) -> bool:
        """Whether this host has the address on any interface that is up."""
        raise NotImplementedError

    async def exists(self, interface: str) -> bool:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError
