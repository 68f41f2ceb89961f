"""The loud ones of `bench/fair.py`: each a function that does its worst for ever, in a process of its own.

They send bytes prepared before, so that they cost the machine little.
"""

import http.client
import json
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any
from urllib.parse import urlsplit

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
