"""`make test-cloud-init`: Debian's own cloud-init takes from the network what a cloud's VM has to know.

What the machine then says of itself is written into the table of docs/metadata.md.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from tests.cloud_init.stage import NAME, RESOLVER, Stage, stage

DOCUMENT = Path(__file__).parents[2] / "docs/metadata.md"
BEGIN, END = "<!-- written by make test-cloud-init -->\n", "<!-- so far -->\n"
HEAD = "| what | asked | it says |\n|---|---|---|\n"
PATIENCE = 60.0  # seconds: an IPv6 address is tentative for a moment, and all of it is emulated


class Check(NamedTuple):
    """asked: a command.  wanted: in a line of what it says."""

    what: str
    asked: str
    wanted: str


class Seen(NamedTuple):
    """said: the line that was wanted, or the last of others."""

    check: Check
    said: str
    passed: bool


def told(stage: Stage, key: str) -> Iterator[Check]:
    """Asked inside the machine."""
    four, six = addresses(stage)
    yield Check("no stage failed", "cloud-init status", "status: done")
    yield Check("or had an error to tell", "grep errors /run/cloud-init/result.json", '"errors": []')
    yield Check("the data source", "cloud-id", "openstack")
    yield Check("where it asked", "cloud-init query subplatform", "http://169.254.169.254")
    yield Check("the instance", "cloud-init query instance_id", stage.machine.uuid)
    yield Check("host name", "hostname", NAME)
    yield Check("the image's user", "getent passwd debian", "debian:")
    yield Check("the key", "cat /home/debian/.ssh/authorized_keys", key)
    yield Check("user data: a user", "getent passwd ada", "Ada of the user data")
    yield Check("user data: a file", "cat /etc/told", "written by the user data")
    yield Check("user data: a command", "cat /etc/ran", "ran as root")
    yield Check("IPv4, by DHCP", "ip -4 -o address show scope global", f"inet {four}/24")
    yield Check("its route", "ip -4 route show default", "default via 10.66.0.1 ")
    yield Check("IPv6, by advertisement", "ip -6 -o address show scope global -tentative", f"inet6 {six}/64")
    yield Check("its route", "ip -6 route show default", f"via {stage.gateway} ")
    yield Check("MTU", "ip -o link", f"mtu {stage.machine.nic.mtu} ")
    yield Check("name server", "resolvectl dns", RESOLVER)


def addresses(stage: Stage) -> tuple[str, str]:
    four, six = sorted((one.partition("/")[0] for one in stage.machine.nic.addresses), key=lambda one: ":" in one)
    return four, six


def results(stage: Stage, private: Path) -> Iterator[Seen]:
    key = private.with_suffix(".pub").read_text().strip()
    for check in told(stage, key):
        yield tried(check, lambda check=check: stage.says(check.asked))  # type: ignore[misc]
    for address in addresses(stage):
        check = Check("a login from another network", f"ssh debian@{address} hostname", NAME)
        yield tried(check, lambda address=address: stage.says_by_ssh(private, address, "hostname"))  # type: ignore[misc]


def tried(check: Check, ask: Callable[[], str]) -> Seen:
    end = time.monotonic() + PATIENCE
    while True:
        lines = [line.strip() for line in ask().splitlines() if line.strip()]
        if found := next((line for line in lines if check.wanted in line), ""):
            return Seen(check, found, True)
        if time.monotonic() > end:
            return Seen(check, lines[-1] if lines else "", False)
        time.sleep(1)


def text(seen: Sequence[Seen], image: str, seconds: float, when: datetime) -> str:
    failed = sum(not one.passed for one in seen)
    counted = f"{len(seen) - failed} passed, {failed} failed"
    first = f"{when:%Y-%m-%d}, {image}, booted and set up in {seconds:.0f} s: {counted}.\n\n"
    return first + HEAD + "".join(map(_row, seen))


def _row(seen: Seen) -> str:
    said = " ".join(seen.said.split()).replace("|", "\\|")
    said = f"`{said}`" if seen.passed else f"**not `{seen.check.wanted}`**, but `{said}`"
    return f"| {seen.check.what} | `{seen.check.asked}` | {said} |\n"


def document(page: str, table: str) -> str:
    before, _, rest = page.partition(BEGIN)
    return before + BEGIN + table + END + rest.partition(END)[2]


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="netweft-cloud-init-") as folder:
        private = Path(folder) / "key"
        words = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "me@home", "-f", str(private))
        subprocess.run(words, check=True)
        with stage(private.with_suffix(".pub").read_text().strip()) as there:
            seen = list(results(there, private))
            image = (
                f"Debian {there.says('cat /etc/debian_version').strip()}, {there.says('cloud-init --version').strip()}"
            )
            seconds = there.seconds
    table = text(seen, image, seconds, datetime.now(UTC))
    DOCUMENT.write_text(document(DOCUMENT.read_text(), table))
    print(table)
    return 0 if all(one.passed for one in seen) else 1


if __name__ == "__main__":
    sys.exit(main())
