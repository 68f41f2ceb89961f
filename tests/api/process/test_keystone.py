"""A server beside a real Keystone: its tokens, its roles, its revocations, its catalogue."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.api.process.client import stock_client
from tests.api.process.conftest import Server, free_port
from tests.keystone.cloud import PASSWORD, Keystone

pytestmark = [pytest.mark.keystone, pytest.mark.timeout(300)]  # it makes its tables first

DOMAIN = {"id": "default"}
PATIENCE = 120.0  # it answers one at a time, also who has given up: on a full machine its queue takes a minute


class Cloud:
    """Keystone with a service user, two projects and their members, and our server beside it."""

    def __init__(self, keystone: Keystone, server: Server) -> None:
        self.keystone, self.server = keystone, server
        service = keystone.make("project", name="service", domain_id="default")
        self.netweft = self.user("netweft", service, "service")
        self.blue = keystone.make("project", name="blue", domain_id="default")
        self.red = keystone.make("project", name="red", domain_id="default")
        self.ann = self.user("ann", self.blue, "member")
        self.bob = self.user("bob", self.red, "reader")
        network = keystone.make("service", type="network", name="netweft")
        keystone.make("endpoint", service_id=network, interface="public", region_id="RegionOne", url=server.url)

    def user(self, name: str, project: str, *roles: str) -> str:
        user = self.keystone.make("user", name=name, password=PASSWORD, domain_id="default")
        self.keystone.grant(user, project, *roles)
        return user

    def start(self) -> None:
        password = self.server.folder / "service.password"
        password.write_text(PASSWORD)
        self.server.start("--identity", "keystone", "--keystone-url", self.keystone.url, "--service-username",
                          "netweft", "--service-password-file", str(password),
                          "--keystone-cache-seconds", "8")  # fmt: skip

    def token(self, user: str, project: str = "blue") -> str:
        return self.keystone.token(user, scope={"project": {"name": project, "domain": DOMAIN}})

    def ask(self, token: str, method: str = "GET", path: str = "networks", body: Any = None, **more: str) -> int:
        """As a client that is told to try again does: on a busy machine Keystone may need longer than it is given."""
        deadline = time.monotonic() + PATIENCE
        while (status := self.ask_once(token, method, path, body, **more)) == 503 and time.monotonic() < deadline:
            time.sleep(0.2)
        return status

    def ask_once(self, token: str, method: str = "GET", path: str = "networks", body: Any = None, **more: str) -> int:
        given = {"X-Auth-Token": token} | {name.replace("_", "-"): value for name, value in more.items()}
        headers = [(name.encode(), value.encode()) for name, value in given.items()]
        return httpx.request(
            method, f"{self.server.url}/v2.0/{path}", json=body, headers=headers, timeout=30.0
        ).status_code

    def until(self, token: str, status: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while (got := self.ask(token)) != status:
            assert time.monotonic() < deadline, got
            time.sleep(0.2)


class Patient(httpx.HTTPTransport):
    """Asks again, as Cloud.ask does."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        deadline = time.monotonic() + PATIENCE
        while (answer := super().handle_request(request)).status_code == 503 and time.monotonic() < deadline:
            answer.close()
            time.sleep(0.2)
        return answer


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    keystone = Keystone(tmp_path_factory.mktemp("keystone"), free_port())
    server = Server(tmp_path_factory.mktemp("server"))
    try:
        keystone.start()
        cloud = Cloud(keystone, server)
        cloud.start()
        yield cloud
    finally:
        server.stop()
        keystone.stop()


def test_who_has_no_good_token_stays_out(cloud: Cloud) -> None:
    for token in ("", "x", "x" * 20_000, "é", "a b", "gAAAAABm" + "A" * 180):
        assert cloud.ask(token) == 401, token[:20]
    answer = httpx.get(f"{cloud.server.url}/v2.0/networks", timeout=30.0)
    assert answer.headers["WWW-Authenticate"] == f"Keystone uri='{cloud.keystone.url}'"


def test_roles_are_those_of_keystone(cloud: Cloud) -> None:
    ann, bob = cloud.token("ann"), cloud.token("bob", "red")
    assert cloud.ask(ann, "POST", "networks", {"network": {"name": "n"}}) == 201
    assert cloud.ask(bob, "POST", "networks", {"network": {"name": "n"}}) == 403
    assert cloud.ask(ann, "GET", "agents") in (200, 403)
    assert cloud.ask(cloud.keystone.token(), "GET", "agents") == 200
    seen = httpx.get(f"{cloud.server.url}/v2.0/networks", headers={"X-Auth-Token": bob}, timeout=30.0).json()
    assert seen == {"networks": []}


def test_a_token_for_the_system_or_for_nothing_is_for_no_project(cloud: Cloud) -> None:
    """As Neutron, whose rules are for projects."""
    system = cloud.keystone.token(scope={"system": {"all": True}})
    assert cloud.ask(system) == 403
    assert cloud.ask(system, "POST", "networks", {"network": {"name": "n"}}) == 403


def test_access_rules_of_application_credentials_hold(cloud: Cloud) -> None:
    rule = {"service": "network", "method": "GET", "path": "/v2.0/networks"}
    wanted = {"application_credential": {"name": "reads", "secret": "s", "access_rules": [rule]}}
    path = f"users/{cloud.ann}/application_credentials"
    made = cloud.keystone.call("POST", path, wanted, cloud.token("ann"))["application_credential"]
    proof = {"methods": ["application_credential"], "application_credential": {"id": made["id"], "secret": "s"}}
    token = cloud.keystone.log_in(proof)
    assert cloud.ask(token) == 200
    assert cloud.ask(token, "GET", "ports") == 401
    assert cloud.ask(token, "POST", "networks", {"network": {"name": "n"}}) == 401


def test_a_service_may_act_for_a_user(cloud: Cloud) -> None:
    service = cloud.token("netweft", "service")
    assert cloud.ask(cloud.token("ann"), X_Service_Token=service) == 200
    assert cloud.ask(cloud.token("ann"), X_Service_Token="made-up") == 401


def test_what_keystone_revokes_is_refused(cloud: Cloud) -> None:
    token = cloud.token("ann")
    assert cloud.ask(token) == 200
    headers = {"X-Auth-Token": cloud.keystone.token(), "X-Subject-Token": token}
    assert httpx.delete(f"{cloud.keystone.url}/auth/tokens", headers=headers, timeout=30.0).status_code == 204
    cloud.until(token, 401)


def test_a_role_that_is_taken_away_is_gone(cloud: Cloud) -> None:
    """Keystone lists no event for it: after keystone_cache_seconds."""
    eve = cloud.user("eve", cloud.blue, "member")
    token = cloud.token("eve")
    assert cloud.ask(token) == 200
    role = cloud.keystone.role("member")
    cloud.keystone.call("DELETE", f"projects/{cloud.blue}/users/{eve}/roles/{role}")
    cloud.until(token, 401)


def test_the_stock_client_finds_us_in_the_clouds_catalogue(cloud: Cloud) -> None:
    variables = {
        "OS_AUTH_URL": cloud.keystone.url, "OS_USERNAME": "ann", "OS_PASSWORD": PASSWORD, "OS_PROJECT_NAME": "blue",
        "OS_USER_DOMAIN_ID": "default", "OS_PROJECT_DOMAIN_ID": "default", "OS_IDENTITY_API_VERSION": "3",
    }  # fmt: skip
    made, *_ = stock_client(variables, "network create -f json by-client", "network list -f json")
    assert made["project_id"] == cloud.blue


def test_keystone_away_is_503_and_known_tokens_go_on(cloud: Cloud) -> None:
    known, unknown = cloud.token("ann"), cloud.token("bob", "red")
    assert cloud.ask(known) == 200
    cloud.keystone.stop()
    try:
        assert cloud.ask_once(known) == 200
        assert cloud.ask_once(unknown) == 503
    finally:
        cloud.keystone.start()
    cloud.until(unknown, 200)
    assert "Traceback" not in cloud.server.log()


def test_the_dashboard_logs_in_at_the_clouds_keystone(cloud: Cloud) -> None:
    url = cloud.server.url
    own = {"x-netweft-dashboard": "1", "origin": url}
    with httpx.Client(base_url=f"{url}/dashboard", headers=own, timeout=120, transport=Patient()) as browser:
        assert browser.post("/session", json={"user": "ann", "password": "wrong"}).status_code == 401
        begun = browser.post("/session", json={"user": "ann", "password": PASSWORD})
        assert begun.status_code == 201, begun.text
        assert begun.json()["project"]["id"] == cloud.blue and "member" in begun.json()["roles"]
        assert [project["name"] for project in begun.json()["projects"]] == ["blue"]
        assert browser.get("/session").json()["user"]["name"] == "ann"
        assert browser.post("/api/v2.0/networks", json={"network": {}}).status_code == 201
        assert browser.put("/session", json={"project_id": cloud.red}).status_code == 401
        token = browser.cookies["netweft-session"]
        assert browser.delete("/session").status_code == 204
        cloud.until(token, 401)
