"""A connection that a rule let through, and that another one rejects now: who sends hears of it, on every way."""

import errno
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from typing import Any

import pytest
from tests.netns import sockets
from tests.netns.l3.test_matrix import End, addresses_of
from tests.netns.l3.test_routing import make_router
from tests.netns.security.test_firewalls import OTHER, TCP, UDP, Cast, Form, Way, allow, cast, reject
from tests.waiting import PATIENCE

pytestmark = pytest.mark.timeout(300)

__all__ = ["cast"]
PASSES = Form("allow", (allow(),), "yyy")
REFUSES = Form("reject all but one port", (reject(),), "RRR")
TOLD = {
    "asks": (errno.ECONNRESET, errno.EPIPE),
    "pours": (errno.ECONNRESET, errno.EPIPE),
    "datagrams": (errno.EHOSTUNREACH, errno.EACCES),
}
PORTS = {"asks": TCP, "pours": OTHER, "datagrams": UDP}
MOST = 65536


class Conversation:
    """asks: who has connected sends, and the other end says it again.  pours: the other end sends as much as it can."""

    def __init__(self, kind: str, way: Way) -> None:
        self.kind, self.way, self.heard, self.error = kind, way, 0, 0
        make = sockets.udp if kind == "datagrams" else sockets.tcp
        self.socket = make(way.frm.namespace, way.version)
        code = self.socket.connect_ex((way.address, PORTS[kind]))
        assert code in (0, errno.EINPROGRESS)

    def go_on(self) -> None:
        if self.error:
            return
        try:
            if self.kind != "pours":
                with suppress(BlockingIOError):
                    self.socket.send(b"?")
            with suppress(BlockingIOError):
                self.heard += len(self.socket.recv(MOST))
        except OSError as error:
            if error.errno != errno.ENOTCONN:
                self.error = error.errno or -1

    @property
    def is_told(self) -> bool:
        return self.error in TOLD[self.kind]


class OtherEnds:
    def __init__(self, listening: Sequence[socket.socket]) -> None:
        self._listening, self._theirs = listening, list[socket.socket]()

    def go_on(self) -> None:
        for one in self._listening:
            with suppress(BlockingIOError):
                if one.type == socket.SOCK_STREAM:
                    self._theirs.append(one.accept()[0])
                    self._theirs[-1].setblocking(False)
                else:
                    with suppress(OSError):
                        data, sender = one.recvfrom(MOST)
                        one.sendto(data, sender)
        for one in self._theirs:
            with suppress(OSError):
                one.send(bytes(MOST) if one.getsockname()[1] == OTHER else one.recv(MOST))

    def close(self) -> None:
        for one in self._theirs:
            one.close()


class Talk:
    def __init__(self, ways: Sequence[Way], listening: Sequence[socket.socket], stack: ExitStack) -> None:
        self._ends = OtherEnds(listening)
        stack.callback(self._ends.close)
        self.all = [Conversation(kind, way) for way in ways for kind in TOLD]
        for one in self.all:
            stack.callback(one.socket.close)

    def until(self, attribute: str) -> list[tuple[str, str, int, int]]:
        """Those of which it is not true, at last."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and not all(getattr(one, attribute) for one in self.all):
            self._ends.go_on()
            for one in self.all:
                one.go_on()
            time.sleep(0.005)
        return [
            (one.way.title, one.kind, one.way.version, one.error) for one in self.all if not getattr(one, attribute)
        ]


def rejected(cast: Cast, direction: str, ways: Sequence[Way], listening: Sequence[socket.socket] = ()) -> None:
    cast.await_canary(ways, cast.say(direction, PASSES))
    with ExitStack() as stack:
        talk = Talk(ways, [*cast.listening, *listening], stack)
        assert talk.until("heard") == [], "they are established"
        cast.say(direction, REFUSES)
        assert talk.until("is_told") == [], "all are told"


@pytest.mark.parametrize("direction", ["ingress", "egress"])
@pytest.mark.parametrize("place", ["router port", "VM ports"])
def test_the_sender_gets_the_error(cast: Cast, place: str, direction: str) -> None:
    ports = cast.router_ports if place == "router port" else [cast.ports[end.name] for end in (cast.red1, cast.red2)]
    cast.close(*ports)
    rejected(cast, direction, cast.incoming if direction == "ingress" else cast.outgoing)


@pytest.fixture
def beyond(cast: Cast) -> Iterator[tuple[End, list[socket.socket]]]:
    """A VM on a network behind another router on red."""
    lab, cloud = cast.lab, cast.cloud
    red = cloud.find("ports", cast.ports[cast.red2.name])["network_id"]
    green = lab.network("10.52.0.0/24", "fd00:52::/64")
    router = make_router(lab, green)
    hop = cloud.create("ports", network_id=red)
    cloud.act("routers", router["id"], "add_router_interface", {"port_id": hop["id"]})
    far = [fixed["ip_address"] for fixed in hop["fixed_ips"]]
    near = [fixed["ip_address"] for id in cast.router_ports for fixed in cloud.find("ports", id)["fixed_ips"]]
    cast.route(*_routes(52, far))
    cloud.request("PUT", f"routers/{router['id']}", {"router": {"routes": _routes(50, near)}})
    machine = lab.add_vm("hv2", green)
    namespace = lab.layout.vm_namespace(machine.name)
    listening = [sockets.tcp(namespace, version, port) for version in (4, 6) for port in (TCP, OTHER)]
    listening += [sockets.udp(namespace, version, UDP) for version in (4, 6)]
    yield End("green", namespace, addresses_of(machine)), listening
    for one in listening:
        one.close()
    cast.route()


def _routes(number: int, hops: list[str]) -> list[dict[str, Any]]:
    return [
        {"destination": f"fd00:{number}::/64" if ":" in hop else f"10.{number}.0.0/24", "nexthop": hop} for hop in hops
    ]


@pytest.mark.parametrize("direction", ["ingress", "egress"])
def test_the_sender_behind_two_routers_gets_the_error(
    cast: Cast, beyond: tuple[End, list[socket.socket]], direction: str
) -> None:
    green, listening = beyond
    cast.guard(*cast.router_ports)
    frm, to = (cast.blue1, green) if direction == "ingress" else (green, cast.blue1)
    rejected(cast, direction, [Way("by two", frm, to, to.addresses[version]) for version in (4, 6)], listening)
