"""The carrier: a process that outlives the agent, so that an agent's restart loses no frame.

    python -m netweft.dataplane.stt.carrier FOLDER SETTINGS

Two threads in C carry frames, each its way.  This one listens in FOLDER for what the agent says (networks, peers),
reads from the kernel how peers are reached, and opens sockets again when an interface was made anew.
"""

import ctypes
import os
import select
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from netweft.dataplane.stt import native, sockets
from netweft.dataplane.stt.next_hops import NextHop, NextHops, other_end
from netweft.dataplane.stt.talk import SOCKET, Answer, Question
from netweft.dataplane.stt.values import CARRIED, SttSettings, SttTables

MOST_BYTES: Final = 32 * 2**20  # of frames that wait for the rest of them
EXPIRE_MS: Final = 1000
LOOK_SECONDS: Final = 0.25  # between looks at the kernel's neighbours
LONG_SECONDS: Final = 1.0  # where all are known
_MOST_QUESTION: Final = 4 * 2**20


class Loops:
    """Both directions, on sockets of their own."""

    def __init__(self, carrier: "Carrier", underlay: str) -> None:
        self._open: list[socket.socket] = []
        self._links: list[Any] = []
        self._threads: list[threading.Thread] = []
        self.ended = False
        library = carrier.library
        try:
            to_peers = self._link(carrier, sockets.receiving(CARRIED), sockets.sending())
            from_peers = self._link(
                carrier, sockets.sending(CARRIED), sockets.receiving_stt(underlay, carrier.settings.own)
            )
        except OSError:
            self.close()
            raise
        for loop, link in ((library.stt_to_peers, to_peers), (library.stt_from_peers, from_peers)):
            thread = threading.Thread(target=self._run, args=(loop, link), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _link(self, carrier: "Carrier", inner: socket.socket, outer: socket.socket) -> Any:
        self._open += [inner, outer]
        link = native.Link(
            inner=inner.fileno(),
            outer=outer.fileno(),
            tables=carrier.tables.pointer,
            counters=ctypes.pointer(carrier.counters),
            own=native.address(carrier.settings.own),
            dscp=carrier.settings.dscp,
            most_bytes=MOST_BYTES,
            expire_ms=EXPIRE_MS,
            overlay=other_end(CARRIED),
        )
        self._links.append(link)
        return link

    def _run(self, loop: Any, link: Any) -> None:
        loop(ctypes.byref(link))
        self.ended = True

    def close(self) -> None:
        for link in self._links:
            link.stop = 1
        for thread in self._threads:
            thread.join()
        for one in self._open:
            one.close()


class Carrier:
    """Raises NotBuilt."""

    def __init__(self, folder: Path, settings: SttSettings) -> None:
        self.settings = settings
        self.library = native.library()
        self.tables = native.Tables(self.library)
        self.counters = native.Counters()
        self._folder = folder
        self._told = SttTables()
        self._next_hops = NextHops(settings.own)
        self._found: dict[str, NextHop] = {}
        self._loops: Loops | None = None
        self._interfaces: tuple[int, ...] = ()
        self._own_interface = 0
        self._quiet: socket.socket | None = None
        self._problem = ""

    def run(self) -> None:
        """For ever."""
        listener = self._listen()
        due = 0.0
        while True:
            now = time.monotonic()
            if now >= due:
                self._look()
                known = len(self._found) == len(self._told.peers) and not self._problem
                due = now + (LONG_SECONDS if known else LOOK_SECONDS)
            if select.select([listener], (), (), max(0.0, due - time.monotonic()))[0] and self._answer(listener):
                due = 0.0

    def _listen(self) -> socket.socket:
        """Its name stands in the folder once it is ready."""
        draft, final = self._folder / f"{SOCKET}.{os.getpid()}", self._folder / SOCKET
        draft.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(draft))
        draft.chmod(0o600)
        listener.listen(8)
        draft.replace(final)
        return listener

    def _answer(self, listener: socket.socket) -> bool:
        """Whether there is something new to be looked at."""
        with suppress(OSError, msgspec.MsgspecError):
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(1.0)
                question = _read(connection)
                is_new = question.tables is not None and question.tables != self._told
                if question.tables is not None and is_new:
                    self._told = question.tables
                    self._found = {}
                    self._look_for_peers()
                connection.sendall(msgspec.json.encode(self._say()))
                return is_new
        return False

    def _say(self) -> Answer:
        unknown = [peer.address for peer in self._told.peers if peer.address not in self._found]
        return Answer(os.getpid(), self.settings, self._told, self.counters.values(), unknown, self._problem)

    def _look(self) -> None:
        try:
            self._keep_quiet()
            self._keep_loops()
            self._problem = ""
        except OSError as error:
            self._problem = f"{CARRIED} or {self.settings.own}: {error.strerror}"
        with suppress(OSError):
            self._look_for_peers()

    def _look_for_peers(self) -> None:
        found = self._next_hops.find(peer.address for peer in self._told.peers)
        if found == self._found and found:
            return
        self._found = found
        self.tables.put(self._told.networks, (self._peer(peer.address, peer.tag) for peer in self._told.peers))

    def _peer(self, address: str, tag: int) -> native.Peer:
        peer = native.Peer(address=native.address(address), own=native.address(self.settings.own), tag=tag)
        if hop := self._found.get(address):
            peer.mac[:], peer.own_mac[:] = hop.mac, hop.own_mac
            peer.interface, peer.mtu = self._wire(hop.interface), min(hop.mtu, 65535)
        return peer

    def _wire(self, interface: int) -> int:
        """Past the bridge that has the address, and its switch."""
        if not self.settings.wire or interface != self._own_interface:
            return interface
        return socket.if_nametoindex(self.settings.wire)

    def _keep_quiet(self) -> None:
        if self._quiet is None:
            self._quiet = sockets.quiet(self.settings.own)

    def _keep_loops(self) -> None:
        """Raises OSError where an interface is not there, or not yet."""
        holder = self._next_hops.interface_of_own()
        self._own_interface = socket.if_nametoindex(holder)
        underlay = self.settings.wire or holder
        now = (socket.if_nametoindex(CARRIED), socket.if_nametoindex(underlay))
        if self._loops is not None and (self._loops.ended or now != self._interfaces):
            self._loops.close()
            self._loops = None
        if self._loops is None:
            self._loops = Loops(self, underlay)
            self._interfaces = now
            self._found = {}  # peers may be reached by another one now


def _read(connection: socket.socket) -> Question:
    """Raises OSError, MsgspecError."""
    said = b""
    while more := connection.recv(65536):
        said += more
        if len(said) > _MOST_QUESTION:
            raise OSError("too long")
    return msgspec.json.decode(said, type=Question)


def main() -> None:
    folder, settings = sys.argv[1:3]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: the agent's, not ours
    try:
        Carrier(Path(folder), msgspec.json.decode(settings, type=SttSettings)).run()
    except native.NotBuilt as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
