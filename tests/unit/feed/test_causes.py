"""Why a node is told something: which request's, and the spans from the change log to the node and back."""

from contextvars import copy_context
from typing import Any

from tests.unit.feed.conftest import Rig, receive
from tests.waiting import until

from netweft.model import PortState, PortStatus
from netweft.spans import recording
from netweft.spans.parents import parsed
from netweft.store.changelog import request
from netweft.testing.spans import KeptSpan, recorded
from netweft.wire import messages as wire
from netweft.wire.causes import MOST_CAUSES, Cause


def asked(rig: Rig, by: str, span: KeptSpan | None = None, **port: Any) -> None:
    """A port that a request makes."""

    def work() -> None:
        request.set(by)
        recording.current.set(span)
        rig.port(**port)

    copy_context().run(work)


async def heard(socket: Any, port: str) -> tuple[Cause, ...]:
    """With the news of that port."""
    causes: tuple[Cause, ...] = ()
    while True:
        message = await receive(socket)
        assert isinstance(message, wire.Delta)
        causes += message.causes
        if any(getattr(one, "id", "") == port for one in message.upserts):
            return causes


async def test_only_those_concerned_get_a_request(rig: Rig) -> None:
    rig.network("n1")
    rig.network("n2")
    one, two = await rig.raw("hv1"), await rig.raw("hv2")
    asked(rig, "req-1", id="p1", host="hv1")
    asked(rig, "req-2", id="p2", host="hv2", network="n2")
    assert await heard(one, "p1") == (Cause(request="req-1"),)
    assert await heard(two, "p2") == (Cause(request="req-2"),)


async def test_spans_from_the_change_to_the_node_and_back(rig: Rig) -> None:
    rig.network()
    socket, _ = await rig.raw("hv1"), await rig.raw("hv2")
    with recorded() as spans:
        above = spans.begin("above", None, "server", {}, None)
        asked(rig, "req-1", above, id="p1", host="hv1")
        (cause,) = await heard(socket, "p1")
        (feed,), (sent,) = spans.named("feed"), spans.named("send to node")
        assert above is not None
        assert (feed.parent, sent.parent) == (above.as_parent, feed.as_parent)
        assert (feed.attributes["netweft.nodes"], sent.attributes) == (1, {"netweft.node": "hv1"})
        assert cause == Cause(request="req-1", span=str(sent.as_parent), ids=("p1",))
        await until(lambda: bool(feed.ended and sent.ended))
        report = wire.Report(revision=1, ports=(PortStatus("p1", PortState.UP),), causes={"p1": cause})
        await socket.send(wire.encode(report))
        await until(lambda: any(span.ended for span in spans.named("write port status")))
        (written,) = spans.named("write port status")
        assert written.parent == parsed(cause.span)
        assert rig.row("ports", "p1")["status"] == "ACTIVE"


async def test_what_a_node_claims_of_spans_is_bounded(rig: Rig) -> None:
    """Nonsense, and more than there may be, comes to nothing; the report itself holds."""
    rig.network()
    socket = await rig.raw("hv1")
    rig.port("p1", "hv1")
    with recorded() as spans:
        sound = Cause(span=f"00-{1:032x}-{1:016x}-01")
        for causes in (
            {"p1": Cause(span="x" * 100_000)},
            {"p1": Cause(span="00-nonsense")},
            {f"p{at}": sound for at in range(1, MOST_CAUSES + 2)},
        ):
            status = PortStatus("p1", PortState.ERROR, str(len(spans.spans)))
            await socket.send(wire.encode(wire.Report(revision=1, ports=(status,), causes=causes)))
        await socket.send(wire.encode(wire.Report(revision=1, ports=(PortStatus("p1", PortState.UP),))))
        await until(lambda: rig.row("ports", "p1")["status"] == "ACTIVE")
        assert spans.named("write port status") == []


async def test_a_burst_says_no_more_than_fits(rig: Rig) -> None:
    rig.network()
    socket = await rig.raw("hv1")
    for at in range(3 * MOST_CAUSES):
        asked(rig, f"req-{at}", id=f"p{at}", host="hv1")
    causes: list[tuple[Cause, ...]] = []
    seen = 0
    while seen < 3 * MOST_CAUSES:
        message = await receive(socket)
        assert isinstance(message, wire.Delta)
        causes.append(message.causes)
        seen += sum(getattr(one, "id", "").startswith("p") for one in message.upserts)
    assert max(map(len, causes)) <= MOST_CAUSES
