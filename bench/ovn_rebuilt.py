#!/usr/bin/env python3
"""OVN's northbound database wiped beside 1,000 ports: until it has all of it again.  Needs root.

Until all ports are there, and the switches, groups and rules with them; `ovn-northd` has its own work then.
Ports are on 20 networks, all in the default security group.  Each time everything is destroyed in one transaction.
"""

import argparse
import sys
import time
from pathlib import Path

from table import Row, percentile, print_table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.netns.harness import Lab, new_name, until

from netweft.lab import build
from netweft.lab.commands import run
from netweft.lab.ovn import socket

NETWORKS, BULK = 20, 100
BAR = 5.0  # seconds for 1,000 ports
ROOTS = ("Logical_Switch", "Logical_Router", "Port_Group", "Address_Set", "DHCP_Options", "Load_Balancer")


def fill(lab: Lab, ports: int) -> None:
    networks = [lab.network(f"10.{100 + number}.0.0/20") for number in range(NETWORKS)]
    with lab.cloud() as cloud:
        project = cloud.find("networks", networks[0])["project_id"]
        cloud.request("PUT", f"quotas/{project}", {"quota": {"port": -1}})
        for first in range(0, ports, BULK):
            wanted = [{"network_id": networks[number % NETWORKS]} for number in range(first, min(first + BULK, ports))]
            cloud.request("POST", "ports", {"ports": wanted})


def ovn(lab: Lab, database: str, *words: str) -> str:
    return run(f"ovn-{database}ctl", f"--db={socket(lab.layout, database)}", "--timeout=60", *words)


def count(lab: Lab, database: str, table: str) -> int:
    return ovn(lab, database, "--bare", "--columns=_uuid", "list", table).count("-") // 4


def measure(lab: Lab, ports: int, times: int) -> list[float]:
    def are_there() -> bool:
        return count(lab, "nb", "Logical_Switch_Port") >= ports

    until(are_there, "all is there", seconds=120)
    acls = count(lab, "nb", "ACL")
    wipe = [word for table in ROOTS for word in ("--", "--all", "destroy", table)][1:]
    found = []
    for _ in range(times):
        ovn(lab, "nb", *wipe)
        start = time.monotonic()
        until(are_there, "ports are there", seconds=120)
        until(lambda: count(lab, "nb", "ACL") == acls, "rules are there", seconds=120)
        found.append(time.monotonic() - start)
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--ports", type=int, default=1000)
    options.add_argument("--times", type=int, default=5)
    chosen = options.parse_args()
    lab = Lab(new_name())
    build.up(lab.layout, build.Plan(ovn=True))
    try:
        fill(lab, chosen.ports)
        found = measure(lab, chosen.ports, chosen.times)
    finally:
        build.down(lab.layout)
    rows = [
        Row(f"rebuilt, {chosen.ports} ports, p{percent}", percentile(found, percent), "s", BAR) for percent in (50, 95)
    ]
    print_table("OVN's northbound database wiped", rows)


if __name__ == "__main__":
    main()
