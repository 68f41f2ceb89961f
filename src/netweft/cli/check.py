"""`netweft check`: saved checks, what must pass and what must not, and how they are."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

import click

from netweft.cli.client import Client
from netweft.cli.errors import CommandError
from netweft.cli.explain import NoAnswer
from netweft.cli.printing import print_answer

PATH = "/v2.0/netweft/checks"
_WELL, _FAILING, _UNKNOWN = 0, 1, 2
_ENDS: Final = {"PASSING": _WELL, "FAILING": _FAILING}
AS_JSON = click.option("--json", "as_json", is_flag=True, help="the server's answer; codes are in docs/codes.md")


@click.group
def check() -> None:
    """Saved checks: packets that must pass, or must not.  Run again when what they depend on changes.

    Ends with 0 if all checks shown pass, 1 if one fails, 2 if that is not known.
    Needs OS_* variables, as in the server's admin-openrc.
    """


@check.command
@click.argument("name")
@click.argument("from_", metavar="FROM")
@click.argument("to", metavar="TO")
@click.option("--proto", "protocol", default="icmp", show_default=True, help="tcp, udp, sctp, icmp, a name or a number")
@click.option("--port", type=click.IntRange(1, 65535), help="the port that it is for")
@click.option("--must-not-pass", is_flag=True, help="it fails if the packet passes")
@AS_JSON
def add(name: str, from_: str, to: str, protocol: str, port: int | None, *, must_not_pass: bool, as_json: bool) -> int:
    """Save a check under NAME, and run it.  FROM and TO: as of `netweft trace`."""
    wanted = {"name": name, "from": from_, "to": to, "protocol": protocol, "port": port}
    with _client() as client:
        made = client.call("POST", PATH, {"check": wanted | {"must_pass": not must_not_pass}})["check"]
        return _told([_run(client, made["id"])], as_json=as_json, whole=True)


@check.command("list")
@AS_JSON
def list_checks(*, as_json: bool) -> int:
    """All that you see, and how they are."""
    with _client() as client:
        return _told(client.call("GET", PATH)["checks"], as_json=as_json)


@check.command
@click.argument("check")
@AS_JSON
def show(check: str, *, as_json: bool) -> int:
    """How CHECK is, since when, and why.  CHECK is a name or an id."""
    with _client() as client:
        return _told([_named(client, check)], as_json=as_json, whole=True)


@check.command
@click.argument("checks", metavar="[CHECK]...", nargs=-1)
@AS_JSON
def run(checks: tuple[str, ...], *, as_json: bool) -> int:
    """Run CHECKs now; without any, all that you see."""
    with _client() as client:
        found = [_named(client, one) for one in checks] if checks else client.call("GET", PATH)["checks"]
        return _told([_run(client, one["id"]) for one in found], as_json=as_json)


@check.command
@click.argument("check")
def delete(check: str) -> None:
    """Forget CHECK."""
    with _client() as client:
        client.call("DELETE", f"{PATH}/{_named(client, check)['id']}")


class _client:
    """A client of whose failures it is not known how a check is."""

    def __enter__(self) -> Client:
        try:
            self._client = Client.from_environment()
        except CommandError as error:
            raise NoAnswer(str(error)) from None
        return self._client.__enter__()

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self._client.__exit__(kind, error, trace)
        if isinstance(error, CommandError):
            raise NoAnswer(str(error)) from None


def _named(client: Client, name: str) -> dict[str, Any]:
    """Raises CommandError."""
    for by in ("id", "name"):
        found: list[dict[str, Any]] = client.call("GET", f"{PATH}?{urlencode({by: name})}")["checks"]
        if len(found) > 1:
            raise CommandError(
                f"several checks have the name {name}, give an id: {', '.join(one['id'] for one in found)}"
            )
        if found:
            return found[0]
    raise CommandError(f"there is no check {name}")


def _run(client: Client, id: str) -> dict[str, Any]:
    found: dict[str, Any] = client.call("POST", f"{PATH}/{quote(id, safe='')}/run")["check"]
    return found


def _told(found: list[dict[str, Any]], *, as_json: bool, whole: bool = False) -> int:
    lines: Iterable[str] = (line for one in found for line in _text(one, whole=whole))
    print_answer(found, lines, as_json=as_json)
    codes = {_ENDS.get(one["status"], _UNKNOWN) for one in found}
    return _FAILING if _FAILING in codes else max(codes, default=_WELL)


def _text(one: Mapping[str, Any], *, whole: bool) -> Iterator[str]:
    port = f" {one['port']}" if one["port"] else ""
    must = "" if one["must_pass"] else " must not pass"
    what = f"{one['from']} -> {one['to']}, {one['protocol']}{port}{must}"
    why = f"  {one['code']}" if one["code"] else ""
    yield f"{one['status']:8} {one['name'] or one['id']}: {what}{why}"
    if whole:
        yield f"    {one['id']}, since {one['status_since']}"
        yield from [f"    {one['reason']}"] if one["reason"] else []
