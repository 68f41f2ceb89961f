"""What HAProxy is told: goldens, and that nothing a tenant writes becomes more than a word of it.

`NETWEFT_WRITE_GOLDENS=1 pytest` writes the goldens."""

import contextlib
import os
import re
import shutil
import subprocess
from itertools import product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import fields, replace
from tests import certificates
from tests.unit.services.lb import trees
from tests.unit.services.lb.trees import BALANCER, HTTP, STREAMS, TLS, listener, member, policy, pool, rule

from netweft.model import L7Policy, L7Rule, Listener, LoadBalancer, Member, Pool
from netweft.services.lb.proxy.config import Tree, render
from netweft.services.lb.proxy.quoting import ciphers, place, quoted, token

GOLDENS = Path(__file__).with_name("goldens")
needs_haproxy = pytest.mark.skipif(not shutil.which("haproxy"), reason="needs HAProxy")


@pytest.mark.parametrize(("name", "tree"), [("http", HTTP), ("tls", TLS), ("streams", STREAMS)])
def test_as_written(name: str, tree: Tree) -> None:
    golden = GOLDENS / f"{name}.cfg"
    text = render(tree).text
    if "NETWEFT_WRITE_GOLDENS" in os.environ:
        golden.write_text(text)
    assert text == golden.read_text()


def accepted(text: str, folder: Path) -> str:
    """What HAProxy says of it; empty: it takes it."""
    file = folder / "haproxy.cfg"
    file.write_text(
        f"global\n    fd-hard-limit 2000\n    default-path config\n    crt-base {folder}\n    ca-base {folder}\n{text}"
    )
    done = subprocess.run(["haproxy", "-c", "-f", file], capture_output=True, text=True, check=False)
    return done.stderr if done.returncode else ""


@pytest.mark.parametrize(
    "itself", ["127.0.0.1", "127.8.8.8", "0.0.0.0", "::1", "::ffff:127.0.0.1", BALANCER.vip_address, "10.0.0.20"]
)
def test_haproxy_never_probes_itself(itself: str) -> None:
    """A request would be led there again, and again, on a host that all tenants share."""
    good, bad = HTTP.members[0], replace(HTTP.members[0], id="loop", address=itself)
    made = render(replace(HTTP, members=(good, bad), own=("10.0.0.20", "fd00::20")))
    assert {one.server for one in made.servers} == {good.id}
    assert "server loop" not in made.text
    assert f"server {good.id} " in made.text


@needs_haproxy
@pytest.mark.parametrize("tree", [HTTP, STREAMS])
def test_haproxy_takes_it(tree: Tree, tmp_path: Path) -> None:
    assert not accepted(render(tree).text, tmp_path)


@needs_haproxy
def test_haproxy_takes_tls(tmp_path: Path) -> None:
    authority = certificates.authority()
    server = certificates.signed(authority, "www.example.com")
    content = {
        "certificate": server.pem + authority.pem + server.key_pem,
        "authorities": authority.pem,
        "revoked": certificates.revoked(authority, server),
    }
    found = render(TLS)
    for one in found.material:
        (tmp_path / one.file).write_text(content[one.kind])
    assert not accepted(found.text, tmp_path)
    (tmp_path / found.material[0].file).unlink()
    assert "unable to stat SSL certificate" in accepted(found.text, tmp_path)


@needs_haproxy
def test_haproxy_takes_as_many_certificates_as_a_listener_may_have(tmp_path: Path) -> None:
    """It reads 64 words of a line."""
    made = certificates.signed(certificates.authority(), "www.example.com")
    refs = tuple(f"http://keys/v1/containers/{number}" for number in range(100))
    ends_tls = listener("l1", protocol="TERMINATED_HTTPS", default_tls_container_ref=refs[0], sni_container_refs=refs)
    found = render(replace(HTTP, listeners=(ends_tls,)))
    assert len(found.material) == 100
    for one in found.material:
        (tmp_path / one.file).write_text(made.pem + made.key_pem)
    ((file, text),) = found.lists
    assert text.split() == [one.file for one in found.material]
    (tmp_path / file).write_text(text)
    assert not accepted(found.text, tmp_path)


STRINGS = {
    kind: [one.name for one in fields(kind) if one.type in (str, str | None)]
    for kind in (LoadBalancer, Listener, Pool, Member, L7Policy, L7Rule)
}


@pytest.mark.parametrize(
    "end", ["\n    bind :1", "\n\nbackend y", " } if TRUE", "' y", "'\\'' || 'y", '" y', " #", "$HOME", "\\"]
)
def test_no_string_of_any_object_is_more_than_one_word(end: str) -> None:
    """Whichever it is: it is refused, or left out, or stands between quotes."""
    for tree, where in product((HTTP, TLS), ("balancer", "listeners", "pools", "members", "policies", "rules")):
        held = getattr(tree, where)
        for at, one in enumerate(held if isinstance(held, tuple) else (held,)):
            for attribute in STRINGS[type(one)]:
                bad = replace(one, **{attribute: f"evil{end}"})
                other = (*held[:at], bad, *held[at + 1 :]) if isinstance(held, tuple) else bad
                with contextlib.suppress(ValueError, KeyError, TypeError):
                    text = render(replace(tree, **{where: other})).text
                    assert "evil" not in re.sub(QUOTED, "", text), f"{where}.{attribute}"


QUOTED = re.compile(r"'[^'\n]*'(?:\\''[^'\n]*')*")


def test_what_flows_serve_is_not_in_it() -> None:
    found = {one.id for one in STREAMS.proxied()}
    assert found == {"l1", "l2", "l3", "l4", "l5", "l7"}  # l5 and l7: members of both IP versions
    only_v4 = replace(BALANCER_ONLY_4, members=tuple(one for one in STREAMS.members if ":" not in one.address))
    assert {one.id for one in only_v4.proxied()} == {"l1", "l2", "l3", "l4"}


BALANCER_ONLY_4 = replace(STREAMS, balancer=replace(BALANCER, vips=BALANCER.vips[:1]))


def test_a_disabled_balancer_serves_nobody() -> None:
    assert "frontend" not in render(replace(HTTP, balancer=replace(BALANCER, admin_state_up=False))).text


def test_states_alone_change_no_structure() -> None:
    one = render(HTTP)
    members = tuple(replace(found, weight=7, operating_status="ERROR") for found in HTTP.members)
    other = render(replace(HTTP, members=members))
    assert one.structure == other.structure
    assert one.text != other.text
    assert {state.up for state in other.servers} == {False}
    assert render(replace(HTTP, members=HTTP.members[:2])).structure != one.structure


def test_a_member_that_is_not_known_to_live_gets_nothing() -> None:
    lines = [line.split() for line in render(HTTP).text.splitlines() if line.strip().startswith("server ")]
    assert {line[1] for line in lines if "disabled" in line} == {"m2", "m3"}


def test_material() -> None:
    found = render(TLS).material
    assert [(one.kind, one.ref.rpartition("/")[2]) for one in found] == [
        ("certificate", "default"),
        ("certificate", "sni"),
        ("authorities", "ca"),
        ("revoked", "crl"),
        ("certificate", "client"),
        ("authorities", "members-ca"),
    ]
    assert len({one.file for one in found}) == len(found)


TEXTS = st.text(max_size=60) | st.sampled_from(
    ["}", "{", "-f", "--", "'", "\\", "\\'", '"', "#", "$HOME", "%[src]", "x'\n    bind :1", "a\0b", "if TRUE", "'; x"]
)
HARMLESS = st.text(
    st.characters(min_codepoint=32, exclude_characters="\x7f", exclude_categories=["Cs"]), min_size=1, max_size=60
)


@given(TEXTS)
def test_a_word_is_one_word(text: str) -> None:
    """Read as HAProxy reads lines: only in quotes is anything but the end of the word."""
    try:
        word = quoted(text)
    except ValueError:
        assert any(
            (ord(char) < 32 and char != "\t") or ord(char) == 127 or 0xD800 <= ord(char) < 0xE000 for char in text
        )
        return
    assert re.fullmatch(r"'[^']*'(\\''[^']*')*", word)
    assert "\n" not in word
    assert word[1:-1].replace("'\\''", "'") == text


@given(TEXTS)
def test_no_name_has_more_than_names_have(text: str) -> None:
    for check in (token, lambda one: place(one, 80), ciphers):
        try:
            found = "".join(check(text))
        except ValueError:
            continue
        assert not set(found) & set('"\\ \t\n{}();')


@needs_haproxy
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(HARMLESS, min_size=20, max_size=40))
def test_haproxy_reads_words_as_they_were_meant(texts: list[str], tmp_path: Path) -> None:
    kinds = ("PATH", "HOST_NAME", "FILE_TYPE", "HEADER", "COOKIE")
    policies, rules = [], []
    for at, text in enumerate(texts):
        action = ("REJECT", "REDIRECT_TO_URL", "REDIRECT_PREFIX")[at % 3]
        policies.append(policy(f"y{at}", action, at + 1, redirect_url=text, redirect_prefix=text))
        compare = ("EQUAL_TO", "STARTS_WITH", "ENDS_WITH", "CONTAINS")[at % 4]
        rules.append(rule(f"r{at}", f"y{at}", kinds[at % 5], compare, text, "x'`,%"))
    tree = Tree(BALANCER, (listener("l1"),), (pool(),), (member("m1"),), tuple(policies), tuple(rules))
    assert not accepted(render(tree).text, tmp_path)


@pytest.mark.parametrize("bad", ["a\nb", "a\rb", "\0", "\x7f", "\ud800"])
def test_what_cannot_be_said_is_refused_whole(bad: str) -> None:
    for one in (
        replace(HTTP, rules=(rule("r1", "y1", "PATH", "EQUAL_TO", bad),)),
        replace(HTTP, rules=(rule("r1", "y1", "HEADER", "EQUAL_TO", "x", bad),)),
        replace(
            HTTP,
            policies=(policy("y1", "REDIRECT_TO_URL", redirect_url=bad),),
            rules=(rule("r1", "y1", "PATH", "EQUAL_TO", "x"),),
        ),
        replace(HTTP, pools=(pool(session_persistence=trees.sticky("APP_COOKIE", bad)),)),
        replace(HTTP, members=(member("m1", address=bad),)),
        replace(HTTP, listeners=(listener("l1", allowed_cidrs=(bad,)),)),
    ):
        with pytest.raises(ValueError, match=r".+"):
            render(one)
