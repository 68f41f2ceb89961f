"""A server's queries to a node, and the node's answers: one message each way in the node's session.

A query is about one port, or about one packet at one node: the server puts the answers of several nodes together.
Answering changes nothing on the node.
"""

from typing import Final, Literal, TypeAlias

from msgspec import Struct

from netweft.wire.captures import Caught, Watch
from netweft.wire.wiring import Wiring

MAX_ANSWER_BYTES: Final = 256 * 1024
MOST_HOPS: Final = 200  # flows that a packet meets on one node
MOST_EXITS: Final = 64
MOST_DIFFERENCES: Final = 50
MOST_HEARD: Final = 32
MOST_WATCHED: Final = 1000  # nodes
MOST_TEXT: Final = 1000  # characters of one flow, row, or reason
SECONDS: Final = 2.0  # that an answer may take

Kind: TypeAlias = Literal["port", "tunnel", "wire", "agent", "drop", "elsewhere"]


class Sent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A packet.  Of ICMP sport is the type and dport the code, as in OpenFlow."""

    eth_src: str
    eth_dst: str
    src: str
    dst: str
    protocol: int
    sport: int = 0
    dport: int = 0
    ttl: int = 64


class Probe(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A packet to be known again, looked for at these interfaces; where the question has a port and a packet, sent
    there.  mark: hexadecimal, what it carries.  length: of its frame, padded to that.  awaited: once it was seen at
    these, there is an answer."""

    mark: str
    length: int
    interfaces: tuple[str, ...] = ()
    awaited: tuple[str, ...] = ()


class Listen(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the port's VM sends to the source of the question's packet, which is one that it gets.
    sends: it is sent to it now, on its interface alone, with this mark; else somebody else sees to that."""

    mark: str = ""
    sends: bool = False


class Ask(Struct, frozen=True, kw_only=True, tag="ask", omit_defaults=True):
    """port_id: where the packet starts, or the port in question where there is no packet.
    network_id: else, the network that it comes in for, by the wire or, with tunnel_src, out of a tunnel from there.
    reply: it answers what was let through before.  also: other ports whose state is wanted.
    probe, watch: only that.  wiring: only how the port is wired.  listen: only what its VM sends.  tunnels: only what
    it sees of the nodes that it watches.  settled: only whether what the node was sent up to this revision is in place:
    the answer comes once it is."""

    id: str
    port_id: str = ""
    network_id: str = ""
    tunnel_src: str = ""
    packet: Sent | None = None
    reply: bool = False
    also: tuple[str, ...] = ()
    probe: Probe | None = None
    watch: Watch | None = None
    wiring: bool = False
    listen: Listen | None = None
    tunnels: bool = False
    settled: int = 0


class Hop(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A flow that the packet met; an empty one: none.  table: its name, or number where that is another's bridge.
    reason, object: whose it is, by its cookie: 10 hex digits, how the object's id begins.  foreign: it is not ours, on
    a bridge where all have to be."""

    bridge: str
    table: str
    flow: str
    actions: str = ""
    reason: str = ""
    object: str = ""
    foreign: bool = False


class Exit(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What becomes of it on this node.  port_id: of a VIF.  interface: by which it leaves; nic: who has the address of
    the kernel's tunnels, where it is one of those.  tunnel: the far end; key: the tunnel's.  physical: the physical
    network of a wire.  vlan: 0 untagged.  why: of what is dropped, in Open vSwitch's words.  asked: the next hop on a
    wire that has not answered the agent's ARP or ND, which gets the packet then, or knew it before."""

    kind: Kind
    port_id: str = ""
    interface: str = ""
    nic: str = ""
    tunnel: str = ""
    key: int = 0
    physical: str = ""
    vlan: int = 0
    why: str = ""
    asked: str = ""
    packet: Sent | None = None


class Differs(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is not as the agent wants it: a step of its plan.  reason, object: as in Hop, of a flow."""

    what: str
    there: str = ""
    wanted: str = ""
    reason: str = ""
    object: str = ""


class Interface(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """port_id: whose it is; empty: the node's uplink or tunnel.  link: `up`, `down`, or empty.  overhead: of the
    encapsulation that leaves there."""

    name: str
    port_id: str = ""
    link: str = ""
    mtu: int = 0
    ofport: int = 0
    error: str = ""


class Heard(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a VM sent.  asks: it resolves `address`.  has: it announces `address`.  sends: from `address`, to
    the MAC `to`.  partial: with a checksum that nobody completes.  claims: no VM's, but of another machine on the wire,
    which announces the VM's `address`."""

    kind: Literal["asks", "has", "sends", "claims"]
    address: str
    mac: str
    to: str = ""
    partial: bool = False


class Seen(Struct, frozen=True, kw_only=True):
    """A node that this one watches by BFD through a tunnel.  state: `there`; `cut`, its way outside is; `deaf`, it does
    not hear this one; `gone`; `unknown`, the session has not been up yet."""

    host: str
    state: str


class Silent(Struct, frozen=True, kw_only=True):
    """The far end of a tunnel that does not answer.  by: `bfd`, its session with this node is down; `arp`, nobody on
    the underlay answers for the address.  heard: it does answer ARP, though its session is down: that may be about to
    come up again, as after one of the two hosts has been too busy."""

    tunnel: str
    by: Literal["bfd", "arp"]
    heard: bool = False


class Answer(Struct, frozen=True, kw_only=True, tag="answer", omit_defaults=True):
    """error: why there is nothing to say.  tracked: conntrack's look-ups and results, in words.
    revision: of the view that it is about.  seen: the interfaces where a probe was seen, in that order.
    homeless: this node's tunnel address, where none of its interfaces has it and the packet goes by a tunnel.
    heard: None: nobody listened; of a packet that is traced, what its VM has sent in the last seconds.
    dropped: packets that limits of the port have dropped meanwhile.
    watched: None: not requested, or the node is too old.  silent: of the tunnels that it leaves by."""

    id: str
    error: str = ""
    revision: int = 0
    in_place: bool = True
    hops: tuple[Hop, ...] = ()
    exits: tuple[Exit, ...] = ()
    differs: tuple[Differs, ...] = ()
    interfaces: tuple[Interface, ...] = ()
    tracked: tuple[str, ...] = ()
    homeless: str = ""
    seen: tuple[str, ...] = ()
    caught: Caught | None = None
    heard: tuple[Heard, ...] | None = None
    dropped: int = 0
    wiring: Wiring | None = None
    watched: tuple[Seen, ...] | None = None
    silent: tuple[Silent, ...] = ()


def cut(text: str) -> str:
    return text if len(text) <= MOST_TEXT else f"{text[: MOST_TEXT - 3]}..."
