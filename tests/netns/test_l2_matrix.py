"""Every segment type by the ways in that a lab has, on one host and across hosts: measured, as docs/layer2.md says."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.netns import layer2
from tests.netns.harness import Lab, new_name
from tests.netns.layer2 import ACROSS, FABRIC, SAME, WAYS, NamespaceEnd, Row

from netweft.lab import build, host
from netweft.lab.host import Host
from netweft.lab.layout import Kind
from netweft.lab.vm import Vm

pytestmark = pytest.mark.timeout(400)

MTU = {"flat": 1500, "vlan": 1500, "vxlan": 1450, "gre": 1458, "geneve": 1450}
PHYSICAL = ("flat", "vlan")
CHEAP: tuple[Kind, ...] = ("netns", "internal", "hybrid")


@contextmanager
def a_lab(plan: build.Plan) -> Iterator[Lab]:
    lab = Lab(new_name())
    build.up(lab.layout, plan)
    try:
        yield lab
    finally:
        build.down(lab.layout)


class Segment:
    """A network of one type, with a VM to talk to on each of two hypervisors."""

    def __init__(self, lab: Lab, kind: str, number: int) -> None:
        self.lab, self.kind = lab, kind
        provider: dict[str, object] = {"provider:network_type": kind}
        if kind in PHYSICAL:
            provider["provider:physical_network"] = "physnet1"
        self.prefix = f"10.{number}.0"
        self.network = lab.network(f"{self.prefix}.0/24", **provider)
        self.others = {SAME: lab.add_vm("hv1", self.network), ACROSS: lab.add_vm("hv2", self.network)}

    def rows(self, name: str, ways: tuple[Kind, ...]) -> Iterator[Row]:
        for kind in ways:
            subject = self.lab.add_vm("hv1", self.network, kind=kind)
            for where, other in self.others.items():
                yield self._row((name, WAYS[kind], where), subject, other)
            if kind == "qemu":  # the others cost nothing, and an address that is given again has neighbours who knew it
                self.lab.remove_vm(subject)

    def _row(self, what: tuple[str, str, str], subject: Vm, other: Vm) -> Row:
        end = NamespaceEnd(self.lab, self.lab.layout.vm_namespace(other.name), other.nic.address)
        return layer2.measure(what, layer2.vm_end(self.lab, subject), end, subject.nic.mtu)

    def row_to_a_plain_host(self) -> Row:
        with self.lab.cloud() as cloud:
            vlan = cloud.find("networks", self.network)["provider:segmentation_id"]
        plain = Host(name=self.kind, physical_network="physnet1", vlan=vlan or 0, addresses=(f"{self.prefix}.250/24",))
        host.add(self.lab.layout, plain)
        end = NamespaceEnd(self.lab, self.lab.layout.host_namespace(plain.name), f"{self.prefix}.250")
        subject = self.others[SAME]
        what = (self.kind, WAYS["netns"], FABRIC)
        return layer2.measure(what, layer2.vm_end(self.lab, subject), end, subject.nic.mtu)


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return [*_underlay_of_ipv4(), *_underlay_of_ipv6()]


def _underlay_of_ipv4() -> Iterator[Row]:
    with a_lab(build.Plan()) as lab:
        lab.let_strangers_in()
        for number, kind in enumerate(MTU):
            segment = Segment(lab, kind, number)
            real: tuple[Kind, ...] = ("qemu",) if kind in ("vlan", "vxlan") else ()
            yield from segment.rows(kind, CHEAP + real)
            if kind in PHYSICAL:
                yield segment.row_to_a_plain_host()


def _underlay_of_ipv6() -> Iterator[Row]:
    with a_lab(build.Plan(underlay=6)) as lab:
        for number, kind in enumerate(MTU.keys() - set(PHYSICAL)):
            yield from Segment(lab, kind, number).rows(f"{kind} over IPv6", ("netns",))


def test_the_mtu_is_the_physical_networks_less_the_overhead(rows: list[Row]) -> None:
    for row in rows:
        kind, _, ipv6 = row.segment.partition(" ")
        assert row.mtu == MTU[kind] - (20 if ipv6 else 0), row


def test_each_works_and_the_document_says_so(rows: list[Row]) -> None:
    print("\n" + layer2.table(rows))
    layer2.document(rows)
