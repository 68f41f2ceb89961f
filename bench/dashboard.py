#!/usr/bin/env python3
"""The dashboard on loopback, in headless Chromium: its first paint, its bytes, and when a change is seen.

`bench/dashboard.py` starts a server of its own and prints a table.  Paint is what the browser says of it
(first-contentful-paint), with nothing kept from before; a change is seen when its row stands in the page's document.
"""

import argparse
import json
import shutil
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pictures
from playwright.sync_api import Browser, Page, sync_playwright
from table import Row, percentile, print_table

from api import server

PORTS = 10_000
BATCH = 100
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"
# makes a network and waits for its row; ms from the API's answer to the row, and to what is painted next
SEEN = """async (name) => {
  const headers = {'X-Netweft-Dashboard': '1', 'Content-Type': 'application/json'};
  const shown = new Promise((done) => {
    const look = new MutationObserver(() => {
      if (document.querySelector('tbody')?.textContent.includes(name)) { look.disconnect(); done(performance.now()); }
    });
    look.observe(document.body, {childList: true, subtree: true, characterData: true});
  });
  const body = JSON.stringify({network: {name}});
  await (await fetch('api/v2.0/networks', {method: 'POST', headers, body})).text();
  const answered = performance.now();
  return await shown - answered;
}"""


class Api:
    def __init__(self, url: str, password: str) -> None:
        self._url, self._token = url, ""
        domain = {"name": "Default"}
        user = {"name": "admin", "domain": domain, "password": password}
        scope = {"project": {"name": "admin", "domain": domain}}
        auth = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}
        self._token = self._send("POST", "/identity/v3/auth/tokens", {"auth": auth})[1]["X-Subject-Token"]

    def __call__(self, method: str, path: str, body: Any) -> Any:
        return self._send(method, f"/v2.0/{path}", body)[0]

    def _send(self, method: str, path: str, body: Any) -> Any:
        headers = {"Content-Type": "application/json", "X-Auth-Token": self._token}
        request = urllib.request.Request(self._url + path, json.dumps(body).encode(), headers, method=method)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer), answer.headers


def fill(api: Api, ports: int) -> None:
    """A network with so many ports."""
    project = api("GET", "quotas/project", None)["quota"]["project_id"]
    api("PUT", f"quotas/{project}", {"quota": {"port": -1, "network": -1}})
    network = api("POST", "networks", {"network": {"name": "large"}})["network"]["id"]
    for first in range(0, ports, BATCH):
        wanted = [{"network_id": network, "name": f"port-{first + at:05}"} for at in range(BATCH)]
        api("POST", "ports", {"ports": wanted})


def logged_in(browser: Browser, url: str, password: str) -> Page:
    page = browser.new_context().new_page()
    page.goto(f"{url}/dashboard/")
    page.fill("#user", "admin")
    page.fill("#password", password)
    page.press("#password", "Enter")
    page.wait_for_selector(".menu")
    return page


def paints(browser: Browser, page: Page, url: str, place: str, times: int) -> list[float]:
    """Each in a browser that has nothing of it."""
    found = []
    for _ in range(times):
        context = browser.new_context(storage_state=page.context.storage_state())
        fresh = context.new_page()
        fresh.goto(f"{url}/dashboard/#/{place}")
        fresh.wait_for_selector("tbody tr" if place else "#main h1")
        found.append(float(fresh.evaluate(PAINT)))
        context.close()
    return found


def shown(browser: Browser, page: Page, url: str, place: str, what: str, times: int) -> list[float]:
    """From the start of the navigation until this is there."""
    found = []
    for _ in range(times):
        context = browser.new_context(storage_state=page.context.storage_state())
        fresh = context.new_page()
        fresh.goto(f"{url}/dashboard/#/{place}", wait_until="commit")
        fresh.wait_for_selector(what)
        found.append(float(fresh.evaluate("performance.now()")))
        context.close()
    return found


def packed(page: Page, url: str) -> int:
    """Bytes that come for the page and its files."""
    page.goto("about:blank")
    page.goto(f"{url}/dashboard/")
    page.wait_for_load_state("networkidle")
    files = page.evaluate("performance.getEntriesByType('resource').map((one) => [one.name, one.encodedBodySize])")
    own = sum(size for name, size in files if any(name.endswith(kind) for kind in (".js", ".css", ".svg")))
    return int(own + page.evaluate("performance.getEntriesByType('navigation')[0].encodedBodySize"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--ports", type=int, default=PORTS)
    parser.add_argument("--json", type=Path, help="append the rows to this file")
    options = parser.parse_args()
    program = shutil.which("chromium") or sys.exit("bench: there is no chromium; scripts/install.sh test installs it")
    with server() as (url, password, _), sync_playwright() as playwright:
        api = Api(url, password)
        made = pictures.fill(api)  # first: the picture is the project's, which ends at 5,000 ports
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = logged_in(browser, url, password)
        context = browser.new_context()
        size = packed(context.new_page(), url)
        drawn = pictures.measured(browser, page, url, options.times, made)
        fill(api, options.ports)
        first = paints(browser, page, url, "", options.times)
        overview = shown(browser, page, url, "", "#main h1", options.times)
        listed = shown(browser, page, url, "ports", "tbody tr", options.times)
        page.goto(f"{url}/dashboard/#/networks?sort_key=created_at&sort_dir=desc")
        page.wait_for_selector("tbody tr")
        seen = []
        for at in range(options.times):
            page.wait_for_timeout(500)
            seen.append(float(page.evaluate(SEEN, f"bench-{at}")))
        browser.close()
    rows = [
        Row("first paint, p50", percentile(first, 50), "ms", 300),
        Row("first paint, p95", percentile(first, 95), "ms"),
        Row("the first page shown, p50", percentile(overview, 50), "ms"),
        Row("all files, gzip", size / 1000, "kB", 150),
        Row(f"first 100 of {options.ports:,} ports shown, p50", percentile(listed, 50), "ms"),
        Row("a change is seen after the API's answer, p50", percentile(seen, 50), "ms", 200),
        Row("a change is seen after the API's answer, p95", percentile(seen, 95), "ms", 200),
    ]
    rows += drawn
    print_table("Dashboard, headless Chromium on loopback", rows, options.json)


if __name__ == "__main__":
    main()
