"""`netweft trace`: whether a packet passes, its way, and everything that is in its way, out of the server's answer."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import click

from netweft.cli import here, live
from netweft.cli.client import Client, NoServer
from netweft.cli.errors import CommandError
from netweft.cli.explain import NoAnswer
from netweft.cli.printing import print_answer

PATH = "/v2.0/netweft/trace"
_ENDS = {True: 0, False: 1, None: 2}
_CHOSEN = "member slots"  # the reason of the flows by which a load balancer has chosen
_VLAN = re.compile(r"\bdl_vlan=(\d+)")
_WORDS = {True: "it passes", False: "it does not pass", None: "not found out whether it passes"}


@click.command
@click.argument("from_", metavar="FROM")
@click.argument("to", metavar="TO")
@click.option("--proto", "protocol", default="icmp", show_default=True, help="tcp, udp, sctp, icmp, a name or a number")
@click.option("--port", type=click.IntRange(1, 65535), help="the port that it is for")
@click.option("--source-port", type=click.IntRange(1, 65535), help="of a connection that is there already")
@click.option("--source-address", default="", help="another address than the port's own")
@click.option("--size", type=click.IntRange(0, 65535), default=0, help="of the packet, with its IP header")
@click.option("--probe", is_flag=True, help="send a packet at the port FROM, where all else lets it pass")
@live.options
@click.option("--reply", is_flag=True, help="show the way of the answer, too")
@click.option("--flows", is_flag=True, help="show the flows that it meets in Open vSwitch (for who sees agents)")
@click.option(
    "--what-if",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="a JSON file with rules and routes that are not there yet; nodes are not queried then",
)
@click.option("--json", "as_json", is_flag=True, help="the server's answer; its codes are stable, see docs/codes.md")
@here.here_option
@here.config_option
def trace(
    from_: str,
    to: str,
    protocol: str,
    port: int | None,
    source_port: int | None,
    source_address: str,
    size: int,
    what_if: Path | None,
    pcap: Path | None,
    config: Path | None,
    *,
    here_alone: bool,
    probe: bool,
    reply: bool,
    flows: bool,
    as_json: bool,
    **waits: Any,
) -> int:
    """Say whether a packet gets from FROM to TO and its answer back, and everything that is in its way.

    FROM and TO are the name or id of a port or a load balancer, the id of a server with one port, an address, a
    floating IP, a port's name in DNS, or `outside`.
    With --live the next real packet that matches is waited for and followed.
    Ends with 0 if it passes, 1 if it does not, 2 if that could not be found out.  Needs OS_* variables, as in the
    server's admin-openrc.

    Without a server, on a hypervisor, FROM is a port there, TO another or an address: what becomes of the packet on
    this node.
    """
    alone = {"frm": from_, "to": to, "protocol": protocol, "port": port or 0}
    alone |= {"source_port": source_port} if source_port else {}
    if here_alone:
        return _here(config, alone, as_json=as_json)
    asked: dict[str, Any] = {"from": from_, "to": to, "protocol": protocol, "size": size}
    asked |= {"source_address": source_address} if source_address else {}
    asked |= {"probe": True} if probe else {}
    asked |= {name: value for name, value in (("port", port), ("source_port", source_port)) if value is not None}
    try:
        if what_if is not None:
            asked["what_if"] = _read(what_if)
        asked |= live.asked(pcap, **waits)
        with live.written(pcap) as write, Client.from_environment() as client:
            told = client.call("POST", PATH, {"trace": asked}, live.seconds(asked))["trace"]
            write(told)
    except NoServer as error:
        if asked.keys() & {"live", "probe", "what_if"}:
            raise NoAnswer(str(error)) from None
        return _here(config, alone, str(error), as_json=as_json)
    except CommandError as error:
        raise NoAnswer(str(error)) from None
    print_answer(told, text(told, reply=reply, flows=flows), as_json=as_json)
    return _ENDS[told["passes"]]


_NUMBERS = {"icmp": 1, "tcp": 6, "udp": 17, "ipv6-icmp": 58, "icmpv6": 58, "sctp": 132}


def _here(config: Path | None, asked: dict[str, Any], why: str = "", *, as_json: bool) -> int:
    """why: nobody else is asked."""
    name = str(asked["protocol"]).lower()
    number = int(name) if name.isascii() and name.isdecimal() and len(name) < 4 else _NUMBERS.get(name)
    try:
        if number is None:
            raise CommandError(f"without a server, the protocol is a number or one of {', '.join(_NUMBERS)}")
        found = here.told(config, asked | {"protocol": number})
    except CommandError as error:
        raise NoAnswer("; ".join(filter(None, (why, str(error))))) from None
    if why:
        click.echo(f"netweft: {why}", err=True)
    return here.finish(found, as_json=as_json, packet=True)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise CommandError(f"{path}: {error}") from None


def text(told: Mapping[str, Any], *, reply: bool, flows: bool) -> Iterator[str]:
    yield f"{_end(told['from'])} -> {_end(told['to'])}: {_WORDS[told['passes']]}"
    yield from live.text(told)
    directions = ["forward", *(["return"] if reply else [])]
    for direction in directions:
        if told[direction]:
            yield f"{'there' if direction == 'forward' else 'back'}:"
            yield from _steps(told[direction])
            yield from _nodes(told, direction, flows=flows)
    if told.get("probe"):
        seen = ", ".join(f"{one['host']} {one['interface']}" for one in told["probe"]["seen"])
        words = {True: "has arrived", False: "has not arrived", None: "was not seen"}
        yield f"probe: {words[told['probe']['arrived']]}{f', seen at {seen}' if seen else ''}"
    findings = sorted(told["findings"], key=lambda one: not one["blocks"])
    if findings:
        yield "in its way:" if findings[0]["blocks"] else "to know:"
    for one in findings:
        yield from _of_finding(one)
    for one in told["assumptions"]:
        yield f"supposed: {one}"
    for one in told["unseen"]:
        yield f"not seen: {one}"


def _end(end: Mapping[str, Any]) -> str:
    return str(end.get("name") or end.get("address") or end.get("id") or end["type"])


def _steps(way: Mapping[str, Any]) -> Iterator[str]:
    last = ""
    for step in way["steps"]:
        if step["packet"] != last:
            yield f"    {step['packet']}"
            last = step["packet"]
        where = " ".join(filter(None, (step["type"], step.get("name") or step.get("id", ""))))
        yield f"  {'|' if step['type'] == 'network' else 'o'} {where}{_under(step)}: {step['does']}"


def _under(step: Mapping[str, Any]) -> str:
    """Of the underlay, to who sees it."""
    said = [step.get("host"), step.get("provider:network_type"), step.get("provider:physical_network")]
    key = step.get("provider:segmentation_id")
    words = " ".join(str(one) for one in (*said, key) if one is not None)
    return f" ({words})" if words else ""


def _nodes(told: Mapping[str, Any], direction: str, *, flows: bool) -> Iterator[str]:
    for node in told["nodes"]:
        if node["direction"] != direction:
            continue
        given = [hop["object"] for hop in node["flows"] if hop["reason"] == _CHOSEN]
        chosen = f" -> balanced to member {given[-1]}" if given else ""
        ends = "; ".join(_exit(one, _key_words(told[direction])) for one in node["ends"]) or "nowhere"
        yield f"  {node['host']}: {' -> '.join(_bridges(node['flows']))}{chosen} -> {ends}"
        for hop in node["flows"] if flows else ():
            whose = " ".join(filter(None, (hop["reason"], hop["object"].strip("0") and hop["object"])))
            yield f"      {hop['bridge']} {hop['table']}: {hop['flow'] or 'no flow'}{f'  [{whose}]' if whose else ''}"


def _bridges(flows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """From bridge to bridge, with the VLAN tag by which the next one knows the network: the node's local one, but of a
    wire and of a trunk, where it comes in."""
    for at, (bridge, hops) in enumerate(groupby(flows, lambda hop: hop["bridge"])):
        tag = next(filter(None, (_VLAN.search(hop["flow"]) for hop in hops)), None)
        if tag is not None:
            yield f"{'local VLAN' if at else 'VLAN'} {tag[1]}"
        yield bridge


def _key_words(way: Mapping[str, Any]) -> dict[int, str]:
    """What a tunnel's key is called, of the networks on the way."""
    networks = (step for step in way["steps"] if step["type"] == "network")
    kinds = {one.get("provider:segmentation_id"): one.get("provider:network_type") for one in networks}
    return {key: "VNI" for key, kind in kinds.items() if kind in ("vxlan", "geneve")}


def _exit(end: Mapping[str, Any], key_words: Mapping[int, str]) -> str:
    match end["kind"]:
        case "port":
            return f"port {end['port_id']} ({end['interface']})"
        case "tunnel":
            return f"tunnel to {end['tunnel']}, {key_words.get(end['key'], 'key')} {end['key']}"
        case "wire":
            return f"wire {end['interface']}, {'VLAN ' + str(end['vlan']) if end['vlan'] else 'untagged'}"
        case "drop":
            return f"dropped: {end['why']}"
    return f"{end['kind']} {end['interface']}".rstrip()


def _of_finding(one: Mapping[str, Any]) -> Iterator[str]:
    of = one["object"]
    back = " (of the answer)" if one["direction"] == "return" else ""
    whose = f"{of['type']} {of['name'] or of['id']}"
    yield f"  {'!' if one['blocks'] else '-'} {one['code']}{back}: {whose}: {one['message']}"
    if one["detail"]:
        yield f"      {one['detail']}"
    if one["changed"]:
        by = f" by {one['changed']['by']}" if one["changed"]["by"] else ""
        yield f"      changed last {one['changed']['at']}{by}"
    if one["fix"]:
        yield f"      fix: {one['fix']}"
    elif one["fixed_by"] == "admin":
        yield "      fix: ask an administrator"
