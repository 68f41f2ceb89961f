"""`make demo`: a story with timings, told with the commands a user would type, and a picture at its end."""

import os
import shlex
import subprocess
import sys
import tempfile
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

from netweft.lab import build, host, picture, status, vm
from netweft.lab.client import StockClient, stock_client
from netweft.lab.cloud import Cloud, credentials
from netweft.lab.commands import in_namespace
from netweft.lab.hypervisor import NETWEFT
from netweft.lab.layout import LabError, Layout
from netweft.lab.vm import Vm

LAB = "demo"
_SOON = 60.0  # seconds: on a busy machine a command alone takes several
_FETCH = """
import sys, urllib.request
for _ in range(8):
    try:
        print(urllib.request.urlopen(sys.argv[1], timeout=2).read().decode())
    except OSError:
        print("nobody")
"""
_WIDTH = 85  # of a command's lines


class Story:
    """Prints each step with the seconds since the start, and runs what it shows."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._environment = dict(os.environ)
        self._opened = ExitStack()
        self._client: StockClient | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def use(self, variables: dict[str, str]) -> None:
        self._environment |= variables

    def say(self, text: str) -> None:
        print(f"\n{time.monotonic() - self._start:5.1f} s  {text}", flush=True)

    def run(self, command: str, *, fails: bool = False) -> str:
        """Shows the command, runs it, shows what it printed.  Raises LabError when it ends otherwise than it has to."""
        _show(command)
        done = subprocess.run(
            shlex.split(command), env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for line in done.stdout.strip().splitlines():
            print(f"           {line}".rstrip(), flush=True)
        if bool(done.returncode) != fails:
            raise LabError(f"this {'failed' if done.returncode else 'should have failed'}: {command}")
        return done.stdout

    def run_soon(self, command: str) -> str:
        """What the last command asked for may need a moment."""
        end = time.monotonic() + _SOON
        while time.monotonic() < end and self._quietly(command).returncode:
            time.sleep(0.05)
        return self.run(command)

    def until(self, what: str, condition: Callable[[], bool]) -> None:
        """Raises LabError when it takes too long."""
        end = time.monotonic() + _SOON
        while not condition():
            if time.monotonic() > end:
                raise LabError(f"after {_SOON:.0f} s still not: {what}")
            time.sleep(0.1)  # a machine whose clock stands still while anybody computes gets on only then

    def _quietly(self, command: str) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(shlex.split(command), env=self._environment, capture_output=True, check=False)

    def openstack(self, command: str) -> dict[str, Any]:
        """The stock client.  Its answer is requested as JSON, which is not shown."""
        return self._shown_to_client(command).ask(command)

    def openstack_without_answer(self, command: str) -> None:
        self._shown_to_client(command).do(command)

    def _shown_to_client(self, command: str) -> StockClient:
        _show(f"openstack {command}")
        if self._client is None:
            self._client = self._opened.enter_context(stock_client(self._environment))
        return self._client


def _show(command: str) -> None:
    """As it can be typed, in lines that fit."""
    lines = textwrap.wrap(command, _WIDTH, break_long_words=False, break_on_hyphens=False)
    continued = " \\\n             "
    print(f"         $ {continued.join(lines)}", flush=True)


def tell() -> None:
    """Raises LabError."""
    with Story() as story:
        _tell(story, Layout(LAB))


def _tell(story: Story, layout: Layout) -> None:
    commands = str(NETWEFT.parent)
    story.use({"PATH": f"{commands}:{os.environ.get('PATH', '')}"})
    print("Netweft: two hypervisors on this machine, VMs, one network over VXLAN, two on physical networks")
    if build.exists(layout):
        story.say("The lab of an earlier run is still there: away with it.")
        story.run(f"netweft lab down --name {LAB}")
    story.say("Two hypervisors: each a network namespace with an Open vSwitch and an agent of its own.")
    story.run(f"netweft lab up --nodes 2 --name {LAB}")
    story.use(credentials(layout))
    print(f'         $ eval "$(netweft lab env --name {LAB})"')
    vni = _overlay(story, layout)
    tagged = _physical(story, layout, RED)
    _stranger(story, layout, RED)
    flat = _physical(story, layout, PUBLIC)
    _router(story, layout)
    _balancer(story, layout)
    first, second = vm.records(layout).get("web1"), vm.records(layout).get("web2")
    story.say("What was built, as Open vSwitch has it now.  The overlay:\n")
    print(picture.draw_tunnel(picture.read_tunnel(layout, first), picture.read_tunnel(layout, second), vni))
    print("\n         And the physical networks:\n")
    print(picture.draw_physical(tagged, flat))
    print("\n         The router, whose flows are in br-int of both hypervisors:\n")
    with Cloud(layout) as cloud:
        print(picture.draw_router(picture.read_router(cloud, "r1")))
    _look_around(layout, second.nic.address)


def _overlay(story: Story, layout: Layout) -> int:
    """Two VMs on two hypervisors; the network's VNI."""
    story.say("A network and two ports, with the stock OpenStack client.")
    network = story.openstack("network create blue")
    print(f"           VXLAN network {network['provider:segmentation_id']}, MTU {network['mtu']}")
    story.openstack("subnet create --network blue --subnet-range 10.5.5.0/24 blue4")
    for name in ("web1", "web2"):
        port = story.openstack(f"port create --network blue {name}")
        addresses = ", ".join(fixed["ip_address"] for fixed in port["fixed_ips"])
        print(f"           {addresses}, {port['mac_address']}, status {port['status']}")
    story.say("A VM on each hypervisor: bound at the API, plugged into br-int, wired by the agent.")
    for name, node in (("web1", "hv1"), ("web2", "hv2")):
        story.run(f"netweft lab vm add {name} --node {node} --port {name} --name {LAB}")
    story.say("They talk:")
    story.run(f"netweft lab vm exec web1 --name {LAB} -- ping -c 3 -i 0.2 {vm.records(layout).get('web2').nic.address}")
    return int(network["provider:segmentation_id"])


class Physical(NamedTuple):
    """A network on a physical one, with a VM on it and a host beside it.  prefix: of its addresses, /24."""

    told: str
    name: str
    words: str
    prefix: str
    vm: str
    node: str
    host: str


RED = Physical(
    told="A VLAN of the physical network physnet1, which br-eth1 leads to, and a host on that VLAN.",
    name="red",
    words="--provider-network-type vlan --provider-physical-network physnet1",
    prefix="10.6.6",
    vm="db1",
    node="hv1",
    host="printer",
)
PUBLIC = Physical(
    told="The external network, untagged behind br-ex, and a host out there.",
    name="public",
    words="--external --provider-network-type flat --provider-physical-network public",
    prefix="203.0.113",
    vm="www",
    node="hv2",
    host="outside",
)


def _physical(story: Story, layout: Layout, what: Physical) -> picture.PhysicalLeg:
    story.say(what.told)
    network = story.openstack(f"network create {what.words} {what.name}")
    vlan = network["provider:segmentation_id"]
    print(f"           {f'VLAN {vlan}' if vlan else 'flat'}, MTU {network['mtu']}")
    # addresses beyond the pool are the host's own affair
    pool = f"--allocation-pool start={what.prefix}.10,end={what.prefix}.99"
    story.openstack(f"subnet create --network {what.name} --subnet-range {what.prefix}.0/24 {pool} {what.name}4")
    story.run(f"netweft lab vm add {what.vm} --node {what.node} --network {what.name} --name {LAB}")
    tag = f"--vlan {vlan} " if vlan else ""
    physical = network["provider:physical_network"]
    address = f"{what.prefix}.200"
    story.run(f"netweft lab host add {what.host} --physnet {physical} {tag}--address {address}/24 --name {LAB}")
    story.run(f"netweft lab vm exec {what.vm} --name {LAB} -- ping -c 2 -i 0.2 {address}")
    return picture.read_physical(layout, vm.records(layout).get(what.vm), host.records(layout).get(what.host))


def _router(story: Story, layout: Layout) -> None:
    """Between the networks, out to the host on the external network, and in from there."""
    story.say("A second network and a router: flows on every hypervisor, no process, no namespace.")
    story.openstack("network create green")
    story.openstack("subnet create --network green --subnet-range 10.7.7.0/24 green4")
    story.run(f"netweft lab vm add app1 --node hv2 --network green --name {LAB}")
    story.openstack("router create r1")
    for subnet in ("blue4", "green4"):
        story.openstack_without_answer(f"router add subnet r1 {subnet}")
    app = vm.records(layout).get("app1").nic.address
    ping = f"netweft lab vm exec web1 --name {LAB} -- ping -c 2 -i 0.2"
    story.run(f"{ping} {app}")
    story.say("The router's gateway: out to the host beyond, by SNAT.")
    story.openstack_without_answer(f"router set --external-gateway {PUBLIC.name} r1")
    story.run_soon(f"{ping} {PUBLIC.prefix}.200")
    story.say("And a floating IP: the host out there reaches app1.")
    floating = story.openstack(f"floating ip create --port {vm.records(layout).get('app1').port_id} {PUBLIC.name}")
    address = floating["floating_ip_address"]
    print(f"           {address} stands for {app}")
    story.run_soon(f"netweft lab host exec {PUBLIC.host} --name {LAB} -- ping -c 2 -i 0.2 {address}")


def _balancer(story: Story, layout: Layout) -> None:
    """Before two web servers, one of which is killed."""
    servers = [vm.records(layout).get(name) for name in ("web1", "web2")]
    story.say("A web server on web1 and web2, and a load balancer before them: one request, and flows.")
    # the balancer asks them how they are, from its own address
    story.openstack(
        "security group rule create --ingress --protocol tcp --dst-port 8000 --remote-ip 10.5.5.0/24 default"
    )
    with ExitStack() as stack, Cloud(layout) as cloud:
        running = [stack.enter_context(_web_server(layout, one)) for one in servers]
        network = cloud.find("networks", "blue")["id"]
        made = cloud.balancing("POST", "loadbalancers", {"loadbalancer": _asked_for(network, servers)})["loadbalancer"]
        vip = made["vip_address"]
        print(f"           {vip}, TCP port 80; both servers are watched, by TCP, once a second", flush=True)
        for one in servers:
            story.until(f"{one.name} is asked", lambda one=one: one.name in _fetched(layout, vip))  # type: ignore[misc]
        _tell_who(layout, vip)
        story.say("web1's server is killed.  Its health monitor sees that, and web2 gets all.")
        running[0].kill()
        story.until("web1 is left out", lambda: set(_fetched(layout, vip)) == {"web2"})
        _tell_who(layout, vip)
        cloud.balancing("DELETE", f"loadbalancers/{made['id']}?cascade=true")


def _asked_for(network: str, servers: Sequence[Vm]) -> dict[str, Any]:
    monitor = {"type": "TCP", "delay": 1, "timeout": 1, "max_retries": 1, "max_retries_down": 1}
    members = [{"address": one.nic.address, "protocol_port": 8000} for one in servers]
    pool = {"name": "web", "protocol": "TCP", "lb_algorithm": "ROUND_ROBIN", "members": members}
    listener = {"protocol": "TCP", "protocol_port": 80, "default_pool": {**pool, "healthmonitor": monitor}}
    return {"name": "web", "vip_network_id": network, "listeners": [listener]}


@contextmanager
def _web_server(layout: Layout, machine: Vm) -> Iterator["subprocess.Popen[bytes]"]:
    """Its only page says whose it is."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "index.html").write_text(machine.name)
        words = (sys.executable, "-m", "http.server", "8000", "--directory", folder)
        command = in_namespace(layout.vm_namespace(machine.name), *words)
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
            try:
                yield running
            finally:
                running.kill()


def _fetched(layout: Layout, vip: str) -> list[str]:
    """Who has answered each of a few requests of another VM's, which is behind the router."""
    command = in_namespace(layout.vm_namespace("app1"), sys.executable, "-c", _FETCH, f"http://{vip}/")
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()


def _tell_who(layout: Layout, vip: str) -> None:
    counted = sorted(Counter(_fetched(layout, vip)).items())
    answers = ", ".join(f"{name} answers {times}" for name, times in counted)
    print(f"           app1 asks http://{vip}/ 8 times: {answers}", flush=True)


def _stranger(story: Story, layout: Layout, what: Physical) -> None:
    """The firewall: a VM is in its project's default group, which lets in nobody but its members."""
    story.say("To the VM that host is a stranger: it answers, but may not begin.  Until a rule lets it in.")
    ping = f"ping -q -c 2 -i 0.2 -W 1 {vm.records(layout).get(what.vm).nic.address}"
    command = f"netweft lab host exec {what.host} --name {LAB} -- {ping}"
    story.run(command, fails=True)
    story.openstack("security group rule create --ingress --protocol icmp default")
    story.run(command)


def _look_around(layout: Layout, address: str) -> None:
    node = status.collect(layout)["nodes"][0]
    page = f"{credentials(layout)['OS_AUTH_URL'].partition('/identity')[0]}/dashboard"
    print(f"""
The lab stays up.  Its dashboard is at {page}
(user admin; `lab env` prints the password).  As root, look around:
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
