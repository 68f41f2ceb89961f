"""All that one node should know, at one revision."""

from typing import Literal, TypeAlias

from msgspec import Struct

from netweft.model.network import Network, Subnet
from netweft.model.node import Node
from netweft.model.port import Peer, Port

Object: TypeAlias = Network | Subnet | Port | Peer | Node
Kind: TypeAlias = Literal["network", "subnet", "port", "peer", "node"]
Key: TypeAlias = tuple[Kind, str]


def kind_of(obj: Object) -> Kind:
    """The struct's tag."""
    return obj.__struct_config__.tag  # type: ignore[return-value]


def key_of(obj: Object) -> Key:
    return (kind_of(obj), obj.name if isinstance(obj, Node) else obj.id)


class NodeView(Struct, frozen=True, kw_only=True):
    """What the feed has told a node so far.  A value: `merge` gives a new one.

    history: names the database's life; after a restore from a backup revisions start over under a new one.
    """

    history: str = ""
    revision: int = 0
    networks: dict[str, Network] = {}
    subnets: dict[str, Subnet] = {}
    ports: dict[str, Port] = {}
    peers: dict[str, Peer] = {}
    nodes: dict[str, Node] = {}


EMPTY_VIEW = NodeView()
