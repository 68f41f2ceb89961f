"""A real Open vSwitch with two bridges, and a cable to each of its ports: raw frames in, raw frames out.

IN ──┐                                        The far ends of the cables are in the same namespace, and have
OUT ─┤ ground ──patch── beyond ── BEYOND      neither an address nor IPv6: nothing is on them but what a probe
ELSE ┘                                        sends.
"""

import asyncio
import contextlib
import os
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from tests.ovs.sandbox import Sandbox, own_network, running
from tests.waiting import PATIENCE

from netweft.dataplane.openflow.client import OpenFlowConnection
from netweft.dataplane.openflow.messages import PacketIn

DATAPATHS: Final = {"netdev": "userspace", "system": "kernel"}
GROUND, FAR = "ground", "beyond"
IN, OUT, ELSE, BEYOND, PATCH = 1, 2, 3, 4, 9
AGENT: Final = 77  # the controller id that handed-up packets are for
FENCE: Final = bytes.fromhex("020000000001 020000000002 88b5")
ETH_P_ALL: Final = 3
# seconds: on the kernel's datapath one that goes up to vswitchd may be overtaken by the fence; in userspace by those of
# its batch that are cached
QUIET: Final = {"netdev": 0.1, "system": 0.3}


class Heard(NamedTuple):
    """out: frames by the port that they came out of.  up: what the controller was given."""

    out: dict[int, list[bytes]]
    up: list[PacketIn]


class Stage:
    def __init__(self, ovs: Sandbox, switch: OpenFlowConnection, cables: dict[int, socket.socket]) -> None:
        self.ovs = ovs
        self._switch, self._cables = switch, cables
        self._quiet = QUIET[ovs.datapath_type]
        self._up: list[PacketIn] = []

    async def listen(self) -> None:
        await self._switch.watch_packets(AGENT, self._up.append)

    def flows(self, *flows: str, bridge: str = GROUND) -> None:
        """These and no others.  FENCE is ours: it shows that what was sent before it has passed."""
        ports = f"output:{PATCH}" if bridge == FAR else ",".join(f"output:{port}" for port in (IN, OUT, ELSE))
        up = f",controller(id={AGENT})" if bridge == GROUND else f",output:{BEYOND}"
        file = self.ovs.folder / "flows"  # one command for all: a process each takes longer than what it does
        file.write_text("\n".join((f"priority=65535,dl_type=0x88b5,actions={ports}{up}", *flows, "")))
        self.ovs.ofctl("del-flows", bridge)
        self.ovs.ofctl("add-flows", bridge, str(file))
        self.ovs.appctl("revalidator/purge")  # else what is cached holds a little longer

    def forget(self) -> None:
        """All connections."""
        self.ovs.appctl("dpctl/flush-conntrack")

    async def hear(self, *sent: tuple[int, bytes], doing: Callable[[], object] | None = None) -> Heard:
        """What becomes of frames that come in at these ports, one after the other, and of what `doing` sends."""
        for cable in self._cables.values():
            with contextlib.suppress(BlockingIOError):
                while cable.recv(65536):
                    pass
        self._up.clear()
        heard = Heard({port: [] for port in self._cables}, [])
        for port, frame in sent:
            self._cables[port].send(frame)
        if doing is not None:
            doing()
        fence = FENCE + os.urandom(46)
        self._cables[ELSE].send(fence)
        end, fenced = time.monotonic() + PATIENCE, False
        while time.monotonic() < end:
            await asyncio.sleep(0.005)
            for port, cable in self._cables.items():
                with contextlib.suppress(BlockingIOError):
                    heard.out[port].append(cable.recv(65536))
                    end = end if not fenced else time.monotonic() + self._quiet
            if not fenced and fence in heard.out[IN] and any(one.frame == fence for one in self._up):
                fenced, end = True, time.monotonic() + self._quiet
        assert fenced, "Open vSwitch forwards nothing at all"
        outs = {port: [one for one in frames if one[12:14] != FENCE[12:14]] for port, frames in heard.out.items()}
        return Heard(outs, [one for one in self._up if one.frame[12:14] != FENCE[12:14]])

    @property
    def version(self) -> str:
        said = self.ovs.appctl("version").splitlines()[0]
        return said.rpartition(" ")[2]


@contextlib.asynccontextmanager
async def stage(datapath_type: str) -> AsyncIterator[Stage]:
    """Needs root.  datapath_type: as Open vSwitch calls it."""
    options = ("--disable-system",) if datapath_type == "netdev" else ()
    with own_network(), running(options, datapath_type) as ovs:
        _quiet()
        cables = dict(_cables(ovs))
        switch = await OpenFlowConnection.connect(ovs.mgmt(GROUND))
        try:
            found = Stage(ovs, switch, cables)
            await found.listen()
            yield found
        finally:
            await switch.close()
            for cable in cables.values():
                cable.close()
            ovs.vsctl("del-br", GROUND, "--", "del-br", FAR)  # or the kernel keeps its datapath


def _quiet() -> None:
    for place in ("default", "all"):
        Path(f"/proc/sys/net/ipv6/conf/{place}/disable_ipv6").write_text("1")


def _cables(ovs: Sandbox) -> Iterator[tuple[int, socket.socket]]:
    for bridge in (GROUND, FAR):
        ovs.add_bridge(bridge)
    for near, far in ((GROUND, FAR), (FAR, GROUND)):
        row = ("--", "set", "interface", f"to-{far}", "type=patch", f"options:peer=to-{near}")
        ovs.vsctl("add-port", near, f"to-{far}", *row, f"ofport_request={PATCH}")
    for port in (IN, OUT, ELSE, BEYOND):
        yield port, cable(ovs, FAR if port == BEYOND else GROUND, port)


def cable(ovs: Sandbox, bridge: str, port: int) -> socket.socket:
    """To a new port of the bridge: the far end."""
    near, far = f"p{port}", f"far{port}"
    ip("link", "add", near, "type", "veth", "peer", "name", far)
    for end in (near, far):
        ip("link", "set", end, "up", "mtu", "9000")
    ovs.vsctl("add-port", bridge, near, "--", "set", "interface", near, f"ofport_request={port}")
    there = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    there.bind((far, 0))
    there.setblocking(False)
    return there


def ip(*words: str) -> None:
    subprocess.run(("ip", *words), check=True, capture_output=True)
