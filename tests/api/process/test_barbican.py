"""A server whose balancers' certificates are in a real Barbican (`make test-barbican`).

Barbican takes tokens of this server's own identity, or a real Keystone's."""

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests import certificates
from tests.api.process.conftest import Server, free_port
from tests.barbican.cloud import ENVIRONMENT, Barbican
from tests.keystone.cloud import PASSWORD, Keystone

from netweft.control.l2 import binding
from netweft.model import NodeFacts
from netweft.plugins.identity.nodes import add
from netweft.store import Store
from netweft.wire import material, posted

pytestmark = [
    pytest.mark.keystone,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not ENVIRONMENT.exists(), reason="`scripts/install.sh barbican` installs it"),
]
DOMAIN = {"id": "default"}
PATIENCE = 120.0
CA = certificates.authority()
SERVER = certificates.signed(CA, "www.example.com")
OTHER = certificates.signed(CA, "other.example.com")


class Cloud:
    """Keystone, Barbican and our server: ann is a member of blue, bob of red."""

    def __init__(self, keystone: Keystone, barbican: Barbican, server: Server) -> None:
        self.keystone, self.barbican, self.server = keystone, barbican, server
        self.service = keystone.make("project", name="service", domain_id="default")
        for name in ("netweft", "barbican"):
            self.user(name, self.service, "service")
        self.user("ann", keystone.make("project", name="blue", domain_id="default"), "member")
        self.user("bob", keystone.make("project", name="red", domain_id="default"), "member")

    def user(self, name: str, project: str, *roles: str) -> None:
        user = self.keystone.make("user", name=name, password=PASSWORD, domain_id="default")
        self.keystone.grant(user, project, *roles)

    def token(self, user: str, project: str) -> str:
        return self.keystone.token(user, scope={"project": {"name": project, "domain": DOMAIN}})

    def ask(self, token: str, method: str, path: str, body: Any = None) -> httpx.Response:
        """As a client that is told to try again does, or that it is changing."""
        deadline = time.monotonic() + PATIENCE
        while True:
            url, headers = f"{self.server.url}{path}", {"X-Auth-Token": token}
            answer = httpx.request(method, url, json=body, headers=headers, timeout=60.0)
            if answer.status_code not in (409, 503) or time.monotonic() > deadline:
                return answer
            time.sleep(0.2)

    def make(self, token: str, path: str, kind: str, **values: Any) -> Any:
        answer = self.ask(token, "POST", path, {kind: values})
        assert answer.status_code == 201, answer.text
        return answer.json()[kind]

    def listener(self, token: str, balancer: str, ref: str, port: int = 443, **more: Any) -> httpx.Response:
        values = {"loadbalancer_id": balancer, "protocol": "TERMINATED_HTTPS", "protocol_port": port}
        body = {"listener": values | {"default_tls_container_ref": ref} | more}
        return self.ask(token, "POST", "/load-balancer/v2/lbaas/listeners", body)


class OwnIdentity(Keystone):
    """The server's own, asked as a Keystone is."""

    def __init__(self, server: Server) -> None:
        self._server, self.url = server, f"{server.url}/identity/v3"

    def token(self, user: str = "admin", *, scope: object = None) -> str:
        return self._server.token() if user == "admin" else super().token(user, scope=scope)


@pytest.fixture(scope="module", params=["own", "keystone"])
def cloud(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    server, beside = Server(tmp_path_factory.mktemp("server")), contextlib.ExitStack()
    port, folder = free_port(), tmp_path_factory.mktemp("barbican")
    password = server.folder / "service.password"
    password.write_text(PASSWORD)
    options = ["--service-username", "netweft", "--service-password-file", str(password)]
    options += ["--barbican-url", f"http://127.0.0.1:{port}"]
    with beside:
        beside.callback(server.stop)
        if request.param == "keystone":
            keystone = Keystone(tmp_path_factory.mktemp("keystone"), free_port())
            beside.callback(keystone.stop)
            keystone.start()
            server.start("--identity", "keystone", "--keystone-url", keystone.url, *options)
        else:
            server.start(*options)
            keystone = OwnIdentity(server)
        barbican = Barbican(folder, port, keystone)
        beside.callback(barbican.stop)
        cloud = Cloud(keystone, barbican, server)
        barbican.start()
        yield cloud


@pytest.fixture(scope="module")
def ann(cloud: Cloud) -> str:
    return cloud.token("ann", "blue")


@pytest.fixture(scope="module")
def balancer(cloud: Cloud, ann: str) -> str:
    network = cloud.make(ann, "/v2.0/networks", "network", name="n")["id"]
    subnet = cloud.make(ann, "/v2.0/subnets", "subnet", network_id=network, ip_version=4, cidr="10.0.0.0/24")["id"]
    made = cloud.make(ann, "/load-balancer/v2/lbaas/loadbalancers", "loadbalancer", vip_subnet_id=subnet)
    found: str = made["id"]
    return found


def test_what_a_listener_takes(cloud: Cloud, ann: str, balancer: str) -> None:
    """Each form, and that our user may read it from then on, beside those who could."""
    barbican = cloud.barbican
    pem = barbican.secret(ann, (SERVER.pem + CA.pem + SERVER.key_pem).encode())
    pkcs12 = barbican.secret(ann, SERVER.pkcs12(CA), octets=True)
    parts = {"certificate": SERVER.pem, "private_key": SERVER.locked_key(b"p"), "private_key_passphrase": "p"}
    container = barbican.container(ann, **{name: text.encode() for name, text in parts.items()})
    for port, ref in enumerate((pem, pkcs12, container), 443):
        made = cloud.listener(ann, balancer, ref, port, sni_container_refs=[pem])
        assert made.status_code == 201, made.text
    service = cloud.token("netweft", "service")
    assert barbican.call(service, "GET", container)["type"] == "certificate"
    acl = barbican.call(ann, "GET", f"{pem}/acl")["read"]
    assert (len(acl["users"]), acl["project-access"]) == (1, True)
    authority = barbican.secret(ann, CA.pem.encode())
    gone = barbican.secret(ann, certificates.revoked(CA, OTHER).encode())
    client = {"client_authentication": "MANDATORY", "client_ca_tls_container_ref": authority}
    made = cloud.listener(ann, balancer, pem, 500, **client, client_crl_container_ref=gone)
    assert made.status_code == 201, made.text


def test_what_it_does_not_take(cloud: Cloud, ann: str, balancer: str) -> None:
    """What is another project's not even when our user may read it; and where a reference points is not asked."""
    barbican, bob = cloud.barbican, cloud.token("bob", "red")
    theirs = barbican.secret(bob, (SERVER.pem + SERVER.key_pem).encode())
    ours = cloud.keystone.call("GET", "users?name=netweft")["users"][0]["id"]
    barbican.call(bob, "PUT", f"{theirs}/acl", {"read": {"users": [ours], "project-access": True}})
    unfit = barbican.container(ann, certificate=SERVER.pem.encode(), private_key=OTHER.key_pem.encode())
    missing = f"{barbican.url}/v1/secrets/9f0ae3e2-8d2e-4f2b-b3a0-111111111111"
    for ref in (theirs, unfit, missing, "http://192.0.2.1/", barbican.secret(ann, b"no certificate")):
        answer = cloud.listener(ann, balancer, ref, 600)
        assert (answer.status_code, answer.json()["faultcode"]) == (400, "Client"), (ref, answer.text)
        assert "Could not retrieve certificate" in answer.text


def test_a_node_gets_it_as_our_user_reads_it(cloud: Cloud, ann: str, balancer: str) -> None:
    with contextlib.closing(Store.open(f"sqlite:///{cloud.server.folder}/netweft.db")) as store:
        facts = NodeFacts(tunnel_ip="192.0.2.1", proxies=True)
        store.run(lambda tx: binding.node_connected(tx, "hv1", facts))
        token = store.run(lambda tx: add(tx, "hv1", rotate=False))
    ref = cloud.barbican.secret(ann, (SERVER.pem + CA.pem + SERVER.key_pem).encode())
    assert cloud.listener(ann, balancer, ref, 700).status_code == 201
    question = material.Ask(balancer_id=balancer, wanted=(material.Wanted(ref, "certificate"),))
    headers = {"Authorization": f"Bearer {token}"}
    said = httpx.post(cloud.server.url + material.PATH, content=posted.encode(question), headers=headers, timeout=60.0)
    answer = posted.decode(material.Said, said.content)
    assert answer.content == ((SERVER.pem + CA.pem + SERVER.key_pem).encode(),), answer.problem


def test_a_barbican_that_is_away_is_503(cloud: Cloud, ann: str, balancer: str) -> None:
    ref = cloud.barbican.secret(ann, (SERVER.pem + CA.pem + SERVER.key_pem).encode())
    cloud.barbican.stop()
    url = f"{cloud.server.url}/load-balancer/v2/lbaas/listeners"
    values = {"loadbalancer_id": balancer, "protocol": "TERMINATED_HTTPS", "protocol_port": 800}
    body = {"listener": values | {"default_tls_container_ref": ref}}
    answer = httpx.post(url, json=body, headers={"X-Auth-Token": ann}, timeout=60.0)
    assert (answer.status_code, answer.json()["faultcode"]) == (503, "Server"), answer.text
    assert cloud.barbican.url not in answer.text
    cloud.barbican.start()
    made = cloud.listener(ann, balancer, ref, 800)
    assert made.status_code == 201, made.text
