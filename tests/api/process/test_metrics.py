"""What a server says at /metrics, to whom, and what it costs to ask."""

import httpx
from tests.api.process.conftest import Server, free_port
from tests.api.process.test_process import add_node, netweft
from tests.metrics import described, said
from websockets.sync.client import connect

from netweft.metrics.definitions import SERVER
from netweft.model import NodeFacts
from netweft.wire import messages as wire


def test_it_says_what_it_does_at_a_port_of_its_own(server: Server) -> None:
    url = f"127.0.0.1:{free_port()}"
    server.start("--metrics-listen", url)
    token = add_node(server, "hv1")
    with httpx.Client(base_url=server.url, headers={"x-auth-token": server.token()}) as client:
        network = client.post("/v2.0/networks", json={"network": {"name": "n"}}).json()["network"]["id"]
        for path in (f"networks/{network}", "networks/none", "no-such-thing"):
            client.get(f"/v2.0/{path}")
        client.patch(f"/v2.0/networks/{network}")
        feed = connect(
            f"{server.url.replace('http', 'ws')}{wire.FEED_PATH}",
            additional_headers={"Authorization": f"Bearer {token}"},
        )
        with feed as session:
            session.send(wire.encode(wire.Subscribe(node="hv1", facts=NodeFacts())))
            session.recv()
            answer = httpx.get(f"http://{url}/metrics")
        assert answer.status_code == 200
        assert "text/plain" in answer.headers["content-type"]
        found = said(answer.text)
        requests = found["netweft_server_request_seconds_count"]
        assert requests["POST", "networks", "201"] == requests["GET", "networks", "404"] == 1
        assert requests["GET", "networks", "200"] == requests["GET", "none", "404"] == 1
        assert requests["PATCH", "networks", "405"] == 1
        assert found["netweft_server_feed_session"] == {("hv1",): 1}
        assert found["netweft_server_feed_lag_seconds"] == found["netweft_server_feed_lag_revisions"] == {("hv1",): 0}
        assert found["netweft_server_node_alive"] == {("hv1",): 1}
        assert found["netweft_server_database_up"] == {("sqlite",): 1}
        assert found["netweft_server_database_revision"] == found["netweft_server_feed_revision"] != {(): 0}
        assert found["netweft_server_database_errors_total"] == {("sqlite", "busy"): 0, ("sqlite", "fault"): 0}
        assert found["netweft_server_connections"]["nodes",] == 1
        assert network not in answer.text
        assert {metric.name for metric in SERVER} <= described(answer.text)
        assert httpx.get(f"http://{url}/v2.0").status_code == 404, "nothing else is there"
        assert client.get("/metrics").status_code == 404, "nor is it where users are"


def test_where_it_cannot_listen_it_says_so(server: Server) -> None:
    done = netweft(
        "server", "--listen", f"127.0.0.1:{free_port()}", "--metrics-listen", "192.0.2.1:9696",
        "--database", f"sqlite:///{server.folder}/netweft.db", "--state-dir", str(server.folder),
    )  # fmt: skip
    assert done.returncode == 1
    assert "cannot listen on 192.0.2.1:9696" in done.stderr
    assert "Traceback" not in done.stderr
