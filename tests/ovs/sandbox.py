"""A real ovsdb-server and ovs-vswitchd in a folder of their own: no root with the dummy datapath."""

import contextlib
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.waiting import PATIENCE

SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")
CLONE_NEWNET = 0x40000000
DUMMY = ("--enable-dummy", "--disable-system")


class Sandbox:
    """Folder names are short: a unix socket's path has 107 characters at most."""

    def __init__(self, folder: Path, *, options: tuple[str, ...] = DUMMY, datapath_type: str = "dummy") -> None:
        self.folder = folder
        self.datapath_type = datapath_type
        self._options = options
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def db(self) -> Path:
        return self.folder / "db.sock"

    def mgmt(self, bridge: str) -> Path:
        return self.folder / f"{bridge}.mgmt"

    def start_ovsdb(self) -> None:
        database = self.folder / "conf.db"
        if not database.exists():
            subprocess.run(["ovsdb-tool", "create", database, SCHEMA], check=True)
        arguments = [str(database), f"--remote=punix:{self.db}", f"--unixctl={self.folder}/ovsdb.ctl"]
        self._start("ovsdb-server", arguments)
        self._wait_for(lambda: self.vsctl("--no-wait", "init", check=False).returncode == 0)

    def start_vswitchd(self) -> None:
        self._start("ovs-vswitchd", [f"unix:{self.db}", f"--unixctl={self.folder}/vs.ctl", *self._options])

    def kill(self, program: str) -> None:
        process = self._processes.pop(program)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        for program in reversed(list(self._processes)):
            self.kill(program)

    def vsctl(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = ["ovs-vsctl", "--timeout=30", f"--db=unix:{self.db}", *arguments]
        return subprocess.run(command, check=check, capture_output=True, text=True)

    def add_bridge(self, name: str) -> None:
        columns = (f"datapath_type={self.datapath_type}", "fail_mode=secure")
        self.vsctl("add-br", name, "--", "set", "bridge", name, *columns)

    def ofctl(self, command: str, bridge: str, *arguments: str) -> str:
        full = ["ovs-ofctl", "-O", "OpenFlow15", command, f"unix:{self.mgmt(bridge)}", *arguments]
        return subprocess.run(full, check=True, capture_output=True, text=True).stdout

    def appctl(self, verb: str, *words: str) -> str:
        """What vswitchd says; as ovs-appctl asks, which takes ten times as long to start."""
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(PATIENCE)
            control.connect(f"{self.folder}/vs.ctl")
            control.sendall(json.dumps({"id": 0, "method": verb, "params": words}).encode())
            said = b""
            while chunk := control.recv(1 << 20):
                said += chunk
                with contextlib.suppress(ValueError):  # there is more
                    answer = json.loads(said)
                    if answer["error"] is not None:
                        raise subprocess.CalledProcessError(2, (verb, *words), stderr=answer["error"])
                    return str(answer["result"])
        raise ConnectionError(f"vswitchd did not answer {verb}: {said!r}")

    def dump_flows(self, bridge: str) -> list[str]:
        lines = self.ofctl("dump-flows", bridge, "--no-stats", "--no-names").splitlines()
        return [line.strip() for line in lines]

    def _start(self, program: str, arguments: list[str]) -> None:
        environment = {name: str(self.folder) for name in ("OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR")}
        log = (self.folder / f"{program}.log").open("ab")
        command = [program, *arguments, "--no-chdir"]
        environment["PATH"] = "/usr/bin:/usr/sbin:/bin:/sbin"
        self._processes[program] = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        log.close()

    def _wait_for(self, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not ready():
            assert time.monotonic() < deadline, "Open vSwitch did not start"
            time.sleep(0.02)


@contextlib.contextmanager
def running(options: tuple[str, ...] = DUMMY, datapath_type: str = "dummy") -> Iterator[Sandbox]:
    folder = Path(tempfile.mkdtemp(prefix="nw-ovs-"))
    sandbox = Sandbox(folder, options=options, datapath_type=datapath_type)
    try:
        sandbox.start_ovsdb()
        sandbox.start_vswitchd()
        yield sandbox
    finally:
        sandbox.stop()
        shutil.rmtree(folder)


@contextlib.contextmanager
def own_network() -> Iterator[None]:
    """This thread, and what it starts, gets a network namespace that goes away with them.  Needs root."""
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        if libc.unshare(CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "no network namespace")
        yield
        if libc.setns(home, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "no way back from a network namespace")
    finally:
        os.close(home)
