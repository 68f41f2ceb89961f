"""A kernel is unpacked once, and only where QEMU can start it so."""

import gzip
import os
import struct
from pathlib import Path

import pytest

from netweft.lab.guest_kernel import kernel

PVH = struct.pack("<III4s", 4, 8, 18, b"Xen")


def bz_image(content: bytes) -> bytes:
    packed = gzip.compress(content)
    packed = packed[:3] + b"\0" + packed[4:] + struct.pack("<I", len(content))
    setup = bytearray(2 * 512)
    setup[0x1F1] = 1
    struct.pack_into("<II", setup, 0x248, 16, len(packed))
    return bytes(setup) + bytes(16) + packed


@pytest.fixture(autouse=True)
def _anew() -> None:
    kernel.cache_clear()


def test_it_is_unpacked_once_and_anew_when_there_is_a_newer_one(tmp_path: Path) -> None:
    packed = tmp_path / "vmlinuz"
    for content in (b"ELF one" + PVH, b"ELF another" + PVH):
        packed.write_bytes(bz_image(content))
        kernel.cache_clear()
        found = kernel(packed)
        assert found.read_bytes() == content
        os.utime(packed, (found.stat().st_mtime - 10,) * 2)
        kernel.cache_clear()
        before = found.stat().st_ino
        assert kernel(packed).stat().st_ino == before
        os.utime(found, (1, 1))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["vmlinux", "vmlinuz"]


@pytest.mark.parametrize(
    "image",
    [b"", b"no kernel at all" * 100, bz_image(b"ELF, which needs a BIOS"), bz_image(b"ELF" + PVH)[:-40]],
    ids=["empty", "nonsense", "it needs a BIOS", "half of it"],
)
def test_another_is_started_as_it_is(tmp_path: Path, image: bytes) -> None:
    packed = tmp_path / "vmlinuz"
    packed.write_bytes(image)
    assert kernel(packed) == packed
    assert list(tmp_path.iterdir()) == [packed]
