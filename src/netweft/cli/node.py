"""`netweft node`: which hypervisors may subscribe to the feed."""

import click

from netweft.cli.client import Client

PATH = "/netweft/v1/nodes"


@click.group
def node() -> None:
    """Let hypervisors in: their tokens.  Needs an admin's OS_* variables, as in the server's admin-openrc."""


@node.command
@click.argument("name")
@click.option("--rotate", is_flag=True, help="a new token for a node that is there; the old one is void")
def add(name: str, rotate: bool) -> None:
    """Print a token for the agent of the hypervisor NAME, once."""
    with Client.from_environment() as client:
        answer = client.call("POST", PATH, {"node": {"name": name, "rotate": rotate}})
    click.echo(answer["node"]["token"])


@node.command("list")
def list_nodes() -> None:
    """All nodes that have a token."""
    with Client.from_environment() as client:
        for each in client.call("GET", PATH)["nodes"]:
            click.echo(f"{each['name']}\t{each['created_at']}")


@node.command
@click.argument("name")
def rm(name: str) -> None:
    """Take the token of NAME back."""
    with Client.from_environment() as client:
        client.call("DELETE", f"{PATH}/{name}")
