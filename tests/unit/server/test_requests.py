"""How long requests take, by few labels whatever is asked for."""

from starlette.routing import Route

from netweft.metrics.definitions import REQUEST_SECONDS
from netweft.metrics.values import Timings
from netweft.server.requests import Requests


def collection() -> None: ...
def member() -> None: ...
def rules() -> None: ...


def requests() -> Requests:
    found = Requests()
    found.know(
        [
            Route("/v2.0/ports", collection),
            Route("/v2.0/ports.json", collection),
            Route("/v2.0/ports/{id}", member),
            Route("/v2.0/qos/policies/{id}/bandwidth_limit_rules/{rule}", rules),
            Route("/", lambda _: None),
        ]
    )
    return found


def test_by_the_path_without_ids() -> None:
    side = requests()
    for endpoint in (collection, member, rules, None):
        scope = {"method": "GET", "path": f"/{endpoint}"} | ({"endpoint": endpoint} if endpoint else {})
        side.add(scope, 200, 0.003)
    counts = {one.labels: one.value.count for one in side.readings() if isinstance(one.value, Timings)}
    assert counts == {
        ("ports", "GET", "200"): 2,
        ("qos/policies/bandwidth_limit_rules", "GET", "200"): 1,
        ("none", "GET", "200"): 1,
    }


def test_a_client_makes_no_labels() -> None:
    side = requests()
    for number in range(100):
        side.add({"method": f"M{number}", "path": f"/v2.0/{number}"}, 404, 0.1)
    side.add({"method": "GET", "path": "/"}, 0, 0.1)
    assert {one.labels for one in side.readings()} == {("none", "other", "404"), ("none", "GET", "gone")}


def test_buckets_count_what_is_below_too() -> None:
    timings = Timings(REQUEST_SECONDS.bounds)
    for seconds in (0.0005, 0.001, 0.002, 99.0):
        timings.add(seconds)
    buckets = dict(timings.buckets)
    assert (buckets["0.001"], buckets["0.0025"], buckets["10.0"], buckets["+Inf"]) == (2, 3, 3, 4)
    assert timings.seconds == 0.0005 + 0.001 + 0.002 + 99.0
