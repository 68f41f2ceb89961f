"""A node that is the machine itself: its own Open vSwitch at the default paths, borrowed and given back.

What is the lab's there can be told without any file of it: the Open_vSwitch row and the links carry its name.  A
machine that has bridges of these names already is somebody's hypervisor, and is left alone.
"""

from netweft.lab import fabric, hypervisor
from netweft.lab.commands import listens, vsctl
from netweft.lab.layout import PHYSICAL_NETWORKS, LabError, Layout, NodeLayout

BRIDGES = ("br-int", "br-tun", "br-phy", *(network.bridge for network in PHYSICAL_NETWORKS))
_MARK = "netweft-lab"
_VETH = "stt-overlay"  # with its other end; the agent's, which would keep it for its next start
_KEPT_ARMED = "flow-restore-wait"  # by the agent: without one, the switch would forward nothing after its next start


def check(node: NodeLayout) -> None:
    """Raises LabError where it cannot be borrowed."""
    if not listens(node.ovs / "db.sock"):
        raise LabError("no Open vSwitch runs on this machine; start it: systemctl start openvswitch-switch")
    if theirs := set(vsctl(node, "list-br").split()) & set(BRIDGES):
        raise LabError(f"this machine is a hypervisor already: its Open vSwitch has {', '.join(sorted(theirs))}")


def borrow(node: NodeLayout, datapath: str) -> None:
    mark = f"external_ids:{_MARK}={node.layout.lab}"
    vsctl(node, "set", "Open_vSwitch", ".", mark, *hypervisor.bridges(node, datapath))


def is_borrowed(layout: Layout) -> bool:
    node = layout.node(1, is_root=True)
    if not listens(node.ovs / "db.sock"):
        return False
    try:
        marked = vsctl(node, "--if-exists", "get", "Open_vSwitch", ".", f"external_ids:{_MARK}")
    except LabError:
        if listens(node.ovs / "db.sock"):
            raise
        return False  # somebody stopped it while it was asked
    return marked.strip().strip('"') == layout.lab


def give_back(layout: Layout) -> None:
    node = layout.node(1, is_root=True)
    if is_borrowed(layout):
        words = [word for bridge in BRIDGES for word in ("--", "--if-exists", "del-br", bridge)]
        words += ["--", "remove", "Open_vSwitch", ".", "external_ids", _MARK]
        words += ["--", "remove", "Open_vSwitch", ".", "other_config", _KEPT_ARMED]
        vsctl(node, *words[1:])
        fabric.remove_link(node.namespace, _VETH)
    for link in fabric.links(layout):
        fabric.remove_link(node.namespace, link)
