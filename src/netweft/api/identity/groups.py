"""Who is in which group."""

from starlette.responses import Response

from netweft.api.identity.call import PREFIX, Call, Operation, listing, no_content
from netweft.api.identity.resources import GROUPS, USERS
from netweft.plugins.identity.embedded import directory, groups
from netweft.store import Object, ReadTransaction

_MEMBERS = f"{PREFIX}/groups/{{group}}/users"


async def add(call: Call) -> Response:
    await call.admin()
    await call.identity.change(lambda tx: groups.add(tx, call.path("group"), call.path("user")))
    return no_content()


async def check(call: Call) -> Response:
    await call.admin_or(call.path("user"))
    await call.identity.read(lambda tx: groups.check(tx, call.path("group"), call.path("user")))
    return no_content()


async def remove(call: Call) -> Response:
    await call.admin()
    await call.identity.change(lambda tx: groups.remove(tx, call.path("group"), call.path("user")))
    return no_content()


async def list_users(call: Call) -> Response:
    await call.admin()
    group_id = call.path("group")

    def work(tx: ReadTransaction) -> list[Object]:
        directory.get(tx, "groups", group_id)
        return groups.users_in(tx, group_id)

    found = await call.identity.read(work)
    return listing(call, "users", [USERS.shown(call, user) for user in found], "groups", group_id, "users")


async def list_groups(call: Call) -> Response:
    """Of a user."""
    user_id = call.path("user")
    await call.admin_or(user_id)

    def work(tx: ReadTransaction) -> list[Object]:
        directory.get(tx, "users", user_id)
        return list(tx.get_many("groups", groups.of_user(tx, user_id)).values())

    found = await call.identity.read(work)
    return listing(call, "groups", [GROUPS.shown(call, group) for group in found], "users", user_id, "groups")


OPERATIONS = [
    Operation("GET", _MEMBERS, list_users),
    Operation("PUT", f"{_MEMBERS}/{{user}}", add),
    Operation("GET", f"{_MEMBERS}/{{user}}", check),
    Operation("DELETE", f"{_MEMBERS}/{{user}}", remove),
    Operation("GET", f"{PREFIX}/users/{{user}}/groups", list_groups),
]
