"""The sockets of a carrier: packet sockets with offloads on the veth pair and on the underlay, and one that keeps the
kernel's TCP quiet."""

import ctypes
import ipaddress
import socket
import struct
from typing import Final

from netweft.dataplane.stt.values import PORT

_SOL_PACKET: Final = 263
_AUXDATA, _VNET_HDR, _IGNORE_OUTGOING = 8, 15, 23
_SO_ATTACH_FILTER, _SO_RCVBUFFORCE, _SO_SNDBUFFORCE = 26, 33, 32
_ETH_P_ALL, _ETH_P_IP, _ETH_P_IPV6 = 0x0003, 0x0800, 0x86DD
_BUFFER: Final = 32 * 2**20  # bytes that wait while a loop does not run
_LOOK: Final = struct.pack("ll", 0, 200_000)  # so often a loop sees whether it is to end
# classic BPF: whole IPv4 packets of TCP to the port; those of IPv6 without extension headers
_IPV4: Final = (
    *((0x30, 0, 0, 23), (0x15, 0, 6, 6), (0x28, 0, 0, 20), (0x45, 4, 0, 0x3FFF)),
    *((0xB1, 0, 0, 14), (0x48, 0, 0, 16), (0x15, 0, 1, PORT), (0x06, 0, 0, 0x40000), (0x06, 0, 0, 0)),
)
_IPV6: Final = (
    *((0x30, 0, 0, 20), (0x15, 0, 3, 6), (0x28, 0, 0, 56), (0x15, 0, 1, PORT)),
    *((0x06, 0, 0, 0x40000), (0x06, 0, 0, 0)),
)
_NOTHING: Final = ((0x06, 0, 0, 0),)


def receiving(interface: str) -> socket.socket:
    """All that comes in at the veth pair's end.  Raises OSError."""
    return _packets(interface, _ETH_P_ALL, receives=True)


def receiving_stt(interface: str, own: str) -> socket.socket:
    """Raises OSError."""
    six = ipaddress.ip_address(own).version == 6
    return _packets(interface, _ETH_P_IPV6 if six else _ETH_P_IP, receives=True, program=_IPV6 if six else _IPV4)


def sending(interface: str = "") -> socket.socket:
    """It receives nothing.  Raises OSError."""
    return _packets(interface, 0, receives=False)


def _packets(
    interface: str, protocol: int, *, receives: bool, program: tuple[tuple[int, int, int, int], ...] = ()
) -> socket.socket:
    found = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    try:
        found.setsockopt(_SOL_PACKET, _VNET_HDR, 1)
        if program:
            _attach(found, program)
        if receives:
            found.setsockopt(_SOL_PACKET, _AUXDATA, 1)
            found.setsockopt(_SOL_PACKET, _IGNORE_OUTGOING, 1)
            found.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
            found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _LOOK)
        else:
            found.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, _BUFFER)
            found.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _LOOK)
        if interface:
            found.bind((interface, protocol))
    except OSError:
        found.close()
        raise
    return found


def quiet(own: str) -> socket.socket:
    """It listens and takes nothing: what comes for the port is dropped there, and never answered with RST."""
    family = socket.AF_INET6 if ipaddress.ip_address(own).version == 6 else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_IP, 15, 1)  # IP_FREEBIND: the address may come later
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        _attach(found, _NOTHING)
        found.bind((own, PORT))
        found.listen(1)
    except OSError:
        found.close()
        raise
    return found


def _attach(to: socket.socket, program: tuple[tuple[int, int, int, int], ...]) -> None:
    code = b"".join(struct.pack("HBBI", *one) for one in program)
    buffer = ctypes.create_string_buffer(code)
    to.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HL", len(program), ctypes.addressof(buffer)))
