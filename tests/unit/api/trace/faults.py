"""Faults inside of VMs, and on the wires between nodes, as nodes hear and see them: each one declaration."""

from typing import Any, NamedTuple

from tests.unit.control.trace.faults import A, B, C

from netweft.wire.queries import Heard

VM1, VM2, GATEWAY = "fa:16:3e:00:00:01", "fa:16:3e:00:00:02", "fa:16:3e:ff:00:01"
OLD, OTHER = "fa:16:3e:99:99:99", "02:00:00:00:00:99"


def asks(address: str) -> Heard:
    return Heard(kind="asks", address=address, mac=VM1)


def has(address: str, mac: str = VM1) -> Heard:
    return Heard(kind="has", address=address, mac=mac)


def sends(to: str, mac: str = VM1, address: str = A, **more: Any) -> Heard:
    return Heard(kind="sends", address=address, mac=mac, to=to, **more)


class InVm(NamedTuple):
    """on: the way of HEALTHY.  heard: of the sender's VM; of the receiver's, where `far`."""

    what: str
    code: str
    on: str
    heard: tuple[Heard, ...]
    dropped: int = 0
    far: bool = False


IN_VMS = (
    InVm("the sender's mask is too short", "vm-wrong-mask", "two networks", (has(A), asks(C))),
    InVm("the sender's mask is too long", "vm-wrong-mask", "one network", (has(A), asks("10.0.1.1"), sends(GATEWAY))),
    InVm("the receiver's mask is too short", "vm-wrong-mask", "two networks",
         (Heard(kind="asks", address=A, mac="fa:16:3e:00:00:03"),), far=True),
    InVm("the sender's gateway is nobody", "vm-wrong-gateway", "two networks", (has(A), asks("10.0.1.254"))),
    InVm("the sender's gateway is another VM", "vm-wrong-gateway", "two networks", (has(A), asks(B), sends(VM2))),
    InVm("an old ARP entry of the gateway", "vm-wrong-neighbour", "two networks", (has(A), sends(OLD))),
    InVm("an old ARP entry of the neighbour", "vm-wrong-neighbour", "one network", (has(A), sends(OLD))),
    InVm("the sender's VM has not its address", "vm-lacks-its-address", "two networks", ()),
    InVm("the sender's VM has changed its MAC address", "vm-uses-another-mac", "two networks", (has(A, OTHER),)),
    InVm("a physical host has the sender's address", "address-claimed-by-another", "two networks",
         (has(A), sends(GATEWAY), Heard(kind="claims", address=A, mac=OTHER))),
    InVm("the sender's VM answers nothing", "vm-silent", "two networks", (has(A),)),
    InVm("the receiver's VM answers nothing", "vm-silent", "two networks", (), far=True),
    InVm("checksums are left to the NIC", "vm-checksum-not-whole", "two networks",
         (has(A), sends(GATEWAY, partial=True))),
    InVm("a QoS policy's limit drops", "limit-drops", "two networks", (has(A), sends(GATEWAY)), dropped=7),
)  # fmt: skip


class Lost(NamedTuple):
    """A probe from one node to another.  one, two: where it was seen there.  missed: where it was not, first."""

    what: str
    code: str
    by: str
    one: tuple[str, ...]
    two: tuple[str, ...]
    missed: tuple[str, str]


LOST = (
    Lost("the underlay does not carry the tunnel", "probe-lost-in-underlay", "tunnel", ("eth0",), (), ("hv2", "tap2")),
    Lost("the switch does not carry the VLAN", "probe-lost-on-wire", "wire", ("eth0",), (), ("hv2", "tap2")),
    Lost("it comes in and does not come to the VM", "probe-lost", "tunnel", ("eth0",), ("eth0",), ("hv2", "tap2")),
    Lost("it does not leave the sender's node", "probe-lost", "tunnel", (), (), ("hv1", "eth0")),
)
LARGE = Lost("a hop takes small packets only", "probe-of-full-size-lost", "tunnel", ("eth0",), (), ("hv2", "tap2"))
