"""The topology of 1,000 ports for `bench/dashboard.py`: when it is drawn, how fluent, when a change is seen in it."""

from typing import Any

from playwright.sync_api import Browser, Page
from table import Row, percentile

NETWORKS, PORTS = 20, 50  # of each
# ms from the start of the navigation until what is looked for stands in the picture, and was painted
DRAWN = """async (wanted) => {
  const there = () => document.querySelector('svg.picture')?.textContent.includes(wanted);
  while (!there()) await new Promise((done) => requestAnimationFrame(done));
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return performance.now();
}"""
# ms of each frame while the page is scrolled through from top to bottom and the picture is made larger and smaller
FRAMES = """async () => {
  const frames = [];
  let before = await new Promise((done) => requestAnimationFrame(done));
  const height = document.documentElement.scrollHeight;
  for (let at = 0; at < 90; at += 1) {
    scrollTo(0, (height * at) / 90);
    const now = await new Promise((done) => requestAnimationFrame(done));
    frames.push(now - before);
    before = now;
  }
  return frames;
}"""
# renames a port; ms from the API's answer until the picture says so
SEEN = """async ([id, name]) => {
  const headers = {'X-Netweft-Dashboard': '1', 'Content-Type': 'application/json'};
  const shown = new Promise((done) => {
    const look = new MutationObserver(() => {
      if (!document.querySelector('svg.picture').textContent.includes(name)) return;
      look.disconnect();
      done(performance.now());
    });
    look.observe(document.body, {childList: true, subtree: true, characterData: true});
  });
  const body = JSON.stringify({port: {name}});
  await (await fetch(`api/v2.0/ports/${id}`, {method: 'PUT', headers, body})).text();
  const answered = performance.now();
  return await shown - answered;
}"""
# ms that opening everything takes, until it was painted
OPENED = """async (ids) => {
  const begun = performance.now();
  location.hash = `#/topology?open=${ids.join()}`;
  const shown = () => document.querySelectorAll('g.ports a.row').length;
  while (shown() < 1000) await new Promise((done) => requestAnimationFrame(done));
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - begun;
}"""


def fill(api: Any) -> tuple[list[str], str]:
    """A router with so many networks; their ids, and one port's."""
    project = api("GET", "quotas/project", None)["quota"]["project_id"]
    api("PUT", f"quotas/{project}", {"quota": dict.fromkeys(("port", "network", "subnet", "router"), -1)})
    router = api("POST", "routers", {"router": {"name": "core"}})["router"]["id"]
    ids, port = [], ""
    for at in range(NETWORKS):
        network = api("POST", "networks", {"network": {"name": f"tier-{at}"}})["network"]["id"]
        wanted = {"network_id": network, "ip_version": 4, "cidr": f"10.{at}.0.0/24"}
        subnet = api("POST", "subnets", {"subnet": wanted})["subnet"]["id"]
        api("PUT", f"routers/{router}/add_router_interface", {"subnet_id": subnet})
        ports = [{"network_id": network, "name": f"vm-{at}-{number}"} for number in range(PORTS)]
        port = api("POST", "ports", {"ports": ports})["ports"][0]["id"]
        ids.append(network)
    return [*ids, f"networks:{router}"], port


def measured(browser: Browser, page: Page, url: str, times: int, made: tuple[list[str], str]) -> list[Row]:
    opens, port = made
    first: list[float] = []
    opened: list[float] = []
    frames: list[float] = []
    seen: list[float] = []
    for _ in range(times):
        context = browser.new_context(
            storage_state=page.context.storage_state(), viewport={"width": 1280, "height": 760}
        )
        fresh = context.new_page()
        fresh.goto(f"{url}/dashboard/#/topology", wait_until="commit")
        first.append(float(fresh.evaluate(DRAWN, "50 ports")))
        opened.append(float(fresh.evaluate(OPENED, opens)))
        frames += [float(frame) for frame in fresh.evaluate(FRAMES)]
        fresh.wait_for_timeout(300)
        seen.append(float(fresh.evaluate(SEEN, [port, f"renamed-{len(seen)}"])))
        context.close()
    count = NETWORKS * PORTS
    return [
        Row(f"topology of {count:,} ports drawn, p50", percentile(first, 50), "ms"),
        Row(f"all {count:,} ports opened, p50", percentile(opened, 50), "ms"),
        Row(f"a frame while {count:,} opened ports are scrolled, p50", percentile(frames, 50), "ms"),
        Row(f"a frame while {count:,} opened ports are scrolled, p95", percentile(frames, 95), "ms"),
        Row(f"a change is seen among {count:,} opened ports, p50", percentile(seen, 50), "ms", 200),
        Row(f"a change is seen among {count:,} opened ports, p95", percentile(seen, 95), "ms", 200),
    ]
