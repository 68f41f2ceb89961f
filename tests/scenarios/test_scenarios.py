"""Golden cases: a folder each, plain files.  `view.json` says what a node knows and what is plugged in; the other files
say what it should make of that, flows in ovs-ofctl's words with the names of tables.

After a change that is meant: `NETWEFT_WRITE_GOLDENS=1 pytest tests/scenarios`, and read the diff.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from netweft.dataplane.openflow.text import format_flow
from netweft.dataplane.ovsdb.rows import Vif
from netweft.model import Object, PortStatus, key_of, view_of
from netweft.services.kinds import Item
from netweft.services.l2.local_vlans import ROUTER_ZONES, LocalVlans
from netweft.services.pipeline import INT, TUN, BridgeFlow, physical_role, pipeline_of
from netweft.services.rendering import Rendering
from netweft.services.values import HostFacts, Lease, Uplinks

CASES = sorted(path.parent for path in Path(__file__).parent.glob("*/view.json"))


class Case(msgspec.Struct, forbid_unknown_fields=True):
    about: str
    host: HostFacts
    uplinks: Uplinks
    plugged: tuple[Vif, ...]
    objects: tuple[Object, ...]


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_scenario(folder: Path) -> None:
    case = msgspec.json.decode((folder / "view.json").read_bytes(), type=Case)
    items = render(case)
    roles = [INT.role, TUN.role, *map(physical_role, case.host.bridge_mappings)]
    files = {f"{role.replace(':', '.')}.flows": "".join(flow_lines(items, role)) for role in roles}
    files["rows"] = "".join(
        sorted(f"{item}\n" for item in items if not isinstance(item, BridgeFlow | PortStatus | Lease))
    )
    files["statuses"] = "".join(sorted(f"{item}\n" for item in items if isinstance(item, PortStatus)))
    if leases := [item for item in items if isinstance(item, Lease)]:
        files["leases"] = "".join(sorted(f"{item}\n" for item in leases))
    for name, content in files.items():
        golden = folder / name
        if os.environ.get("NETWEFT_WRITE_GOLDENS"):
            golden.write_text(content)
        assert content == golden.read_text(), golden


def render(case: Case) -> list[Item]:
    rendering = Rendering(case.host, LocalVlans(1, 4094), LocalVlans(*ROUTER_ZONES))
    rendering.set_uplinks(case.uplinks)
    view = view_of("", 1, case.objects)
    rendering.update(view, [key_of(obj) for obj in case.objects], ())
    for vif in case.plugged:
        rendering.plug(vif.iface_id, vif)
    rendering.refresh()
    return list(rendering.desired.values())


def flow_lines(items: list[Item], role: str) -> Iterator[str]:
    names = {table.id: table.name for table in pipeline_of(role).tables.values()}
    flows = [item.flow for item in items if isinstance(item, BridgeFlow) and item.bridge == role]
    for flow in sorted(flows, key=lambda flow: (flow.table, -flow.priority, str(flow.match))):
        yield format_flow(flow, names) + "\n"
