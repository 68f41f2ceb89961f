"""The network namespace of an instance, held by its process alone: it goes when that goes, and its veth with it.

Blocking.  What is done inside is done in a thread of its own, which enters the namespace and ends there: no other
thread of this process ever leaves its own.
"""

import ctypes
import errno
import os
import socket
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from threading import Thread
from typing import Final, TypeVar

from netweft.dataplane.haproxy.values import Nic
from netweft.dataplane.host import ethtool, rtnetlink
from netweft.dataplane.host.errors import HostError
from netweft.dataplane.host.rtnetlink import Kernel

T = TypeVar("T")
INSIDE: Final = "eth0"
ALIAS: Final = "netweft-proxy"  # on the end outside
_CLONE_NEWNET: Final = 0x40000000
_LOOPBACK: Final = "lo"
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


def is_apart(pid: int) -> bool:
    """Whether this process is in another namespace than ours."""
    try:
        return Path(f"/proc/{pid}/ns/net").stat().st_ino != Path("/proc/self/ns/net").stat().st_ino
    except OSError:
        return False


def ensure(pid: int, outside: str, nic: Nic) -> None:
    """The process's namespace, wired as `nic` says to a veth of this name in ours.  Raises HostError."""
    if not is_apart(pid):
        raise HostError(f"{outside}: process {pid} is in no namespace of its own")
    try:
        with Kernel() as here:
            _ensure_veth(here, pid, outside, nic)
            inside(pid, lambda: _ensure_inside(nic))
            here.ask(rtnetlink.link(name=outside, alias=ALIAS, mtu=nic.mtu))
        if ethtool.tx_checksum(outside):
            ethtool.set_tx_checksum(outside, False)
    except OSError as error:
        raise HostError(f"{outside}: {error.strerror or error}") from error


def remove(outside: str) -> None:
    """Raises HostError."""
    index = _index(outside)
    if index is None:
        return
    try:
        with Kernel() as here:
            here.ask(rtnetlink.no_link(index))
    except OSError as error:
        if error.errno != errno.ENODEV:
            raise HostError(f"{outside}: {error.strerror}") from error


def apart(work: Callable[[], T]) -> T:
    """Work done in a network namespace that is made for it; who is started there stays there.  Raises OSError."""
    return _in_thread(_leave, work)


def inside(pid: int, work: Callable[[], T]) -> T:
    """Work done in this process's network namespace.  Raises OSError."""
    return _in_thread(lambda: _enter(pid), work)


def _in_thread(begin: Callable[[], None], work: Callable[[], T]) -> T:
    done: Future[T] = Future()

    def run() -> None:
        try:
            begin()
            done.set_result(work())
        except BaseException as error:
            done.set_exception(error)

    thread = Thread(target=run, name="inside a namespace")
    thread.start()
    thread.join()
    return done.result()


def _leave() -> None:
    """This thread, for a new one.  Raises OSError."""
    if _LIBC.unshare(_CLONE_NEWNET):
        raise _problem()


def _enter(pid: int) -> None:
    """This thread.  Raises OSError."""
    handle = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _LIBC.setns(handle, _CLONE_NEWNET):
            raise _problem()
    finally:
        os.close(handle)


def _problem() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))


def _ensure_veth(here: Kernel, pid: int, outside: str, nic: Nic) -> None:
    """One that is left of an instance before this one goes first: its other end is not in this namespace."""
    index = _index(outside)
    if index is not None:
        if inside(pid, lambda: _index(INSIDE)) is not None:
            return
        with suppress(OSError):
            here.ask(rtnetlink.no_link(index))
    here.ask(rtnetlink.veth(outside, nic.mtu, INSIDE, nic.mac, pid))


def _ensure_inside(nic: Nic) -> None:
    _quiet()
    index = socket.if_nametoindex(INSIDE)
    wanted = {(ip_address(ip), length) for ip, length in nic.addresses}
    with Kernel() as there:
        gone = [(ip, length) for ip, length in there.addresses(index) - wanted if not ip.is_link_local]
        there.ask(
            rtnetlink.link(name=_LOOPBACK),
            rtnetlink.link(index, mac=nic.mac, mtu=nic.mtu),
            *(rtnetlink.no_address(index, ip, length) for ip, length in gone),
            *(rtnetlink.address(index, ip, length) for ip, length in sorted(wanted, key=str)),
            *(rtnetlink.default_route(index, ip_address(gateway)) for gateway in nic.gateways),
        )
    if ethtool.tx_checksum(INSIDE):
        ethtool.set_tx_checksum(INSIDE, False)


def _quiet() -> None:
    """Nothing comes of itself: no address, no route that somebody advertises."""
    for scope in ("default", "all"):
        for name, value in (("accept_ra", "0"), ("accept_redirects", "0"), ("autoconf", "0"), ("forwarding", "0")):
            with suppress(OSError):
                Path(f"/proc/sys/net/ipv6/conf/{scope}/{name}").write_text(value)
    for name, value in (("ip_local_port_range", "1024 65535"), ("tcp_tw_reuse", "1")):
        with suppress(OSError):
            Path(f"/proc/sys/net/ipv4/{name}").write_text(value)


def _index(name: str) -> int | None:
    """In this thread's namespace."""
    try:
        return socket.if_nametoindex(name)
    except OSError:
        return None
