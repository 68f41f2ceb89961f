"""Views are values: merging makes new ones."""

from hypothesis import given
from hypothesis import strategies as st

from netweft.model import (
    EMPTY_VIEW,
    AddressGroup,
    GroupMember,
    Key,
    Network,
    Node,
    NodeView,
    Object,
    Peer,
    Port,
    QosPolicy,
    SecurityGroup,
    Subnet,
    SubPort,
    Trunk,
    key_of,
    view_of,
)

_ids = st.sampled_from("abc")
_objects: st.SearchStrategy[Object] = st.one_of(
    st.builds(Network, id=_ids, mtu=st.integers(1, 2)),
    st.builds(Subnet, id=_ids, network_id=_ids, ip_version=st.just(4), cidr=st.just("10.0.0.0/8")),
    st.builds(Port, id=_ids, network_id=_ids, mac_address=st.just("m")),
    st.builds(Peer, id=_ids, network_id=_ids, mac_address=st.just("m")),
    st.builds(Node, name=_ids),
    st.builds(Trunk, id=_ids, port_id=_ids),
    st.builds(SecurityGroup, id=_ids, stateful=st.booleans()),
    st.builds(GroupMember, group_id=_ids, port_id=_ids),
    st.builds(AddressGroup, id=_ids),
    st.builds(QosPolicy, id=_ids),
)
_steps = st.lists(st.tuples(st.lists(_objects), st.lists(_objects.map(key_of))), max_size=5)


@given(_steps)
def test_merging_is_what_a_dict_does(steps: list[tuple[list[Object], list[Key]]]) -> None:
    view, expected = EMPTY_VIEW, dict[Key, Object]()
    for revision, (upserts, deletes) in enumerate(steps):
        before, copied = view, NodeView(**{name: getattr(view, name) for name in view.__struct_fields__})
        view = view.merged(revision, upserts, deletes)
        for key in deletes:
            expected.pop(key, None)
        expected.update((key_of(obj), obj) for obj in upserts)
        assert before == copied
        assert view.revision == revision
    assert {key_of(obj): obj for obj in view.objects()} == expected
    assert all(view.get(key) == obj for key, obj in expected.items())


def test_untouched_kinds_are_shared() -> None:
    view = view_of("life", 1, [Network(id="n1"), Node(name="hv2")])
    after = view.merged(2, [Network(id="n2")], [])
    assert after.nodes is view.nodes
    assert after.history == "life"


def test_a_sub_port_is_found_with_its_trunk() -> None:
    one = Trunk(id="t1", port_id="p1", sub_ports=(SubPort("s1", 10), SubPort("s2", 20)))
    other = Trunk(id="t2", port_id="p2", sub_ports=(SubPort("s3", 10),))
    view = view_of("life", 1, [one, other])
    assert view.sub_ports() == {
        "s1": (one, SubPort("s1", 10)),
        "s2": (one, SubPort("s2", 20)),
        "s3": (other, SubPort("s3", 10)),
    }
