"""Names of labs, nodes and VMs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netweft.lab.layout import MAX_NODES, LabError, Layout

lab_names = st.from_regex(r"\A[a-z][a-z0-9]{0,9}\Z")


@pytest.mark.parametrize("name", ["", "Lab", "a-b", "1a", "a/b", "..", "elevenchars", "a b", "a\n"])
def test_a_bad_lab_name_is_refused(name: str) -> None:
    with pytest.raises(LabError, match="no lab name"):
        Layout(name)


@pytest.mark.parametrize("name", ["", "..", "a/b", "-rf", "a b", "x" * 41])
def test_a_bad_vm_name_is_refused(name: str) -> None:
    with pytest.raises(LabError, match="no VM name"):
        Layout("lab").vm_file(name)


@given(lab_names, lab_names)
def test_no_namespace_of_one_lab_begins_like_another_labs(one: str, other: str) -> None:
    ours, theirs = Layout(one), Layout(other)
    for name in (theirs.fabric.namespace, theirs.node(1).namespace, theirs.vm_namespace("web-1")):
        assert name.startswith(ours.namespace_prefix) == (one == other)


@given(lab_names)
def test_unix_sockets_fit_into_an_address(name: str) -> None:
    layout = Layout(name)
    node = layout.node(MAX_NODES)
    for path in (layout.server_socket, node.ovs / "br-int.mgmt", layout.vms / f"{'x' * 40}.hv200.d/incoming.sock"):
        assert len(str(path)) < 108


def test_each_node_has_its_own_tunnel_address() -> None:
    assert len({Layout("lab").node(number).tunnel_ip for number in range(1, MAX_NODES + 1)}) == MAX_NODES


@pytest.mark.parametrize("number", [0, -1, MAX_NODES + 1])
def test_a_node_beyond_the_underlay_is_refused(number: int) -> None:
    with pytest.raises(LabError):
        Layout("lab").node(number)
