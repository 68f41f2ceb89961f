"""Who runs on this host, and who has which port: out of /proc, and only of our own network namespace."""

from collections.abc import Iterator
from pathlib import Path

RIVALS = frozenset(
    {
        "neutron-openvswitch-agent",
        "neutron-linuxbridge-agent",
        "neutron-l3-agent",
        "neutron-dhcp-agent",
        "neutron-metadata-agent",
        "ovn-controller",
    }
)
_PROC = Path("/proc")


def rivals() -> tuple[str, ...]:
    """Of those that keep Open vSwitch, too, which run here."""
    return tuple(sorted({name for words in _here().values() for name in _names(words) if name in RIVALS}))


def holders(protocol: str) -> dict[int, str]:
    """Port -> the process that has it; protocol: tcp (who listens) or udp."""
    inodes = dict(_sockets(protocol))
    if not inodes:
        return {}
    found: dict[int, str] = {}
    for process, words in _here().items():
        for inode in _inodes(process):
            if port := inodes.get(inode):
                found[port] = "netweft" if "netweft" in list(_names(words)) else next(_names(words), process.name)
    return found


def _here() -> dict[Path, list[str]]:
    """Processes of this network namespace, and the words they were started with."""
    ours = (_PROC / "self/ns/net").readlink()
    found: dict[Path, list[str]] = {}
    for process in _PROC.glob("[0-9]*"):
        try:
            if (process / "ns/net").readlink() == ours:
                found[process] = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:  # it has ended, or is not ours to look at
            continue
    return found


def _names(words: list[str]) -> Iterator[str]:
    """The program's, and the script's where the program is an interpreter."""
    return (Path(word.rstrip(":")).name for word in words[:2] if word and not word.startswith("-"))


def _sockets(protocol: str) -> Iterator[tuple[int, int]]:
    """Inode and port of each socket that is bound; of TCP, those that listen."""
    for name in (protocol, f"{protocol}6"):
        try:
            lines = (_PROC / "self/net" / name).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            words = line.split()
            if protocol == "udp" or words[3] == "0A":
                yield int(words[9]), int(words[1].rpartition(":")[2], 16)


def _inodes(process: Path) -> Iterator[int]:
    try:
        for descriptor in (process / "fd").iterdir():
            target = str(descriptor.readlink())
            if target.startswith("socket:["):
                yield int(target[8:-1])
    except OSError:
        return
