"""Who sits where on a chassis of OVN's: numbers stay, and come round late."""

import pytest

from netweft.agent.metadata import chassis
from netweft.agent.metadata.chassis import Sittings
from netweft.services.values import Asked
from netweft.settings import AgentSettings
from netweft.wire.metadata import Seat


def seat(id: str) -> Seat:
    return Seat(port_id=id, network_id="n", mac_address="fa:16:3e:00:00:01", ip_addresses=("10.0.0.5",))


def test_a_number_stays_and_is_not_given_on_at_once() -> None:
    here = Sittings()
    here.see([seat("a"), seat("b")])
    a = next(one.number for one in here.requesters() if one.port_id == "a")
    here.see([seat("b")])
    assert (here.port_at(a), here.port_id_at(a)) == (None, None)
    here.see([seat("b"), seat("c")])
    assert here.port_at(a) is None
    assert {one.port_id for one in here.requesters()} == {"b", "c"}
    c = next(one.number for one in here.requesters() if one.port_id == "c")
    assert here.port_id_at(c) == "c"


def test_numbers_come_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chassis, "MOST_NUMBER", 2)
    here = Sittings()
    for id in ("a", "b", "c"):
        here.see([seat(id)])
    assert [one.number for one in here.requesters()] == [1]
    here.see([seat("c"), seat("d")])
    with pytest.raises(RuntimeError, match="more than 2 ports"):
        here.see([seat("c"), seat("d"), seat("e")])


def test_one_that_floods_requests_is_ignored_for_a_while() -> None:
    here = Sittings()
    here.see([seat("a"), seat("b")])
    here.listen("a", Asked.METADATA, again=False)
    assert [one.port_id for one in here.requesters()] == ["b"]
    here.listen("a", Asked.METADATA, again=True)
    assert {one.port_id for one in here.requesters()} == {"a", "b"}


async def test_what_it_measures_is_the_metadata_services() -> None:
    agent = chassis.ChassisAgent(AgentSettings(node="hv1"))
    names = {reading.metric.name for reading in await agent.readings()}
    assert {"netweft_agent_metadata_answers_total", "netweft_agent_metadata_connections"} <= names
    assert agent.show() == "node hv1\nmetadata for 0 ports on 0 networks"
