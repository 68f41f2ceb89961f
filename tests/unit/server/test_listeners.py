"""Sockets: bound or refused in a sentence, all or none."""

import socket
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from netweft.listeners import UNIX_MODE, ListenError, bind


@pytest.fixture
def opened() -> Iterator[list[socket.socket]]:
    sockets: list[socket.socket] = []
    yield sockets
    for sock in sockets:
        sock.close()


def test_several_listeners_at_once(opened: list[socket.socket], tmp_path: Path) -> None:
    path = tmp_path / "api.sock"
    opened += bind(["127.0.0.1:0", "[::1]:0", f"unix:{path}"])
    assert [sock.family for sock in opened] == [socket.AF_INET, socket.AF_INET6, socket.AF_UNIX]
    assert stat.S_IMODE(path.stat().st_mode) == UNIX_MODE
    for sock in opened:
        with closing(socket.socket(sock.family)) as client:
            client.connect(sock.getsockname())


def test_a_port_in_use_is_named_and_nothing_stays_bound(opened: list[socket.socket], tmp_path: Path) -> None:
    opened += bind(["127.0.0.1:0"])
    taken = f"127.0.0.1:{opened[0].getsockname()[1]}"
    path = tmp_path / "api.sock"
    with pytest.raises(ListenError, match=f"cannot listen on {taken}: Address already in use"):
        bind([f"unix:{path}", taken])
    opened += bind([f"unix:{path}"])


def test_the_socket_of_a_killed_server_is_taken_over_and_that_of_a_living_one_is_not(
    opened: list[socket.socket], tmp_path: Path
) -> None:
    address = f"unix:{tmp_path / 'api.sock'}"
    bind([address])[0].close()
    opened += bind([address])
    with pytest.raises(ListenError, match="in use"):
        bind([address])


def test_a_file_that_is_not_a_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("data")
    with pytest.raises(ListenError, match="not a socket"):
        bind([f"unix:{path}"])
    assert path.read_text() == "data"


@pytest.mark.parametrize("address", ["unix:/no/such/folder/x", "127.0.0.1:99999", "no-such-host.invalid:1"])
def test_what_cannot_be_bound_is_said_in_one_line(address: str) -> None:
    with pytest.raises(ListenError) as caught:
        bind([address])
    assert address in str(caught.value)
    assert "\n" not in str(caught.value)
