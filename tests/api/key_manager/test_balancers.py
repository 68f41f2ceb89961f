"""TLS of balancers: what a reference has to hold, and that nobody gets it but the node that serves it."""

import asyncio
import base64
import uuid
from threading import Thread
from typing import Any

import pytest
from tests import certificates
from tests.api.key_manager.conftest import Keys

from netweft.control.key_manager import certificates as certificates_of
from netweft.control.key_manager.pkcs12 import pem_of
from netweft.control.key_manager.secrets import SECRETS
from netweft.control.l2 import binding
from netweft.control.lb import tls
from netweft.control.lb.errors import ReferencesChanged
from netweft.model import NodeFacts
from netweft.model.proxy import PROXY_OWNER
from netweft.plugins.identity.nodes import add
from netweft.store import Store
from netweft.wire import material, posted

CA = certificates.authority()
SERVER = certificates.signed(CA, "www.example.com")
OTHER = certificates.signed(CA, "other.example.com")


def listener(keys: Keys, balancer: Any, ref: str, **more: Any) -> Any:
    body = {"loadbalancer_id": balancer["id"], "protocol": "TERMINATED_HTTPS", "protocol_port": 443}
    return keys.lb("alice", "POST", "/listeners", {"listener": body | {"default_tls_container_ref": ref} | more})


def held(keys: Keys, how: str) -> str:
    """A reference that holds the server's certificate and key."""
    match how:
        case "container":
            return keys.container(certificate=SERVER.pem, private_key=SERVER.key_pem, intermediates=CA.pem)
        case "locked":
            key = SERVER.locked_key(b"pass")
            return keys.container(certificate=SERVER.pem, private_key=key, private_key_passphrase="pass")
        case "pem":
            return keys.secret(SERVER.pem + CA.pem + SERVER.key_pem)
    return octets(keys, SERVER.pkcs12(CA))


def octets(keys: Keys, payload: bytes) -> str:
    text = base64.b64encode(payload).decode()
    return keys.secret(text, payload_content_type="application/octet-stream", payload_content_encoding="base64")


@pytest.mark.parametrize("how", ["container", "locked", "pem", "pkcs12"])
def test_what_a_listener_takes(keys: Keys, how: str) -> None:
    answer = listener(keys, keys.lb.balancer(), held(keys, how))
    assert answer.status_code == 201, answer.text


def test_what_a_listener_does_not_take(keys: Keys) -> None:
    balancer = keys.lb.balancer()
    for ref in (
        "http://elsewhere/v1/secrets/9f0ae3e2-8d2e-4f2b-b3a0-111111111111",
        keys.secret("no certificate"),
        keys.secret(SERVER.pem),
        keys.container(certificate=SERVER.pem, private_key=OTHER.key_pem),
        keys.container(certificate=SERVER.pem, private_key=SERVER.locked_key(b"pass")),
        keys.container("bob", certificate=SERVER.pem, private_key=SERVER.key_pem),
        keys.container(certificate=SERVER.pem, private_key=of_no_curve(SERVER.key_pem)),
    ):
        assert listener(keys, balancer, ref).status_code == 400
    locked = listener(keys, balancer, octets(keys, SERVER.pkcs12(CA, passphrase=b"pass")))
    assert (locked.status_code, "without a passphrase" in locked.text) == (400, True)
    authority = keys.secret(CA.pem)
    foreign = keys.secret(certificates.revoked(certificates.authority("Another")))
    client: dict[str, Any] = {"client_authentication": "MANDATORY", "client_ca_tls_container_ref": authority}
    assert listener(keys, balancer, held(keys, "pem"), **client, client_crl_container_ref=foreign).status_code == 400
    good = keys.secret(certificates.revoked(CA, OTHER))
    made = listener(keys, balancer, held(keys, "pem"), **client, client_crl_container_ref=good)
    assert made.status_code == 201, made.text
    path = f"/listeners/{made.json()['listener']['id']}"
    alone = {"client_crl_container_ref": foreign}
    assert keys.lb("alice", "PUT", path, {"listener": alone}).status_code == 400, "the authority is there already"


def of_no_curve(key: str) -> str:
    """A key of an elliptic curve that nobody has heard of."""
    first, *lines, last = key.strip().splitlines()
    known, other = bytes.fromhex("2a8648ce3d030107"), bytes.fromhex("2a8648ce3d030108")
    content = base64.b64decode("".join(lines)).replace(known, other)
    return f"{first}\n{base64.encodebytes(content).decode()}{last}\n"


def test_what_has_expired_or_is_its_creators_alone_is_not_taken(keys: Keys, store: Store) -> None:
    balancer, expired, private = keys.lb.balancer(), held(keys, "pem"), held(keys, "container")
    past = {"expiration": "2020-01-01T00:00:00"}
    store.run(lambda tx: tx.update(SECRETS, expired.rpartition("/")[2], past))
    keys("alice", "PUT", f"{private}/acl", {"read": {"users": [], "project-access": False}})
    for ref in (expired, private):
        answer = listener(keys, balancer, ref)
        assert (answer.status_code, answer.json()["faultcode"]) == (400, "Client")
        assert "Could not retrieve certificate" in answer.json()["faultstring"]
    assert keys("alice", "GET", expired).status_code == 404


def test_a_listener_keeps_a_certificate(keys: Keys) -> None:
    ref = held(keys, "pem")
    made = listener(keys, keys.lb.balancer(), ref).json()["listener"]
    path, none = f"/listeners/{made['id']}", {"default_tls_container_ref": None}
    assert keys.lb("alice", "PUT", path, {"listener": none}).status_code == 400
    assert keys.lb("alice", "PUT", path, {"listener": none | {"sni_container_refs": [ref]}}).status_code == 200
    assert keys.lb("alice", "PUT", path, {"listener": {"sni_container_refs": []}}).status_code == 400
    keys("alice", "DELETE", ref)
    assert keys.lb("alice", "PUT", path, {"listener": {"name": "it goes on"}}).status_code == 200
    assert keys.lb("alice", "PUT", path, {"listener": {"default_tls_container_ref": ref}}).status_code == 400


def test_nobody_waits_while_pkcs12_is_parsed(keys: Keys, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither for the database nor for the event loop: a hundred of them take minutes."""
    balancer, refs = keys.lb.balancer(), [held(keys, "pkcs12") for _ in range(3)]
    seen: list[str] = []

    def slow(payload: bytes) -> bytes:
        with pytest.raises(RuntimeError, match="no running event loop"):
            asyncio.get_running_loop()
        thread = Thread(target=lambda: seen.append(keys_of_another(store)))
        thread.start()
        thread.join(5)
        assert not thread.is_alive(), "the database is held"
        return pem_of(payload)

    monkeypatch.setattr(certificates_of, "pem_of", slow)
    answer = listener(keys, balancer, refs[0], sni_container_refs=refs[1:])
    assert (answer.status_code, len(seen)) == (201, 3), answer.text
    path = f"/listeners/{answer.json()['listener']['id']}"
    assert keys.lb("alice", "PUT", path, {"listener": {"sni_container_refs": refs[:2]}}).status_code == 200
    assert len(seen) == 5


def keys_of_another(store: Store) -> str:
    made = {"id": str(uuid.uuid4()), "project_id": "another", "creator_id": "x", "name": "", "expiration": None}
    store.run(lambda tx: tx.insert(SECRETS, made))
    return made["id"] or ""


def test_what_is_named_anew_is_looked_at_with_what_is_there(keys: Keys) -> None:
    """An authority that comes to lists which another has changed meanwhile: whoever asked tries again."""
    client = {"client_authentication": "OPTIONAL", "client_ca_tls_container_ref": keys.secret(CA.pem)}
    made = listener(keys, keys.lb.balancer(), held(keys, "pem"), **client).json()["listener"]
    with pytest.raises(ReferencesChanged):
        tls.check_authority({}, made, client, ("client_ca_tls_container_ref", "client_crl_container_ref"))


def nodes(store: Store, *names: str) -> dict[str, str]:
    """Their tokens.  All of them have HAProxy."""
    for number, name in enumerate(names):
        facts = NodeFacts(tunnel_ip=f"192.0.2.{number + 1}", proxies=True)
        store.run(lambda tx, name=name, facts=facts: binding.node_connected(tx, name, facts))  # type: ignore[misc]
    return {name: store.run(lambda tx, name=name: add(tx, name, rotate=False)) for name in names}  # type: ignore[misc]


def proxy_ports(keys: Keys, balancer: Any) -> list[Any]:
    path = f"/ports?device_id={balancer['id']}&device_owner={PROXY_OWNER}"
    return list(keys.lb.net.get("admin", path)["ports"])


def test_haproxy_gets_two_ports_on_two_hosts(keys: Keys, store: Store) -> None:
    nodes(store, "hv1", "hv2", "hv3")
    balancer = keys.lb.balancer()
    tcp = keys.lb.make("/listeners", loadbalancer_id=balancer["id"], protocol="TCP", protocol_port=80)
    assert proxy_ports(keys, balancer) == []
    assert listener(keys, balancer, held(keys, "pem")).status_code == 201
    ports = proxy_ports(keys, balancer)
    assert len({one["binding:host_id"] for one in ports} - {""}) == 2
    assert {one["network_id"] for one in ports} == {balancer["vip_network_id"]}
    assert {one["project_id"] for one in ports} == {""}
    assert keys.lb.net("admin", "DELETE", f"/ports/{ports[0]['id']}").status_code == 409
    assert keys.lb("alice", "DELETE", f"/listeners/{tcp['id']}").status_code == 204
    assert {one["id"] for one in proxy_ports(keys, balancer)} == {one["id"] for one in ports}
    assert keys.lb("alice", "DELETE", f"/loadbalancers/{balancer['id']}?cascade=true").status_code == 204
    assert proxy_ports(keys, balancer) == []


def test_a_host_that_is_gone_gives_its_port_to_another(keys: Keys, store: Store) -> None:
    nodes(store, "hv1", "hv2", "hv3")
    balancer = keys.lb.balancer()
    assert listener(keys, balancer, held(keys, "pem")).status_code == 201
    before = {one["id"]: one for one in proxy_ports(keys, balancer)}
    gone = next(iter(before.values()))["binding:host_id"]
    store.run(lambda tx: binding.node_gone(tx, gone))
    after = {one["id"]: one for one in proxy_ports(keys, balancer)}
    assert after.keys() == before.keys()
    assert gone not in {one["binding:host_id"] for one in after.values()}
    assert [one["fixed_ips"] for one in after.values()] == [one["fixed_ips"] for one in before.values()]
    moved = sum(after[id]["binding:host_id"] != before[id]["binding:host_id"] for id in before)
    assert moved == 1


def test_a_port_waits_for_a_host(keys: Keys, store: Store) -> None:
    balancer = keys.lb.balancer()
    assert listener(keys, balancer, held(keys, "pem")).status_code == 201
    assert [one["binding:host_id"] for one in proxy_ports(keys, balancer)] == ["", ""]
    nodes(store, "hv1")
    assert sorted(one["binding:host_id"] for one in proxy_ports(keys, balancer)) == ["", "hv1"]


def test_users_make_no_such_ports(keys: Keys) -> None:
    balancer = keys.lb.balancer()
    body = {"network_id": balancer["vip_network_id"], "device_owner": PROXY_OWNER, "device_id": balancer["id"]}
    for who in ("alice", "admin"):
        answer = keys.lb.net(who, "POST", "/ports", {"port": body})
        assert answer.status_code in (403, 409), answer.text


def test_only_who_serves_it_gets_it(keys: Keys, store: Store) -> None:
    tokens = nodes(store, "hv1", "hv2", "hv3")
    balancer = keys.lb.balancer()
    ref, unrelated = held(keys, "pem"), keys.secret(OTHER.pem + OTHER.key_pem)
    assert listener(keys, balancer, ref).status_code == 201
    serving = {one["binding:host_id"] for one in proxy_ports(keys, balancer)}

    def ask(token: str, ref: str, kind: str = "certificate") -> tuple[int, material.Said | None]:
        question = material.Ask(balancer_id=balancer["id"], wanted=(material.Wanted(ref, kind),))
        headers = {"Authorization": f"Bearer {token}"}
        answer = keys.http.request("POST", material.PATH, content=posted.encode(question), headers=headers)
        return answer.status_code, posted.decode(material.Said, answer.content) if answer.is_success else None

    for name, token in tokens.items():
        code, said = ask(token, ref)
        assert code == 200
        assert said is not None
        if name in serving:
            (pem,) = said.content
            assert pem.decode() == SERVER.pem + CA.pem + SERVER.key_pem
            assert "PRIVATE" not in repr(said)
        else:
            assert (said.content, "does not serve" in said.problem) == ((), True)
    token = tokens[sorted(serving)[0]]
    for bad, kind in ((unrelated, "certificate"), (ref, "_payload"), (ref, "nonsense")):
        _, said = ask(token, bad, kind)
        assert said is not None
        assert (said.content, "does not name" in said.problem) == ((), True)
    assert ask("x", ref)[0] == 401
    keys("alice", "DELETE", ref)
    _, said = ask(token, ref)
    assert said is not None
    assert "has no" in said.problem
