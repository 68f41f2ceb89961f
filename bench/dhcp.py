#!/usr/bin/env python3
"""How soon DHCP is answered: `bench/dhcp.py` brings up a lab of one hypervisor and prints a table.  Needs root.

One VM after the other asks; then all of them at once, as frames, and as 200 of busybox's clients, of which each asks
again every second until it has a lease.  VMs are internal ports, whose devices are all in the hypervisor's namespace.
"""

import argparse
import json
import select
import socket
import subprocess
import sys
import time
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from hypervisors import Lab, add_port, busy_ms, check
from table import Row, percentile, print_table

from netweft.dataplane.dhcp import message4
from netweft.dataplane.dhcp.message4 import Message, Option, Type
from netweft.dataplane.packets import datagram
from netweft.dataplane.packets.datagram import Datagram

LAB = "bdhcp"
ETH_P_IP = 0x0800
AT_ONCE = 100  # ports in one request
CLIENT = ("busybox", "udhcpc", "-f", "-q", "-n", "-t", "20", "-T", "1", "-s", "/bin/true", "-i")


def plugged(lab: Lab, count: int) -> dict[str, str]:
    """device -> MAC, once all are ACTIVE."""
    api, node = lab.api(), lab.node()
    network = api.request("POST", "/v2.0/networks", {"network": {"name": "bench"}})["network"]["id"]
    subnet = {"network_id": network, "ip_version": 4, "cidr": "10.0.0.0/16"}
    api.request("POST", "/v2.0/subnets", {"subnet": subnet})
    wanted = [{"network_id": network, "binding:host_id": "hv1"} for _ in range(count)]
    parts = [wanted[start : start + AT_ONCE] for start in range(0, count, AT_ONCE)]
    ports = [port for part in parts for port in api.request("POST", "/v2.0/ports", {"ports": part})["ports"]]
    macs = {f"vm{number}": port["mac_address"] for number, port in enumerate(ports)}
    words: list[str] = []
    for name, port in zip(macs, ports, strict=True):
        words += add_port(name, port)
    subprocess.run(["ovs-vsctl", f"--db=unix:{node['ovs_run_dir']}/db.sock", *words[1:]], check=True)
    deadline = time.monotonic() + 60
    while api.request("GET", f"/v2.0/ports?network_id={network}&status=DOWN&fields=id&limit=1")["ports"]:
        check(deadline, "ACTIVE")
    # without IPv6: what 200 stacks that start flood to each other is no part of what is measured
    lines = [f"link set {name} addrgenmode none\nlink set {name} address {mac} up\n" for name, mac in macs.items()]
    links = "".join(lines)
    subprocess.run(["ip", "-n", node["namespace"], "-batch", "-"], input=links, text=True, check=True)
    return macs


# inside the hypervisor's namespace


def discover(mac: str) -> bytes:
    own = bytes.fromhex(mac.replace(":", ""))
    asked = Message(op=1, xid=1, chaddr=own, options={Option.MESSAGE_TYPE: bytes((Type.DISCOVER,))})
    nobody, everybody = IPv4Address("0.0.0.0"), IPv4Address("255.255.255.255")
    payload, to_all = message4.encode(asked), b"\xff" * 6
    sent = Datagram(eth_src=own, eth_dst=to_all, src=nobody, dst=everybody, sport=68, dport=67, payload=payload)
    return datagram.encode(sent)


def listening(device: str) -> socket.socket:
    found = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IP))
    found.bind((device, ETH_P_IP))
    return found


def is_answer(frame: bytes) -> bool:
    found = datagram.decode(frame)
    return found is not None and found.dport == 68


def one_by_one(macs: dict[str, str]) -> list[float]:
    """ms from each request to its answer."""
    found = []
    for device, mac in macs.items():
        frame = discover(mac)
        with listening(device) as nic:
            nic.settimeout(5)
            start = time.perf_counter()
            nic.send(frame)
            while not is_answer(nic.recv(2048)):
                pass
            found.append(1e3 * (time.perf_counter() - start))
    return found


def all_at_once(macs: dict[str, str], patience: float = 2.0) -> list[float]:
    """Each asks once; ms until each answer that came."""
    nics = {listening(device): discover(mac) for device, mac in macs.items()}
    found: list[float] = []
    waiting = set(nics)
    start = time.perf_counter()
    for nic, frame in nics.items():
        nic.send(frame)
    while waiting and time.perf_counter() - start < patience:
        for nic in select.select(list(waiting), [], [], 0.1)[0]:
            if is_answer(nic.recv(2048)):
                found.append(1e3 * (time.perf_counter() - start))
                waiting.discard(nic)
    return found


def clients(macs: dict[str, str]) -> list[float]:
    """s until each real client had its lease and was gone."""
    start = time.perf_counter()
    running = [subprocess.Popen([*CLIENT, device], stderr=subprocess.DEVNULL) for device in macs]
    found = []
    for process in running:
        if process.wait(timeout=60) == 0:
            found.append(time.perf_counter() - start)
    return found


def inside(macs: dict[str, str]) -> dict[str, list[float]]:
    return {"one": one_by_one(macs), "all": all_at_once(macs), "clients": clients(macs)}


def measure(count: int) -> tuple[dict[str, list[float]], float]:
    """And ms of the agent's own time for all of it."""
    lab = Lab(LAB)
    lab.up()
    try:
        macs, agent = plugged(lab, count), lab.pid_of("agent")
        before = busy_ms(agent)
        command = ("ip", "netns", "exec", lab.node()["namespace"], sys.executable, __file__, "--inside")
        done = subprocess.run(command, input=json.dumps(macs), stdout=subprocess.PIPE, check=True, text=True)
        result: dict[str, Any] = json.loads(done.stdout)
        return result, busy_ms(agent) - before
    finally:
        lab("down")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--ports", type=int, default=200)
    parser.add_argument("--out", type=Path, help="JSON lines are appended here")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.inside:
        print(json.dumps(inside(json.load(sys.stdin))))
        return
    found, busy = measure(wanted.ports)
    exchanges = len(found["one"]) + len(found["all"]) + 2 * len(found["clients"])
    rows = [
        Row("one after the other, discover to offer, p50", percentile(found["one"], 50), "ms"),
        Row("one after the other, discover to offer, p95", percentile(found["one"], 95), "ms"),
        Row(f"{wanted.ports} VMs at once, answered to the first request", len(found["all"]), "", wanted.ports, True),
        Row(f"{wanted.ports} VMs at once, the last answer after", max(found["all"]), "ms"),
        Row(f"{wanted.ports} clients at once, with a lease", len(found["clients"]), "", wanted.ports, higher=True),
        Row(f"{wanted.ports} clients at once, all have it after", max(found["clients"]), "s"),
        Row("the agent's time for an answer", busy / exchanges, "ms"),
    ]
    print_table("DHCP", rows, wanted.out)


if __name__ == "__main__":
    main()
