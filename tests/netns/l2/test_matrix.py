"""Every segment type by the ways in that a lab has, on one host and across hosts: measured, as docs/layer2.md says.

Where a VM is plugged in, and what its segment is, are no business of one another: in `make test` each type is tried by
one way and each way by two types, in `make test-tables` all by all.  A real VM on VXLAN and VLAN is in other tests."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.netns.harness import REAL_MACHINES, Lab, new_name
from tests.netns.l2 import layer2
from tests.netns.l2.layer2 import FABRIC, PHYSICAL, SAME, TYPES, WAYS, NamespaceEnd, Row, Segment

from netweft.lab import build, host, vm
from netweft.lab.host import Host
from netweft.lab.layout import Kind
from netweft.lab.vm import Vm

pytestmark = pytest.mark.timeout(600)

MTU = {"flat": 1500, "vlan": 1500, "vxlan": 1450, "gre": 1458, "geneve": 1450, "stt": 1428}
CHEAP: tuple[Kind, ...] = ("netns", "internal", "hybrid")
SAMPLE: dict[str, tuple[str, ...]] = {
    "netns": TYPES, "internal": ("flat", "geneve"), "hybrid": ("vlan", "vxlan"), "qemu": ("gre", "stt")
}  # fmt: skip


@pytest.fixture(scope="module")
def rows(lab: Lab) -> list[Row]:
    return [*_underlay_of_ipv4(lab), *_underlay_of_ipv6()]


def _underlay_of_ipv4(lab: Lab) -> Iterator[Row]:
    lab.let_strangers_in()
    segments = [Segment(lab, kind, _cidr(number)) for number, kind in enumerate(TYPES)]
    for segment in segments:
        for way in CHEAP:
            if not _is_tried(segment, way):
                continue
            yield from segment.rows(way, layer2.vm_end(lab, lab.add_vm("hv1", segment.network, kind=way)))
    yield from (_to_a_plain_host(segment) for segment in segments if segment.kind in PHYSICAL)
    by_real_vms = [segment for segment in segments if REAL_MACHINES and _is_tried(segment, "qemu")]
    for segment, machine in zip(by_real_vms, _real_vms(by_real_vms), strict=True):
        yield from segment.rows("qemu", layer2.vm_end(lab, machine))


def _is_tried(segment: Segment, way: str) -> bool:
    return layer2.ALL or segment.kind in SAMPLE[way]


def _underlay_of_ipv6() -> Iterator[Row]:
    lab = Lab(new_name())
    build.up(lab.layout, build.Plan(underlay=6))
    try:
        for number, kind in enumerate(kind for kind in TYPES if kind not in PHYSICAL):
            segment = Segment(lab, kind, _cidr(number))
            subject = layer2.vm_end(lab, lab.add_vm("hv1", segment.network))
            yield from segment.rows("netns", subject, f"{kind} over IPv6")
    finally:
        build.down(lab.layout)


def _cidr(number: int) -> str:
    return f"10.{number}.0.0/24"


def _real_vms(segments: list[Segment]) -> list[Vm]:
    """One on each.  They boot at the same time."""

    def create(lab: Lab, described: Vm) -> Vm:
        with lab.cloud() as cloud:
            return vm.create(cloud, lab.layout, described)

    labs = [segment.lab for segment in segments]
    described = [segment.lab.describe_vm("hv1", segment.network, kind="qemu") for segment in segments]
    with ThreadPoolExecutor() as pool:
        return list(pool.map(create, labs, described))


def _to_a_plain_host(segment: Segment) -> Row:
    with segment.lab.cloud() as cloud:
        vlan = cloud.find("networks", segment.network)["provider:segmentation_id"]
    subject = segment.others[SAME]
    address = f"{subject.nic.address.rpartition('.')[0]}.250"
    plain = Host(name=segment.kind, physical_network="physnet1", vlan=vlan or 0, addresses=(f"{address}/24",))
    host.add(segment.lab.layout, plain)
    end = NamespaceEnd(segment.lab, segment.lab.layout.host_namespace(plain.name), address)
    what = (segment.kind, WAYS["netns"], FABRIC)
    return layer2.measure(what, layer2.vm_end(segment.lab, subject), end, segment.mtu)


def test_the_mtu_is_the_physical_networks_less_the_overhead(rows: list[Row]) -> None:
    for row in rows:
        kind, _, ipv6 = row.segment.partition(" ")
        assert row.mtu == MTU[kind] - (20 if ipv6 else 0), row


def test_each_works_and_the_document_says_so(rows: list[Row]) -> None:
    print("\n" + layer2.table(rows))
    layer2.document(rows)
