"""Where a setting comes from, which source wins, and what a wrong one is told."""

from pathlib import Path
from typing import Any

import pytest

from netweft.settings import AgentSettings, ServerSettings, SettingsError, fields, load


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "netweft.toml"
    path.write_text('[server]\nlisten = ["127.0.0.1:1", "unix:/run/a"]\nregion = "file"\nphysical_mtu = 9000\n')
    return path


def test_defaults_hold_without_any_source(tmp_path: Path) -> None:
    assert load(ServerSettings, environ={}).listen == ("127.0.0.1:9696",)
    assert load(AgentSettings, environ={}).integration_bridge == "br-int"


def test_command_line_beats_environment_beats_file(file: Path) -> None:
    environ = {"NETWEFT_SERVER_REGION": "environment", "NETWEFT_SERVER_LISTEN": "127.0.0.1:2, 127.0.0.1:3"}
    settings = load(ServerSettings, file=file, environ=environ, overrides={"listen": "127.0.0.1:4", "region": None})
    assert settings.physical_mtu == 9000
    assert settings.region == "environment"
    assert settings.listen == ("127.0.0.1:4",)


def test_text_becomes_the_settings_type() -> None:
    environ = {"NETWEFT_AGENT_FLOW_RESTORE_WAIT": "false", "NETWEFT_AGENT_TUNNEL_PREFIX_LENGTH": "20"}
    settings = load(AgentSettings, environ=environ)
    assert settings.flow_restore_wait is False
    assert settings.tunnel_prefix_length == 20


def test_the_other_sections_settings_are_left_alone(file: Path) -> None:
    assert load(AgentSettings, file=file, environ={"NETWEFT_SERVER_REGION": "x"}).node == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[server]\nlisten = 5", ["[server] listen", "array"]),
        ('[server]\nlisten = ["nonsense"]', ["[server] listen", "nonsense"]),
        ('[server]\nphysical_mtu = "big"', ["[server] physical_mtu", "int", "'big'"]),
        ("[server]\nportt = 5", ["[server] portt", "unknown setting"]),
        ("[servr]\nx = 5", ["unknown table", "servr"]),
        ("server = 5", ["[server] is not a table"]),
        ("[server", ["netweft.toml"]),
        ('[server]\nlog_level = "loud"', ["[server] log_level", "loud"]),
        ("[server]\nlisten = []", ["[server] listen", "length"]),
    ],
)
def test_a_wrong_file_is_an_error_with_where_and_what(tmp_path: Path, text: str, words: list[str]) -> None:
    path = tmp_path / "netweft.toml"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load(ServerSettings, file=path, environ={})
    message = str(caught.value)
    assert message.startswith(str(path))
    assert [word for word in words if word not in message] == []
    assert "\n" not in message


@pytest.mark.parametrize(
    ("environ", "overrides", "source"),
    [
        ({"NETWEFT_SERVER_TOKEN_HOURS": "soon"}, {}, "environment: NETWEFT_SERVER_TOKEN_HOURS"),
        ({"NETWEFT_SERVER_TOKEN_HUORS": "1"}, {}, "environment: NETWEFT_SERVER_TOKEN_HUORS"),
        ({}, {"token_hours": "0"}, "--token-hours"),
        ({}, {"listen": "9696"}, "--listen"),
    ],
)
def test_environment_and_command_line_are_named(
    environ: dict[str, str], overrides: dict[str, Any], source: str
) -> None:
    with pytest.raises(SettingsError, match=f"^{source}: "):
        load(ServerSettings, environ=environ, overrides=overrides)


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no such file"):
        load(ServerSettings, file=tmp_path / "none.toml", environ={})


@pytest.mark.parametrize("kind", [ServerSettings, AgentSettings])
def test_every_setting_is_described_and_its_default_is_valid(kind: type[ServerSettings] | type[AgentSettings]) -> None:
    assert [field.name for field in fields(kind) if not field.description] == []
    defaults = {field.name: field.default for field in fields(kind)}
    assert load(kind, environ={}, overrides=defaults) == kind()
