"""`netweft demo`: the story behind `make demo`."""

import os

import click

from netweft.cli.errors import CommandError
from netweft.lab.layout import LabError


@click.command()
def demo() -> None:
    """Two hypervisors on this machine, two VMs, a ping over VXLAN, and a picture of it."""
    from netweft.lab import demo

    if os.geteuid():
        raise CommandError("the demo makes network namespaces, so it needs root: try sudo")
    try:
        demo.tell()
    except LabError as error:
        raise CommandError(str(error)) from None
