"""A balancer that is deleted is there, and nobody changes it, until its nodes have taken it down."""

from typing import Any

from tests.api.lb.conftest import Lb, application, refused

from netweft.control.l2.ports import Ports
from netweft.control.lb import tree
from netweft.control.lb.balancers import Balancers
from netweft.control.lb.vocabulary import BALANCERS
from netweft.control.security.security_groups import SecurityGroups
from netweft.feed import objects
from netweft.settings import ServerSettings
from netweft.store import Object, Store

HTTP = {"protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}
MEMBER = {"address": "10.0.0.9", "protocol_port": 80}


class Nodes:
    """That say when they have it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._balancers = Balancers(Ports(ServerSettings(), SecurityGroups()))
        self.due: list[str] = []

    def row(self, id: str) -> Any:
        with self._store.read() as tx:
            return tx.get(BALANCERS, id)

    def say(self, id: str, change: int | None = None) -> bool:
        row: Object = self.row(id)
        number = row[tree.CHANGE] if change is None else change
        return self._store.run(lambda tx: self._balancers.in_place(tx, id, number))


def test_it_goes_when_its_nodes_say_so(store: Store) -> None:
    nodes = Nodes(store)
    lb = Lb(application(store, settle=nodes.due.append))
    pool = {"name": "p", "members": [MEMBER]} | HTTP
    made = lb.balancer(listeners=[{"protocol": "HTTP", "protocol_port": 80, "default_pool": pool}])
    path, listener = f"/loadbalancers/{made['id']}", made["listeners"][0]["id"]
    members = f"/pools/{made['pools'][0]['id']}/members"
    proxies = f"/ports?device_id={made['id']}"

    def statuses() -> list[str]:
        return [one["status"] for one in lb.net.get("admin", proxies)["ports"]]

    assert statuses() == ["BUILD"] * 2, "flows lead there while they start"
    assert nodes.say(made["id"])
    assert statuses() == ["DOWN"] * 2, "who does not serve by now gets nothing until it does"
    assert refused(lb("alice", "DELETE", path))[0] == 400
    assert objects.load_balancer(nodes.row(made["id"])).admin_state_up
    lb.delete(f"{path}?cascade=true")
    assert nodes.due[-1] == made["id"]
    assert lb.get(path)["provisioning_status"] == "PENDING_DELETE"
    assert lb.get(f"/listeners/{listener}")["provisioning_status"] == "PENDING_DELETE"
    assert {one["provisioning_status"] for one in lb.get(members)} == {"PENDING_DELETE"}
    assert lb.net.get("admin", proxies)["ports"] == []
    assert not objects.load_balancer(nodes.row(made["id"])).admin_state_up
    immutable = [
        lb("alice", "PUT", path, {"loadbalancer": {"name": "x"}}),
        lb("alice", "PUT", f"/listeners/{listener}", {"listener": {"name": "x"}}),
        lb("alice", "POST", members, {"member": MEMBER | {"protocol_port": 81}}),
        lb("alice", "DELETE", f"{path}?cascade=true"),
        lb("admin", "PUT", f"{path}/failover"),
    ]
    assert [one.status_code for one in immutable] == [409] * 5
    assert lb.net("alice", "DELETE", f"/ports/{made['vip_port_id']}").status_code == 409
    assert not nodes.say(made["id"], change=1), "what was before says nothing of it"
    assert lb.get(path)["provisioning_status"] == "PENDING_DELETE"
    assert nodes.say(made["id"])
    for gone in (path, f"/listeners/{listener}", members):
        assert lb("alice", "GET", gone).status_code == 404
    assert lb.net.get("alice", "/ports")["ports"] == []
