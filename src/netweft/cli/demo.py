"""`netweft demo`: the story behind `make demo`."""

import click

from netweft.cli.errors import CommandError
from netweft.lab.layout import LabError


@click.command()
def demo() -> None:
    """Two hypervisors on this machine, two VMs, a ping over VXLAN, and a picture of it."""
    from netweft.lab import demo

    try:
        demo.tell()
    except LabError as error:
        raise CommandError(str(error)) from None
