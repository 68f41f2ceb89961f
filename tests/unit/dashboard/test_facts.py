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


def test_what_only_admins_may_say_is_known(store: Store) -> None:
    networks = facts(resources(store, ServerSettings()))["networks"]
    assert networks["attributes"]["shared"]["admin"] and networks["attributes"]["provider:network_type"]["hidden"]
    assert "admin" not in networks["attributes"]["name"]
    assert networks["admin"] == {"create": False, "get": False, "update": False, "delete": False}
