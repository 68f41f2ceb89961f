"""A worker's lab, used by one module after the other: swept in between, by the product's own means, and its settings
put back.

Afterwards it has to be what it was when it was new: rows of the database, flows, groups and meters, rows of
Open vSwitch, links, addresses, namespaces and processes.  What is left over is a fault, of the product or of
the module, and an error of that module's last test.  After a failed test the lab is taken down instead, as is one that
a module says it leaves otherwise (`leaves_it_otherwise`): docs/decisions/0494-labs-are-used-again.md.
"""

import json
import re
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from tests.netns.harness import CLOCK_STANDS_STILL, Lab, new_name

from netweft.lab import build, fabric, host, processes, vm
from netweft.lab.cloud import Cloud
from netweft.lab.commands import run, vsctl
from netweft.lab.layout import LabError, OpenVSwitch

State = Mapping[str, frozenset[str]]

SWEPT_WITHIN = 60.0  # seconds, on a busy machine
BETWEEN = 15.0 if CLOCK_STANDS_STILL else 0.1  # seconds: a look is some forty programs, and takes seconds there
MOST_TOLD = 40
# in the order in which they go, and what stands before them in paths; who needs another goes before it
COLLECTIONS = {
    "floatingips": "",
    "routers": "",
    "trunks": "",
    "ports": "",
    "subnets": "",
    "networks": "",
    "security_group_rules": "",
    "security_groups": "",
    "default_security_group_rules": "",
    "address_groups": "",
    "policies": "qos/",
    "rbac_policies": "",
    "subnetpools": "",
    "address_scopes": "",
    "metering_label_rules": "metering/",
    "metering_labels": "metering/",
}
OVS_TABLES = dict.fromkeys(("Bridge", "Port", "Interface", "Mirror"), "name") | {
    "Controller": "target",
    "QoS": "_uuid,other_config",
    "Queue": "_uuid,other_config",
}


class Keeper:
    """At most one lab at a time.  keep_logs: of a lab that goes."""

    def __init__(self, keep_logs: Callable[[Lab], None]) -> None:
        self._keep_logs = keep_logs
        self._kept: tuple[build.Plan, Lab, State] | None = None
        self._settings: dict[Path, str] = {}

    def lab(self, plan: build.Plan) -> Lab:
        if self._kept and self._kept[0] == plan:
            return self._kept[1]
        self.take_down()
        found = Lab(new_name())
        build.up(found.layout, plan)
        with found.cloud() as cloud:
            cloud.list("security-groups")  # the project's own is made for who looks
            cloud.request("GET", "fwaas/firewall_groups")  # likewise
        self._kept = plan, found, {}
        if plan.ovn:  # no agents of ours, whose state could be looked at: not kept
            return found
        try:
            self._settings = {path: path.read_text() for path in found.layout.folder.glob("*/netweft.toml")}
            _wait_for(lambda: _in_sync(found), "its agents in sync")
            self._kept = plan, found, state(found)
        except BaseException:
            self.take_down()
            raise
        return found

    def sweep(self) -> None:
        """Raises AssertionError with what is left over; the lab is gone then."""
        assert self._kept
        _, lab, empty = self._kept
        try:
            self._put_back(lab)
            left: list[str] = []
            refusals = ["not tried yet"]

            def swept() -> bool:
                if refusals:  # a balancer that is deleted has its port until nodes say that it is gone from them
                    refusals[:] = _delete_all(lab, empty)
                left[:] = differences(empty, state(lab)) if _in_sync(lab) else ["its agents are not in sync"]
                return not left

            with suppress(AssertionError):
                _wait_for(swept, "swept")
            assert not left, "\n".join([f"{len(left)} left over in the lab:", *left[:MOST_TOLD], *refusals[:MOST_TOLD]])
        except BaseException:
            self.take_down()
            raise

    def _put_back(self, lab: Lab) -> None:
        """The settings, of the server and of agents."""
        for path, text in self._settings.items():
            if path.read_text() != text:
                path.write_text(text)
                which = ("server",) if path.parent.name == "server" else ("agent", path.parent.name)
                lab.kill(*which)
        _wait_for(lambda: build.server_answers(lab.layout), "the server answers")

    def take_down(self) -> None:
        if self._kept:
            _, lab, _ = self._kept
            self._kept = None
            self._keep_logs(lab)
            build.down(lab.layout)


def _wait_for(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + SWEPT_WITHIN
    while not condition():
        assert time.monotonic() < end, f"after {SWEPT_WITHIN:.0f} s still not: {what}"
        time.sleep(BETWEEN)


def _in_sync(lab: Lab) -> bool:
    """Before an agent has worked out what there has to be, it would change nothing either."""
    nodes = build.node_names(lab.layout)
    return all("all is in place" in lab.show(node) for node in nodes) and all(lab.in_sync(node) for node in nodes)


# -- taking away


def _delete_all(lab: Lab, empty: State) -> list[str]:
    """What was refused, in words."""
    for machine in vm.records(lab.layout).all():
        vm.remove(lab.layout, machine)
    for plain in host.records(lab.layout).all():
        host.remove(lab.layout, plain)
    with lab.cloud() as cloud:
        while found := [row for kind in COLLECTIONS for row in sorted(_ids(lab, kind) - empty[f"rows of {kind}"])]:
            refusals = [refusal for kind, id in map(str.split, found) if (refusal := _delete(cloud, kind, id))]
            if len(refusals) == len(found):
                return refusals
    return []


def _ids(lab: Lab, kind: str) -> frozenset[str]:
    return frozenset(f"{kind} {id}" for (id,) in _query(lab, "SELECT id FROM objects WHERE kind = ?", kind))


def _delete(cloud: Cloud, kind: str, id: str) -> str:
    """Empty when it is gone: what hangs on something goes with it."""
    path = f"{COLLECTIONS[kind]}{kind.replace('_', '-')}/{id}"
    try:
        if kind == "routers":
            _empty_router(cloud, id)
        cloud.request("DELETE", path)
    except LabError as refusal:
        return "" if ": 404 " in str(refusal) else str(refusal)
    return ""


def _empty_router(cloud: Cloud, id: str) -> None:
    cloud.update("routers", id, {"routes": []})
    for port in cloud.list("ports", device_id=id):
        if port["device_owner"] == "network:router_interface":
            cloud.act("routers", id, "remove_router_interface", {"port_id": port["id"]})


# -- what there is


def state(lab: Lab) -> State:
    layout = lab.layout
    found = {
        "namespaces": frozenset(fabric.namespaces(layout)),
        "processes": frozenset(f"{one.kind} {one.node}" for one in processes.supervised(layout.lab)),
        "settings": frozenset(
            f"{path.parent.name}: {path.read_text()}" for path in layout.folder.glob("*/netweft.toml")
        ),
        **{f"rows of {kind}": _ids(lab, kind) for kind in (*COLLECTIONS, *_kinds(lab))},
        **{f"rows of {table}": _rows(lab, table) for table in ("links", "claims", "free_ranges")},
        **_open_vswitch("the fabric", layout.fabric),
    }
    for node in map(lab.node, build.node_names(layout)):
        found |= _open_vswitch(node.name, node) | _network(node.name, node.namespace)
        for bridge in lab.vsctl(node.name, "list-br").splitlines():
            where, ports = f"{node.name}'s {bridge}", _ports(lab, node.name, bridge)
            found[f"flows of {where}"] = frozenset(_by_name(line, ports) for line in lab.flows(node.name, bridge))
            for kind in ("groups", "meters"):
                listing = lab.ofctl(node.name, f"dump-{kind}", bridge).splitlines()[1:]
                found[f"{kind} of {where}"] = frozenset(line.strip() for line in listing)
    return found


def _ports(lab: Lab, node: str, bridge: str) -> dict[int, str]:
    """By number: a port that is made anew gets another one."""
    shown = lab.ofctl(node, "show", bridge)
    return {int(number): name for number, name in re.findall(r"^ (\d+)\((.+)\): addr:", shown, re.MULTILINE)}


def _by_name(flow: str, ports: Mapping[int, str]) -> str:
    def named(found: re.Match[str]) -> str:
        return f"{found[1]}{ports.get(int(found[2], 0), found[2])}"

    return re.sub(r"((?:reg[12]|in_port)=|output:)(0x[0-9a-f]+|\d+)", named, flow)


def _kinds(lab: Lab) -> list[str]:
    return [str(kind) for (kind,) in _query(lab, "SELECT DISTINCT kind FROM objects")]


def _rows(lab: Lab, table: str) -> frozenset[str]:
    return frozenset(str(row) for row in _query(lab, f"SELECT * FROM {table}"))


def _query(lab: Lab, text: str, *values: str) -> list[tuple[object, ...]]:
    """Of the server's database, which is a file of SQLite."""
    connection = sqlite3.connect(f"file:{lab.layout.server_folder}/netweft.db?mode=ro", uri=True)
    try:
        return connection.execute(text, values).fetchall()
    finally:
        connection.close()


def _open_vswitch(name: str, switch: OpenVSwitch) -> dict[str, frozenset[str]]:
    words = [w for table, columns in OVS_TABLES.items() for w in ("--", f"--columns={columns}", "list", table)]
    listing = vsctl(switch, "get", "Open_vSwitch", ".", "other_config", *words)
    return {f"{name}'s Open vSwitch": frozenset(line for line in listing.splitlines() if line)}


def _network(name: str, namespace: str) -> dict[str, frozenset[str]]:
    links = json.loads(run("ip", "-n", namespace, "-json", "address", "show"))
    shown = frozenset(line for link in links for line in _link(link))
    return {f"{name}'s links": shown}


def _link(link: Mapping[str, object]) -> Iterator[str]:
    yield f"{link['ifname']} mtu {link['mtu']} {link.get('qdisc')} {'UP' in str(link['flags'])}"
    addresses = link["addr_info"]
    assert isinstance(addresses, list)
    yield from (f"{link['ifname']} {one['local']}/{one['prefixlen']}" for one in addresses if one["scope"] != "link")


def differences(empty: State, now: State) -> list[str]:
    nothing: frozenset[str] = frozenset()
    found = []
    for what in sorted(empty.keys() | now.keys()):
        before, after = empty.get(what, nothing), now.get(what, nothing)
        found += [f"{what}: more: {line}" for line in sorted(after - before)]
        found += [f"{what}: gone: {line}" for line in sorted(before - after)]
    return found
