"""What nodes have counted of listeners, as `/stats` shows it."""

import pytest
from tests.api.lb.conftest import Lb

from netweft.control.l3 import counters
from netweft.control.lb import stats
from netweft.model.counting import ACTIVE, ERRORS, Counted
from netweft.store import Store


def test_what_nodes_count_is_added_up(lb: Lb, store: Store) -> None:
    balancer = lb.balancer()["id"]
    pool = lb.make("/pools", loadbalancer_id=balancer, protocol="TCP", lb_algorithm="ROUND_ROBIN")["id"]
    of = {"loadbalancer_id": balancer, "protocol": "TCP", "default_pool_id": pool}
    made = [lb.make("/listeners", protocol_port=port, **of)["id"] for port in (80, 81)]
    one, two = sorted(made)
    for node in ("hv1", "hv2"):
        with store.write() as tx:
            counts = {"life": 1, "packets_in": 10, "bytes_in": 1000, "packets_out": 20, "bytes_out": 3000}
            told = [Counted(kind="listeners", id=id, **counts) for id in (one, two, "none")]
            assert counters.report(tx, node, [*told, Counted(kind="pools", id=pool, life=1, packets_in=3)]) == 3
    each = {"active_connections": 0, "bytes_in": 2000, "bytes_out": 6000, "request_errors": 0}
    assert lb.get(f"/listeners/{one}/stats") == each | {"total_connections": 6}
    assert lb.get(f"/listeners/{two}/stats") == each | {"total_connections": 0}
    all_ = each | {"bytes_in": 4000, "bytes_out": 12000, "total_connections": 6}
    assert lb.get(f"/loadbalancers/{balancer}/stats") == all_


def test_open_connections_are_what_nodes_have_said_last(lb: Lb, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not sums over time; of nodes that have said nothing for long none count, nor of listeners that are not there."""
    balancer = lb.balancer()["id"]
    made = lb.make("/listeners", loadbalancer_id=balancer, protocol="TCP", protocol_port=80)["id"]

    def says(node: str, count: int, of: str = made) -> int:
        with store.write() as tx:
            return counters.report(tx, node, [Counted(kind=ACTIVE, id=of, life=0, packets_in=count)])

    def shown() -> list[int]:
        paths = (f"/listeners/{made}/stats", f"/loadbalancers/{balancer}/stats")
        return [lb.get(path)["active_connections"] for path in paths]

    for node, count, sum_ in (("hv1", 5, 5), ("hv2", 3, 8), ("hv1", 2, 5), ("hv1", 7, 10), ("hv2", 0, 7)):
        assert says(node, count) == 1
        assert shown() == [sum_, sum_]
    assert says("hv1", 9, "none") == 0
    monkeypatch.setattr(stats, "FRESH_SECONDS", -1.0)
    assert shown() == [0, 0]


def test_errors_of_requests_are_added_up_over_lives_of_haproxy(lb: Lb, store: Store) -> None:
    """And outlive a server that tidies up: the counters of listeners that are there."""
    balancer = lb.balancer()["id"]
    made = lb.make("/listeners", loadbalancer_id=balancer, protocol="HTTP", protocol_port=80)["id"]
    for node, life, count in (("hv1", 1, 5), ("hv1", 1, 7), ("hv2", 4, 2), ("hv1", 2, 1)):
        with store.write() as tx:
            assert counters.report(tx, node, [Counted(kind=ERRORS, id=made, life=life, packets_in=count)]) == 1
    for _ in range(2):
        assert lb.get(f"/listeners/{made}/stats")["request_errors"] == 10
        assert lb.get(f"/loadbalancers/{balancer}/stats")["request_errors"] == 10
        store.prune()
