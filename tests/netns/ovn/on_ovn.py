"""`make test-ovn`: tests of the labs with OVN's hosts; what came of it is the table in docs/ovn.md.

Not among them: what says how our own agent does it (flows, files, plans, restarts), and what docs/ovn.md says we lack.
"""

import os
import re
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

LABS = Path(__file__).parents[1]
DOCUMENT = LABS.parents[1] / "docs/ovn.md"
BEGIN, END = "<!-- table -->\n", "<!-- end of table -->\n"
FILES = (
    "l2/test_talk.py",
    "services/test_dhcp.py",
    "services/test_metadata.py",
    "security/test_firewall.py",
    "security/test_spoofing.py",
    "security/test_connections.py",
    "l3/test_routing.py",
    "l3/test_gateways.py",
    "l3/test_advertisements.py",
    "l3/test_address_scopes.py",
    "ovn/test_ovn.py",
    "ovn/test_ovn_metadata.py",
    "ovn/test_ovn_balancers.py",
    "ovn/test_ovn_attacked.py",
    "ovn/test_ovn_beside_ours.py",
)
MINUTES = 20  # at most, of one file


def main() -> None:
    rows = [row(name) for name in (sys.argv[1:] or FILES)]
    day = datetime.now(UTC).date()
    head = f"Written by `make test-ovn`, {day}, on the userspace datapath.\n\n"
    head += "| tests | passed | failed | seconds | which failed |\n"
    text = DOCUMENT.read_text()
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    table = head + "|---|--:|--:|--:|---|\n" + "".join(rows)
    DOCUMENT.write_text(before + BEGIN + table + END + after)


def row(name: str) -> str:
    start = time.monotonic()
    command = (sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", str(LABS / name))
    environment = os.environ | {"NETWEFT_ON_OVN": "1"}
    try:
        said = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=MINUTES * 60
        ).stdout
    except subprocess.TimeoutExpired:
        return f"| {name} | - | - | {MINUTES * 60} | it took longer |\n"
    last = said.splitlines()[-1]
    passed, failed = (sum(map(int, re.findall(rf"(\d+) {what}", last))) for what in ("passed", "(?:failed|error)"))
    which = sorted(
        {match.split("::")[1].split(" - ")[0] for match in re.findall(r"^(?:FAILED|ERROR) (.*)$", said, re.M)}
    )
    print(f"{name}: {said.splitlines()[-1]}", flush=True)
    told = " ".join(f"`{one}`" for one in which)
    return f"| {name} | {passed} | {failed} | {time.monotonic() - start:.0f} | {told} |\n"


if __name__ == "__main__":
    main()
