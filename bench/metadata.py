#!/usr/bin/env python3
"""How soon VMs hear of themselves: `bench/metadata.py` brings up a lab of one hypervisor and prints a table.  Root.

One VM after the other asks for its meta_data.json, connection and all; then all of them at once; then one after the
other again, while one opens 1,000 connections and another sends a byte of its requests now and then.  VMs are internal
ports, whose devices are all in the hypervisor's namespace.
"""

import argparse
import asyncio
import json
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from dhcp import plugged
from hypervisors import Lab, busy_ms
from table import Row, percentile, print_table

LAB = "bmeta"
SERVER = ("169.254.169.254", 80)
REQUEST = b"GET /openstack/latest/meta_data.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
CONNECTIONS, SLOW = 1000, 50


def addressed(lab: Lab) -> dict[str, str]:
    """device -> its address, once they are set."""
    api, node = lab.api(), lab.node()
    ports = api.request("GET", "/v2.0/ports?device_owner=")["ports"]
    by_mac = {port["mac_address"]: port["fixed_ips"][0]["ip_address"] for port in ports if port["fixed_ips"]}
    shown = subprocess.run(["ip", "-n", node["namespace"], "-j", "link"], stdout=subprocess.PIPE, check=True).stdout
    links = {link["ifname"]: by_mac[link["address"]] for link in json.loads(shown) if link.get("address") in by_mac}
    lines = "".join(f"address add {address}/32 dev {name}\n" for name, address in links.items())
    subprocess.run(["ip", "-n", node["namespace"], "-batch", "-"], input=lines, text=True, check=True)
    return links


# inside the hypervisor's namespace


def opened(device: str, address: str) -> socket.socket:
    found = socket.socket()
    found.setblocking(False)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
    found.bind((address, 0))
    return found


async def ask(device: str, address: str) -> float | None:
    """ms from the first packet to the whole answer; None: there was none."""
    loop, start = asyncio.get_running_loop(), time.perf_counter()
    heard = b""
    with opened(device, address) as connection, suppress(OSError):
        await loop.sock_connect(connection, SERVER)
        await loop.sock_sendall(connection, REQUEST)
        while chunk := await loop.sock_recv(connection, 65536):
            heard += chunk
    return 1e3 * (time.perf_counter() - start) if heard.startswith(b"HTTP/1.1 200") else None


async def one_by_one(devices: dict[str, str]) -> list[float]:
    found = [await ask(*one) for one in devices.items()]
    return [each for each in found if each is not None]


async def all_at_once(devices: dict[str, str]) -> list[float]:
    found = await asyncio.gather(*(ask(*one) for one in devices.items()))
    return [each for each in found if each is not None]


async def under_attack(devices: dict[str, str]) -> list[float]:
    """The last two are hostile."""
    *others, greedy, slow = devices.items()
    many = [opened(*greedy) for _ in range(CONNECTIONS)] + [opened(*slow) for _ in range(SLOW)]
    for one in many:
        with suppress(BlockingIOError):
            one.connect(SERVER)

    async def dribble() -> None:
        while True:
            for one in many[CONNECTIONS:]:
                with suppress(OSError):
                    one.send(b"G")
            await asyncio.sleep(0.2)

    dribbling = asyncio.create_task(dribble())
    found = await one_by_one(dict(others))
    dribbling.cancel()
    for one in many:
        one.close()
    return found


async def inside(devices: dict[str, str]) -> dict[str, list[float]]:
    await one_by_one(dict(list(devices.items())[:5]))
    found = {"one": await one_by_one(devices), "all": await all_at_once(devices)}
    return found | {"attacked": await under_attack(devices)}


PROCESSES = ("agent", "server", "ovs-vswitchd")


def measure(count: int) -> tuple[dict[str, list[float]], dict[str, float]]:
    """And ms of each process's own time for all of it."""
    lab = Lab(LAB)
    lab.up()
    try:
        plugged(lab, count)
        devices, pids = addressed(lab), {name: lab.pid_of(name) for name in PROCESSES}
        before = {name: busy_ms(pid) for name, pid in pids.items()}
        command = ("ip", "netns", "exec", lab.node()["namespace"], sys.executable, __file__, "--inside")
        done = subprocess.run(command, input=json.dumps(devices), stdout=subprocess.PIPE, check=True, text=True)
        result: dict[str, Any] = json.loads(done.stdout)
        return result, {name: busy_ms(pid) - before[name] for name, pid in pids.items()}
    finally:
        lab("down")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--ports", type=int, default=200)
    parser.add_argument("--out", type=Path, help="JSON lines are appended here")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.inside:
        print(json.dumps(asyncio.run(inside(json.load(sys.stdin)))))
        return
    found, busy = measure(wanted.ports)
    answers = sum(map(len, found.values()))
    rows = [
        Row("one after the other, p50", percentile(found["one"], 50), "ms", 10),
        Row("one after the other, p95", percentile(found["one"], 95), "ms"),
        Row(f"{wanted.ports} VMs at once, answered", len(found["all"]), "", wanted.ports, higher=True),
        Row(f"{wanted.ports} VMs at once, p50", percentile(found["all"], 50), "ms"),
        Row(f"{wanted.ports} VMs at once, the last answer after", max(found["all"]), "ms"),
        Row("beside two hostile VMs, answered", len(found["attacked"]), "", wanted.ports - 2, higher=True),
        Row("beside two hostile VMs, p50", percentile(found["attacked"], 50), "ms", 10),
        Row("beside two hostile VMs, p95", percentile(found["attacked"], 95), "ms"),
        *(Row(f"{name}: its time for an answer", spent / answers, "ms") for name, spent in busy.items()),
    ]
    print_table("Metadata", rows, wanted.out)


if __name__ == "__main__":
    main()
