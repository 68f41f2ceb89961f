"""What is plugged in, kept up to date: after any updates the same as one who looks for the first time sees."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from netweft.dataplane.ovsdb.replica import Replica
from netweft.dataplane.ovsdb.rows import Vif
from netweft.dataplane.ovsdb.vifs import Vifs

PORTS = ("p1", "p2", "p3")
BRIDGES = ("br-int", "br-other")
iface_ids, ofports, tags = st.sampled_from(("", "a", "b")), st.sampled_from((-1, 1, 2)), st.sampled_from((1, 2))
ports = st.fixed_dictionaries(
    {"bridge": st.sampled_from(BRIDGES), "iface": iface_ids, "ofport": ofports, "tag": tags},
)
worlds = st.lists(st.dictionaries(st.sampled_from(PORTS), ports), min_size=1, max_size=6)
World = dict[str, dict[str, Any]]
Row = dict[str, Any]


def rows(world: World) -> dict[str, dict[str, Row]]:
    """All rows of the database, by table and uuid."""
    ports = {
        name: {"name": name, "interfaces": ["uuid", f"i-{name}"], "tag": port["tag"]} for name, port in world.items()
    }
    interfaces = {
        f"i-{name}": {"name": name, "ofport": port["ofport"], "external_ids": ["map", [["iface-id", port["iface"]]]]}
        for name, port in world.items()
    }
    on = {bridge: sorted(name for name, port in world.items() if port["bridge"] == bridge) for bridge in BRIDGES}
    bridges = {bridge: {"name": bridge, "ports": ["set", [["uuid", name] for name in on[bridge]]]} for bridge in on}
    return {"Bridge": bridges, "Port": ports, "Interface": interfaces}


def update(before: World, after: World) -> dict[str, dict[str, Row]]:
    """What ovsdb-server would say of it (a changed row as if it was new; a bridge by what differs)."""
    old, new = rows(before), rows(after)
    found: dict[str, dict[str, Row]] = {"Interface": {}, "Bridge": {}, "Port": {}}
    for table, changed in found.items():
        for uuid in old[table].keys() | new[table].keys():
            was, now = old[table].get(uuid), new[table].get(uuid)
            if was != now:
                changed[uuid] = {"delete": None} if now is None else {"initial": now}
    for bridge, row in found["Bridge"].items():
        left, joined = ({uuid for _, uuid in rows(world)["Bridge"][bridge]["ports"][1]} for world in (before, after))
        row.clear()
        row["modify"] = {"ports": ["set", [["uuid", uuid] for uuid in sorted(left ^ joined)]]}
    return {table: changed for table, changed in found.items() if changed}


@given(worlds)
def test_what_was_kept_is_what_a_first_look_finds(states: list[World]) -> None:
    replica = Replica()
    replica.update({"Bridge": {bridge: {"initial": {"name": bridge}} for bridge in BRIDGES}})
    vifs, before = Vifs(replica, "br-int"), World()
    heard: dict[str, Vif | None] = {}
    for after in states:
        news = vifs.update(replica.update(update(before, after)))
        heard = {id: vif for id, vif in {**heard, **news}.items() if vif}
        assert heard == vifs.plugged == Vifs(replica, "br-int").plugged
        assert {vif.port_name for vif in vifs.plugged.values()} <= {
            n for n, p in after.items() if p["bridge"] == "br-int"
        }
        assert {name: replica.bridge_of(name) for name in after} == {
            name: replica.bridges[port["bridge"]] for name, port in after.items()
        }
        before = after
