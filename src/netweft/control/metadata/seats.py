"""Who may ask for metadata on a chassis of OVN's: its agent knows what is plugged in there, and nothing else."""

from collections.abc import Iterable, Iterator

from netweft.control.l2.hosts import HOST
from netweft.control.l2.placing import TRUNK
from netweft.control.l2.trunks import KIND
from netweft.store import Object, ReadTransaction


def of(tx: ReadTransaction, node: str, plugged: Iterable[str]) -> Iterator[Object]:
    """The ports of these that are the node's, and the sub-ports that come by them."""
    ports = tx.get_many("ports", set(plugged))
    trunks = tx.get_many(KIND, {port[TRUNK] for port in ports.values() if port.get(TRUNK)})
    subs = tx.get_many("ports", {sub["port_id"] for trunk in trunks.values() for sub in trunk["sub_ports"]})
    return (port for port in (ports | subs).values() if port[HOST] == node)
