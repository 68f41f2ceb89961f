"""Transmit checksum offload of an interface, by ioctl: netlink's ethtool family is missing from older kernels."""

import ctypes
import fcntl
import socket
import struct

_SIOCETHTOOL = 0x8946
_GET_TX_CHECKSUM, _SET_TX_CHECKSUM = 0x16, 0x17


class _Value(ctypes.Structure):
    _fields_ = (("command", ctypes.c_uint32), ("data", ctypes.c_uint32))


def tx_checksum(interface: str) -> bool:
    """Raises OSError."""
    return bool(_ioctl(interface, _GET_TX_CHECKSUM, 0))


def set_tx_checksum(interface: str, on: bool) -> None:
    """Raises OSError."""
    _ioctl(interface, _SET_TX_CHECKSUM, int(on))


def _ioctl(interface: str, command: int, data: int) -> int:
    value = _Value(command, data)
    request = struct.pack("16sP8x", interface.encode(), ctypes.addressof(value))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        fcntl.ioctl(handle, _SIOCETHTOOL, request)
    return int(value.data)
