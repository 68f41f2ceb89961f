from pathlib import Path

import msgspec

from netweft.api.app import resources, shown
from netweft.dashboard.facts import facts
from netweft.settings import ServerSettings
from netweft.store import Store

KEPT = Path(__file__).parents[3] / "web/src/facts.json"


def test_the_page_knows_the_api_as_it_is(store: Store) -> None:
    """Else: `.venv/bin/python -m netweft.dashboard.facts > web/src/facts.json && make web`."""
    now = facts(shown(resources(store, ServerSettings())))
    assert msgspec.json.decode(KEPT.read_bytes()) == msgspec.to_builtins(now)


def test_what_not_every_member_may_do_is_known(store: Store) -> None:
    known = facts(resources(store, ServerSettings()))
    assert known["networks"]["attributes"]["shared"]["needs"] == "admin"
    assert known["floatingips"]["attributes"]["floating_ip_address"]["needs"] == "manager"
    assert "needs" not in known["networks"]["attributes"]["name"]
    assert known["networks"]["needs"] == {}
    assert known["policies"]["needs"] == {"create": "manager", "update": "manager", "delete": "manager"}
    assert known["agents"]["needs"] == {"get": "admin", "update": "admin", "delete": "admin"}
