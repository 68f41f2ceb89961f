"""Reading the replica: bridges, ports and VIFs as values.  Pure functions of the replica; cheap enough to ask anew."""

from netweft.dataplane.ovsdb.replica import Replica
from netweft.dataplane.ovsdb.rows import BridgeRow, PortRow, Vif, VifTag


class OvsView:
    """A window on the replica of a connection: always current."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    def version(self) -> str:
        raise NotImplementedError

    def datapath_type(self) -> str:
        """`system` if this host has the kernel datapath, else `netdev`."""
        raise NotImplementedError

    def bridges(self) -> dict[str, BridgeRow]:
        """All bridges, also those of others.  external_ids: all."""
        raise NotImplementedError

    def ports(self, bridge: str) -> dict[str, PortRow]:
        """All ports of a bridge, also those of others (of a bond, the first interface)."""
        raise NotImplementedError

    def vifs(self, bridge: str) -> dict[str, Vif]:
        """iface-id -> what is plugged in.  Of two interfaces with one iface-id, the one with a valid ofport wins."""
        raise NotImplementedError

    def tags(self) -> dict[str, VifTag]:
        """Port name -> what we have set on the ports of others: those that carry our external_ids but not our MARK."""
        raise NotImplementedError

    def ofport(self, interface: str) -> int | None:
        """None while vswitchd has not assigned one; -1 when it could not."""
        raise NotImplementedError

    def error(self, interface: str) -> str:
        """Why vswitchd could not open this interface; empty when it could."""
        raise NotImplementedError
