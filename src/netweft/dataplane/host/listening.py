"""What comes in by an interface: of a VM behind it, its ARP and neighbour solicitations, and what it sends to one
address; of a wire, who answers for an address.  Changes nothing.

The kernel hands over these frames only, and so many in all, so that a busy or a hostile VM costs little."""

import asyncio
import contextlib
import ctypes
import socket
import struct
from ipaddress import IPv4Address
from typing import Final, NamedTuple

from netweft.dataplane.packets.datagram import IpAddress

MOST: Final = 256  # frames in all
SNAP: Final = 9216  # bytes of a frame
_ETH_P_ALL, _SO_ATTACH_FILTER = 0x0003, 26
_LOAD, _LOAD_HALF, _LOAD_BYTE, _EQUAL, _RETURN = 0x20, 0x28, 0x30, 0x15, 0x06  # BPF, relative to the frame's begin
_PACKET_TYPE, _OUTGOING = 0xFFFFF004, 4  # what the host itself sends out by the interface
_REPLY: Final = 2
_ARP, _IPV4, _IPV6, _ICMPV6, _SOLICIT = 0x0806, 0x0800, 0x86DD, 58, 135
ACCEPT, DROP = "accept", "drop"


class Comparison(NamedTuple):
    """One comparison: what is loaded, and where it goes on: the next, or a label."""

    load: int
    at: int
    value: int
    then: str = ""
    otherwise: str = DROP
    label: str = ""


class Listener:
    """A context manager.  frames: as they came."""

    def __init__(self, interface: str, wanted: "list[Comparison]") -> None:
        self._interface, self._wanted = interface, wanted
        self.frames: list[bytes] = []
        self._more = asyncio.Event()
        self._socket: socket.socket | None = None

    def __enter__(self) -> "Listener":
        """Raises OSError: there is no such interface here, or it is not allowed."""
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        try:
            attach(raw, self._wanted)
            raw.setblocking(False)
            raw.bind((self._interface, _ETH_P_ALL))
        except BaseException:
            raw.close()
            raise
        self._socket = raw
        asyncio.get_running_loop().add_reader(raw, self._read)
        return self

    def __exit__(self, *_: object) -> None:
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    def say(self, frame: bytes) -> None:
        """Out by the interface.  Raises OSError."""
        assert self._socket is not None
        self._socket.send(frame)

    async def next(self) -> None:
        """There are more frames than at the last call."""
        await self._more.wait()
        self._more.clear()

    def _read(self) -> None:
        assert self._socket is not None
        with contextlib.suppress(BlockingIOError, OSError):
            for _ in range(64):  # others have their turn
                if len(self.frames) >= MOST:
                    asyncio.get_running_loop().remove_reader(self._socket)
                    return
                self.frames.append(self._socket.recv(SNAP))
                self._more.set()


def answers(mac: bytes, address: IPv4Address) -> list[Comparison]:
    """ARP replies to this MAC that somebody has the address."""
    high, low = int.from_bytes(mac[:4], "big"), int.from_bytes(mac[4:], "big")
    return [
        Comparison(_LOAD, _PACKET_TYPE, _OUTGOING, DROP, ""),
        *(Comparison(_LOAD, 0, high), Comparison(_LOAD_HALF, 4, low), Comparison(_LOAD_HALF, 12, _ARP)),
        *(Comparison(_LOAD_HALF, 20, _REPLY), Comparison(_LOAD, 28, int(address), ACCEPT)),
    ]


def sent_to(other: IpAddress) -> list[Comparison]:
    """Of a VM: to that address; and all of its ARP and ND requests."""
    begin = [Comparison(_LOAD, _PACKET_TYPE, _OUTGOING, DROP, ""), Comparison(_LOAD_HALF, 12, _ARP, ACCEPT, "")]
    words = struct.unpack(f"!{len(other.packed) // 4}I", other.packed)
    if other.version == 4:
        return [*begin, Comparison(_LOAD_HALF, 12, _IPV4), Comparison(_LOAD, 30, words[0], ACCEPT)]
    to_it = [Comparison(_LOAD, 38 + 4 * number, word, "", "solicits") for number, word in enumerate(words[:-1])]
    return [
        *(*begin, Comparison(_LOAD_HALF, 12, _IPV6), *to_it, Comparison(_LOAD, 50, words[-1], ACCEPT, "solicits")),
        *(Comparison(_LOAD_BYTE, 20, _ICMPV6, label="solicits"), Comparison(_LOAD_BYTE, 54, _SOLICIT, ACCEPT)),
    ]


def attach(raw: socket.socket, comparing: list[Comparison]) -> None:
    """Two instructions each; then the two ends.  Raises OSError."""
    size = 2 * len(comparing)
    places = {one.label: 2 * number for number, one in enumerate(comparing) if one.label}
    places |= {ACCEPT: size, DROP: size + 1}

    def far(label: str, at: int) -> int:
        return places[label] - at - 1 if label else 0

    program = []
    for number, one in enumerate(comparing):
        jump = 2 * number + 1
        program.append((one.load, 0, 0, one.at))
        program.append((_EQUAL, far(one.then, jump), far(one.otherwise, jump), one.value))
    program += [(_RETURN, 0, 0, SNAP), (_RETURN, 0, 0, 0)]
    code = b"".join(struct.pack("HBBI", *one) for one in program)
    buffer = ctypes.create_string_buffer(code)
    raw.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HL", len(program), ctypes.addressof(buffer)))
