"""What a guest needs to know of its network, and what every kind of guest can do.

A kind of guest is a module that is a `Guest`.
"""

from typing import Protocol

from msgspec import Struct

from netweft.lab.layout import NodeLayout


class Nic(Struct, frozen=True, kw_only=True):
    """tap: the VM's end on the hypervisor, as Nova would call it.  addresses: with prefix length.
    dhcp: the guest learns the first one, which is IPv4, by DHCP, and with it the gateway and the MTU."""

    tap: str
    mac: str
    mtu: int
    addresses: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    dhcp: bool = False

    @property
    def told(self) -> tuple[str, ...]:
        """The addresses that the guest does not learn by itself."""
        return self.addresses[1:] if self.dhcp else self.addresses

    @property
    def gateways_told(self) -> tuple[str, ...]:
        return tuple(gateway for gateway in self.gateways if ":" in gateway or not self.dhcp)

    @property
    def address(self) -> str:
        """The first one, bare; empty where there is none."""
        return self.addresses[0].partition("/")[0] if self.addresses else ""


class Guest(Protocol):
    def check(self) -> None:
        """Raises LabError with what to install."""

    def vif(self, nic: Nic) -> str:
        """The name of the interface that plugs into `br-int`."""

    def columns(self) -> tuple[str, ...]:
        """What its Interface row needs, besides the marks of every VIF."""

    def prepare(self, node: NodeLayout, vm: str, nic: Nic) -> None:
        """What there has to be before the VIF is plugged in."""

    def start(self, node: NodeLayout, vm: str, nic: Nic) -> None:
        """Done when it is up and has its addresses."""

    def execute(self, node: NodeLayout, vm: str, argv: tuple[str, ...]) -> int:
        """Runs it inside, with this terminal; the exit status."""

    def stop(self, node: NodeLayout, vm: str) -> None: ...

    def discard(self, node: NodeLayout, vm: str, nic: Nic) -> None:
        """Nothing is left after it, wherever the others stopped."""
