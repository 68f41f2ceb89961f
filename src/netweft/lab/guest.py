"""What a guest needs to know of its network, whatever kind of machine it is.

A kind of guest is a module with `check`, `prepare` (after it the tap is there), `start`, `execute`, `stop` and
`discard` (after it the tap is gone).
"""

from msgspec import Struct


class Nic(Struct, frozen=True, kw_only=True):
    """tap: the VIF's name on the hypervisor, as Nova would call it.  addresses: with prefix length."""

    tap: str
    mac: str
    mtu: int
    addresses: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """The first one, bare; empty where there is none."""
        return self.addresses[0].partition("/")[0] if self.addresses else ""
