"""How much waits at packet sockets of an interface, as the kernel says it."""

import ctypes
import os
import socket
import struct
import tempfile
import time
from collections.abc import Iterator

import pytest
from tests.ovs.sandbox import own_network
from tests.unit.dataplane.stt.carried import IS_BUILT

from netweft.dataplane.stt import native
from netweft.lab.commands import run

pytestmark = pytest.mark.skipif(not IS_BUILT, reason="STT's library is not built")
MOST_WAIT_NS = 30_000_000
HEAD = "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n"
SAID = (
    "0000000000000000 3      3    0003   7     1 4608   0      3851\n"
    "0000000000000000 3      3    0003   17    1 90000  0      3852\n"
    "0000000000000000 3      3    0003   7     1 212736 0      3853\n"
    "0000000000000000 3      3    0000   0     0 0      0      3854\n"
)


class Queue(ctypes.Structure):
    _fields_ = (
        ("file", ctypes.c_int),
        ("interface", ctypes.c_int32),
        ("limit", ctypes.c_int),
        ("pace_ns", ctypes.c_uint32),
        ("waited_ns", ctypes.c_uint64),
        ("left", ctypes.c_int64),
    )


@pytest.mark.parametrize(
    ("text", "most"),
    [
        (HEAD + SAID, 212736),
        (HEAD, 0),
        ("", 0),
        (HEAD + "garbage\n\n\n7 7 7 7 7 7 7 7\n", 7),
        (HEAD + SAID.replace("7     1", "8     1"), 0),
    ],
)
def test_the_fullest_socket_on_the_interface_counts(text: str, most: int) -> None:
    read = native.library().stt_queue_read
    read.argtypes, read.restype = (ctypes.c_char_p, ctypes.c_int32), ctypes.c_uint32
    assert read(text.encode(), 7) == most


def wait(queue: Queue, length: int, packets: int) -> float:
    """Seconds."""
    began = time.monotonic()
    native.library().stt_queue_wait(ctypes.byref(queue), ctypes.c_uint32(length), ctypes.c_uint32(packets))
    return time.monotonic() - began


def test_what_does_not_get_smaller_is_not_waited_for_for_ever() -> None:
    """Nothing on the interface: there is room at once.  Everything is full: it ends, and the next one waits no more."""
    queue = Queue(os.open("/proc/thread-self/net/packet", os.O_RDONLY), 2**30, 200_000)
    take = native.library().stt_queue_take
    try:
        assert not take(ctypes.byref(queue), ctypes.c_uint32(60_000), ctypes.c_uint32(42))
        wait(queue, 60_000, 42)
        assert (queue.waited_ns, queue.left) == (0, 200_000 - 60_000 - 42 * 1536)
        assert not take(ctypes.byref(queue), ctypes.c_uint32(60_000), ctypes.c_uint32(42))
        assert take(ctypes.byref(queue), ctypes.c_uint32(1_000), ctypes.c_uint32(1))
    finally:
        os.close(queue.file)
    queue.file = os.open("/dev/null", os.O_RDONLY)  # nothing can be read: all has room
    try:
        wait(queue, 2**31, 2**16)
        assert queue.waited_ns == 0
    finally:
        os.close(queue.file)


def test_the_pace_is_learnt_and_stays_within_bounds() -> None:
    """Nothing is taken: each look is later than the one before, and an hour is not waited."""
    with tempfile.TemporaryFile() as file:
        file.write((HEAD + SAID).encode())
        file.flush()
        queue = Queue(file.fileno(), 7, 200_000, 8_000)
        wait(queue, 60_000, 42)
    assert 8_000 < queue.pace_ns <= 64_000
    assert queue.waited_ns >= MOST_WAIT_NS
    assert queue.left == 200_000 - 212_736 - 60_000 - 42 * 1536


@pytest.fixture
def lo() -> Iterator[None]:
    """Of a network namespace of its own: whatever listens on the machine's counts, too."""
    with own_network():
        run("ip", "link", "set", "lo", "up")
        yield


@pytest.mark.usefixtures("lo")
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_full_socket_is_waited_for_and_then_it_goes_on() -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88B5)) as receiver:
        receiver.bind(("lo", 0x88B5))
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
            sender.bind(("lo", 0x88B5))
            limit = receiver.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
            for _ in range(limit // 2000 + 1):
                sender.send(struct.pack("!12xH", 0x88B5) + bytes(1400))
        queue = Queue(os.open("/proc/thread-self/net/packet", os.O_RDONLY), socket.if_nametoindex("lo"), limit)
        try:
            wait(queue, 60_000, 42)
            assert queue.waited_ns >= MOST_WAIT_NS
            before = queue.waited_ns
            wait(queue, 60_000, 42)  # of the same batch
            assert queue.waited_ns == before
            receiver.setblocking(False)
            with pytest.raises(BlockingIOError):
                while True:
                    receiver.recv(2000)
            queue.waited_ns = 0
            wait(queue, 60_000, 42)
            assert queue.waited_ns == 0
        finally:
            os.close(queue.file)
