"""`make demo`: a story with timings, told with the commands a user would type, and a picture at its end."""

import json
import os
import shlex
import subprocess
import time
from typing import Any

from netweft.lab import build, picture, status, vm
from netweft.lab.cloud import credentials
from netweft.lab.hypervisor import NETWEFT
from netweft.lab.layout import LabError, Layout

LAB = "demo"


class Story:
    """Prints each step with the seconds since the start, and runs what it shows."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._environment = dict(os.environ)

    def use(self, variables: dict[str, str]) -> None:
        self._environment |= variables

    def say(self, text: str) -> None:
        print(f"\n{time.monotonic() - self._start:5.1f} s  {text}", flush=True)

    def run(self, command: str, *, quiet: bool = False) -> str:
        """Shows the command, runs it, shows what it printed unless `quiet`.  Raises LabError when it fails."""
        print(f"         $ {command}", flush=True)
        done = subprocess.run(
            shlex.split(command), env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        if not quiet or done.returncode:
            for line in done.stdout.strip().splitlines():
                print(f"           {line}".rstrip(), flush=True)
        if done.returncode:
            raise LabError(f"this failed: {command}")
        return done.stdout

    def openstack(self, command: str) -> dict[str, Any]:
        """The stock client.  For its answer it is asked for JSON, which is not shown."""
        print(f"         $ openstack {command}", flush=True)
        done = subprocess.run(
            ("openstack", *shlex.split(command), "-f", "json"), env=self._environment, capture_output=True, text=True
        )
        if done.returncode:
            raise LabError(f"openstack {command}: {done.stderr.strip()}")
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer


def tell() -> None:
    """Raises LabError."""
    layout, story = Layout(LAB), Story()
    commands = str(NETWEFT.parent)
    story.use({"PATH": f"{commands}:{os.environ.get('PATH', '')}"})
    print("Netweft: two hypervisors on this machine, two VMs, one network between them over VXLAN")
    if build.exists(layout):
        story.say("The lab of an earlier run is still there: away with it.")
        story.run(f"netweft lab down --name {LAB}")
    story.say("Two hypervisors: each a network namespace with an Open vSwitch and an agent of its own.")
    story.run(f"netweft lab up --nodes 2 --name {LAB}")
    vni = _create_network(story, layout)
    for name, node in (("web1", "hv1"), ("web2", "hv2")):
        story.run(f"netweft lab vm add {name} --node {node} --port {name} --name {LAB}")
    first, second = vm.get(layout, "web1"), vm.get(layout, "web2")
    story.say("They talk:")
    story.run(f"netweft lab vm exec web1 --name {LAB} -- ping -c 3 -i 0.2 {second.nic.address}")
    story.say("What was built, as Open vSwitch has it now:\n")
    print(picture.draw(picture.read(layout, first), picture.read(layout, second), vni))
    _look_around(layout, second.nic.address)


def _create_network(story: Story, layout: Layout) -> int:
    """Network, subnet and ports; the network's VNI."""
    story.say("A network and two ports, with the stock OpenStack client.")
    story.use(credentials(layout))
    print(f'         $ eval "$(netweft lab env --name {LAB})"')
    network = story.openstack("network create blue")
    print(f"           VXLAN network {network['provider:segmentation_id']}, MTU {network['mtu']}")
    story.openstack("subnet create --network blue --subnet-range 10.5.5.0/24 blue4")
    for name in ("web1", "web2"):
        port = story.openstack(f"port create --network blue {name}")
        addresses = ", ".join(fixed["ip_address"] for fixed in port["fixed_ips"])
        print(f"           {addresses}, {port['mac_address']}, status {port['status']}")
    story.say("A VM on each hypervisor: bound at the API, plugged into br-int, wired by the agent.")
    return int(network["provider:segmentation_id"])


def _look_around(layout: Layout, address: str) -> None:
    node = status.collect(layout)["nodes"][0]
    print(f"""
The lab stays up.  As root, look around:
  eval "$({NETWEFT} lab env --name {LAB})"
  openstack port list --long
  netweft lab status --name {LAB}
  netweft lab vm exec web1 --name {LAB} -- ping -c 3 {address}
  netweft lab vm add web3 --node hv1 --network blue --name {LAB}
  ovs-vsctl --db=unix:{node["ovs_run_dir"]}/db.sock show
  ovs-ofctl -O OpenFlow14 dump-flows unix:{node["ovs_run_dir"]}/br-int.mgmt
  netweft agent plan --config {node["config"]}
and take it down:
  netweft lab down --name {LAB}""")
