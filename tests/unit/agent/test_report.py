"""Each status once, when it is true and not before."""

from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from netweft.agent.report import ANEW, Reporter
from netweft.model import NodeView, PortState, PortStatus
from netweft.testing.region import network, port

P, Q = port(1, network(1)), port(2, network(1))
VIEW = NodeView(ports={P.id: P})
UP = {P.id: PortStatus(P.id, PortState.UP)}


class Server:
    def __init__(self) -> None:
        self.heard: list[tuple[list[PortStatus], bool]] = []
        self.reporter = Reporter(self.hear)

    def hear(self, statuses: Iterable[PortStatus], complete: bool) -> None:
        self.heard.append((list(statuses), complete))

    def tell(self, statuses: dict[str, PortStatus], problem: str = "") -> None:
        self.reporter.replace(statuses)
        self.reporter.tell(VIEW, problem)

    def news(self) -> list[tuple[list[PortStatus], bool]]:
        heard, self.heard = self.heard, []
        return heard


@pytest.fixture
def server() -> Server:
    return Server()


def test_what_is_known_is_not_announced_again(server: Server) -> None:
    server.tell(UP)
    assert server.news() == [([UP[P.id]], False)]
    server.tell(UP)
    assert server.news() == []


def test_a_port_that_is_wired_before_its_handler_is_there_is_up_when_it_is(server: Server) -> None:
    server.reporter.replace(UP)
    server.reporter.tell(VIEW, starting={P.id})
    assert server.news() == []
    server.reporter.owe_all()
    server.reporter.tell(VIEW, starting={P.id})
    assert server.news() == [([], True)]
    server.reporter.tell(VIEW)
    assert server.news() == [([UP[P.id]], False)]
    server.reporter.replace({})
    server.reporter.tell(VIEW, starting={P.id})
    assert [one.state for one in server.news()[0][0]] == [PortState.DOWN]


def test_a_session_begins_with_everything_even_if_it_is_nothing(server: Server) -> None:
    server.tell(UP)
    server.news()
    server.reporter.owe_all()
    server.tell(UP)
    assert server.news() == [([UP[P.id]], True)]
    server.tell({})
    server.news()
    server.reporter.owe_all()
    server.tell({})
    assert server.news() == [([], True)]


def test_an_unplugged_port_is_down_whoever_has_it(server: Server) -> None:
    server.tell({**UP, Q.id: PortStatus(Q.id, PortState.ERROR, "not ours")})
    server.news()
    server.tell({})
    assert server.news() == [([PortStatus(P.id, PortState.DOWN), PortStatus(Q.id, PortState.DOWN)], False)]


def test_of_ports_that_were_taken_away_the_server_hears_which_are_not_plugged_in(server: Server) -> None:
    server.tell(UP)
    server.news()
    server.reporter.left([P.id, Q.id])
    server.tell(UP)
    assert server.news() == [([PortStatus(Q.id, PortState.DOWN)], False)]
    server.tell(UP)
    assert server.news() == []


def test_while_something_is_missing_nothing_comes_up_and_nothing_goes_down(server: Server) -> None:
    server.tell(UP)
    server.news()
    both = {**UP, Q.id: PortStatus(Q.id, PortState.UP)}
    server.tell(both, problem="table full")
    assert server.news() == [([PortStatus(Q.id, PortState.ERROR, "table full")], False)]
    server.tell(both, problem="table full")
    assert server.news() == []
    server.tell(both)
    assert server.news() == [([PortStatus(Q.id, PortState.UP)], False)]


def anew(status: PortStatus, news: list[tuple[list[PortStatus], bool]], *, complete: bool = False) -> str:
    """That this was told, plugged in anew, and nothing else; which plugging it was."""
    [([said], all)] = news
    assert (said, all) == (replace(status, anew=True, plugging=said.plugging), complete)
    assert said.plugging
    return said.plugging


def test_what_was_unplugged_while_it_was_nobodys_is_plugged_in_anew(server: Server) -> None:
    asked = PortStatus(Q.id, PortState.ERROR, "not ours")
    server.tell({Q.id: asked})
    assert server.news() == [([asked], False)]
    server.tell({})
    server.news()
    server.tell({Q.id: asked})
    first = anew(asked, server.news())
    server.reporter.owe_all()
    server.tell({Q.id: asked})
    assert anew(asked, server.news(), complete=True) == first, "whenever the server asks"
    server.tell({})
    server.news()
    server.tell({Q.id: asked})
    assert anew(asked, server.news()) != first
    server.reporter.left([Q.id])
    server.tell({Q.id: replace(asked, detail="taken")})
    assert server.news() == [([replace(asked, detail="taken")], False)], "it was ours again, and plugged in"


def test_so_is_what_was_taken_away_unplugged_and_is_plugged_in_before_the_server_hears_of_it(server: Server) -> None:
    """The view that lacks it and the Interface that is there again are seen in one turn."""
    asked = PortStatus(Q.id, PortState.ERROR, "not ours")
    server.tell(UP)
    server.news()
    server.reporter.left([Q.id])
    server.tell({**UP, Q.id: asked})
    assert anew(asked, server.news())
    server.reporter.left([P.id])
    server.tell({P.id: replace(UP[P.id], state=PortState.ERROR), Q.id: asked})
    assert server.news() == [([replace(UP[P.id], state=PortState.ERROR)], False)], "it was plugged in all the time"


def test_of_the_nodes_own_it_is_said_once(server: Server) -> None:
    """It may have been taken away while it was unplugged: the node has not heard so (decision 0241)."""
    server.tell(UP)
    server.tell({})
    server.news()
    server.tell(UP)
    assert anew(UP[P.id], server.news())
    server.tell(UP)
    assert server.news() == []
    server.reporter.owe_all()
    server.tell(UP)
    assert server.news() == [([UP[P.id]], True)], "what is plugged in since is not a wish any more"


def test_what_is_claimed_by_being_plugged_in_anew_is_the_same_plugging_when_it_is_up(server: Server) -> None:
    """So unbound between the claim and the report that it is up, it is not claimed once more (decision 0537)."""
    asked = PortStatus(P.id, PortState.ERROR, "not ours yet")
    server.reporter.left([P.id])
    server.reporter.replace({P.id: asked})
    server.reporter.tell(NodeView())
    first = anew(asked, server.news())
    server.tell(UP)
    assert anew(UP[P.id], server.news()) == first
    server.tell({})
    server.news()
    server.tell(UP)
    assert anew(UP[P.id], server.news()) != first, "plugged in once more"


def test_what_there_is_nothing_to_say_of_yet_is_not_unplugged(server: Server) -> None:
    """Its network has no local VLAN for a moment, as when the port was taken and given back: DOWN would say that it was
    unplugged, and let a word that is on its way claim it."""
    stranger = PortStatus(P.id, PortState.ERROR, "not bound to this node yet")
    server.tell({P.id: stranger})
    assert server.news() == [([stranger], False)]
    server.reporter.replace({})
    server.reporter.tell(VIEW, plugged={P.id})
    server.reporter.left([P.id], {P.id})
    server.reporter.tell(NodeView(), plugged={P.id})
    assert server.news() == []
    server.reporter.replace(UP)
    server.reporter.tell(VIEW, plugged={P.id})
    assert server.news() == [([UP[P.id]], False)]
    server.reporter.replace({})
    server.reporter.tell(VIEW, plugged={P.id})
    server.reporter.tell(VIEW, plugged={P.id})
    assert server.news() == [([PortStatus(P.id, PortState.ERROR, ANEW)], False)]
    server.reporter.tell(VIEW)
    assert server.news() == [([PortStatus(P.id, PortState.DOWN)], False)]
