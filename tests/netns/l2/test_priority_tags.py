"""Frames with a tag that says a priority and no VLAN (VID 0), from VMs and from the wire."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from tests.netns import forked
from tests.netns.frames import BROADCAST, NOBODY, arp, tag, udp4
from tests.netns.harness import Lab

from netweft.dataplane.unixctl.client import command
from netweft.lab import vm
from netweft.lab.cloud import Cloud
from netweft.lab.layout import PHYSICAL_NETWORKS
from netweft.lab.vm import Vm

C_TAG, S_TAG = 0x8100, 0x88A8
VOICE = 5 << 13  # a priority
FLAT: dict[str, Any] = {"provider:network_type": "flat", "provider:physical_network": "physnet1"}
OPEN: dict[str, Any] = {"port_security_enabled": False, "security_groups": []}


class Stage:
    """On hv1: a guarded VM, which is a trunk's parent as well, one that is free, one in the sub-port's network.  On hv2
    who hears them."""

    def __init__(self, lab: Lab, cloud: Cloud) -> None:
        self.lab = lab
        self.network, carried = lab.network("10.5.5.0/24", **FLAT), lab.network("10.6.6.0/24")
        self.sub = cloud.create("ports", network_id=carried, **OPEN)
        parent = cloud.create("ports", network_id=self.network)
        place = {"port_id": self.sub["id"], "segmentation_type": "vlan", "segmentation_id": 102}
        cloud.create("trunks", port_id=parent["id"], sub_ports=[place])
        words: dict[str, Any] = {"name": "trunk", "node": "hv1", "network": "", "port": parent["id"]}
        self.guarded = vm.create(cloud, lab.layout, vm.describe(cloud, lab.layout, kind="netns", **words))
        self.free = lab.add_vm("hv1", self.network, **OPEN)
        self.beside = lab.add_vm("hv1", carried, **OPEN)
        self.there = lab.add_vm("hv2", self.network, **OPEN)
        lab.meet(self.free, self.there)

    def hears(self, listener: Vm, sender: Vm, sent: bytes, wanted: bytes) -> bool:
        """Whether it hears the one when the other is sent, before another one that passes."""
        nic = sender.nic
        last = arp((nic.mac, BROADCAST), 1, (nic.mac, nic.address), (NOBODY, "10.5.5.199"))
        with self.lab.inside(listener, "capture") as seen:
            self.lab.send_frames(sender, sent)
            self.lab.send_frames(sender, last)
            return wanted in seen.frames_until(last)

    def message(self, sender: Vm, to: Vm, claimed: str = "") -> bytes:
        return udp4((sender.nic.mac, to.nic.mac), (claimed or sender.nic.address, to.nic.address), b"priority")


@pytest.fixture(scope="module")
def stage(lab: Lab) -> Iterator[Stage]:
    with Cloud(lab.layout) as cloud:
        yield Stage(lab, cloud)


@pytest.mark.parametrize("who", ["guarded", "free"])
def test_a_vms_are_taken_as_untagged(stage: Stage, who: str) -> None:
    sender: Vm = getattr(stage, who)
    plain = stage.message(sender, stage.there)
    for tagged in (tag(plain, VOICE), tag(plain, 0)):
        assert stage.hears(stage.there, sender, tagged, plain)


def test_a_flat_wires_are_taken_as_untagged(stage: Stage, lab: Lab) -> None:
    nic = next(network.nic for network in PHYSICAL_NETWORKS if network.name == "physnet1")
    outside = "52:54:00:00:00:09"
    plain = udp4((outside, stage.free.nic.mac), ("10.5.5.222", stage.free.nic.address), b"from the wire")
    last = udp4((outside, stage.free.nic.mac), ("10.5.5.222", stage.free.nic.address), b"the last one!")
    send = (lab.layout.fabric.namespace, "send", f"hv1-{nic}")
    with lab.inside(stage.free, "capture") as seen:
        forked.do(*send, stdin=f"{tag(plain, VOICE).hex()}\n")
        forked.do(*send, stdin=f"{tag(tag(plain, 77), VOICE).hex()}\n{last.hex()}\n")
        heard = seen.frames_until(last)
    assert heard.count(plain) == 1
    assert not [frame for frame in heard if b"from the wire" in frame and frame != plain]


def test_what_is_forged_behind_them_goes_nowhere(stage: Stage) -> None:
    forged = stage.message(stage.guarded, stage.there, "10.5.5.222")
    for kind in (C_TAG, S_TAG):
        assert not stage.hears(stage.there, stage.guarded, tag(forged, VOICE, kind), forged)
    honest = stage.message(stage.guarded, stage.there)
    snap = honest[:12] + (len(honest) - 6).to_bytes(2) + b"\xaa\xaa\x03\0\0\0" + forged[12:]
    assert not stage.hears(stage.there, stage.guarded, tag(snap, VOICE), forged)


@pytest.mark.parametrize("limit", ["1", "0"])
@pytest.mark.parametrize("who", ["guarded", "free"])
def test_nor_does_another_tag_behind_them(stage: Stage, lab: Lab, who: str, limit: str) -> None:
    """Neither to a sub-port's network, nor to a VLAN outside.  limit: how many tags Open vSwitch looks at."""
    sender: Vm = getattr(stage, who)
    lab.vsctl("hv1", "set", "Open_vSwitch", ".", f"other_config:vlan-limit={limit}")
    try:
        # what was cached when Open vSwitch looked at fewer tags says nothing of those below
        asyncio.run(command(lab.node("hv1").ovs, "revalidator/purge"))
        plain = stage.message(sender, stage.there)
        for kind in (C_TAG, S_TAG):
            for inner in (0, 77, 102):
                assert not stage.hears(stage.there, sender, tag(tag(plain, inner, kind), VOICE), plain)
                assert not stage.hears(stage.there, sender, tag(tag(plain, inner), VOICE, kind), tag(plain, inner))
        to_sub = udp4((stage.sub["mac_address"], stage.beside.nic.mac), ("10.6.6.77", stage.beside.nic.address), b"sub")
        last = udp4((stage.sub["mac_address"], stage.beside.nic.mac), ("10.6.6.77", stage.beside.nic.address), b"end")
        with lab.inside(stage.beside, "capture") as seen:
            lab.send_frames(stage.guarded, tag(tag(to_sub, 102), VOICE))
            lab.send_frames(stage.guarded, tag(last, 102))
            assert to_sub not in seen.frames_until(last)
    finally:
        lab.vsctl("hv1", "remove", "Open_vSwitch", ".", "other_config", "vlan-limit")
