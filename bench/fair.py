#!/usr/bin/env python3
"""What a quiet client notices while another does its worst: `bench/fair.py` starts a server (SQLite) of its own and
prints a table.  p99 of a quiet project's requests alone, and beside each attack; the bar is five times as long.

The attackers are processes of their own that send bytes prepared before, so that they cost the machine little.
"""

import argparse
import http.client
import json
import multiprocessing
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from table import Row, percentile, print_table

from api import server

BAR = 5.0
DOMAIN = {"id": "default"}
NOWHERE = "00000000-0000-4000-8000-000000000000"


class Api:
    """One connection of one user."""

    def __init__(self, endpoint: str, token: str = "") -> None:
        self.endpoint, self.token = endpoint, token
        self._connection = http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=60)

    def request(self, method: str, path: str, body: Any = None) -> tuple[int, Any, http.client.HTTPMessage]:
        headers = {"Content-Type": "application/json", "X-Auth-Token": self.token}
        self._connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = self._connection.getresponse()
        data = answer.read()
        return answer.status, json.loads(data) if data else None, answer.headers

    def must(self, method: str, path: str, body: Any = None) -> Any:
        status, found, _ = self.request(method, path, body)
        assert status < 300, (method, path, status, found)
        return found

    def login(self, name: str, password: str) -> "Api":
        status, found, headers = self.request("POST", "/identity/v3/auth/tokens", credentials(name, password, name))
        assert status == 201, found
        return Api(self.endpoint, headers["X-Subject-Token"])


def credentials(name: str, password: str, project: str) -> Any:
    user = {"name": name, "domain": DOMAIN, "password": password}
    identity = {"methods": ["password"], "password": {"user": user}}
    return {"auth": {"identity": identity, "scope": {"project": {"name": project, "domain": DOMAIN}}}}


@dataclass(frozen=True)
class Scene:
    """quiet, loud: members of two projects, each with a network."""

    endpoint: str
    quiet: Api
    loud: Api
    quiet_network: str
    loud_network: str
    loud_port: str
    loud_subnet: str
    node_token: str


def member(admin: Api, name: str) -> Api:
    project = admin.must("POST", "/identity/v3/projects", {"project": {"name": name}})["project"]["id"]
    user = admin.must("POST", "/identity/v3/users", {"user": {"name": name, "password": name}})["user"]["id"]
    roles = {role["name"]: role["id"] for role in admin.must("GET", "/identity/v3/roles")["roles"]}
    admin.must("PUT", f"/identity/v3/projects/{project}/users/{user}/roles/{roles['member']}")
    admin.must("PUT", f"/v2.0/quotas/{project}", {"quota": {"port": -1, "network": -1, "subnet": -1}})
    return admin.login(name, name)


def network(api: Api, cidr: str) -> tuple[str, str]:
    made = api.must("POST", "/v2.0/networks", {"network": {"name": "n"}})["network"]["id"]
    subnet = {"network_id": made, "ip_version": 4, "cidr": cidr}
    return made, api.must("POST", "/v2.0/subnets", {"subnet": subnet})["subnet"]["id"]


def scene(endpoint: str, password: str) -> Scene:
    admin = Api(endpoint).login("admin", password)
    quiet, loud = member(admin, "quiet"), member(admin, "loud")
    quiet_network, _ = network(quiet, "10.0.0.0/16")
    loud_network, subnet = network(loud, "10.0.0.0/12")
    port = loud.must("POST", "/v2.0/ports", {"port": {"network_id": loud_network}})["port"]["id"]
    for _ in range(50):  # what the loud one lists
        loud.must("POST", "/v2.0/ports", {"ports": [{"network_id": loud_network}] * 100})
    node = admin.must("POST", "/netweft/v1/nodes", {"node": {"name": "hv1"}})["node"]["token"]
    return Scene(endpoint, quiet, loud, quiet_network, loud_network, port, subnet, node)


# -- the quiet one


def quiet_times(scene: Scene, seconds: float) -> dict[str, list[float]]:
    """In ms.  Not one request right after the other: it is quiet."""
    times: dict[str, list[float]] = {"GET": [], "POST": [], "DELETE": []}

    def timed(method: str, path: str, body: Any = None) -> Any:
        started = time.perf_counter()
        found = scene.quiet.must(method, path, body)
        times[method].append((time.perf_counter() - started) * 1e3)
        return found

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        port = timed("POST", "/v2.0/ports", {"port": {"network_id": scene.quiet_network}})["port"]["id"]
        for _ in range(3):
            time.sleep(0.005)
            timed("GET", f"/v2.0/ports/{port}")
        timed("DELETE", f"/v2.0/ports/{port}")
        time.sleep(0.005)
    return times


def login_times(scene: Scene, seconds: float) -> list[float]:
    """Of somebody who knows the password; one that is refused for the load counts as never."""
    times, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        started = time.perf_counter()
        api = Api(scene.endpoint)
        status, _, _ = api.request("POST", "/identity/v3/auth/tokens", credentials("quiet", "quiet", "quiet"))
        times.append((time.perf_counter() - started) * 1e3 if status == 201 else 60_000)
        time.sleep(0.02)
    return times


# -- the loud ones: each for ever


def request(scene: Scene, method: str, path: str, body: Any = None, token: str | None = None) -> bytes:
    data = b"" if body is None else json.dumps(body).encode()
    token = scene.loud.token if token is None else token
    head = f"{method} {path} HTTP/1.1\r\nhost: x\r\nx-auth-token: {token}\r\ncontent-length: {len(data)}\r\n\r\n"
    return head.encode() + data


def connect(scene: Scene) -> socket.socket:
    host, _, port = urlsplit(scene.endpoint).netloc.partition(":")
    return socket.create_connection((host, int(port)), timeout=60)


def hammer(scene: Scene, data: bytes, clients: int = 8, pause: float = 0.0) -> None:
    """Each client sends its next request when the last one is answered."""
    import selectors

    selector = selectors.DefaultSelector()

    def start() -> None:
        client = connect(scene)
        client.sendall(data)
        selector.register(client, selectors.EVENT_READ, [b""])

    for _ in range(clients):
        start()
    while True:
        for key, _ in selector.select():
            client, buffer = key.fileobj, key.data
            assert isinstance(client, socket.socket)
            try:
                buffer[0] += (piece := client.recv(2**20))
                if not piece:
                    raise ConnectionError
                head, end, rest = buffer[0].partition(b"\r\n\r\n")
                length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
                if end and len(rest) >= int(length or 0):
                    buffer[0] = b""
                    time.sleep(pause)
                    client.sendall(data)
            except OSError:
                selector.unregister(client)
                client.close()
                start()


def tags(scene: Scene) -> None:
    body = {"tags": [f"t{number}" for number in range(60_000)]}
    hammer(scene, request(scene, "PUT", f"/v2.0/ports/{scene.loud_port}/tags", body))


def pairs(scene: Scene) -> None:
    found = [{"ip_address": f"10.0.{number >> 8}.{number & 255}"} for number in range(20_000)]
    body = {"port": {"allowed_address_pairs": found}}
    hammer(scene, request(scene, "PUT", f"/v2.0/ports/{scene.loud_port}", body))


def routes(scene: Scene) -> None:
    found = [{"destination": f"10.{n >> 8}.{n & 255}.0/24", "nexthop": "192.0.2.9"} for n in range(15_000)]
    body = {"subnet": {"host_routes": found}}
    hammer(scene, request(scene, "PUT", f"/v2.0/subnets/{scene.loud_subnet}", body))


def tags_in_query(scene: Scene) -> None:
    hammer(scene, request(scene, "GET", "/v2.0/ports?tags=" + ",".join(f"t{number}" for number in range(50))))


def values_in_query(scene: Scene) -> None:
    hammer(scene, request(scene, "GET", "/v2.0/ports?" + "&".join(f"name=n{number}" for number in range(1500))))


def refused_bulk(scene: Scene) -> None:
    body = {"ports": [{"network_id": NOWHERE}] * 18_000}
    hammer(scene, request(scene, "POST", "/v2.0/ports", body))


def bulk(scene: Scene) -> None:
    body = {"ports": [{"network_id": scene.loud_network}] * 100}
    hammer(scene, request(scene, "POST", "/v2.0/ports", body))


def ports(scene: Scene) -> None:
    hammer(scene, request(scene, "POST", "/v2.0/ports", {"port": {"network_id": scene.loud_network}}), clients=32)


def reads(scene: Scene) -> None:
    hammer(scene, request(scene, "GET", f"/v2.0/ports/{scene.loud_port}"), clients=64)


def lists(scene: Scene) -> None:
    hammer(scene, request(scene, "GET", "/v2.0/ports"))


def rubbish_tokens(scene: Scene) -> None:
    hammer(scene, request(scene, "GET", "/v2.0/ports", token="x" * 43), clients=64)


def half_sent(scene: Scene) -> None:
    opened: list[socket.socket] = []
    while True:
        with suppress(OSError):
            opened.append(connect(scene))
            opened[-1].sendall(b"GET / HTTP/1.1\r\nx: ")
        if len(opened) > 300:
            opened.pop(0).close()
            time.sleep(0.01)


def endless_headers(scene: Scene) -> None:
    block = b"x: " + b"y" * 2**20
    while True:
        with suppress(OSError), connect(scene) as client:
            client.sendall(b"GET / HTTP/1.1\r\n")
            while True:
                client.sendall(block)


def wrong_passwords(scene: Scene) -> None:
    hammer(scene, request(scene, "POST", "/identity/v3/auth/tokens", credentials("admin", "wrong", "admin")), 200)


def facts(scene: Scene) -> None:
    """One node, which says something new as often as it may."""
    from websockets.sync.client import connect as connect_ws

    from netweft.model import NodeFacts
    from netweft.wire import messages as wire

    url = scene.endpoint.replace("http", "ws") + wire.FEED_PATH
    for turn in count():
        with (
            suppress(Exception),
            connect_ws(url, additional_headers={"Authorization": f"Bearer {scene.node_token}"}) as session,
        ):
            session.send(wire.encode(wire.Subscribe(node="hv1", facts=NodeFacts())))
            for number in range(600):
                mappings = {f"physnet{n}": f"br{n}x{number}x{turn}" for n in range(500)}
                session.send(wire.encode(wire.Facts(NodeFacts(bridge_mappings=mappings))))


ATTACKS: dict[str, Callable[[Scene], None]] = {
    "60,000 tags": tags,
    "20,000 address pairs": pairs,
    "15,000 host routes": routes,
    "50 tags in a query": tags_in_query,
    "1,500 values in a query": values_in_query,
    "bulks of 18,000": refused_bulk,
    "bulks of 100 ports": bulk,
    "32 clients make ports": ports,
    "64 clients read": reads,
    "8 clients list 5,000 ports": lists,
    "64 clients with rubbish for tokens": rubbish_tokens,
    "a node's facts": facts,
    "half-sent requests": half_sent,
    "headers without an end": endless_headers,
    "200 clients with wrong passwords": wrong_passwords,
}


@contextmanager
def attacked(attack: Callable[[Scene], None], scene: Scene) -> Iterator[None]:
    process = multiprocessing.get_context("fork").Process(target=attack, args=(scene,), daemon=True)
    process.start()
    try:
        time.sleep(1.0)
        yield
    finally:
        process.kill()
        process.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=6, help="of each attack")
    parser.add_argument("--only", help="attacks with this in their name")
    parser.add_argument("--json", type=Path, help="append the rows to this file")
    options = parser.parse_args()
    rows = []
    with server() as (endpoint, password, _):
        here = scene(endpoint, password)
        quiet_times(here, 1)  # warm
        alone = {method: percentile(times, 99) for method, times in quiet_times(here, 2 * options.seconds).items()}
        alone["login"] = percentile(login_times(here, options.seconds), 99)
        rows += [Row(f"alone, {method}, p99", value, "ms") for method, value in alone.items()]
        for name, attack in ATTACKS.items():
            if options.only and options.only not in name:
                continue
            with attacked(attack, here):
                found = quiet_times(here, options.seconds)
                if attack is wrong_passwords:
                    found["login"] = login_times(here, options.seconds)
            for method, times in found.items():
                p99 = percentile(times, 99)
                text = f"{name}: {method}, p99 to that alone ({p99:.3g} ms)"
                rows.append(Row(text, p99 / alone[method], "×", BAR))
    print_table("A quiet client beside a loud one, SQLite", rows, options.json)


if __name__ == "__main__":
    main()
