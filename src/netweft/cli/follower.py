"""`netweft follower`: who else follows the feed: switches, Nova's event API; and what they have to do yet."""

from urllib.parse import quote

import click

from netweft.cli.client import Client
from netweft.cli.printing import printable

PATH = "/netweft/v1/followers"


@click.group
def follower() -> None:
    """Followers of the feed that are no nodes.  Needs an admin's OS_* variables, as in the server's admin-openrc."""


@follower.command("list")
def list_followers() -> None:
    """All that this server's settings ask for, and how they are."""
    with Client.from_environment() as client:
        for each in client.call("GET", PATH)["followers"]:
            told = (printable(str(each[one])) for one in ("name", "status", "problem"))
            click.echo("\t".join(told).rstrip())


@follower.command
@click.argument("name")
@click.option("--commands", is_flag=True, help="what would be sent to the device instead of what would be different")
def plan(name: str, commands: bool) -> None:
    """What NAME would do now; nothing when all is as it should be."""
    with Client.from_environment() as client:
        found = client.call("GET", f"{PATH}/{quote(name)}")["follower"]
    for line in found["commands" if commands else "plan"]:
        click.echo(printable(line))
