"""What cannot be told is not done (decision 0261): an answer is made within its transaction."""

from typing import Any

import msgspec
import pytest
from starlette.applications import Starlette
from tests.api.network.conftest import Api, Client, authenticate

from netweft.api import encoding, nodes
from netweft.control.errors import InvalidInput
from netweft.store import Store


def fails(content: Any) -> bytes:
    """To encode anything but a refusal."""
    if isinstance(content, dict) and "NeutronError" in content:
        return msgspec.json.encode(content)
    raise InvalidInput("there are no words for it")


def test_what_nodes_cannot_read_is_not_done(api: Api, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    network = api.network("alice", "10.0.0.0/24")
    parent, sub = (api.make("alice", "port", network_id=network["id"])["id"] for _ in range(2))
    trunk = api.make("alice", "trunk", port_id=parent)["id"]
    group = api.make("alice", "address_group", addresses=["10.1.0.0/24"])["id"]
    policy = api("admin", "POST", "/qos/policies", {"policy": {"name": "gold"}}).json()["policy"]["id"]
    requests: list[tuple[str, str, Any]] = [
        ("POST", "/networks", {"network": {}}),
        ("PUT", f"/networks/{network['id']}", {"network": {"name": "new"}}),
        ("PUT", "/quotas/red", {"quota": {"port": 7}}),
        ("PUT", f"/networks/{network['id']}/tags", {"tags": ["new"]}),
        (
            "PUT",
            f"/trunks/{trunk}/add_subports",
            {"sub_ports": [{"port_id": sub, "segmentation_type": "vlan", "segmentation_id": 5}]},
        ),
        ("PUT", f"/address-groups/{group}/add_addresses", {"addresses": ["10.2.0.0/24"]}),
        ("POST", f"/qos/policies/{policy}/dscp_marking_rules", {"dscp_marking_rule": {"dscp_mark": 26}}),
    ]
    with store.read() as tx:
        before = tx.revision()
    with monkeypatch.context() as patched:
        patched.setattr(encoding, "encode", fails)
        for method, path, body in requests:
            assert api("admin", method, path, body).status_code == 400, path
    with store.read() as tx:
        assert tx.revision() == before
    for method, path, body in requests:
        assert api("admin", method, path, body).is_success, path


def test_a_node_whose_token_cannot_be_stored_is_not_there(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(Starlette(routes=nodes.routes(store, authenticate)))

    def ask(method: str, **values: Any) -> Any:
        return client.request(method, nodes.PATH, headers={"X-Auth-Token": "admin"}, **values)

    with monkeypatch.context() as patched:
        patched.setattr(encoding, "encode", fails)
        assert ask("POST", json={"node": {"name": "hv1"}}).status_code == 500
    assert ask("GET").json() == {"nodes": []}
    assert ask("POST", json={"node": {"name": "hv1"}}).json()["node"]["token"].startswith("hv1.")
