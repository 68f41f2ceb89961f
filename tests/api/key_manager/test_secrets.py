"""Secrets and containers: made, read, given away, deleted; what is refused, and what is kept of them."""

import base64
import errno
import os
import stat
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from tests.api.key_manager.conftest import Keys, application
from tests.api.lb.conftest import Lb
from tests.api.network.conftest import PEOPLE

from netweft.control.key_manager import secrets
from netweft.control.key_manager.secrets import SECRETS
from netweft.store import Store


def refused(answer: httpx.Response) -> tuple[int, str]:
    error = answer.json()
    assert error.keys() == {"code", "title", "description"}
    assert error["code"] == answer.status_code
    return answer.status_code, error["description"]


def test_a_secret(keys: Keys) -> None:
    ref = keys.secret("hello", name="s", algorithm="aes", bit_length=256, secret_type="passphrase")
    shown = keys("alice", "GET", ref).json()
    assert (shown["name"], shown["secret_type"], shown["status"]) == ("s", "passphrase", "ACTIVE")
    assert shown["content_types"] == {"default": "text/plain"}
    assert shown["secret_ref"] == ref
    assert "hello" not in str(shown)
    payload = keys("alice", "GET", f"{ref}/payload")
    assert (payload.text, payload.headers["content-type"]) == ("hello", "text/plain; charset=utf-8")
    assert keys("alice", "GET", ref, headers={"accept": "text/plain"}).text == "hello"
    listed = keys("alice", "GET", "/secrets?name=s").json()
    assert (listed["total"], listed["secrets"]) == (1, [shown])
    assert keys("alice", "GET", "/secrets?name=t").json()["total"] == 0
    assert keys("alice", "DELETE", ref).status_code == 204
    assert refused(keys("alice", "GET", ref))[0] == 404


def test_a_payload_that_comes_later(keys: Keys) -> None:
    ref = keys("alice", "POST", "/secrets", {"name": "later"}).json()["secret_ref"]
    assert "content_types" not in keys("alice", "GET", ref).json()
    assert refused(keys("alice", "GET", f"{ref}/payload"))[0] == 404
    octets = {"Content-Type": "application/octet-stream"}
    assert keys("alice", "PUT", ref, headers=octets, content=b"\0\1").status_code == 204
    assert keys("alice", "GET", f"{ref}/payload").content == b"\0\1"
    assert refused(keys("alice", "PUT", ref, headers=octets, content=b"2"))[0] == 409


def test_pages(keys: Keys) -> None:
    refs = {keys.secret(f"s{number}") for number in range(5)}
    found: list[str] = []
    url: str | None = "/secrets?limit=2"
    while url:
        page = keys("alice", "GET", url).json()
        assert page["total"] == 5
        found += [one["secret_ref"] for one in page["secrets"]]
        url = page.get("next")
    assert len(found) == 5
    assert set(found) == refs


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"payload": "x"}, 400),
        ({"payload": "", "payload_content_type": "text/plain"}, 400),
        ({"payload": "x" * 20_001, "payload_content_type": "text/plain"}, 413),
        ({"payload": "x", "payload_content_type": "application/octet-stream"}, 400),
        (
            {
                "payload": "!",
                "payload_content_type": "application/octet-stream",
                "payload_content_encoding": "base64",
            },
            400,
        ),
        ({"payload": "x", "payload_content_type": "text/plain", "payload_content_encoding": "base64"}, 400),
        ({"payload": "x", "payload_content_type": "image/png"}, 400),
        ({"payload_content_type": "text/plain"}, 400),
        ({"secret_type": "nonsense"}, 400),
        ({"bit_length": -1}, 400),
        ({"name": "x" * 256}, 400),
        ({"expiration": "2020-01-01T00:00:00"}, 400),
        ({"expiration": "tomorrow"}, 400),
        ([], 400),
        ("x", 400),
    ],
)
def test_bad_secrets(keys: Keys, body: Any, code: int) -> None:
    assert refused(keys("alice", "POST", "/secrets", body))[0] == code


def test_what_has_expired_takes_no_place(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can delete it, so that it must not count for ever."""
    monkeypatch.setitem(secrets.MOST, SECRETS, 2)
    for _ in range(2):
        keys.secret(expiration="2199-01-01T00:00:00")
    assert keys("alice", "POST", "/secrets", {"name": "third"}).status_code == 403
    monkeypatch.setattr(secrets, "now", lambda: "2199-01-01T00:00:01")
    assert keys("alice", "GET", "/secrets").json() == {"secrets": [], "total": 0}
    ref = keys.secret()
    listed = keys("alice", "GET", "/secrets").json()
    assert (listed["total"], listed["secrets"][0]["secret_ref"]) == (1, ref)


def test_who_may(keys: Keys) -> None:
    """alice is a member of red, adam a reader there, bob a member of another project."""
    ref = keys.secret("hers")
    for method, path in (("GET", ref), ("GET", f"{ref}/payload"), ("DELETE", ref), ("GET", f"{ref}/acl")):
        assert refused(keys("bob", method, path))[0] == 404
    assert keys("bob", "GET", "/secrets").json()["total"] == 0
    assert (
        refused(keys("bob", "POST", "/containers", {"type": "generic", "secret_refs": [{"secret_ref": ref}]}))[0] == 404
    )
    assert keys("nobody", "GET", "/secrets").status_code == 401
    assert keys("adam", "GET", ref).status_code == 200
    assert refused(keys("adam", "GET", f"{ref}/payload"))[0] == 403
    assert refused(keys("adam", "DELETE", ref))[0] == 403
    assert refused(keys("adam", "POST", "/secrets", {}))[0] == 403
    assert refused(keys("alf", "GET", "/secrets"))[0] == 403


def test_an_access_list_lets_its_users_read(keys: Keys) -> None:
    ref = keys.secret("hers")
    reader = PEOPLE["bob"].user_id
    keys("alice", "PUT", f"{ref}/acl", {"read": {"users": [reader], "project-access": False}})
    assert keys("bob", "GET", f"{ref}/payload").text == "hers"
    assert refused(keys("bob", "DELETE", ref))[0] == 403
    assert keys("alice", "PATCH", f"{ref}/acl", {"read": {"users": []}}).status_code == 200
    assert refused(keys("bob", "GET", f"{ref}/payload"))[0] == 404
    assert keys("alice", "GET", f"{ref}/acl").json()["read"]["project-access"] is False
    assert keys("alice", "DELETE", f"{ref}/acl").status_code == 200
    assert keys("alice", "GET", f"{ref}/acl").json() == {"read": {"project-access": True, "users": []}}
    assert refused(keys("alice", "PUT", f"{ref}/acl", {"write": {}}))[0] == 400


def test_containers(keys: Keys) -> None:
    ref = keys.container(certificate="c", private_key="k")
    shown = keys("alice", "GET", ref).json()
    assert {one["name"] for one in shown["secret_refs"]} == {"certificate", "private_key"}
    secret = shown["secret_refs"][0]
    assert refused(keys("alice", "POST", f"{ref}/secrets", secret))[0] == 400  # such containers stay as they are
    generic = keys.container(kind="generic", a="1")
    more = {"name": "b", "secret_ref": keys.secret("2")}
    assert keys("alice", "POST", f"{generic}/secrets", more).status_code == 201
    assert len(keys("alice", "GET", generic).json()["secret_refs"]) == 2
    assert keys("alice", "DELETE", f"{generic}/secrets", more).status_code == 204
    assert refused(keys("alice", "DELETE", f"{generic}/secrets", more))[0] == 404
    assert keys("alice", "GET", "/containers").json()["total"] == 2
    assert keys("alice", "DELETE", ref).status_code == 204
    assert keys("alice", "GET", secret["secret_ref"]).status_code == 200


def test_bad_containers(keys: Keys) -> None:
    one, other = keys.secret("1"), keys.secret("2")
    for refs in (
        [{"name": "private_key", "secret_ref": one}],
        [{"name": "certificate", "secret_ref": one}, {"name": "more", "secret_ref": other}],
        [{"name": "certificate", "secret_ref": one}, {"name": "certificate", "secret_ref": other}],
        [{"name": "certificate", "secret_ref": one}, {"name": "private_key", "secret_ref": one}],
    ):
        assert refused(keys("alice", "POST", "/containers", {"type": "certificate", "secret_refs": refs}))[0] == 400
    for ref in ("x", "/v1/secrets/9f0ae3e2-8d2e-4f2b-b3a0-111111111111", "http://elsewhere/v1/secrets/"):
        body = {"type": "generic", "secret_refs": [{"name": "a", "secret_ref": ref}]}
        assert refused(keys("alice", "POST", "/containers", body))[0] == 404


def test_consumers(keys: Keys) -> None:
    container, secret = keys.container(kind="generic", a="1"), keys.secret("2")
    on_container = {"name": "octavia", "URL": "https://lb/1"}
    on_secret = {"service": "octavia", "resource_type": "listener", "resource_id": "1"}
    for ref, one in ((container, on_container), (secret, on_secret)):
        for _ in range(2):  # twice is once
            assert keys("alice", "POST", f"{ref}/consumers", one).json()["consumers"] == [one]
        assert keys("alice", "GET", f"{ref}/consumers").json() == {"consumers": [one], "total": 1}
        assert keys("alice", "DELETE", f"{ref}/consumers", one).json()["consumers"] == []
        assert refused(keys("alice", "DELETE", f"{ref}/consumers", one))[0] == 404


def test_what_is_kept_is_sealed(keys: Keys, store: Store, key_file: Path) -> None:
    secret = base64.b64encode(b"nobody reads this").decode()
    ref = keys.secret(secret, payload_content_type="application/octet-stream", payload_content_encoding="base64")
    id = ref.rpartition("/")[2]
    with store.read() as tx:
        row = tx.get(SECRETS, id)
    assert row is not None
    assert "nobody reads this" not in str(row)
    assert secret not in str(row)
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    other = keys.secret("another's")

    def swap(tx: Any) -> None:
        found = tx.lock_many(SECRETS, [id, other.rpartition("/")[2]])
        tx.update(SECRETS, id, {"payload": found[other.rpartition("/")[2]]["payload"]})

    store.run(swap)
    with structlog.testing.capture_logs() as logs:
        assert refused(keys("alice", "GET", f"{ref}/payload"))[0] == 503
    assert logs[0]["reason"] == "a secret is not as it was written"


def test_a_key_that_is_lost_is_not_made_anew(keys: Keys, key_file: Path, store: Store) -> None:
    """Its path is the operator's business."""
    ref = keys.secret("x")
    key_file.unlink()
    again = Keys(Lb(application(store, key_file)))
    body = {"payload": "y", "payload_content_type": "text/plain"}
    for answer in (again("alice", "GET", f"{ref}/payload"), again("alice", "POST", "/secrets", body)):
        code, why = refused(answer)
        assert (code, str(key_file.parent) in why) == (503, False)
    assert not key_file.exists()
    listener = {"loadbalancer_id": again.lb.balancer()["id"], "protocol": "TERMINATED_HTTPS", "protocol_port": 443}
    with structlog.testing.capture_logs() as logs:
        said = again.lb("alice", "POST", "/listeners", {"listener": listener | {"default_tls_container_ref": ref}})
    assert (said.status_code, str(key_file.parent) in said.text, said.json()["faultcode"]) == (503, False, "Server")
    assert str(key_file) in logs[0]["reason"]


def test_versions_are_for_everybody(keys: Keys) -> None:
    for path in ("/key-manager", "/key-manager/"):
        answer = keys.http.request("GET", path)
        assert answer.status_code == 300
        assert answer.json()["versions"][0]["id"] == "v1"


def test_orders_are_refused_in_words(keys: Keys) -> None:
    order = {"type": "key", "meta": {"algorithm": "aes", "bit_length": 256}}
    code, why = refused(keys("alice", "POST", "/orders", order))
    assert code == 400
    assert "store them as secrets" in why
    assert keys("alice", "GET", "/orders").json() == {"orders": [], "total": 0}
    for method in ("GET", "DELETE"):
        assert refused(keys("alice", method, "/orders/9f0ae3e2-8d2e-4f2b-b3a0-111111111111"))[0] == 404
    assert refused(keys("adam", "POST", "/orders", order))[0] == 403
    assert keys("nobody", "POST", "/orders", order).status_code == 401


def test_a_full_disk_leaves_no_half_a_key(keys: Keys, key_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    body = {"payload": "text", "payload_content_type": "text/plain"}
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert keys("alice", "POST", "/secrets", body).status_code == 503
    assert list(key_file.parent.glob(f".{key_file.name}*")) == []
    assert keys("alice", "POST", "/secrets", body).status_code == 201
