"""What is in a bundle: commands and what they say, ends of logs.  Each may fail; then its reason is what is in it."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from os import environ
from pathlib import Path

import msgspec

from netweft import __version__
from netweft.settings import SECRET, AgentSettings, ServerSettings

LOAD_BALANCERS = "lb"  # beside the agent's socket
COMMAND_SECONDS = 20.0
TAIL_BYTES = 512 * 1024
JOURNAL_LINES = 3000
_OVS_TABLES = ("Open_vSwitch", "Bridge", "Port", "Interface", "Controller", "Manager")
_OUTLINE = frozenset(
    {"frontend", "backend", "defaults", "bind", "mode", "balance", "server", "default_backend", "maxconn", "timeout"}
)
_OVS_LOGS = Path("/var/log/openvswitch")
Part = tuple[str, str]  # name in the bundle, text


def of_host() -> Iterator[Part]:
    yield "versions.txt", "\n".join([f"netweft {__version__}", f"python {sys.version}", _said(["uname", "-a"])])
    yield "os-release.txt", _tail(Path("/etc/os-release"))
    yield "packages.txt", _said([sys.executable, "-m", "pip", "list", "--disable-pip-version-check"])
    yield "ovs/version.txt", _said(["ovs-vswitchd", "--version"])
    yield "host/addresses.txt", _said(["ip", "-d", "address"])
    yield "host/routes.txt", _said(["ip", "route"]) + _said(["ip", "-6", "route"])


def of_settings(name: str, settings: ServerSettings | AgentSettings | str) -> Part:
    """A text: why they cannot be read."""
    if isinstance(settings, str):
        return f"settings/{name}.txt", settings
    values = {field: "..." if field in SECRET else getattr(settings, field) for field in settings.__struct_fields__}
    return f"settings/{name}.json", msgspec.json.format(msgspec.json.encode(values)).decode()


def of_ourselves(config: Path | None, objects: Sequence[str]) -> Iterator[Part]:
    """As the commands say it that a person would give."""
    given = ["--config", str(config)] if config else []
    yield "doctor.json", _ours("doctor", *given, "--json")
    yield "agent/show.txt", _ours("agent", "show", *given)
    yield "agent/plan.txt", _ours("agent", "plan", *given)
    for number, name in enumerate(objects):
        yield f"explain/{number}.json", _ours("explain", "--json", "--", name)


def of_open_vswitch(run_dir: str) -> Iterator[Part]:
    database = f"--db=unix:{run_dir}/db.sock"
    yield "ovs/show.txt", _said(["ovs-vsctl", "--timeout=10", database, "show"])
    for table in _OVS_TABLES:
        yield f"ovs/{table}.txt", _said(["ovs-vsctl", "--timeout=10", database, "list", table])
    yield "ovs/ofproto.txt", _said(["ovs-appctl", "ofproto/list"], {"OVS_RUNDIR": run_dir})
    for socket in sorted(Path(run_dir).glob("*.mgmt")):
        command = ["ovs-ofctl", "-O", "OpenFlow15", "--timeout=15", "dump-flows", f"unix:{socket}"]
        yield f"ovs/flows-{socket.stem}.txt", counted(_said(command))


def of_load_balancers(folder: Path) -> Iterator[Part]:
    """What HAProxy serves here: of its configuration who listens and who is asked, not what users look for in
    requests; never certificates."""
    yield "load-balancers/version.txt", _said(["haproxy", "-v"])
    for place in sorted(folder.glob("*/haproxy.cfg")):
        name = f"load-balancers/{place.parent.name}"
        yield f"{name}/haproxy.txt", outline(_tail(place))
        yield f"{name}/log.txt", _tail(place.parent / "log")


def outline(configuration: str) -> str:
    lines = configuration.splitlines()
    return "\n".join(line for line in lines if line.split(maxsplit=1)[:1] and line.split()[0] in _OUTLINE)


def of_logs(logs: Sequence[Path]) -> Iterator[Part]:
    for unit in ("netweft-server", "netweft-agent", "openvswitch-switch", "ovs-vswitchd", "ovsdb-server"):
        yield f"logs/{unit}.txt", _said(["journalctl", "-u", unit, "-n", str(JOURNAL_LINES), "--no-pager"])
    for number, path in enumerate([*sorted(_OVS_LOGS.glob("*.log")), *logs]):
        yield f"logs/{number}-{path.name}", _tail(path)


def counted(flows: str) -> str:
    """How many there are, by table and cookie."""
    words = (dict(part.partition("=")[::2] for part in line.replace(",", " ").split()) for line in flows.splitlines())
    counts = Counter((found["table"], found["cookie"]) for found in words if "cookie" in found and "table" in found)
    if not counts:
        return flows if "cookie=" not in flows else ""
    lines = (f"table {table} cookie {cookie}: {count}" for (table, cookie), count in sorted(counts.items()))
    return "\n".join([f"{counts.total()} flows", *lines])


def _ours(*words: str) -> str:
    return _said([sys.executable, "-m", "netweft", *words])


def _said(command: Sequence[str], more: Mapping[str, str] | None = None) -> str:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=COMMAND_SECONDS,
            env=environ | dict(more or {}),
        )
    except (OSError, subprocess.SubprocessError) as error:
        return f"{command[0]}: {error}\n"
    return done.stdout + done.stderr


def _tail(path: Path) -> str:
    """Of its last lines, whole ones: half a secret would not be known for one."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            read = file.read(TAIL_BYTES)
    except OSError as error:
        return f"{path}: {error.strerror}\n"
    whole = read if len(read) < TAIL_BYTES else read.partition(b"\n")[2]
    return whole.decode(errors="replace")
