"""What `ofproto/trace` says, as values: the flows that a packet meets, part by part, and what the datapath would do.

    parts(await command(run_dir, *asking("br-int", flow, states)))

A part ends where the packet is handed to conntrack, and the next one is what comes back from it.  Knows
no tables and no ports: `--names` has Open vSwitch say interfaces' names.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

COMMAND = "ofproto/trace"
_BRIDGE = re.compile(r'^\s*bridge\("(.+)"\)$')
_TABLE = re.compile(r"^\s*(\d+)\. (.*)$")
_COOKIE = re.compile(r",? ?cookie (0x[0-9a-f]+)")
_RESUMED = re.compile(r"^(?:recirc\((0x[0-9a-f]+)\)) - resume (?:conntrack with (?:default )?ct_state=(\S+))?")
_STATE, _ZONE = re.compile(r"\bct_state=([-+|a-z0-9]+)"), re.compile(r"\bct_zone=(\d+|0x[0-9a-f]+)")
# Open vSwitch's own rules for what meets no flow: it goes to a controller, or ends
_MISS = re.compile(r"reg0=0x[12], priority 0$")
_PAIR = re.compile(r"(\w+)=([^,()]*)")
KERNELS_TUNNEL = re.compile(r"\w+_sys(_\d+)?$")


@dataclass(slots=True)
class Met:
    """A flow, or none where `match` is empty.  actions: as it is carried out, with Open vSwitch's remarks."""

    bridge: str
    table: int
    match: str
    cookie: int = 0
    actions: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Part:
    """resumed: what conntrack is supposed to have said; empty for how it comes in.  translated: `snat`, `dnat`, of
    what conntrack has made of it.  flow: the packet, as text.  final: as it is in the end, with its registers."""

    resumed: str = ""
    translated: tuple[str, ...] = ()
    flow: str = ""
    met: list[Met] = field(default_factory=list)
    datapath: str = ""
    final: str = ""

    @property
    def zone(self) -> int:
        found = _ZONE.search(self.flow)
        return int(found[1], 0) if found else 0

    @property
    def fields(self) -> dict[str, str]:
        """Of the packet: `nw_src`, `tp_dst`, ...; what has no value, as `tcp`, is itself."""
        return fields_of(self.flow)


def asking(bridge: str, flow: str, states: Iterable[str] = ()) -> tuple[str, ...]:
    """states: what conntrack says each time; where they end, that the connection is new."""
    said = [word for state in states for word in ("--ct-next", state)]
    return (COMMAND, "--names", bridge, flow, *said)


def fields_of(flow: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in flow.split(","):
        name, _, value = part.partition("=")
        found[name.strip()] = value or name.strip()
    return found


def parts(text: str) -> list[Part]:
    """What is resumed goes on in the bridge that it was handed over in; Open vSwitch 3.1 names the one where the packet
    came in."""
    found = [Part()]
    bridge, forks, initial = "", list[str](), dict[str, str]()
    for line in text.splitlines():
        here = found[-1]
        bare = line.strip()
        if resumed := _RESUMED.match(bare):
            found.append(Part(resumed=resumed[2] or "thawed"))
            bridge = ""
        elif bare.startswith("Initial flow: "):
            initial = fields_of(bare.removeprefix("Initial flow: "))
        elif bare.startswith("Modified flow: "):
            here.translated = _translated(initial, fields_of(bare.removeprefix("Modified flow: ")))
        elif bare.startswith("Flow: "):
            here.flow = bare.removeprefix("Flow: ")
        elif bare.startswith("Final flow: "):
            here.final = bare.removeprefix("Final flow: ")
        elif named := _BRIDGE.match(line):
            resumes = not bridge and len(found) > 1 and forks
            bridge = forks.pop(0) if resumes else named[1]
        elif bare.startswith("Datapath actions: "):
            here.datapath = bare.removeprefix("Datapath actions: ")
        elif table := _TABLE.match(line):
            here.met.append(_met(bridge, int(table[1]), table[2]))
        elif here.met and bare and not bare.startswith(("---", "===", "Final flow:", "Megaflow:")):
            here.met[-1].actions.append(bare)
            forks += [bridge] if bare.startswith("ct(") and "table=" in bare else []
    return found


def _translated(was: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    sides = {"snat": ("nw_src", "ipv6_src"), "dnat": ("nw_dst", "ipv6_dst")}
    return tuple(word for word, names in sides.items() if any(was.get(name) != now.get(name) for name in names))


def _met(bridge: str, table: int, said: str) -> Met:
    if said.startswith("No match") or _MISS.match(said):
        return Met(bridge, table, "", actions=[said])
    cookie = _COOKIE.search(said)
    return Met(bridge, table, _COOKIE.sub("", said), int(cookie[1], 16) if cookie else 0)


# -- what the datapath does


@dataclass(slots=True)
class Out:
    """kind: `interface`, `agent` or `conntrack`.  packet: the fields that were set on the way, by group: `eth.src`, ...
    vlan: the outer tag; 0: none; None: as it came.  inner: the tag below it, where both were pushed.
    tunnel: its header's fields."""

    kind: str
    interface: str = ""
    packet: Mapping[str, str] = field(default_factory=dict)
    vlan: int | None = None
    tunnel: Mapping[str, str] = field(default_factory=dict)
    inner: int | None = None


def outs(actions: str) -> list[Out]:
    """Of one part.  Of what depends on the packet's length, as for a small one."""
    return list(_outs(actions, _State()))


@dataclass(slots=True)
class _State:
    packet: dict[str, str] = field(default_factory=dict)
    vlan: int | None = None
    inner: int | None = None
    tunnel: dict[str, str] = field(default_factory=dict)
    pushed: bool = False  # with its header; what is set only is for the kernel's tunnels, and stays set after them

    def copy(self) -> "_State":
        return _State(dict(self.packet), self.vlan, self.inner, dict(self.tunnel), self.pushed)


def _outs(actions: str, state: _State) -> Iterator[Out]:
    for name, inside in _split(actions):
        if name == "clone":
            yield from _outs(inside, state.copy())
        elif name == "check_pkt_len":
            yield from _outs(_fitting(inside), state.copy())
        elif name == "set":
            _set(state, inside)
        elif name == "push_vlan":
            state.inner, state.vlan = state.vlan, int(dict(_PAIR.findall(inside)).get("vid", "0"))
        elif name == "pop_vlan":
            state.vlan, state.inner = state.inner or 0, None
        elif name == "tnl_push":
            state.tunnel, state.pushed = _pushed(inside), True
        elif name == "userspace":
            if "controller" in inside:
                yield Out("agent", packet=dict(state.packet), vlan=state.vlan)
        elif name == "recirc":
            yield Out("conntrack")
        elif name and name not in _SILENT and not inside:
            tunnel = dict(state.tunnel) if state.pushed or KERNELS_TUNNEL.match(name) else {}
            yield Out("interface", name, dict(state.packet), state.vlan, tunnel, state.inner)


_SILENT = {"drop", "ct", "ct_clear", "meter", "hash", "trunc", "sample", "pop_eth", "push_eth", "tnl_pop", "out_port"}


def _split(actions: str) -> Iterator[tuple[str, str]]:
    """Names, and what is in brackets after them."""
    depth, start = 0, 0
    for at, char in enumerate(f"{actions},"):
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            name, _, inside = actions[start:at].strip().partition("(")
            yield name, inside[:-1]
            start = at + 1


def _fitting(inside: str) -> str:
    return next((rest for name, rest in _split(inside) if name == "le"), "")


def _set(state: _State, inside: str) -> None:
    for name, rest in _split(inside):
        if name == "tunnel":
            state.tunnel = dict(_PAIR.findall(rest))
        else:
            state.packet |= {f"{name}.{key}": value.partition("/")[0] for key, value in _PAIR.findall(rest)}


def _pushed(inside: str) -> dict[str, str]:
    """The outer header's addresses, and the tunnel's key."""
    outer = re.search(r"ipv[46]\(src=([^,]+),dst=([^,]+)", inside)
    key = re.search(r"vni=(0x[0-9a-f]+|\d+)|key=(0x[0-9a-f]+|\d+)", inside)
    found = {"src": outer[1], "dst": outer[2]} if outer else {}
    return found | ({"tun_id": str(int(key[1] or key[2], 0))} if key else {})
