"""The stock clients against the real server, with nothing but the OS_* variables of admin-openrc."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import openstack
import pytest
from tests.api.process.conftest import Server, environment

# the SDK warns of what it will itself remove
pytestmark = [pytest.mark.client, pytest.mark.filterwarnings("ignore")]

CLIENT = Path(sys.executable).with_name("openstack")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("client"))
    server.start()
    yield server
    server.stop()


def client(variables: Mapping[str, str], *command: str) -> Any:
    done = subprocess.run(
        [str(CLIENT), *command, "-f", "json"], capture_output=True, text=True, env=environment(variables), check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def quiet(variables: Mapping[str, str], *command: str) -> None:
    """A command that prints nothing when it worked."""
    done = subprocess.run(
        [str(CLIENT), *command], capture_output=True, text=True, env=environment(variables), check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_openstack_command(running: Server) -> None:
    admin = running.openrc()
    token = client(admin, "token", "issue")
    services = {service["Type"]: service["Endpoints"] for service in client(admin, "catalog", "list")}
    assert {endpoint["url"] for endpoint in services["network"]} == {running.url}
    project = client(admin, "project", "create", "demo")
    user = client(admin, "user", "create", "--project", "demo", "--password", "secret", "joe")
    quiet(admin, "role", "add", "--user", "joe", "--project", "demo", "member")
    joe = admin | {"OS_USERNAME": "joe", "OS_PASSWORD": "secret", "OS_PROJECT_NAME": "demo"}
    network = client(joe, "network", "create", "blue")
    assert network["project_id"] == project["id"] != token["project_id"]
    assert [each["ID"] for each in client(joe, "network", "list")] == [network["id"]]
    assert client(admin, "user", "show", "joe")["id"] == user["id"]


def connect(running: Server, **other: str) -> Any:
    """An openstack.Connection; its annotations allow for identity v2, which is of no use here."""
    variables = running.openrc()
    login: dict[str, Any] = {
        "auth_url": variables["OS_AUTH_URL"],
        "username": variables["OS_USERNAME"],
        "password": variables["OS_PASSWORD"],
        "project_name": variables["OS_PROJECT_NAME"],
        "user_domain_name": variables["OS_USER_DOMAIN_NAME"],
        "project_domain_name": variables["OS_PROJECT_DOMAIN_NAME"],
    }
    return openstack.connect(region_name=variables["OS_REGION_NAME"], load_yaml_config=False, **login | other)


def test_openstacksdk(running: Server) -> None:
    sdk = connect(running)
    project = sdk.identity.create_project(name="green")
    user = sdk.identity.create_user(name="ann", password="one")
    role = sdk.identity.find_role("member")
    sdk.identity.assign_project_role_to_user(project, user, role)
    assert sdk.identity.validate_user_has_project_role(project, user, role)
    assert [each.user["id"] for each in sdk.identity.role_assignments(scope_project_id=project.id)] == [user.id]

    ann = connect(running, username="ann", password="one", project_name="green")
    made = ann.network.create_network(name="n")
    assert (made.project_id, [each.id for each in ann.network.networks()]) == (project.id, [made.id])
    ann.network.delete_network(made)
    credential = ann.identity.create_application_credential(user=user.id, name="ci")
    assert [each.id for each in ann.identity.application_credentials(user=user.id)] == [credential.id]

    sdk.identity.unassign_project_role_from_user(project, user, role)
    sdk.identity.delete_user(user)
    sdk.identity.delete_project(project)
    assert sdk.identity.find_user("ann") is None
