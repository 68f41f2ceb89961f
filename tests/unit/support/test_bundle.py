"""A support bundle of a host full of secrets: none of them is in any byte of it, and what is useful is."""

import base64
import json
import tarfile
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netweft.cli import support_bundle
from netweft.cli.main import main
from netweft.settings import SECRET_FILES, AgentSettings, ServerSettings
from netweft.support import parts
from netweft.support.redact import redactor

TOKEN = "hv1.SEEDnode-tok_AbCdEfGhIjKlMnOpQrStUvWxYz01234567"
OTHERS_TOKEN = "hv2.SEEDother-to_AbCdEfGhIjKlMnOpQrStUvWxYz0123"
REQUEST = "SEEDrequest"
SECRETS = {
    "node token": TOKEN.partition(".")[2],
    "another node's token": OTHERS_TOKEN.partition(".")[2],
    "database password": "SEEDdb/p@ss",
    "service password": "SEEDservice",
    "metadata secret": "SEEDmetadata",
    "password of the admin": "SEEDadmin$1",
    "password in the environment": "SEEDenvironment",
    "user data": "SEEDuserdata",
    "more user data": "SEEDcloudconfig",
    "private key": "SEEDprivateSEEDprivateSEED",
    "public key": "AAAASEEDpublicSEEDpublic",
    "Keystone's token": "gAAAASEEDkeystoneSEEDkeystone",
    "password of somebody's request": REQUEST,
    "tunnel's key": "SEEDpsk",
    "application credential": "SEEDapplication",
    "collector's": "SEEDcollector",
    "certificate's key": "SEEDcertificate",
    "what a tenant's rule looks for": "SEEDheader",
    "a switch's password": "SEEDswitch",
    "what webhooks are signed with": "SEEDwebhook",
    "where changes are posted": "hooks/SEEDposted",
    "a page's session": "SEEDsession-of_the_page",
}
HAPROXY = f"""
frontend one
  bind 10.0.0.5:80
  acl r1 hdr(X-Shop) -m str {SECRETS["what a tenant's rule looks for"]}
backend pool
  server m1 10.0.0.7:8080 weight 1
"""
LOG = f"""
timestamp=2026-11-29T12:00:00Z level=info event="agent started" node=hv1
level=warning event=refused token={OTHERS_TOKEN}
Bearer {TOKEN}
level=info user_data="{SECRETS["user data"]} \\"quoted\\" more {SECRETS["user data"]}" port=p-1
{{"identity": {{"password": {{"user": {{"name": "x", "password": "{REQUEST}"}}}}}}}}
body="{{\\"adminPass\\": \\"{REQUEST}\\", \\"name\\": \\"stays\\"}}"
-----BEGIN OPENSSH PRIVATE KEY-----
{SECRETS["private key"]}
-----END OPENSSH PRIVATE KEY-----
ssh-ed25519 {SECRETS["public key"]} me@host
X-Auth-Token: {SECRETS["Keystone's token"]}
said {SECRETS["Keystone's token"]} by itself
options: {{psk={SECRETS["tunnel's key"]}, remote_ip="192.0.2.7"}}
OS_APPLICATION_CREDENTIAL_SECRET={SECRETS["application credential"]}
postgresql+psycopg://u:{quote(SECRETS["database password"], safe="")}@db/x
as it is {SECRETS["database password"]} {base64.b64encode(SECRETS["database password"].encode()).decode()}
{SECRETS["service password"]} {SECRETS["metadata secret"]} {SECRETS["password of the admin"]}
{SECRETS["password in the environment"]}
as it was sent: {SECRETS["collector's"]}
{SECRETS["a switch's password"]} {SECRETS["what webhooks are signed with"]} to {SECRETS["where changes are posted"]}
GET /dashboard/ cookie: netweft-session={SECRETS["a page's session"]}; other=1
last useful line, port 5f0c
#cloud-config
chpasswd: {SECRETS["more user data"]}
"""


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Its TOML file."""
    for name, value in {
        "node.token": TOKEN,
        "service.password": SECRETS["service password"],
        "metadata.secret": SECRETS["metadata secret"],
        "admin-openrc": "export OS_PASSWORD='" + SECRETS["password of the admin"] + "'\n",
        "agent.log": LOG,
        "webhook.secret": SECRETS["what webhooks are signed with"],
        "switches.ini": "[genericswitch:one]\nip = 192.0.2.1\npassword = " + SECRETS["a switch's password"] + "\n",
    }.items():
        (tmp_path / name).write_text(value)
    monkeypatch.setenv("OS_PASSWORD", SECRETS["password in the environment"])
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x=1,authorization=Basic%20" + SECRETS["collector's"])
    (tmp_path / "lb/one").mkdir(parents=True)
    (tmp_path / "lb/one/haproxy.cfg").write_text(HAPROXY)
    (tmp_path / "lb/one/www.pem").write_text(SECRETS["certificate's key"])
    config = tmp_path / "netweft.toml"
    password = quote(SECRETS["database password"], safe="")
    config.write_text(
        f'[server]\ndatabase = "postgresql+psycopg://u:{password}@127.0.0.1:1/x"\nlisten = ["127.0.0.1:0"]\n'
        f'state_dir = "{tmp_path}"\nservice_password_file = "{tmp_path}/service.password"\n'
        f'metadata_secret_file = "{tmp_path}/metadata.secret"\nwebhook_secret_file = "{tmp_path}/webhook.secret"\n'
        f'switches_file = "{tmp_path}/switches.ini"\n'
        f'webhooks = ["https://example.org/' + SECRETS["where changes are posted"] + '"]\n'
        f'[agent]\nnode = "hv1"\ntoken = "{TOKEN}"\ntoken_file = "{tmp_path}/node.token"\novs_run_dir = "{tmp_path}"\n'
        f'state_dir = "{tmp_path}"\nsocket = "{tmp_path}/agent.sock"\nserver = ["http://127.0.0.1:1"]\n'
    )
    return config


def test_no_secret_is_in_any_byte_of_it(host: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bundle.tar.gz"
    command = ["support-bundle", "--config", str(host), "-o", str(path), "--log", str(tmp_path / "agent.log")]
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert (ended.value.code, capsys.readouterr().out.strip()) == (0, str(path))
    assert path.stat().st_mode & 0o777 == 0o600
    with tarfile.open(path) as bundle:
        members = {one.name.partition("/")[2]: bundle.extractfile(one).read() for one in bundle}  # type: ignore[union-attr]
    whole = b"\0".join([*(name.encode() for name in members), *members.values()])
    for name, secret in SECRETS.items():
        for spelt in (secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode()):
            assert spelt.encode() not in whole, name
    assert b"SEED" not in whole
    log = next(text.decode() for name, text in members.items() if name.endswith("agent.log"))
    assert "agent started" in log and "last useful line, port 5f0c" in log and "remote_ip" in log and "stays" in log
    assert json.loads(members["settings/agent.json"])["node"] == "hv1"
    told = json.loads(members["doctor.json"])
    assert told["ready"] is False and told["facts"]["agent"]["servers"]["http://127.0.0.1:1"]["token_refused"] is False
    told = members["load-balancers/one/haproxy.txt"].decode().split("\n")
    assert [line.strip() for line in told] == [
        "frontend one", "bind 10.0.0.5:80", "backend pool", "server m1 10.0.0.7:8080 weight 1",
    ]  # fmt: skip
    assert b"no agent answers" in members["agent/show.txt"]
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code == 1  # never over what is there


def test_each_file_that_settings_name_is_a_secret_or_looked_into() -> None:
    """Whoever adds a setting decides."""
    files = {
        name for kind in (ServerSettings, AgentSettings) for name in kind.__struct_fields__ if name.endswith("_file")
    }
    assert files - SECRET_FILES == {"switches_file"}


def test_settings_that_cannot_be_read_are_no_way_out(tmp_path: Path) -> None:
    config = tmp_path / "netweft.toml"
    config.write_text('[server]\ndatabase = "mysql://u:SEEDdb@db/x"\n')
    said = support_bundle._settings(ServerSettings, config)
    assert isinstance(said, str) and "SEED" not in said


def test_what_is_no_secret_stays() -> None:
    text = 'level=info event="port wired" port=5f0c ip=10.0.0.5 mac=fa:16:3e:00:00:01 cookie=0x4e57 revision=412'
    assert redactor(["", "abc"])(text) == text


def test_flows_are_counted() -> None:
    dump = " cookie=0x1, duration=1s, table=0, n_packets=1, priority=2,in_port=1 actions=drop\n" * 3
    assert parts.counted(dump) == "3 flows\ntable 0 cookie 0x1: 3"


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), min_size=1, max_size=12), st.data())
def test_whatever_a_password_is_made_of_it_goes(rest: str, data: st.DataObject) -> None:
    secret = f"SEED{rest}SEED"
    in_json = json.dumps({"adminPass": secret, "name": "stays"})
    line = data.draw(st.sampled_from([f"password={secret}", in_json, json.dumps({"body": in_json})]))
    said = redactor([])(f"event=x {line} port=5f0c")
    assert "SEED" not in said
    assert said.startswith("event=x ") and said.endswith(" port=5f0c")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("word", ["a", "a.", "password", 'password="', "://", "-----BEGIN A-----"])
def test_a_long_line_that_somebody_made_takes_no_hour(word: str) -> None:
    redactor([])(word * (2**18 // len(word)))
