"""One OpenFlow 1.5 session with one bridge, over its unix socket `<run_dir>/<bridge>.mgmt`.

Requests and their answers.  It keeps no flows, knows no cookie and never reconnects: that is the caller's loop.
"""

import asyncio
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from netweft.dataplane.openflow import conntrack, messages, meters
from netweft.dataplane.openflow.conntrack import Connections
from netweft.dataplane.openflow.errors import ConnectionLost, FlowRejected, OpenFlowError, ProtocolError, Rejected
from netweft.dataplane.openflow.flow import Action, Flow, FlowKey
from netweft.dataplane.openflow.messages import Bundle, Count, Decoded, FlowChange, PacketIn, Type
from netweft.dataplane.openflow.meters import DropMeter, MeterCommand
from netweft.dataplane.openflow.reasons import reason
from netweft.dataplane.openflow.session import NOBODY, REPLY_SECONDS, Session

SECONDS_A_MESSAGE = 0.01  # vswitchd takes 50 a turn, and with 1,000 ports on a busy machine a turn may take 0.1 s
MESSAGES_AT_ONCE = 500  # of a bundle: vswitchd reads these while we write the next
MOST_OF_A_FRAME = 65_000  # 16 bits say how long a message is, with its actions
_MONITOR_ID = 1


class OpenFlowConnection:
    """Made by `connect`.  Every method raises ConnectionLost once the switch is gone, and Rejected if it says no."""

    def __init__(self, session: Session, datapath_id: int) -> None:
        self.datapath_id = datapath_id
        self._session = session
        self._bundles = itertools.count(1)
        self._one_bundle = asyncio.Lock()
        self._meters: dict[bytes, tuple[DropMeter, ...]] = {}  # as they were told last

    @classmethod
    async def connect(cls, socket: Path | str, *, timeout: float = 5.0) -> "OpenFlowConnection":
        """Connect, agree on the version, ask for the features.  Raises ConnectionLost."""
        session = Session()
        try:
            async with asyncio.timeout(timeout):
                await asyncio.get_running_loop().create_unix_connection(lambda: session, str(socket))
                xid = session.next_xid()
                (features,) = await session.request(messages.message(Type.FEATURES_REQUEST, xid), xid)
                return cls(session, messages.decode_features(features))
        except (OSError, TimeoutError, OpenFlowError) as error:
            lost = ConnectionLost(f"{socket}: {str(error) or 'no answer'}")
            session.abort(lost)
            raise lost from None

    async def dump_flows(self, cookie: int = 0, cookie_mask: int = 0) -> list[Flow]:
        """All flows of all tables whose cookie equals `cookie` in the bits of `cookie_mask`."""
        xid = self._session.next_xid()
        parts = await self._session.request(messages.dump_request(cookie, cookie_mask, xid), xid)
        decoded = Decoded({}, {})
        try:
            return [flow for part in parts for flow in messages.decode_flows(part, 0, decoded)]
        except ProtocolError as error:
            self._session.abort(error)
            raise

    async def count(self, table: int, cookie: int, cookie_mask: int) -> list[Count]:
        """What these flows of a table have counted, as far as the switch knows by now: it reads its datapath about once
        a second."""
        xid = self._session.next_xid()
        parts = await self._session.request(messages.dump_request(cookie, cookie_mask, xid, table), xid)
        try:
            return [count for part in parts for count in messages.decode_counts(part, 0)]
        except ProtocolError as error:
            self._session.abort(error)
            raise

    async def count_flows(self, table: int, cookie: int, cookie_mask: int) -> list[tuple[Flow, Count]]:
        """The same, with what each of them does."""
        xid = self._session.next_xid()
        parts = await self._session.request(messages.dump_request(cookie, cookie_mask, xid, table), xid)
        try:
            pairs = (
                zip(messages.decode_flows(part, 0), messages.decode_counts(part, 0), strict=True) for part in parts
            )
            return [pair for part in pairs for pair in part]
        except ProtocolError as error:
            self._session.abort(error)
            raise

    async def apply(
        self, adds: Sequence[Flow], deletes: Iterable[FlowKey] = (), *, clear: tuple[int, int] | None = None
    ) -> None:
        """One atomic, ordered bundle: all of it is done when this returns, or nothing (FlowRejected names the flow).

        An add whose key is there already replaces actions and cookie without a gap.
        clear: cookie and mask of flows that go before the others come."""
        items: list[Flow | FlowKey] = [*adds, *deletes]
        async with self._one_bundle:
            bundle = next(self._bundles)
            self._session.refusals.clear()
            xids: dict[int, int] = {}
            patience = REPLY_SECONDS + len(items) * SECONDS_A_MESSAGE
            frames: list[bytes] = []
            try:
                for frame in self._frames(bundle, items, clear, xids):
                    frames.append(frame)
                    if len(frames) == MESSAGES_AT_ONCE:
                        self._session.send(b"".join(frames))
                        frames.clear()
                        await asyncio.sleep(0)
                await self._step(Bundle.CLOSE, bundle, b"".join(frames), patience)
                if not self._session.refusals:
                    await self._step(Bundle.COMMIT, bundle)
                    return
                await self._step(Bundle.DISCARD, bundle)
            except Rejected as error:
                raise self._blame(xids, items) or error from None
            raise self._blame(xids, items) or Rejected(0, 0, "the bundle was refused")

    async def max_meters(self) -> int:
        """How many meters the bridge can have; 0: its datapath has none."""
        xid = self._session.next_xid()
        (features,) = await self._session.request(meters.features_request(xid), xid)
        return meters.decode_features(features)

    async def dump_meters(self) -> list[DropMeter]:
        xid = self._session.next_xid()
        parts = await self._session.request(meters.dump_request(xid), xid)
        # they are looked at again and again, and seldom change
        self._meters = {part: self._meters.get(part) or tuple(meters.decode_meters(part)) for part in parts}
        return [meter for some in self._meters.values() for meter in some]

    async def dropped_by(self, meter: int) -> int:
        """Packets, ever.  Raises Rejected where there is no such meter."""
        xid = self._session.next_xid()
        parts = await self._session.request(meters.counts_request(meter, xid), xid)
        return sum(map(meters.decode_dropped, parts))

    async def change_meters(self, commands: Sequence[tuple[MeterCommand, DropMeter]]) -> None:
        """One after the other, in no bundle: Open vSwitch takes meters into none.  Raises Rejected for the first that
        is refused; the others are done."""
        async with self._one_bundle:
            self._session.refusals.clear()
            xids = {self._session.next_xid(): command for command in commands}
            self._session.send(b"".join(meters.meter_mod(*command, xid) for xid, command in xids.items()))
            await self.barrier()
            for refusal in self._session.refusals:
                if refusal.xid in xids:
                    verb, meter = xids[refusal.xid]
                    why = f"{reason(refusal.kind, refusal.code)}: {verb.name.lower()} {meter}"
                    raise Rejected(refusal.kind, refusal.code, why)

    async def send_packet(self, frame: bytes, actions: tuple[Action, ...]) -> None:
        """A frame of our own through these actions; returns when the switch has done them."""
        await self.send_packets([(frame, actions)])

    async def send_packets(self, packets: Iterable[tuple[bytes, tuple[Action, ...]]]) -> None:
        """Several, in this order."""
        for frame, actions in packets:
            self._session.send(messages.packet_out(frame, actions, self._session.next_xid()))
        await self.barrier()

    def send_packet_soon(self, frame: bytes, actions: tuple[Action, ...]) -> None:
        """The same without waiting, and without an answer.  One that is too long for a message is not
        sent."""
        if len(frame) <= MOST_OF_A_FRAME:
            self._session.send(messages.packet_out(frame, actions, NOBODY))

    async def watch_packets(self, controller_id: int, callback: Callable[[PacketIn], None]) -> None:
        """From now on call back for each frame that a flow sends to this controller id."""
        self._session.on_packet = lambda body: callback(messages.decode_packet_in(body))
        self._session.send(b"".join(messages.take_packets(controller_id, self._session.next_xid())))
        await self.barrier()

    async def shows_first_fragments(self) -> bool:
        """Whether flows see the ports of first fragments."""
        xid = self._session.next_xid()
        (config,) = await self._session.request(messages.message(Type.GET_CONFIG_REQUEST, xid), xid)
        return messages.shows_first_fragments(config)

    async def show_first_fragments(self) -> None:
        """When this returns they do, for everybody, until somebody says otherwise."""
        self._session.send(messages.show_first_fragments(self._session.next_xid()))
        await self.barrier()

    async def barrier(self) -> None:
        """Returns when everything sent before has been done."""
        xid = self._session.next_xid()
        await self._session.request(messages.message(Type.BARRIER_REQUEST, xid), xid)

    async def flush_zones(self, zones: Iterable[int]) -> None:
        """When this returns the connections of these conntrack zones are forgotten."""
        self._session.send(b"".join(conntrack.flush_zone(zone, self._session.next_xid()) for zone in zones))
        await self.barrier()

    async def end_connections(self, which: Iterable[Connections]) -> None:
        """When this returns these are forgotten.  Raises Rejected for the first that the switch would not."""
        async with self._one_bundle:
            self._session.refusals.clear()
            xids = {self._session.next_xid(): each for each in which}
            self._session.send(b"".join(conntrack.flush(each, xid) for xid, each in xids.items()))
            await self.barrier()
            for refusal in self._session.refusals:
                if refusal.xid in xids:
                    why = f"{reason(refusal.kind, refusal.code)}: forget {xids[refusal.xid]}"
                    raise Rejected(refusal.kind, refusal.code, why)

    async def watch_flows(self, callback: Callable[[FlowChange], None]) -> None:
        """From now on call back for each flow that anybody but this connection adds, changes or deletes."""
        watching = self._session.on_update is not None
        self._session.on_update = lambda body: self._updated(callback, body)
        if not watching:
            xid = self._session.next_xid()
            await self._session.request(messages.monitor_request(_MONITOR_ID, xid), xid)

    async def wait_closed(self) -> ConnectionLost:
        """Returns the reason when the connection is gone."""
        return await asyncio.shield(self._session.lost)

    async def close(self) -> None:
        self._session.abort(ConnectionLost("closed by us"))

    def _frames(
        self, bundle: int, items: Sequence[Flow | FlowKey], clear: tuple[int, int] | None, xids: dict[int, int]
    ) -> Iterator[bytes]:
        """The messages that fill a bundle.  xids: gets which item each xid stands for."""
        yield messages.bundle_control(Bundle.OPEN, bundle, self._session.next_xid())
        if clear is not None:
            xid = self._session.next_xid()
            yield messages.bundle_add(messages.delete_flows(*clear, xid), bundle, xid)
        for index, item in enumerate(items):
            xid = self._session.next_xid()
            xids[xid] = index
            inner = messages.add_flow(item, xid) if isinstance(item, Flow) else messages.delete_flow(item, xid)
            yield messages.bundle_add(inner, bundle, xid)

    async def _step(self, step: Bundle, bundle: int, before: bytes = b"", seconds: float = REPLY_SECONDS) -> None:
        xid = self._session.next_xid()
        await self._session.request(before + messages.bundle_control(step, bundle, xid), xid, seconds)

    def _blame(self, xids: dict[int, int], items: Sequence[Flow | FlowKey]) -> FlowRejected | None:
        for refusal in self._session.refusals:
            if refusal.xid in xids:
                why = reason(refusal.kind, refusal.code)
                return FlowRejected(refusal.kind, refusal.code, why, items[xids[refusal.xid]])
        return None

    def _updated(self, callback: Callable[[FlowChange], None], body: bytes) -> None:
        for change in messages.decode_changes(body, 0):
            callback(change)
