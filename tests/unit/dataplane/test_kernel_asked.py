"""What the kernel answers to netlink of what it was built with."""

import struct

import pytest

from netweft.dataplane.host import datapath

MISSING, FORBIDDEN = -22, -1
ERROR, STATISTICS = 2, 0x105


def answer(kind: int, *, error: int = 0) -> bytes:
    return struct.pack("=IHHIIi", 36, kind, 0, 1, 7, error) + bytes(16)


@pytest.mark.parametrize(
    ("said", "can"),
    [
        (answer(STATISTICS), True),
        (answer(ERROR, error=MISSING), False),
        (answer(ERROR, error=FORBIDDEN), True),
        (b"", True),
    ],
)
def test_connections_can_be_ended(monkeypatch: pytest.MonkeyPatch, said: bytes, *, can: bool) -> None:
    monkeypatch.setattr(datapath, "_ask", lambda *_: said)
    assert datapath.kernel_ends_connections() is can


@pytest.mark.parametrize(("said", "can"), [(answer(16), True), (answer(ERROR, error=-2), False), (b"", False)])
def test_zones_have_limits(monkeypatch: pytest.MonkeyPatch, said: bytes, *, can: bool) -> None:
    def ask(family: int, kind: int, body: bytes) -> bytes:
        assert b"ovs_ct_limit\0" in body
        return said

    monkeypatch.setattr(datapath, "_ask", ask)
    assert datapath.kernel_limits_zones() is can
