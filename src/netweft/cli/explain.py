"""`netweft explain`: what an object is, and everything that keeps it from working, out of the server's answer."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import click

from netweft.cli import here
from netweft.cli.client import Client, NoServer
from netweft.cli.errors import CommandError
from netweft.cli.printing import print_answer, printable

PATH = "/v2.0/netweft/explain"
TYPES = (
    "port",
    "network",
    "subnet",
    "trunk",
    "router",
    "floatingip",
    "security_group",
    "security_group_rule",
    "address_group",
    "policy",
    "firewall_group",
    "firewall_policy",
    "firewall_rule",
    "subnetpool",
    "address_scope",
    "port_forwarding",
    "loadbalancer",
    "listener",
    "l7policy",
    "l7rule",
    "healthmonitor",
    "pool",
    "member",
    "agent",
)
_WORKS, _DOES_NOT = 0, 1
_SHOWN = 100  # characters of a name that is none


class NoAnswer(click.ClickException):
    """It is not known whether it works: no exit code that says so."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        click.echo(printable(f"netweft: {' '.join(self.message.split())}"), err=True)


@click.command
@click.argument("object")
@click.option("--type", "type_", type=click.Choice(TYPES), help="where several kinds of objects have this name")
@click.option("--json", "as_json", is_flag=True, help="the server's answer; its codes are stable, see docs/codes.md")
@here.here_option
@here.config_option
def explain(object: str, type_: str | None, config: Path | None, *, here_alone: bool, as_json: bool) -> int:
    """Say what OBJECT is, where, how it should be and how it is, and everything that keeps it from working.

    OBJECT is the id or name of a port, network, subnet, subnet pool, address scope, trunk, router, security group,
    address group, QoS policy, firewall group, policy or rule, load balancer or any part of one, the id of a security
    group rule or a port forwarding, the address of a floating IP, the id of an agent or the name of its host.
    Ends with 0 if it works, 1 if it does not, 2 if that could not be found out.
    Needs OS_* variables, as in the server's admin-openrc; whoever sees an object may ask.

    Without a server, on a hypervisor, OBJECT is a port there: its id, an address, or its interface.
    """
    if here_alone:
        return _here(config, object, as_json=as_json)
    try:
        with Client.from_environment() as client:
            found = _only(client, object, type_)
            told = client.call("GET", f"{PATH}/{quote(found['id'], safe='')}")["explanation"]
    except NoServer as error:
        return _here(config, object, str(error), as_json=as_json)
    except CommandError as error:
        raise NoAnswer(str(error)) from None
    print_answer(told, text(told), as_json=as_json)
    return _WORKS if told["works"] else _DOES_NOT


def _here(config: Path | None, name: str, why: str = "", *, as_json: bool) -> int:
    """why: nobody else is asked."""
    try:
        found = here.told(config, name)
    except CommandError as error:
        raise NoAnswer("; ".join(filter(None, (why, str(error))))) from None
    if why:
        click.echo(f"netweft: {why}", err=True)
    return here.finish(found, as_json=as_json, packet=False)


def _only(client: Client, name: str, type: str | None) -> dict[str, Any]:
    query = {"name": name} | ({"type": type} if type else {})
    found: list[dict[str, Any]] = client.call("GET", f"{PATH}?{urlencode(query)}")["objects"]
    if not found:
        raise CommandError(f"there is no {type or 'object'} {name[:_SHOWN]!r}, or it is not yours")
    if len(found) > 1:
        several = "; ".join(f"{one['type']} {one['id']}" for one in found)
        raise CommandError(f"several objects are called {name!r}, give an id or --type: {several}")
    return found[0]


def text(told: Mapping[str, Any]) -> Iterator[str]:
    yield f"{told['type']} {told['name'] or '(without a name)'} ({told['id']})"
    yield from _values("where", told["where"])
    yield from _values("should be", told["should_be"])
    yield from _values("is", told["is"])
    for node in told["nodes"]:
        yield from _values(f"node {node['host']}", _of_node(node))
    yield from _values("made", {"at": told["created_at"], "project": told["project_id"]})
    for change in told["changes"]:
        by = f" by {change['by']}" if change["by"] else ""
        yield f"  changed    {change['at']}: {change['operation']}{by}, revision {change['revision']}"
    yield "it works, as far as the server knows" if told["works"] else "it does not work:"
    for finding in sorted(told["findings"], key=lambda one: not one["blocks"]):
        yield from _of_finding(told, finding)
    if told["unseen"]:
        yield f"not looked at: {', '.join(told['unseen'])}"


def _of_finding(told: Mapping[str, Any], finding: Mapping[str, Any]) -> Iterator[str]:
    of = finding["object"]
    whose = f"{of['type']} {of['name'] or of['id']}: " if of["id"] != told["id"] else ""
    yield f"  {'!' if finding['blocks'] else '-'} {finding['code']}: {whose}{finding['message']}"
    if finding["detail"]:
        yield f"      {finding['detail']}"
    if finding["fix"]:
        yield f"      fix: {finding['fix']}"
    elif finding["fixed_by"] == "admin":
        yield "      fix: ask an administrator"


def _of_node(node: Mapping[str, Any]) -> dict[str, Any]:
    feed = node["feed"] or {}
    said = {name: value for name, value in node.items() if name not in ("host", "feed")}
    return said | ({"revision": feed["revision"], "behind": feed["revisions"]} if feed else {})


def _values(title: str, values: Mapping[str, Any]) -> Iterator[str]:
    """What there is of them, in one line."""
    said = [f"{name} {_value(value)}" for name, value in values.items() if value not in (None, "", [], {})]
    if said:
        yield f"  {title:<10} {', '.join(said)}"


def _value(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(_value(one) for one in value)
    if isinstance(value, dict):
        shown = value.get("ip_address") or value.get("id")  # the rest is in the JSON
        return str(shown) if shown else json.dumps(value)
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)
