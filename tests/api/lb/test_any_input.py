"""Whatever is sent, nearly right or not at all: an answer, or a refusal in Octavia's form; never a fault of ours."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.api.lb.conftest import Lb
from tests.api.lb.test_tenants import tree
from tests.examples import examples

from netweft.api.lb.descriptions import KINDS, Kind
from netweft.api.lb.fields import REQUIRED

WORDS = ["", "HTTP", "UDP", "REDIRECT_TO_POOL", "10.0.0.9", "fd00::1", "10.0.0.0/8", "http://a/", "/x", "200-204"]
WORDS += ["\ud800", "☃" * 255, "9" * 5000, "a\nb", "²", "SOURCE_IP", "SSL_DN_FIELD", "REGEX", "(", "true"]
NUMBERS = [-1, 0, 1, 80, 256, 257, 65535, 65536, 2**31, 2**63, 2**64, 10**400, 1.1, -0.0]
COMMON = settings(
    max_examples=examples(30),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
# what gets most bodies past what is required
RIGHT: dict[str, Any] = {
    "protocol": "HTTP",
    "lb_algorithm": "SOURCE_IP",
    "address": "10.0.0.9",
    "delay": 9,
    "timeout": 1,
}
RIGHT |= {"max_retries": 1, "action": "REJECT", "type": "PATH", "compare_type": "EQUAL_TO", "value": "/"}


class Sent:
    def __init__(self, lb: Lb) -> None:
        self.paths = tree(lb, "admin")
        self.ids = {name: path.rpartition("/")[2] for name, path in self.paths.items()}
        self.ids["subnet"] = lb.network("admin")["id"]
        words = st.sampled_from([*WORDS, *self.ids.values()]) | st.text(max_size=5)
        leaves = st.none() | st.booleans() | st.sampled_from(NUMBERS) | words
        keys = st.sampled_from(
            ["name", "protocol", "members", "type", "cookie_name", "subnet_id", "X-Forwarded-For", "x"]
        )
        self.value = st.recursive(
            leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4), max_leaves=6
        )

    def completed(self, kind: Kind, port: int) -> dict[str, Any]:
        owners: dict[str, Any] = {"loadbalancer_id": self.ids["loadbalancer"], "listener_id": self.ids["listener"]}
        owners |= {"pool_id": self.ids["pool"], "vip_subnet_id": self.ids["subnet"], "protocol_port": port}
        needed = {name for name, field in kind.fields.items() if field.default is REQUIRED}
        return {name: value for name, value in (RIGHT | owners).items() if name in needed | {"vip_subnet_id"}}


@pytest.fixture
def sent(lb: Lb) -> Sent:
    return Sent(lb)


def answered(lb: Lb, method: str, path: str, content: str = "") -> None:
    """Whatever it was: what is there can still be listed, and its statuses told."""
    url = f"/load-balancer/v2/lbaas{path}"
    answer = lb.net.client.request(method, url, content=content.encode(), headers={"X-Auth-Token": b"admin"})
    assert answer.status_code < 500 or answer.status_code == 501, answer.text
    if answer.status_code >= 400:
        assert answer.json().keys() == {"faultcode", "faultstring", "debuginfo"}
        assert len(answer.content) < 5000
    elif method != "GET":
        assert lb("admin", "GET", path.rpartition("/")[0] if method == "PUT" else path).status_code == 200


def collection(sent: Sent, kind: Kind) -> str:
    return sent.paths[kind.member].rpartition("/")[0]


@COMMON
@given(data=st.data())
def test_bodies(lb: Lb, sent: Sent, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(KINDS))
    names = [*kind.fields, *kind.sub]
    item = data.draw(st.dictionaries(st.sampled_from(names), sent.value, max_size=3))
    item = sent.completed(kind, data.draw(st.integers(100, 60000))) | item
    body = data.draw(st.just({kind.member: item}) | st.just({kind.collection: [item]}) | sent.value)
    answered(lb, "POST", collection(sent, kind), json.dumps(body))
    if kind.member == "member":
        answered(lb, "PUT", collection(sent, kind), json.dumps({"members": [item]}))


@COMMON
@given(data=st.data())
def test_changes_of_what_is_there(lb: Lb, sent: Sent, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(KINDS))
    names = [name for name, field in kind.fields.items() if field.put]
    values = data.draw(st.dictionaries(st.sampled_from(names), sent.value, min_size=1, max_size=2))
    answered(lb, "PUT", sent.paths[kind.member], json.dumps({kind.member: values}))


@COMMON
@given(data=st.data())
def test_questions(lb: Lb, sent: Sent, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(KINDS))
    auxiliary = [
        "limit",
        "marker",
        "sort",
        "sort_key",
        "sort_dir",
        "fields",
        "page_reverse",
        "tags-any",
        "not-tags",
        "x",
    ]
    names = st.sampled_from([*kind.fields, *auxiliary])
    texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
    values = (
        texts
        | st.sampled_from([str(number) for number in NUMBERS])
        | st.sampled_from([*sent.ids.values(), *kind.fields])
    )
    pairs = data.draw(st.lists(st.tuples(names, values), max_size=3))
    question = "&".join(f"{name}={quote(value)}" for name, value in pairs)
    answered(lb, "GET", f"{collection(sent, kind)}?{question}")


def test_too_much_at_once(lb: Lb) -> None:
    """Refused before any of it is made; and as much as is allowed is no more work for each."""
    subnet = lb.network()["id"]
    members = [{"address": f"10.1.{n >> 8}.{n & 255}", "protocol_port": 80} for n in range(1001)]
    pool = {"name": "p", "protocol": "TCP", "lb_algorithm": "ROUND_ROBIN"}

    def single(count: int) -> Any:
        wanted = {"vip_subnet_id": subnet, "pools": [pool | {"members": members[:count]}]}
        return lb("alice", "POST", "/loadbalancers", {"loadbalancer": wanted})

    assert single(1001).status_code == 400
    made = single(1000)
    assert made.status_code == 201, made.text
    assert len(made.json()["loadbalancer"]["pools"][0]["members"]) == 1000
