"""The lab's few words to the API, against canned answers."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from netweft.lab import cloud as cloud_module
from netweft.lab.cloud import Cloud, credentials
from netweft.lab.layout import LabError, Layout
from netweft.lab.vm import _nic

OPENRC = """\
# the admin, made at first start
export OS_AUTH_URL=http://127.0.0.1:9/identity/v3
export OS_USERNAME=admin
export OS_PASSWORD='it'"'"'s secret'
export OS_PROJECT_NAME=admin
"""
TOKEN = {
    "token": {"catalog": [{"type": "network", "endpoints": [{"interface": "public", "url": "http://127.0.0.1:9"}]}]}
}
SUBNET = {"id": "s4", "cidr": "10.5.5.0/24", "ip_version": 4, "gateway_ip": "10.5.5.1", "enable_dhcp": True}
SUBNET_6 = {"id": "s6", "cidr": "fd00::/64", "ip_version": 6, "gateway_ip": None, "enable_dhcp": True}

Answer = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def cloud_with(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Cloud]:
    layout.server_folder.mkdir()
    layout.openrc.write_text(OPENRC)
    plain = httpx.Client

    def in_time(request: httpx.Request) -> httpx.Response:
        return httpx.Response(201, json=TOKEN, headers={"X-Subject-Token": "t0"})

    def make(answer: Answer, login: Answer = in_time) -> Cloud:
        def handle(request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("/auth/tokens"):
                return login(request)
            assert request.headers["X-Auth-Token"]
            return answer(request)

        def client(**options: Any) -> httpx.Client:
            return plain(transport=httpx.MockTransport(handle), **options)

        monkeypatch.setattr(httpx, "Client", client)
        return Cloud(layout)

    return make


def test_credentials_are_read_as_a_shell_would(layout: Layout) -> None:
    layout.server_folder.mkdir()
    layout.openrc.write_text(OPENRC)
    assert credentials(layout)["OS_PASSWORD"] == "it's secret"


def test_no_lab_is_an_error_with_what_to_do(layout: Layout) -> None:
    with pytest.raises(LabError, match="netweft lab up --name"):
        credentials(layout)


def test_an_error_of_the_api_is_printed_in_its_words(cloud_with: Callable[..., Cloud]) -> None:
    body = {"NeutronError": {"type": "Conflict", "message": "in use", "detail": ""}}
    why = r"DELETE /v2.0/ports/x: 409 in use"
    with cloud_with(lambda request: httpx.Response(409, json=body)) as cloud, pytest.raises(LabError, match=why):
        cloud.delete("ports", "x")


def test_a_token_is_requested_once_and_anew_when_it_is_refused(
    layout: Layout, cloud_with: Callable[..., Cloud], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cloud_module, "_kept", {})
    logins = 0

    def answer(request: httpx.Request) -> httpx.Response:
        refused = request.headers["X-Auth-Token"] == "t1"
        return httpx.Response(401 if refused else 200, json={"error": {"message": "old"}} if refused else {"ports": []})

    def login(request: httpx.Request) -> httpx.Response:
        nonlocal logins
        logins += 1
        return httpx.Response(201, json=TOKEN, headers={"X-Subject-Token": f"t{logins}"})

    cloud_with(answer, login).list("ports")
    assert logins == 2
    Cloud(layout).list("ports")
    assert logins == 2


def test_a_name_that_two_have_is_not_guessed_at(cloud_with: Callable[..., Cloud]) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        found = [{"id": "1"}, {"id": "2"}] if "name" in request.url.params else []
        return httpx.Response(200, json={"networks": found})

    with cloud_with(answer) as cloud, pytest.raises(LabError, match="2 networks named 'blue'"):
        cloud.find("networks", "blue")


def test_a_port_that_stays_down_says_why(cloud_with: Callable[..., Cloud]) -> None:
    port = {"id": "p", "status": "DOWN", "status_detail": "bound to hv2, plugged in at hv1"}
    answer = httpx.Response(200, json={"ports": [port]})
    with cloud_with(lambda request: answer) as cloud, pytest.raises(LabError, match="DOWN after 0 s: bound to hv2"):
        cloud.wait_active("p", 0)


def test_a_nic_is_made_of_what_the_api_says(cloud_with: Callable[..., Cloud]) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/networks"):
            return httpx.Response(200, json={"networks": [{"id": "n", "mtu": 1450}]})
        return httpx.Response(200, content=json.dumps({"subnets": [SUBNET, SUBNET_6]}))

    fixed = [{"subnet_id": "s4", "ip_address": "10.5.5.7"}, {"subnet_id": "s6", "ip_address": "fd00::7"}]
    port = {"id": "0123456789abcdef", "network_id": "n", "mac_address": "fa:16:3e:00:00:01", "fixed_ips": fixed}
    with cloud_with(answer) as cloud:
        nic, learning = (_nic(cloud, port, dhcp=dhcp) for dhcp in (False, True))
    assert nic.tap == "tap0123456789a"
    assert len(nic.tap) < 16
    assert nic.addresses == ("10.5.5.7/24", "fd00::7/64")
    assert nic.gateways == ("10.5.5.1",)
    assert (nic.told, nic.gateways_told) == (nic.addresses, nic.gateways)
    assert learning.addresses == nic.addresses
    assert (learning.told, learning.gateways_told) == (("fd00::7/64",), ())
