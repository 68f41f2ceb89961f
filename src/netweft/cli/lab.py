"""`netweft lab`: hypervisors, their fabric and VMs on this machine.  Words to calls; the work is in `netweft.lab`."""

import functools
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any, BinaryIO, TextIO, TypeVar

import click

from netweft.cli.errors import CommandError
from netweft.lab.layout import KINDS, LabError, Layout

F = TypeVar("F", bound=Callable[..., Any])


def in_lab(command: F) -> F:
    """Adds --name, hands the command a Layout, and turns LabError into the command line's own.  For root only."""

    @functools.wraps(command)
    def call(lab_name: str, **words: Any) -> Any:
        if os.geteuid():
            raise CommandError("a lab is made of network namespaces, so all its commands need root: try sudo")
        try:
            return command(Layout(lab_name), **words)
        except LabError as error:
            first, *details = str(error).splitlines()
            for line in details:
                click.echo(line, err=True)
            raise CommandError(first) from None

    option = click.option("--name", "lab_name", default="lab", show_default=True, help="Which lab.")
    return option(call)  # type: ignore[return-value]


@click.group()
def lab() -> None:
    """Hypervisors, their fabric and VMs, on this machine."""


@lab.command()
@click.option("--nodes", type=click.IntRange(1), default=2, show_default=True, help="How many hypervisors.")
@click.option("--root-node", default="", help="Which of them (hv1, ...) is this machine itself, with its Open vSwitch.")
@click.option("--underlay", type=click.Choice(["4", "6"]), default="4", show_default=True, help="Its IP version.")
@click.option("--mtu", type=click.IntRange(1280, 65535), default=1500, show_default=True, help="Of the fabric.")
@click.option("--ovn", is_flag=True, help="Hypervisors are OVN's: ovn-controller instead of our agent.")
@in_lab
def up(layout: Layout, nodes: int, root_node: str, underlay: str, mtu: int, ovn: bool) -> None:
    """Make a lab; done when the server answers and all agents are alive."""
    from netweft.lab import build

    start = time.monotonic()
    plan = build.Plan(nodes=nodes, root_node=root_node, underlay=6 if underlay == "6" else 4, mtu=mtu, ovn=ovn)
    build.up(layout, plan)
    click.echo(f"lab {layout.lab} is up after {time.monotonic() - start:.1f} s; netweft lab status shows it", err=True)


@lab.command()
@in_lab
def down(layout: Layout) -> None:
    """Take a lab down, and whatever is left of one."""
    from netweft.lab import build

    removed = build.down(layout)
    click.echo(f"lab {layout.lab}: {', '.join(removed) + ' removed' if removed else 'there was nothing'}", err=True)


@lab.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@in_lab
def status(layout: Layout, as_json: bool) -> None:
    """Show nodes, processes and VMs."""
    from netweft.lab import status

    found = status.collect(layout)
    click.echo(json.dumps(found, indent=2) if as_json else status.as_text(found))


@lab.command()
@in_lab
def env(layout: Layout) -> None:
    """Print shell variables for the openstack client: eval "$(netweft lab env)"."""
    from netweft.lab import status

    click.echo(status.shell_variables(layout))


@lab.command(hidden=True)
@in_lab
def supervise(layout: Layout) -> None:
    """Keep a lab's processes running; `lab up` starts this."""
    from netweft.lab import supervisor

    supervisor.main(layout)


@lab.group()
def vm() -> None:
    """Virtual machines."""


@vm.command()
@click.argument("vm_name", metavar="NAME")
@click.option("--node", required=True, help="The hypervisor it runs on: hv1, hv2, ...")
@click.option("--port", default="", help="A port's id or name.")
@click.option("--network", default="", help="A network's id or name: a port is made on it, and goes with the VM.")
@click.option("--kind", type=click.Choice(KINDS), default="netns", show_default=True, help="What plays it.")
@click.option("--dhcp/--no-dhcp", default=None, help="Learn address and MTU by DHCP; without it a real machine does.")
@click.option("--user-data", type=click.File("rb"), default=None, help="What its metadata has as user data.")
@click.option("--key", "keys", type=click.File("r"), multiple=True, help="A public SSH key; any number of them.")
@in_lab
def add(
    layout: Layout,
    vm_name: str,
    node: str,
    port: str,
    network: str,
    kind: Any,
    dhcp: bool | None,
    user_data: BinaryIO | None,
    keys: tuple[TextIO, ...],
) -> None:
    """Start a VM; done when its port is ACTIVE."""
    from netweft.lab import vm
    from netweft.lab.cloud import Cloud

    if bool(port) == bool(network):
        raise click.UsageError("give either --port or --network")
    start = time.monotonic()
    with Cloud(layout) as cloud:
        wanted = vm.describe(
            cloud,
            layout,
            name=vm_name,
            node=node,
            kind=kind,
            port=port,
            network=network,
            dhcp=dhcp,
            user_data=user_data.read() if user_data else b"",
            keys=tuple(key.read().strip() for key in keys),
        )
        vm.create(cloud, layout, wanted)
    addresses = " ".join(wanted.nic.addresses) or "no address"
    click.echo(
        f"{vm_name} is up on {node} after {time.monotonic() - start:.1f} s: {addresses}, port {wanted.port_id}",
        err=True,
    )


@vm.command()
@click.argument("vm_name", metavar="NAME")
@in_lab
def rm(layout: Layout, vm_name: str) -> None:
    """Switch a VM off and unplug it."""
    from netweft.lab import vm
    from netweft.lab.cloud import Cloud

    machine = vm.records(layout).get(vm_name)
    with Cloud(layout) as cloud:
        vm.destroy(cloud, layout, machine)


@vm.command()
@click.argument("vm_name", metavar="NAME")
@click.option("--node", required=True, help="Where to: hv1, hv2, ...")
@in_lab
def move(layout: Layout, vm_name: str, node: str) -> None:
    """Move a running VM to another hypervisor."""
    from netweft.lab import move, vm
    from netweft.lab.cloud import Cloud

    with Cloud(layout) as cloud:
        paused = move.move(cloud, layout, vm.records(layout).get(vm_name), node)
    click.echo(f"{vm_name} is on {node}; it was paused for {paused * 1000:.0f} ms", err=True)


@vm.command("exec")
@click.argument("vm_name", metavar="NAME")
@click.argument("argv", metavar="-- COMMAND...", nargs=-1, required=True)
@in_lab
def execute(layout: Layout, vm_name: str, argv: tuple[str, ...]) -> None:
    """Run a command inside a VM; its exit status is ours."""
    from netweft.lab import vm

    sys.exit(vm.execute(layout, vm.records(layout).get(vm_name), argv))


@lab.group("host")
def host_group() -> None:
    """Plain hosts on a physical network: no VMs of ours."""


@host_group.command("add")
@click.argument("host_name", metavar="NAME")
@click.option("--vlan", type=click.IntRange(1, 4094), default=None, help="Which VLAN it is on; else untagged.")
@click.option("--address", "addresses", multiple=True, required=True, help="10.0.0.9/24; any number of them.")
@click.option("--physnet", default="physnet1", show_default=True, help="Physical network: physnet1 or public.")
@in_lab
def add_host(layout: Layout, host_name: str, vlan: int | None, addresses: tuple[str, ...], physnet: str) -> None:
    """Connect a host to a switch of the fabric."""
    from netweft.lab import host

    wanted = host.Host(name=host_name, physical_network=physnet, vlan=vlan or 0, addresses=addresses)
    host.add(layout, wanted)


@host_group.command("rm")
@click.argument("host_name", metavar="NAME")
@in_lab
def remove_host(layout: Layout, host_name: str) -> None:
    """Take a host away."""
    from netweft.lab import host

    host.remove(layout, host.records(layout).get(host_name))


@host_group.command("exec")
@click.argument("host_name", metavar="NAME")
@click.argument("argv", metavar="-- COMMAND...", nargs=-1, required=True)
@in_lab
def execute_on_host(layout: Layout, host_name: str, argv: tuple[str, ...]) -> None:
    """Run a command on a host; its exit status is ours."""
    from netweft.lab import host

    sys.exit(host.execute(layout, host.records(layout).get(host_name), argv))
