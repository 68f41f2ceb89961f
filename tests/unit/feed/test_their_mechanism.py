"""A third party's mechanism, found by its entry point: examples/rest-switch and a switch of its own, walked."""

import asyncio
import json
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from msgspec import toml
from tests.unit.feed.test_mechanisms import Device, detail, put, quick, running, take, until

from netweft.feed import mechanisms
from netweft.feed.devices import Mechanisms
from netweft.model import Network, Segment
from netweft.plugins.mechanisms import registry, vetoes
from netweft.settings import ServerSettings, SettingsError
from netweft.store import Store
from netweft_rest_switch.mechanism import Described, RestSwitch

__all__ = ["quick"]
EXAMPLE = Path(__file__).parents[3] / "examples" / "rest-switch"


class Rack:
    """The switch.  vlans: of its ports.  hangs: it takes requests and answers none."""

    def __init__(self) -> None:
        self.vlans: dict[str, set[int]] = {"Ethernet1": {7}}
        self.hangs, self.garbage = threading.Event(), False
        rack = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                if rack.hangs.is_set():
                    time.sleep(0.5)
                    return
                port, vlan = (*self.path.split("/")[2:], "", "")[:2]
                there, code, text = rack.vlans.setdefault(port or "Ethernet1", set()), 200, ""
                if self.command == "GET":
                    text = json.dumps({name: sorted(vlans) for name, vlans in rack.vlans.items()})
                elif self.command == "PUT" and vlan == "103":
                    code, text = 409, "no room for VLAN 103"
                else:
                    (there.add if self.command == "PUT" else there.discard)(int(vlan))
                data = b"<html>" if rack.garbage else text.encode()
                self.send_response(code)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_PUT = do_DELETE = answer

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


def problem(store: Store, name: str) -> str:
    with store.read() as tx:
        found = tx.followers.get(name)
    return found.problem if found else ""


@pytest.fixture
def rack() -> Iterator[Rack]:
    made = Rack()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture
def installed(tmp_path: Path, rack: Rack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What pip leaves of it, and its file."""
    points = toml.decode((EXAMPLE / "pyproject.toml").read_bytes())["project"]["entry-points"]
    metadata = tmp_path / "netweft_rest_switch-0.1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: netweft-rest-switch\nVersion: 0.1\n")
    lines = [f"[{group}]\n" + "".join(f"{a} = {b}\n" for a, b in named.items()) for group, named in points.items()]
    (metadata / "entry_points.txt").write_text("\n".join(lines))
    text = f'[[switch]]\nname = "rack1"\nurl = "{rack.url}"\nlinks = {{ hv1 = "Ethernet1" }}\nvlans = [100, 199]\n'
    (tmp_path / "rest.toml").write_text(text)
    monkeypatch.setenv("NETWEFT_REST_SWITCHES", str(tmp_path / "rest.toml"))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(EXAMPLE))
    registry._installed.cache_clear()
    yield metadata
    registry._installed.cache_clear()


@pytest.fixture
def network(store: Store) -> None:
    for name, vlan in (("net", 101), ("full", 103)):
        with store.write() as tx:
            tx.insert("networks", {"id": name, "provider:network_type": "vlan", "provider:segmentation_id": vlan})


@pytest.mark.usefixtures("installed", "network")
async def test_it_is_found_follows_and_is_put_right(store: Store, rack: Rack) -> None:
    found = Mechanisms(store, ServerSettings(state_dir="/nonexistent"))
    assert found.names == ["rest:rack1"]
    put(store, "p")
    async with found.running():
        await until(lambda: rack.vlans == {"Ethernet1": {7, 101}})  # what was there stays
        rack.vlans["Ethernet1"] = set()  # by hand
        plan = await found.plan("rest:rack1")
        assert plan.commands in (["PUT /vlans/Ethernet1/101"], [])  # unless it was faster
        await until(lambda: rack.vlans == {"Ethernet1": {101}})
        rack.garbage = True
        await until(lambda: "it answers something else" in problem(store, "rest:rack1"))
        rack.garbage = False
        take(store, "p")
        await until(lambda: rack.vlans == {"Ethernet1": set()})
        net = Network(id="x", segments=(Segment("vlan", "physnet1", 200),))
        assert vetoes.against("hv1", net) == "rest:rack1 may have VLANs 100 to 199 only"
        assert vetoes.against("hv2", net) is None


@pytest.mark.usefixtures("network")
async def test_refusals_and_hangs_are_reported_and_delay_no_other(store: Store, rack: Rack) -> None:
    slow = RestSwitch(Described("rack1", rack.url, {"hv1": "Ethernet1"}))
    other = Device({})
    put(store, "p")
    with store.write() as tx:
        tx.update("ports", "p", {"network_id": "full"})
    async with running(store, slow):  # type: ignore[arg-type]
        await until(lambda: detail(store, "p") == "rest:rack1: no room for VLAN 103")
        rack.hangs.set()
        async with running(store, other):
            put(store, "q")
            await until(lambda: "q" in other.there)
        rack.hangs.clear()


@pytest.mark.usefixtures("network")
async def test_one_that_breaks_or_never_comes_back_is_reported(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(Device):
        how = "breaks"

        async def read(self, *_: object, **__: object) -> dict[str, object]:
            if self.how == "breaks":
                raise ZeroDivisionError("of theirs")
            if self.how == "hangs":
                await asyncio.Event().wait()
            return dict(self.there)

    monkeypatch.setattr(mechanisms, "CALL_SECONDS", 0.3)
    device = Broken({})
    put(store, "p")
    async with running(store, device):
        await until(lambda: detail(store, "p") == "device: ZeroDivisionError: of theirs")
        device.how = "hangs"
        await until(lambda: detail(store, "p") == "device: no answer within 0 s")
        device.how = ""
        await until(lambda: device.there == {"p": "x"} and detail(store, "p") == "")
        device.desired = lambda view: 1 / 0  # type: ignore[method-assign, assignment, return-value]
        put(store, "q")
        await until(lambda: problem(store, "device") == "ZeroDivisionError: division by zero")


def test_one_that_cannot_begin_is_named(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETWEFT_REST_SWITCHES", "/nowhere.toml")
    with pytest.raises(SettingsError, match="'rest_switch' cannot begin: FileNotFoundError"):
        registry.load_mechanisms(ServerSettings())
    (installed / "entry_points.txt").write_text("[netweft.mechanisms]\ntorn = their_switch:gone\n")
    registry._installed.cache_clear()
    with pytest.raises(SettingsError, match="mechanisms: 'torn' cannot be loaded"):
        registry.load_mechanisms(ServerSettings())
    text = (installed.parent / "rest.toml").read_text()
    (installed.parent / "rest.toml").write_text(text + text)
    assert "their_switch" not in sys.modules


def test_one_that_cannot_say_has_something_against_it() -> None:
    class Unsure(Device):
        def can_bind(self, *_: object) -> str | None:
            raise KeyError("x")

        noted = can_bind

    owner = object()
    vetoes.know(owner, [Unsure({})])
    try:
        assert "device cannot say" in (vetoes.against("hv1", Network(id="x")) or "")
        assert vetoes.noted({"id": "p"}) == []
    finally:
        vetoes.forget(owner)
