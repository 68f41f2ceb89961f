"""The stock clients against the real server, with nothing but the OS_* variables of admin-openrc."""

import json
import subprocess
from typing import Any

import openstack
import pytest
from tests.api.process.client import COMMAND, stock_client
from tests.api.process.conftest import Server, environment

# the SDK warns of what it will itself remove
pytestmark = [pytest.mark.client, pytest.mark.filterwarnings("ignore")]


def test_the_openstack_command(running: Server) -> None:
    """In the form that people use: a process a command."""
    command = [COMMAND, "token", "issue", "-f", "json"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(running.openrc()))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["project_id"]


def test_projects_and_users(running: Server) -> None:
    admin = running.openrc()
    catalog, project, user = stock_client(
        admin,
        "catalog list -f json",
        "project create demo -f json",
        "user create --project demo --password secret joe -f json",
        "role add --user joe --project demo member",
    )
    (network_service,) = (service for service in catalog if service["Type"] == "network")
    assert {endpoint["url"] for endpoint in network_service["Endpoints"]} == {running.url}
    joe = admin | {"OS_USERNAME": "joe", "OS_PASSWORD": "secret", "OS_PROJECT_NAME": "demo"}
    network, listed = stock_client(joe, "network create blue -f json", "network list -f json")
    assert network["project_id"] == project["id"]
    assert [each["ID"] for each in listed] == [network["id"]]
    assert stock_client(admin, "user show joe -f json") == [user]


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


def test_a_project_is_cleaned_up(running: Server) -> None:
    """It asks for floating IPs, routers and VPNs before it deletes anything."""
    admin = running.openrc()
    project, other = stock_client(admin, "project create -f json leaving", "network create -f json staying")
    network, *_ = stock_client(
        admin,
        "role add --project leaving --user admin admin",
        "network create -f json --project leaving gone",
        "subnet create -f json --project leaving --network gone --subnet-range 10.9.0.0/24 gone4",
        "port create -f json --project leaving --network gone gone-port",
        "security group create -f json --project leaving gone-group",
        "router create -f json --project leaving gone-router",
        "router add subnet gone-router gone4",
    )
    cleanup = [COMMAND, "project", "cleanup", "--auto-approve", "--project", "leaving"]
    done = subprocess.run(cleanup, capture_output=True, text=True, env=environment(admin))
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    left, *_ = stock_client(admin, "network list -f json")
    assert network["id"] not in {each["ID"] for each in left}
    assert other["id"] in {each["ID"] for each in left}
    assert stock_client(admin, "router list -f json") == [[]]
    groups, *_ = stock_client(admin, f"security group list -f json --project {project['id']}")
    assert [group["Name"] for group in groups] == ["default"]
