"""Debian's netconfd behind Debian's sshd as a switch: its running configuration is put on Open vSwitch ports.

netconfd keeps and judges the configuration; it forwards nothing by itself.  `Carrier` does that, and knows no Netweft:
it hears of each change and reads the running configuration as any client would.
"""

import asyncio
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import asyncssh
from tests.netns.switches.switches import sshd

_CONFIG = '<config xmlns="urn:ietf:params:xml:ns:netconf:base:1.0">{}</config>'
_ENTRY = "<interface><name>{0}</name><config><name>{0}</name><type>ethernetCsmacd</type></config></interface>"
_HELLO = (
    '<hello xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"><capabilities>'
    "<capability>urn:ietf:params:netconf:base:1.0</capability></capabilities></hello>]]>]]>"
)
_RPC = '<rpc xmlns="urn:ietf:params:xml:ns:netconf:base:1.0" message-id="1">{}</rpc>]]>]]>'
_PROBE_ID = 'message-id="first"'
_PROBE = _RPC.replace('message-id="1"', _PROBE_ID).format("<get><filter type='subtree'/></get>")
_GET = _RPC.format("<get-config><source><running/></source></get-config>")
_SUBSCRIBE = _RPC.format('<create-subscription xmlns="urn:ietf:params:xml:ns:netconf:notification:1.0"/>')
_YANG = Path(__file__).parents[2] / "netconf/yang"
_MODULES = ("interfaces", "if-ethernet", "if-aggregate", "vlan", "network-instance", "acl")
PATIENCE = 240.0  # seconds, on a busy machine
SOCKET = "netconfd.sock"


class NetconfSwitch:
    """login: as keys of a switch."""

    def __init__(self, folder: Path, login: dict[str, object]) -> None:
        self._folder = folder
        self.login = login | {"device_type": "netconf_openconfig"}
        self._running: subprocess.Popen[bytes] | None = None

    def start(self, ports: Sequence[str]) -> None:
        """With these ports and nothing on them: as after a restart of one that keeps nothing."""
        socket = self._folder / SOCKET
        socket.unlink(missing_ok=True)
        entries = "".join(map(_ENTRY.format, ports))
        inside = f'<interfaces xmlns="http://openconfig.net/yang/interfaces">{entries}</interfaces>'
        (self._folder / "startup.xml").write_text(_CONFIG.format(inside))
        words = [
            "/usr/sbin/netconfd",
            f"--startup={self._folder}/startup.xml",
            "--superuser=root",
            "--target=candidate",
        ]
        words += [f"--ncxserver-sockname={socket}", f"--port={self.login['port']}", "--with-startup=false"]
        words += [f"--modpath={_YANG}:/usr/share/yuma/modules", *(f"--module=openconfig-{name}" for name in _MODULES)]
        with (self._folder / "netconfd.log").open("w") as log:
            self._running = subprocess.Popen(words, stdout=log, stderr=log, env={"HOME": str(self._folder)})
        deadline = time.monotonic() + PATIENCE
        while not socket.exists():
            assert self._running.poll() is None, (self._folder / "netconfd.log").read_text()
            assert time.monotonic() < deadline, "netconfd has not started"
            time.sleep(0.02)

    def stop(self) -> None:
        if self._running is not None:
            self._running.terminate()
            self._running.wait()

    async def by_hand(self, edit: str) -> None:
        """edit: below `config`.  Committed as an operator would, in a session that ends."""
        config = _CONFIG.format(edit).replace(
            "<config ", "<config xmlns:nc='urn:ietf:params:xml:ns:netconf:base:1.0' ", 1
        )
        await self.say(f"<edit-config><target><candidate/></target>{config}</edit-config>", "<commit/>")

    async def running(self) -> dict[str, "Vlans"]:
        return _interfaces(await self.say("<get-config><source><running/></source></get-config>"))

    async def say(self, *operations: str) -> str:
        answer = ""
        async with self.connected() as connection:
            stdin, stdout = await _greeted(connection)
            for operation in operations:
                stdin.write(_RPC.format(operation))
                answer = await _message(stdout)
                assert "<rpc-error" not in answer, answer
        return answer

    def connected(self) -> "asyncssh.misc._ACMWrapper[asyncssh.SSHClientConnection]":
        key = str(self.login["key_file"])
        return asyncssh.connect(
            "127.0.0.1",
            int(str(self.login["port"])),
            username="root",
            client_keys=[key],
            known_hosts=None,
            config=None,
            agent_path=None,
            connect_timeout=PATIENCE,
        )


class Carrier:
    """apply: called with what interfaces have now that had something else, name -> (mode, native or access VLAN, trunk
    VLANs), in a thread."""

    def __init__(self, switch: NetconfSwitch, apply: Callable[[dict[str, "Vlans"]], None]) -> None:
        self._switch, self._apply = switch, apply
        self._applied: dict[str, Vlans] = {}
        self._loop = asyncio.new_event_loop()
        self._task = self._loop.create_task(self._run())
        self._thread = threading.Thread(target=self._until_cancelled, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(PATIENCE)

    def _until_cancelled(self) -> None:
        with suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._task)
        self._loop.close()

    async def _run(self) -> None:
        """Again whenever its switch was away."""
        while True:
            try:
                await self._follow()
            except (OSError, asyncssh.Error, asyncio.IncompleteReadError):
                await asyncio.sleep(0.1)

    async def _follow(self) -> None:
        async with self._switch.connected() as connection:
            stdin, stdout = await _greeted(connection)
            stdin.write(_SUBSCRIBE + _GET)
            while True:
                message = await _message(stdout)
                if "<data" in message:
                    found = _interfaces(message)
                    if changed := {name: one for name, one in found.items() if self._applied.get(name) != one}:
                        self._apply(changed)
                    self._applied = found
                elif "netconf-config-change" in message:
                    stdin.write(_GET)


async def _greeted(
    connection: asyncssh.SSHClientConnection,
) -> "tuple[asyncssh.SSHWriter[str], asyncssh.SSHReader[str]]":
    """netconfd loses what it reads together with a hello: the first request is sent until one is answered."""
    stdin, stdout, _ = await connection.open_session(subsystem="netconf")
    stdin.write(_HELLO)
    await stdout.readuntil("]]>]]>")
    answer = asyncio.ensure_future(stdout.readuntil("]]>]]>"))
    while not answer.done():
        stdin.write(_PROBE)
        await asyncio.wait({answer}, timeout=1)
    await answer
    return stdin, stdout


async def _message(stdout: "asyncssh.SSHReader[str]") -> str:
    """The next one that is no late answer to the first request."""
    while _PROBE_ID in (message := await stdout.readuntil("]]>]]>")):
        pass
    return message


Vlans = tuple[str, str, tuple[str, ...]]


def _interfaces(answer: str) -> dict[str, Vlans]:
    found: dict[str, Vlans] = {}
    for entry in re.findall(r"<interface>.*?</interface>", answer, re.S):

        def all_of(name: str, entry: str = entry) -> tuple[str, ...]:
            return tuple(re.findall(rf"<(?:\w+:)?{name}>([^<]*)<", entry))

        mode = "".join(all_of("interface-mode"))
        own = all_of("access-vlan" if mode == "ACCESS" else "native-vlan")
        found[all_of("name")[0]] = (mode, own[0] if own else "", all_of("trunk-vlans"))
    return found


def edit(port: str, leaf: str, value: object, attributes: str = "") -> str:
    """Of a port's VLANs."""
    return (
        f"<interfaces xmlns='http://openconfig.net/yang/interfaces'><interface><name>{port}</name>"
        "<ethernet xmlns='http://openconfig.net/yang/interfaces/ethernet'>"
        "<switched-vlan xmlns='http://openconfig.net/yang/vlan'><config>"
        f"<{leaf} {attributes}>{value}</{leaf}></config></switched-vlan></ethernet></interface></interfaces>"
    )


@contextmanager
def netconf_switch(folder: Path, ovs: Path, ports: Sequence[str]) -> Iterator[NetconfSwitch]:
    subsystem = f'netconf "/usr/sbin/netconf-subsystem --ncxserver-sockname={{port}}@{folder / SOCKET}"'
    with sshd(folder, ovs, subsystem) as login:
        switch = NetconfSwitch(folder, login)
        switch.start(ports)
        try:
            yield switch
        finally:
            switch.stop()
