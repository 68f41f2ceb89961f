"""A new plain resource is one description: no handler, no migration."""

from typing import Any

import pytest
from starlette.applications import Starlette

from netweft.api import checks
from netweft.api.app import build
from netweft.api.attributes import REQUIRED, Attribute, Resource
from netweft.api.resources.standard import STANDARD
from netweft.control.errors import NotFound
from netweft.control.standard import Plain
from netweft.settings import ServerSettings
from netweft.store import Store

from .conftest import Api, authenticate


class WidgetNotFound(NotFound):
    message = "Widget %(id)s could not be found."


WIDGET = Resource(
    member="widget",
    collection="widgets",
    attributes=STANDARD
    | {
        "size": Attribute(
            check=checks.integer, parse=checks.integer, post=True, put=True, default=REQUIRED, filter=True
        )
    },
    use_cases=Plain("widgets"),
    not_found=WidgetNotFound,
)


@pytest.fixture
def widgets(store: Store) -> Api:
    routes = build([WIDGET], store, authenticate, ServerSettings())
    return Api(Starlette(routes=routes))


def test_it_lives(widgets: Api) -> None:
    made = widgets.make_many("alice", "widget", [{"name": str(size), "size": size} for size in range(3)])
    assert widgets.names("alice", "/widgets?size=1&size=2&sort_key=name") == ["1", "2"]
    assert widgets.names("bob", "/widgets") == []
    path = f"/widgets/{made[0]['id']}"
    changed: Any = widgets("alice", "PUT", path, {"widget": {"size": "9"}}).json()
    assert (changed["widget"]["size"], changed["widget"]["revision_number"]) == (9, 2)
    assert widgets("alice", "POST", "/widgets", {"widget": {}}).status_code == 400
    assert widgets("adam", "DELETE", path).status_code == 403
    assert widgets("alice", "DELETE", path).status_code == 204
    assert widgets("alice", "GET", path).json()["NeutronError"]["type"] == "WidgetNotFound"
