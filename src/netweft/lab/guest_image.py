"""The initial RAM disk of a real machine: busybox, kernel modules and an init.  That of kind `qemu` has nothing else.

The kernel is where scripts/install.sh unpacked it.
"""

import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from netweft.lab import dhcp_client
from netweft.lab.commands import run
from netweft.lab.guest import Nic
from netweft.lab.guest_serial import LISTENER
from netweft.lab.layout import LabError

MACHINE = Path("/var/lib/netweft/machine")
KERNEL = MACHINE / "vmlinuz"
# no_timer_check: else a guest that gets no processor for a moment at that point panics for want of a timer
# mitigations, cryptomgr: nothing leaks from an emulated processor, and nobody encrypts; together a tenth of a boot
COMMAND_LINE = "console=ttyS0 quiet panic=1 no_timer_check mitigations=off cryptomgr.notests"
LEARN = "learn"  # the DHCP client's script
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
{LISTENER}"""


def build(path: Path, hostname: str, nic: Nic) -> None:
    pack(path, {"init": INIT, LEARN: dhcp_client.SCRIPT, "network": _network(hostname, nic)}, WANTED_MODULES)


def pack(path: Path, files: Mapping[str, str], modules: Iterable[str] = ()) -> None:
    """These files, which may be programs, busybox, and modules with their order."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for folder in ("bin", "dev", "etc", "lower", "modules", "over", "proc", "root", "sys"):
            (root / folder).mkdir()
        shutil.copy(run("sh", "-c", "command -v busybox").strip(), root / "bin/busybox")
        _copy_modules(root / "modules", modules)
        for name, text in files.items():
            (root / name).write_text(text)
            (root / name).chmod(0o755)
        found = "\n".join(str(found.relative_to(root)) for found in sorted(root.rglob("*")))
        with path.open("wb") as image:
            packer = ("cpio", "--create", "--format=newc", "--quiet", f"--directory={root}")
            subprocess.run(packer, input=found.encode(), stdout=image, check=True)


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


def _copy_modules(target: Path, wanted: Iterable[str]) -> None:
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
