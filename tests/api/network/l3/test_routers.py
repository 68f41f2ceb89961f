"""/routers: their life, their attributes, and who may do what with them."""

from typing import Any

import pytest
from tests.api.network.conftest import BLUE, Api, refused

from netweft.store import Object

BAD = (400, "BadRequest")
FORBIDDEN = (403, "PolicyNotAuthorized")
ACTIVE = "Please set router admin_state_up to False prior to upgrade"


def change(api: Api, router: Object, by: str = "alice", **values: Any) -> Any:
    return api(by, "PUT", f"/routers/{router['id']}", {"router": values})


def test_the_life_of_a_router(api: Api) -> None:
    made = api.make("alice", "router", name="r", description="d")
    assert made["project_id"] == made["tenant_id"] == "red"
    known = {"status": "ACTIVE", "admin_state_up": True, "external_gateway_info": None, "routes": [], "tags": []}
    assert made | known == made
    path = f"/routers/{made['id']}"
    assert api.get("alice", path)["router"] == made
    changed = change(api, made, name="s", admin_state_up=False).json()["router"]
    assert (changed["name"], changed["admin_state_up"], changed["revision_number"]) == ("s", False, 2)
    assert api.names("alice", "/routers?admin_state_up=false&sort_key=name") == ["s"]
    assert api("alice", "PUT", f"{path}/tags/x").status_code == 201
    assert api.names("alice", "/routers?tags=x&fields=name") == ["s"]
    assert api("alice", "DELETE", path).status_code == 204
    assert refused(api("alice", "GET", path)) == (404, "RouterNotFound")


def test_what_is_kept_beside_is_not_shown(api: Api) -> None:
    made = api.make("admin", "router")
    assert not [name for name in made if name.startswith("netweft:")]
    for asked in ("netweft:networks=x", "fields=netweft:networks", "sort_key=netweft:networks"):
        answer = api("admin", "GET", f"/routers?{asked}")
        assert answer.status_code == 400 or answer.json()["routers"] == [{}]


def test_a_bulk_and_the_quota(api: Api) -> None:
    assert api("admin", "PUT", "/quotas/red", {"quota": {"router": 2}}).status_code == 200
    assert len(api.make_many("alice", "router", [{"name": "a"}, {"name": "b"}])) == 2
    assert refused(api("alice", "POST", "/routers", {"router": {}})) == (409, "OverQuota")
    details = api.get("admin", "/quotas/red/details")["quota"]
    assert details["router"] == {"limit": 2, "used": 2, "reserved": 0}
    assert api.get("admin", "/quotas/green")["quota"]["router_route"] == 30


def test_distributed_and_ha_are_an_admins_and_change_while_the_router_is_down(api: Api) -> None:
    hers = api.make("alice", "router")
    assert not {"distributed", "ha"} & hers.keys()
    wishes: list[Object] = [{"distributed": True}, {"ha": False}]
    for wish in wishes:
        assert refused(api("alice", "POST", "/routers", {"router": wish})) == FORBIDDEN
        assert refused(change(api, hers, **wish)) == FORBIDDEN
    made = api.make("admin", "router", distributed=None)
    assert (made["distributed"], made["ha"]) == (True, True)
    asked = api.make("admin", "router", distributed=False, ha=False)
    assert (asked["distributed"], asked["ha"]) == (False, False)
    for name, said in (("distributed", "Cannot change the 'distributed' attribute"), ("ha", "Cannot change HA")):
        answer = change(api, made, "admin", **{name: False})
        assert refused(answer) == BAD
        assert answer.json()["NeutronError"]["message"].startswith(f"Bad router request: {said}")
        assert answer.json()["NeutronError"]["message"].endswith(f"{ACTIVE}.")
    assert change(api, made, "admin", distributed=True, ha=None).status_code == 200, "as it is"
    assert refused(change(api, made, "admin", distributed=False, admin_state_up=False)) == BAD, "it was up"
    assert change(api, made, "admin", admin_state_up=False).status_code == 200
    assert refused(change(api, made, "admin", distributed=False, admin_state_up=True)) == BAD, "it would be up"
    down = change(api, made, "admin", distributed=False, ha=False).json()["router"]
    assert (down["distributed"], down["ha"]) == (False, False)


def test_other_projects_do_not_see_it(api: Api) -> None:
    hers = api.make("alice", "router", name="hers")
    path = f"/routers/{hers['id']}"
    assert api.names("bob", "/routers") == []
    for method, tail, body in (
        ("GET", "", None),
        ("PUT", "", {"router": {"name": "his"}}),
        ("DELETE", "", None),
        ("PUT", "/add_router_interface", {"subnet_id": BLUE}),
        ("PUT", "/remove_router_interface", {"subnet_id": BLUE}),
        ("PUT", "/add_extraroutes", {"router": {"routes": []}}),
        ("PUT", "/remove_extraroutes", {"router": {"routes": []}}),
        ("PUT", "/tags/x", None),
    ):
        assert refused(api("bob", method, path + tail, body)) == (404, "RouterNotFound"), tail
        if method != "GET":
            assert refused(api("adam", method, path + tail, body)) == FORBIDDEN, tail
    for project in ("project_id", "tenant_id"):
        assert refused(api("bob", "POST", "/routers", {"router": {project: "red"}}))[0] == 400
    assert api.make("admin", "router", project_id="red")["project_id"] == "red"


@pytest.mark.parametrize(
    "values",
    [{"routes": []}, {"status": "DOWN"}, {"id": BLUE}, {"gw_port_id": BLUE}, {"netweft:networks": []}, {"name": 1}],
)
def test_what_is_not_for_anybody_to_say(api: Api, values: Object) -> None:
    assert refused(api("admin", "POST", "/routers", {"router": values}))[0] == 400


def test_the_extensions_are_named(api: Api) -> None:
    aliases = {one["alias"] for one in api.get("alice", "/extensions")["extensions"]}
    assert {"router", "extraroute", "extraroute-atomic", "l3-port-ip-change-not-allowed"} <= aliases
