"""The network namespace of an instance, held by its process alone: it goes when that goes, and its veth with it.

Blocking.  What is done inside is done in a thread of its own, which enters the namespace and ends there: no other
thread of this process ever leaves its own.
"""

import ctypes
import errno
import os
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from threading import Thread
from typing import Any, Final, TypeVar

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from netweft.dataplane.haproxy.values import Nic
from netweft.dataplane.host import ethtool
from netweft.dataplane.host.errors import HostError

T = TypeVar("T")
INSIDE: Final = "eth0"
ALIAS: Final = "netweft-proxy"  # on the end outside
_CLONE_NEWNET: Final = 0x40000000
_NODAD: Final = 0x02
_DEFAULT: Final = {4: (2, "0.0.0.0/0"), 6: (10, "::/0")}


def is_apart(pid: int) -> bool:
    """Whether this process is in another namespace than ours: it is not before it has made its own."""
    try:
        return Path(f"/proc/{pid}/ns/net").stat().st_ino != Path("/proc/self/ns/net").stat().st_ino
    except OSError:
        return False


def ensure(pid: int, outside: str, nic: Nic) -> None:
    """The process's namespace, wired as `nic` says to a veth of this name in ours.  Raises HostError."""
    if not is_apart(pid):
        raise HostError(f"{outside}: process {pid} is in no namespace of its own")
    try:
        with IPRoute() as here:
            _ensure_veth(here, pid, outside, nic)
        inside(pid, lambda: _ensure_inside(nic))
        with IPRoute() as here:
            here.link("set", index=_index(here, outside), ifalias=ALIAS, mtu=nic.mtu, state="up")
        if ethtool.tx_checksum(outside):
            ethtool.set_tx_checksum(outside, False)
    except NetlinkError as error:
        raise HostError(f"{outside}: {errno.errorcode.get(error.code, error.code)}") from error
    except OSError as error:
        raise HostError(f"{outside}: {error.strerror or error}") from error


def remove(outside: str) -> None:
    """Raises HostError."""
    try:
        with IPRoute() as here:
            here.link("del", index=_index(here, outside))
    except HostError:
        return
    except NetlinkError as error:
        if error.code != errno.ENODEV:
            raise HostError(f"{outside}: {errno.errorcode.get(error.code, error.code)}") from error


def inside(pid: int, work: Callable[[], T]) -> T:
    """Work done in this process's network namespace."""
    done: Future[T] = Future()

    def run() -> None:
        try:
            _enter(pid)
            done.set_result(work())
        except BaseException as error:
            done.set_exception(error)

    thread = Thread(target=run, name="inside a namespace")
    thread.start()
    thread.join()
    return done.result()


def _enter(pid: int) -> None:
    """This thread.  Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    handle = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.setns(handle, _CLONE_NEWNET):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(handle)


def _ensure_veth(here: IPRoute, pid: int, outside: str, nic: Nic) -> None:
    """One that is left of an instance before this one goes first: its other end is not in this namespace."""
    try:
        index = _index(here, outside)
    except HostError:
        pass
    else:
        if inside(pid, _has_inside):
            return
        with suppress(NetlinkError):
            here.link("del", index=index)
    peer = {"ifname": INSIDE, "net_ns_pid": pid, "address": nic.mac, "mtu": nic.mtu}
    here.link("add", ifname=outside, kind="veth", mtu=nic.mtu, peer=peer)


def _has_inside() -> bool:
    with IPRoute() as there:
        return bool(there.link_lookup(ifname=INSIDE))


def _ensure_inside(nic: Nic) -> None:
    _quiet()
    with IPRoute() as there:
        there.link("set", index=_index(there, "lo"), state="up")
        index = _index(there, INSIDE)
        there.link("set", index=index, address=nic.mac, mtu=nic.mtu, state="up")
        if ethtool.tx_checksum(INSIDE):
            ethtool.set_tx_checksum(INSIDE, False)
        _ensure_addresses(there, index, nic)
        for gateway in nic.gateways:
            family, everywhere = _DEFAULT[ip_address(gateway).version]
            there.route("replace", family=family, dst=everywhere, gateway=gateway, oif=index)


def _quiet() -> None:
    """Nothing comes of itself: no address, no route that somebody advertises."""
    for scope in ("default", "all"):
        for name, value in (("accept_ra", "0"), ("accept_redirects", "0"), ("autoconf", "0"), ("forwarding", "0")):
            with suppress(OSError):
                Path(f"/proc/sys/net/ipv6/conf/{scope}/{name}").write_text(value)
    for name, value in (("ip_local_port_range", "1024 65535"), ("tcp_tw_reuse", "1")):
        with suppress(OSError):
            Path(f"/proc/sys/net/ipv4/{name}").write_text(value)


def _ensure_addresses(there: IPRoute, index: int, nic: Nic) -> None:
    wanted = {(ip_address(ip), length) for ip, length in nic.addresses}
    found = {_address(message) for message in there.addr("dump", index=index)}
    for ip, length in found - wanted:
        if not ip.is_link_local:
            there.addr("del", index=index, address=str(ip), prefixlen=length)
    for ip, length in sorted(wanted - found, key=str):
        more = {"flags": _NODAD} if ip.version == 6 else {}
        there.addr("add", index=index, address=str(ip), prefixlen=length, **more)


def _address(message: Any) -> Any:
    return ip_address(message.get("IFA_LOCAL") or message.get("IFA_ADDRESS")), message["prefixlen"]


def _index(socket: IPRoute, name: str) -> int:
    found = socket.link_lookup(ifname=name)
    if not found:
        raise HostError(f"{name}: there is no such interface")
    return int(found[0])
