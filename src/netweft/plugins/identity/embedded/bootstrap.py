"""The first start: roles, a project `admin`, a user `admin`, and its random password in a file that only we read."""

import os
import secrets
import shlex
from collections.abc import Callable
from pathlib import Path

from netweft.plugins import own_endpoint
from netweft.plugins.identity.embedded import directory, grants, implied
from netweft.plugins.identity.embedded.errors import Conflict
from netweft.settings import ServerSettings
from netweft.store import Busy, Duplicate, Store

ROLES = ("admin", "manager", "member", "reader", "service")
FILE_NAME = "admin-openrc"
NOWHERE = "http://127.0.0.1:9696"  # for a server that listens on unix sockets only


def bootstrap(store: Store, settings: ServerSettings, hash_password: Callable[[str], str]) -> None:
    """Does nothing once there is a user.  The file is in place before the admin is, so that no password gets lost."""
    _prepare(store)
    with store.read() as tx:
        if tx.count("users", {}):
            return
    password = secrets.token_urlsafe(24)
    user = {"name": "admin", "password_hash": hash_password(password)}
    try:
        with store.write() as tx:
            roles = {role["name"]: role["id"] for role in tx.query("roles")}
            project = directory.create(tx, "projects", {"name": "admin"})
            admin = directory.create(tx, "users", user | {"default_project_id": project["id"]})
            for target in (grants.on_project(project["id"]), grants.ON_DOMAIN, grants.ON_SYSTEM):
                grants.add(tx, grants.user(admin["id"]), target, roles["admin"])
            _write_private(Path(settings.state_dir) / FILE_NAME, openrc(settings, password))
    except Conflict:
        return  # another server was first


def _prepare(store: Store) -> None:
    """The default domain, and the roles that every cloud has: also where an older version made the first start."""
    with store.read() as tx:
        if tx.get("domains", directory.DOMAIN_ID) is not None:
            return
    try:
        with store.write() as tx:
            directory.create(tx, "domains", directory.DOMAIN)
            there = {role["name"] for role in tx.query("roles")}
            for name in ROLES:
                if name not in there:
                    directory.create(tx, "roles", {"name": name})
            ids = {role["name"]: role["id"] for role in tx.query("roles")}
            for prior, follows in implied.AT_FIRST.items():
                implied.add(tx, ids[prior], ids[follows])
    except (Conflict, Duplicate, Busy):
        return  # another server was first


def openrc(settings: ServerSettings, password: str) -> str:
    reached = settings.public_url.rstrip("/") or own_endpoint.address_of(settings) or NOWHERE
    variables = {
        "OS_AUTH_URL": f"{reached}/identity/v3",
        "OS_USERNAME": "admin",
        "OS_PASSWORD": password,
        "OS_PROJECT_NAME": "admin",
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_PROJECT_DOMAIN_NAME": "Default",
        "OS_REGION_NAME": settings.region,
        "OS_IDENTITY_API_VERSION": "3",
    }
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())


def _write_private(path: Path, text: str) -> None:
    """Nobody finds half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        os.fchmod(descriptor, 0o600)
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    new.rename(path)
