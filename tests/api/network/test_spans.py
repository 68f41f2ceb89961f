"""A request's span: whose `traceparent` is heard, and what is told of it."""

import httpx
import pytest
from tests.api.network.conftest import Api

from netweft.spans.parents import Parent
from netweft.store import Store
from netweft.testing.spans import recorded

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HEADER = f"00-{TRACE}-{SPAN}-01"
THEIRS = Parent(int(TRACE, 16), int(SPAN, 16), True)


def ask(api: Api, token: str, *headers: tuple[str, str]) -> httpx.Response:
    return api.client.request("GET", "/v2.0/networks/none", headers={"X-Auth-Token": token} | dict(headers))


def test_a_request_is_a_span_with_its_transactions_below(api: Api, store: Store) -> None:
    with recorded() as spans:
        answer = api("alice", "POST", "/networks", {"network": {"name": "secret"}}, traceparent=HEADER)
    (request,) = spans.named("POST /v2.0/networks")
    assert (request.parent, request.kind, request.problem) == (THEIRS, "server", None)
    assert request.attributes == {
        "http.request.method": "POST",
        "http.route": "/v2.0/networks",
        "http.response.status_code": 201,
        "netweft.project_id": "red",
        "netweft.user_id": "alice",
        "netweft.request_id": answer.headers["x-openstack-request-id"],
    }
    (written,) = spans.named("write transaction")
    assert written.parent == request.as_parent
    assert all(span.ended for span in spans.spans)
    with store.read() as tx:
        changes = [change for change in tx.changes(0, 10**6) if change.id == answer.json()["network"]["id"]]
    assert {(change.request, change.span) for change in changes} == {
        (answer.headers["x-openstack-request-id"], str(written.as_parent))
    }


def test_who_is_not_let_in_makes_nothing_be_recorded(api: Api) -> None:
    with recorded() as spans:
        assert ask(api, "nobody", ("traceparent", HEADER)).status_code == 401
        assert api.client.request("GET", "/v2.0/networks", headers={"traceparent": HEADER}).status_code == 401
        assert api.client.request("GET", "/v2.0/no-such-thing", headers={"traceparent": HEADER}).status_code == 404
        assert spans.spans == []


def test_a_client_that_does_not_sample_is_not_recorded(api: Api, store: Store) -> None:
    with recorded() as spans:
        answer = api("alice", "POST", "/networks", {"network": {}}, traceparent=HEADER[:-1] + "0")
    assert spans.spans == []
    with store.read() as tx:
        (change,) = [change for change in tx.changes(0, 10**6) if change.id == answer.json()["network"]["id"]]
    assert (change.request, change.span) == (answer.headers["x-openstack-request-id"], None)


@pytest.mark.parametrize("header", ["x", "00-" + "a" * 100_000, f"{HEADER}, {HEADER}", "\xff" * 55, f"{HEADER}\x00"])
def test_what_is_no_header_is_none(api: Api, header: str) -> None:
    with recorded() as spans:
        sent = {"X-Auth-Token": "alice", "traceparent": header.encode("latin-1"), "tracestate": "a=" + "b" * 100_000}
        assert api.client.request("GET", "/v2.0/networks", headers=sent).status_code == 200
    (request,) = spans.named("GET /v2.0/networks")
    assert request.parent is None
    assert "b" * 40 not in repr(request.attributes)


def test_the_next_request_is_in_a_trace_of_its_own(api: Api) -> None:
    with recorded() as spans:
        for _ in range(2):
            ask(api, "alice")
    assert [span.parent for span in spans.named("GET /v2.0/networks/{id}")] == [None, None]
    assert len({span.as_parent.trace_id for span in spans.spans}) == 2
    assert [span.attributes["http.response.status_code"] for span in spans.spans if span.kind == "server"] == [404] * 2
