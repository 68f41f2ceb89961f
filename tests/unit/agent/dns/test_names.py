"""Whoever is on a network is found by name and by address, there and nowhere else, and is gone when his port is."""

from hypothesis import given
from hypothesis import strategies as st

from netweft.agent.desired import Part
from netweft.agent.dns.names import Names
from netweft.model.names import pointer
from netweft.services.names import Named, Place

RED, BLUE = "red", "blue"


def named(
    id: str, name: str = "", *addresses: str, network: str = RED, domain: str = "", place: Place = Place.HERE
) -> Named:
    return Named(port_id=id, place=place, network_id=network, name=name, domain=domain, addresses=addresses)


def of(*all: Named, domain: str = "cloud.test") -> Names:
    names = Names(domain)
    names.change(Part(upserts=list(all)))
    return names


def test_a_name_is_its_networks_alone() -> None:
    names = of(named("1", "web", "10.0.0.5", "2001:db8::5"), named("2", "web", "10.9.9.9", network=BLUE))
    for text in ("web.cloud.test.", "web."):
        assert names.addresses(RED, text) == ["10.0.0.5", "2001:db8::5"]
        assert names.addresses(BLUE, text) == ["10.9.9.9"]
    assert names.addresses(RED, "web.elsewhere.test.") == []
    assert names.addresses("green", "web.cloud.test.") == []


def test_by_its_own_domain_and_by_the_nodes() -> None:
    names = of(named("1", "web", "10.0.0.5", domain="corp.test."))
    assert names.addresses(RED, "web.corp.test.") == names.addresses(RED, "web.cloud.test.") == ["10.0.0.5"]
    assert names.name(RED, pointer("10.0.0.5")) == "web.corp.test."


def test_one_that_is_fully_qualified_is_only_that() -> None:
    names = of(named("1", "web.cloud.test.", "10.0.0.5"))
    assert names.addresses(RED, "web.cloud.test.") == ["10.0.0.5"]
    assert names.addresses(RED, "web.") == []


def test_one_without_a_name_is_called_by_its_address() -> None:
    names = of(named("1", "", "10.0.0.5", "2001:db8::5"), named("2", "web", "10.0.0.6"))
    assert names.addresses(RED, "host-10-0-0-5.cloud.test.") == ["10.0.0.5"]
    assert names.addresses(RED, "host-2001-db8--5.cloud.test.") == ["2001:db8::5"]
    assert names.addresses(RED, "host-10-0-0-6.cloud.test.") == []
    assert names.addresses(RED, "host-10-0-0-5.other.test.") == []
    assert names.name(RED, pointer("10.0.0.5")) == "host-10-0-0-5.cloud.test."
    assert names.name(BLUE, pointer("10.0.0.5")) == ""


def test_several_of_one_name() -> None:
    names = of(named("1", "web", "10.0.0.5"), named("2", "web", "10.0.0.6", place=Place.ELSEWHERE))
    assert names.addresses(RED, "web.") == ["10.0.0.5", "10.0.0.6"]


def test_a_port_that_comes_from_another_node_is_one() -> None:
    names = of(named("1", "web", "10.0.0.5", place=Place.ELSEWHERE))
    names.change(Part(upserts=[named("1", "web", "10.0.0.5")]))
    assert names.addresses(RED, "web.") == ["10.0.0.5"]
    names.change(Part(deletes=[("1", Place.ELSEWHERE)]))
    assert names.addresses(RED, "web.") == ["10.0.0.5"]


ANY = st.builds(
    named,
    st.sampled_from("123"),
    st.sampled_from(["", "web", "db", "web.cloud.test."]),
    st.sampled_from(["10.0.0.5", "10.0.0.6", "2001:db8::5"]),
    network=st.sampled_from([RED, BLUE]),
    domain=st.sampled_from(["", "corp.test."]),
)


@given(st.lists(st.one_of(ANY, st.sampled_from("123"))))
def test_what_was_before_makes_no_difference(events: list[Named | str]) -> None:
    names, now = Names("cloud.test"), dict[str, Named]()
    for event in events:
        if isinstance(event, str):
            names.change(Part(deletes=[(event, Place.HERE)]))
            now.pop(event, None)
        else:
            names.change(Part(upserts=[event]))
            now[event.port_id] = event
    fresh = of(*now.values())
    assert {key: set(who) for key, who in names._keys.items()} == {key: set(who) for key, who in fresh._keys.items()}
