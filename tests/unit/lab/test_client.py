"""Many commands for one process of the stock client: which answer is whose, and what is said of one that has none."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from netweft.lab.client import StockClient, stock_client
from netweft.lab.layout import LabError

AS_THE_STOCK_ONE = """#!/bin/sh
while read -r line; do case "$line" in
  "module list -f json") printf '{\\n  "openstackclient": "9.0"\\n}\\n' ;;
  "network show nope -f json") echo "No Network found for nope" >&2 ;;
  "nonsense -f json") echo "openstack: 'nonsense' is not an openstack command" ;;
  "router set r1") ;;
  "router set nope") echo "No Router found for nope" >&2 ;;
  "the end -f json") echo "broken" >&2; exit 1 ;;
  *) printf 'a warning\\n{\\n  "asked": "%s",\\n  "in": {\\n    "it": 1\\n  }\\n}\\n' "$line" ;;
esac; done
"""


@pytest.fixture
def client(tmp_path: Path) -> Iterator[StockClient]:
    command = tmp_path / "openstack"
    command.write_text(AS_THE_STOCK_ONE)
    command.chmod(0o700)
    with stock_client(os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}) as client:
        yield client


def test_each_command_has_its_answer(client: StockClient) -> None:
    for command in ("network create blue", "router create r1"):
        assert client.ask(command) == {"asked": f"{command} -f json", "in": {"it": 1}}


def test_what_failed_is_said_and_the_next_one_is_answered(client: StockClient) -> None:
    for command, said in (("network show nope", "No Network found for nope"), ("nonsense", "is not an openstack")):
        with pytest.raises(LabError, match=said):
            client.ask(command)
    assert client.ask("network create blue")["asked"] == "network create blue -f json"


def test_one_without_an_answer_says_only_what_failed(client: StockClient) -> None:
    client.do("router set r1")
    for command, said in (("router set nope", "No Router found for nope"), ("nonsense -f json", "is not an openstack")):
        with pytest.raises(LabError, match=said):
            client.do(command)
    client.do("router set r1")


def test_one_that_ended_is_no_riddle(client: StockClient) -> None:
    for _ in range(2):
        with pytest.raises(LabError, match="openstack"):
            client.ask("the end")
