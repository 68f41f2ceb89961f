"""The initial RAM disk of a real machine: busybox, the kernel modules of its NIC, and an init that takes commands.

The kernel is where scripts/install.sh unpacked it.
"""

import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from netweft.lab import dhcp_client
from netweft.lab.commands import run
from netweft.lab.guest import Nic
from netweft.lab.layout import LabError

MACHINE = Path("/var/lib/netweft/machine")
KERNEL = MACHINE / "vmlinuz"
# no_timer_check: else a guest that gets no processor for a moment at that point panics for want of a timer
COMMAND_LINE = "console=ttyS0 quiet panic=1 no_timer_check"
LEARN = "learn"  # the DHCP client's script
READY = "netweft: this machine is ready"
WANTED_MODULES = ("virtio_pci", "virtio_net", "8021q")
_UNPACK = {".xz": ("xz", "-dc"), ".zst": ("zstd", "-dcq")}

INIT = f"""\
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin HOME=/ TERM=linux
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
for module in $(cat /modules/order); do insmod /modules/$module; done
sh -e /network
stty -F /dev/ttyS1 raw -echo
echo "{READY}"
exec 3>/dev/ttyS1
# a shell that reads loses what it has read of a line when a child of its own ends: so commands are no children of the
# shell that reads them, and that is not the first process, whose children all orphans become
while read -r token command; do
  [ -n "$running" ] && kill -9 -$running 2>/dev/null
  running=$(setsid sh -c 'sh -c "$(echo "$2" | base64 -d)" </dev/null; echo "$1 $?"' sh "$token" "$command" >&3 2>&3 &
    echo $!)
done </dev/ttyS1 &
wait
"""


def build(path: Path, hostname: str, nic: Nic) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for folder in ("bin", "dev", "etc", "modules", "proc", "sys"):
            (root / folder).mkdir()
        copy_busybox(root / "bin")
        copy_modules(root / "modules", WANTED_MODULES)
        (root / "network").write_text(_network(hostname, nic))
        for name, script in (("init", INIT), (LEARN, dhcp_client.SCRIPT)):
            (root / name).write_text(script)
            (root / name).chmod(0o755)
        pack(root, path)


def copy_busybox(folder: Path) -> None:
    shutil.copy(run("sh", "-c", "command -v busybox").strip(), folder / "busybox")


def pack(root: Path, path: Path) -> None:
    files = "\n".join(str(found.relative_to(root)) for found in sorted(root.rglob("*")))
    with path.open("wb") as image:
        packer = ("cpio", "--create", "--format=newc", "--quiet", f"--directory={root}")
        subprocess.run(packer, input=files.encode(), stdout=image, check=True)


def _network(hostname: str, nic: Nic) -> str:
    lines = [
        f"hostname {shlex.quote(hostname)}",
        "ip link set lo up",
        "ip link set eth0 up" if nic.dhcp else f"ip link set eth0 mtu {nic.mtu} up",
        # busybox's ip knows no nodad
        "echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad",
        *((shlex.join((*dhcp_client.CLIENT, *dhcp_client.OPTIONS, "-s", f"/{LEARN}")),) if nic.dhcp else ()),
        *(f"ip address add {address} dev eth0" for address in nic.told),
        *(f"ip route add default via {gateway} dev eth0" for gateway in nic.gateways_told),
    ]
    return "\n".join(lines) + "\n"


def kernel_modules() -> Path:
    """The folder named as the kernel's version."""
    folder = next((MACHINE / "lib/modules").iterdir(), None)
    if folder is None:
        raise LabError(f"no kernel modules in {MACHINE}")
    return folder


def copy_modules(target: Path, wanted: Iterable[str]) -> None:
    """With the file `order`: how to load them.  What is not in modules.dep is built into the kernel."""
    folder = kernel_modules()
    needs: dict[str, list[str]] = {}
    for line in (folder / "modules.dep").read_text().splitlines():
        module, _, below = line.partition(":")
        needs[module] = below.split()
    paths = {Path(module).name.partition(".")[0]: module for module in needs}
    order: list[str] = []
    for name in wanted:
        if name in paths:
            order += _load_order(paths[name], needs)
    names = [_unpacked(folder / module, target) for module in dict.fromkeys(order)]
    (target / "order").write_text("\n".join(names))


def _load_order(module: str, needs: dict[str, list[str]]) -> Iterator[str]:
    for below in needs[module]:
        yield from _load_order(below, needs)
    yield module


def _unpacked(module: Path, target: Path) -> str:
    name = f"{module.name.partition('.')[0]}.ko"
    if unpack := _UNPACK.get(module.suffix):
        with (target / name).open("wb") as file:
            subprocess.run((*unpack, str(module)), stdout=file, check=True)
    else:
        shutil.copy(module, target / name)
    return name
