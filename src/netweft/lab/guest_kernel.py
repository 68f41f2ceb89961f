"""A real machine's kernel, unpacked once where that can be: an emulated processor takes a second for it at each boot.

QEMU starts an unpacked one without a BIOS where the kernel says how (a note for Xen's PVH).  Where it does not, or the
program that unpacks it is not installed, the machine starts as others do.
"""

import functools
import os
import shutil
import struct
import subprocess
from contextlib import suppress
from pathlib import Path

from netweft.lab.guest_image import KERNEL

# by how the kernel's payload begins: Documentation/arch/x86/boot.rst
_UNPACK = {
    b"\x02!L\x18": ("lz4", "-dc"),
    b"\x28\xb5\x2f\xfd": ("zstd", "-dcq"),
    b"\xfd7zX": ("xz", "-dc"),
    b"\x1f\x8b\x08\x00": ("gzip", "-dc"),
}
_SECTORS, _PAYLOAD, _SECTOR = 0x1F1, 0x248, 512
_STARTS_WITHOUT_BIOS = tuple(struct.pack("<III4s", 4, size, 18, b"Xen") for size in (4, 8))


@functools.cache
def kernel(packed: Path = KERNEL) -> Path:
    """The one to start."""
    unpacked = packed.with_name("vmlinux")
    with suppress(OSError, struct.error):
        if unpacked.exists() and unpacked.stat().st_mtime >= packed.stat().st_mtime:
            return unpacked
        if found := _unpack(packed.read_bytes()):
            ours = unpacked.with_suffix(f".{os.getpid()}")
            ours.write_bytes(found)
            return ours.rename(unpacked)
    return packed


def _unpack(image: bytes) -> bytes:
    """Empty where it can't be started so."""
    start, length = struct.unpack_from("<II", image, _PAYLOAD)
    start += ((image[_SECTORS] or 4) + 1) * _SECTOR
    payload = image[start : start + length]
    command = _UNPACK.get(payload[:4])
    if not command or not shutil.which(command[0]):
        return b""
    # what follows is its size: programs may complain of that, and of nothing else
    found = subprocess.run(command, input=payload, capture_output=True, check=False).stdout
    (size,) = struct.unpack("<I", payload[-4:])
    whole = len(found) == size and any(note in found for note in _STARTS_WITHOUT_BIOS)
    return found if whole else b""
