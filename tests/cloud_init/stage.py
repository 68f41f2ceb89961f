"""A machine of Debian's in a lab, told who it is by nothing but the network, and another VM behind its router."""

import io
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.netns.harness import Lab, new_name
from tests.netns.l3.test_advertisements import link_local_of
from tests.netns.l3.test_routing import make_router

from netweft.lab import build, guest_qemu, guest_serial, vm
from netweft.lab.commands import in_namespace
from netweft.lab.vm import Vm

NAME = "web1"
RESOLVER = "192.0.2.53"
USER_DATA = b"""\
#cloud-config
users:
  - default
  - name: ada
    gecos: Ada of the user data
write_files:
  - path: /etc/told
    content: written by the user data
runcmd:
  - echo ran as $(id -un) >/etc/ran
# both take an emulated machine long
ssh_genkeytypes: [ed25519]
locale: false
"""
SSH = ("ssh", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR")


class Stage(NamedTuple):
    """gateway: the link-local address by which the router advertises itself.  seconds: until cloud-init was done."""

    lab: Lab
    machine: Vm
    beyond: Vm
    gateway: str
    seconds: float

    def says(self, command: str) -> str:
        """The machine, on its serial port."""
        output = io.BytesIO()
        where = guest_qemu.commands(self.lab.node(self.machine.node), self.machine.name)
        guest_serial.execute(where, ("sh", "-c", command), output)
        return output.getvalue().decode(errors="replace").replace("\r", "")

    def says_by_ssh(self, key: Path, address: str, command: str) -> str:
        """To the VM behind the router."""
        words = (*SSH, "-o", "BatchMode=yes", "-i", str(key), f"debian@{address}", command)
        namespace = self.lab.layout.vm_namespace(self.beyond.name)
        ran = subprocess.run(in_namespace(namespace, *words), capture_output=True, text=True, check=False)
        return ran.stdout or ran.stderr


@contextmanager
def stage(key: str) -> Iterator[Stage]:
    """key: the public one that the machine is to be told."""
    lab = Lab(new_name())
    try:
        build.up(lab.layout, build.Plan(nodes=2))
        yield _set_up(lab, key)
    finally:
        build.down(lab.layout)


def _set_up(lab: Lab, key: str) -> Stage:
    near, far = _network(lab, 66), _network(lab, 67)
    router = make_router(lab, near, far)
    beyond = lab.add_vm("hv2", far)
    with lab.cloud() as cloud:
        port = cloud.create("ports", network_id=near)["id"]
        where = {"name": NAME, "node": "hv1", "port": port, "network": ""}
        wanted = vm.describe(cloud, lab.layout, kind="debian", **where, user_data=USER_DATA, keys=(key,))
        begun = time.monotonic()
        machine = vm.create(cloud, lab.layout, wanted)
        seconds = time.monotonic() - begun
        ports = cloud.list("ports", network_id=near, device_id=router["id"])
    six = next(port for port in ports if ":" in port["fixed_ips"][0]["ip_address"])
    return Stage(lab, machine, beyond, link_local_of(six["mac_address"]), seconds)


def _network(lab: Lab, number: int) -> str:
    made = lab.network()
    modes = {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}
    with lab.cloud() as cloud:
        cidr = f"10.{number}.0.0/24"
        cloud.create("subnets", network_id=made, cidr=cidr, ip_version=4, dns_nameservers=[RESOLVER])
        cloud.create("subnets", network_id=made, cidr=f"fd00:{number}::/64", ip_version=6, **modes)
    return made
