"""A real server for each file, and its dashboard in a real Chromium, without a display.

Who has logged in keeps the page: a test goes to a place in it, as a person does, and what was shown before is gone.
To load a page costs a second of a processor, a place in it a tenth."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, ViewportSize, sync_playwright
from tests.api.process.conftest import Server

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
AXE = REPOSITORY / "web/node_modules/axe-core/axe.min.js"
SHOTS = "NETWEFT_WRITE_SCREENSHOTS"  # into docs/, where it is set
PATIENCE_MS = 60_000  # many tests share a machine
SIZE = ViewportSize(width=1280, height=760)
# a browser tells of what the API refuses as if it were a fault of the page; and when this machine gets an interface or
# loses one, as labs beside it have them, it breaks off what it loads
QUIET = ("responded with a status of 4", "net::ERR_NETWORK_CHANGED")
ALICE, BOB = "alice's own password", "bob's own password"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if str(item.path).startswith(f"{HERE}/"):
            item.add_marker(pytest.mark.browser)


class Cloud:
    """The server, what an admin does at its API, and two projects with a user each."""

    def __init__(self, server: Server) -> None:
        self.url, self.log = server.url, server.log
        self.password = server.openrc()["OS_PASSWORD"]
        self.http = httpx.Client(base_url=server.url, headers={"X-Auth-Token": server.token()}, timeout=30)
        self.blue, self.green = self._project("blue"), self._project("green")
        self.user("alice", ALICE, self.blue)
        self.user("bob", BOB, self.green)

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.http.request(method, path, json=body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def make(self, path: str, member: str, **values: Any) -> Any:
        return self("POST", f"/v2.0/{path}", {member: values})[member]

    def _project(self, name: str) -> str:
        id: str = self("POST", "/identity/v3/projects", {"project": {"name": name}})["project"]["id"]
        return id

    def user(self, name: str, password: str, *projects: str) -> str:
        user: str = self("POST", "/identity/v3/users", {"user": {"name": name, "password": password}})["user"]["id"]
        role = self("GET", "/identity/v3/roles?name=member")["roles"][0]["id"]
        for project in projects:
            self("PUT", f"/identity/v3/projects/{project}/users/{user}/roles/{role}")
        return user


class Dashboard:
    """A page, and what a person does with it."""

    def __init__(self, page: Page, cloud: Cloud) -> None:
        self.page, self.cloud = page, cloud
        self.faults: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", self._said)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(quiet in message.text for quiet in QUIET):
            self.faults.append(message.text)

    def open(self) -> "Dashboard":
        self.page.goto(f"{self.cloud.url}/dashboard")
        self.page.wait_for_selector("#user")
        return self

    def log_in(self, user: str, password: str) -> "Dashboard":
        self.page.fill("#user", user)
        self.page.fill("#password", password)
        self.page.press("#password", "Enter")
        return self

    def at(self, place: str) -> "Dashboard":
        """Somewhere in it, once it has been shown."""
        self.page.goto(f"{self.cloud.url}/dashboard/#/{place}")
        self.page.wait_for_selector("#main h1")
        self.until("document.getElementById('main')?.dataset.place === location.hash")
        self.until("document.querySelector('#main h1') && !document.querySelector('[aria-busy]')")
        return self

    def is_there(self) -> bool:
        """Still logged in, and nothing stands open before it."""
        return (
            not self.page.is_closed()
            and self.page.locator(".menu").count() == 1
            and not self.page.locator("dialog").count()
        )

    def leave(self) -> None:
        """As it is found: whoever comes next finds nothing of what was shown and set."""
        self.page.unroute_all(behavior="ignoreErrors")
        self.page.emulate_media(color_scheme="light")
        self.page.set_viewport_size(SIZE)
        self.at("nowhere")

    def until(self, holds: str) -> None:
        """An expression of JavaScript.  Playwright's own wait needs an `eval`, which the page's policy forbids."""
        deadline = time.monotonic() + PATIENCE_MS / 1000
        while not self.page.evaluate(holds):
            assert time.monotonic() < deadline, f"{holds}: {self.page.inner_text('body')}"
            self.page.wait_for_timeout(20)

    def see(self, text: str) -> None:
        self.page.get_by_text(text, exact=False).first.wait_for()

    def row(self, text: str) -> Any:
        return self.page.locator("tbody tr", has_text=text)

    def violations(self) -> list[str]:
        """What axe finds that shuts people out."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE.read_text())
        found = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        return [f"{one['id']}: {[node['html'] for node in one['nodes']]}" for one in found]

    def shot(self, name: str) -> None:
        """For the documentation, where it was asked for."""
        if os.environ.get(SHOTS):
            folder = REPOSITORY / "docs/dashboard"
            folder.mkdir(exist_ok=True)
            self.page.screenshot(path=folder / f"{name}.png")


@pytest.fixture(scope="module")
def cloud(empty: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    server = Server(Path(shutil.copy(empty, tmp_path_factory.mktemp("server"))).parent)
    try:
        server.start()
        cloud = Cloud(server)
        yield cloud
        cloud.http.close()
    finally:
        server.stop()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    program = shutil.which("chromium")
    assert program, "scripts/install.sh test installs it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def kept(chromium: Browser) -> Iterator[dict[str, Dashboard]]:
    """Pages of who has logged in: a password costs a moment, on purpose."""
    kept: dict[str, Dashboard] = {}
    yield kept
    for dashboard in kept.values():
        dashboard.page.context.close()


@pytest.fixture
def opened(chromium: Browser, cloud: Cloud, kept: dict[str, Dashboard]) -> Iterator[Callable[..., Dashboard]]:
    """A browser of somebody's own.  Whatever was shown in it, no script failed."""
    used: dict[str, Dashboard] = {}

    def opened(user: str = "", password: str = "") -> Dashboard:
        if user in used:
            return used[user]
        dashboard = kept.pop(user, None) or Dashboard(chromium.new_context(viewport=SIZE).new_page(), cloud).open()
        used[user] = dashboard
        if user and not dashboard.is_there():
            dashboard.log_in(user, password).page.wait_for_selector(".menu")
        return dashboard

    yield opened
    faults = [fault for dashboard in used.values() for fault in dashboard.faults]
    for user, dashboard in used.items():
        if not user or faults or not _left(dashboard):
            dashboard.page.context.close()
        else:
            kept[user] = dashboard
    assert not faults


def _left(dashboard: Dashboard) -> bool:
    """Whether the next test may have it: one that failed may have left anything."""
    if not dashboard.is_there():
        return False
    dashboard.leave()
    dashboard.faults.clear()
    return True


@pytest.fixture
def alices(opened: Callable[..., Dashboard]) -> Dashboard:
    return opened("alice", ALICE)


@pytest.fixture
def admins(opened: Callable[..., Dashboard], cloud: Cloud) -> Dashboard:
    return opened("admin", cloud.password)
