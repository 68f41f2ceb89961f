"""A project's tags, one by one or all of them."""

import msgspec
from msgspec import Struct
from starlette.responses import Response

from netweft.api.identity.call import PREFIX, Call, Operation, json, no_content, parse
from netweft.api.identity.resources import Tag, Tags
from netweft.plugins.identity.embedded import directory
from netweft.plugins.identity.embedded.errors import NotFound
from netweft.store import WriteTransaction

_TAGS = f"{PREFIX}/projects/{{id}}/tags"


class TagsBody(Struct, frozen=True):
    tags: Tags


async def show(call: Call) -> Response:
    id = call.path("id")
    if (await call.caller()).project_id != id:
        await call.admin()
    project = await call.identity.read(lambda tx: directory.get(tx, "projects", id))
    return _shown(call, project["tags"])


async def check(call: Call) -> Response:
    await call.admin()
    project = await call.identity.read(lambda tx: directory.get(tx, "projects", call.path("id")))
    if call.path("tag") not in project["tags"]:
        raise NotFound("project tag", call.path("tag"))
    return no_content()


async def replace(call: Call) -> Response:
    await call.admin()
    wanted = list(dict.fromkeys((await call.body(TagsBody)).tags))
    await call.identity.change(lambda tx: directory.update(tx, "projects", call.path("id"), {"tags": wanted}))
    return _shown(call, wanted)


async def clear(call: Call) -> Response:
    await call.admin()
    await call.identity.change(lambda tx: directory.update(tx, "projects", call.path("id"), {"tags": []}))
    return no_content()


async def add(call: Call) -> Response:
    await call.admin()
    tag = parse(msgspec.json.encode(call.path("tag")), Tag)

    def work(tx: WriteTransaction) -> None:
        tags = directory.lock(tx, "projects", call.path("id"))["tags"]
        directory.update(tx, "projects", call.path("id"), {"tags": list(dict.fromkeys([*tags, tag]))})

    await call.identity.change(work)
    return Response(status_code=201, headers={"Location": call.url("projects", call.path("id"), "tags", tag)})


async def remove(call: Call) -> Response:
    await call.admin()
    tag = call.path("tag")

    def work(tx: WriteTransaction) -> None:
        tags = directory.lock(tx, "projects", call.path("id"))["tags"]
        if tag not in tags:
            raise NotFound("project tag", tag)
        directory.update(tx, "projects", call.path("id"), {"tags": [each for each in tags if each != tag]})

    await call.identity.change(work)
    return no_content()


def _shown(call: Call, tags: list[str]) -> Response:
    return json({"tags": tags, "links": {"self": call.url("projects", call.path("id"), "tags")}})


OPERATIONS = [
    Operation("GET", _TAGS, show),
    Operation("PUT", _TAGS, replace),
    Operation("DELETE", _TAGS, clear),
    Operation("GET", f"{_TAGS}/{{tag}}", check),
    Operation("PUT", f"{_TAGS}/{{tag}}", add),
    Operation("DELETE", f"{_TAGS}/{{tag}}", remove),
]
