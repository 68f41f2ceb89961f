"""What is asked of identity, in which order, and what is made of answers that say something else."""

import msgspec
import pytest

from netweft.dashboard.login import Answer, Asked, Identity, Login, NotLoggedIn

USER = {"id": "u", "name": "ann"}
BLUE, RED = {"id": "b", "name": "blue"}, {"id": "r", "name": "red"}
LOGIN = Login("ann", "secret")


class Keystone:
    """Gives t1, t2, ... and keeps what it was asked."""

    def __init__(self, *projects: dict[str, str], default: dict[str, str] | None = None) -> None:
        self.projects, self.default = projects, default
        self.asked: list[tuple[str, str, str]] = []
        self.given = 0

    async def __call__(self, asked: Asked) -> Answer:
        self.asked.append((asked.method, asked.path, asked.headers.get("x-auth-token", "")))
        if asked.method == "DELETE":
            return Answer(204, {}, b"")
        if asked.path.endswith("projects"):
            return Answer(200, {}, msgspec.json.encode({"projects": self.projects, "links": {}}))
        self.given += 1
        scope = msgspec.json.decode(asked.body)["auth"].get("scope")
        project = next(
            (one for one in self.projects if scope and one["id"] == scope["project"].get("id")), self.default
        )
        token = {"user": USER, "expires_at": "2026-11-30T00:00:00Z", "roles": [{"name": "member"}]}
        said = {"token": token | ({"project": project} if project else {})}
        return Answer(201, {"x-subject-token": f"t{self.given}"}, msgspec.json.encode(said))

    def identity(self, *, chained: bool = False) -> Identity:
        return Identity(self, ("192.0.2.1", 1), "Browser/1", chained=chained)


async def test_who_has_no_project_of_their_own_gets_the_first_by_name() -> None:
    keystone = Keystone(RED, BLUE)
    session = await keystone.identity().log_in(LOGIN)
    assert session.token == "t2" and session.said.project is not None and session.said.project.name == "blue"
    assert keystone.asked[-1] == ("DELETE", "/v3/auth/tokens", "t1")


async def test_a_default_project_is_taken_as_it_is() -> None:
    keystone = Keystone(RED, BLUE, default=RED)
    session = await keystone.identity().log_in(LOGIN)
    assert session.token == "t1" and len(keystone.asked) == 1


async def test_where_a_token_takes_its_children_with_it_it_stays() -> None:
    keystone = Keystone(RED, BLUE)
    await keystone.identity(chained=True).log_in(LOGIN)
    assert "DELETE" not in {method for method, _, _ in keystone.asked}


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"token": {}}', b'{"token": {"user": 1}}', b"[" * 5000])
async def test_an_answer_that_says_something_else_is_no_session(body: bytes) -> None:
    async def ask(asked: Asked) -> Answer:
        return Answer(200, {}, body)

    with pytest.raises(NotLoggedIn) as refused:
        await Identity(ask, None, "", chained=False).log_in(LOGIN)
    assert refused.value.status == 503


async def test_the_password_is_in_the_body_and_nowhere_else() -> None:
    seen: list[Asked] = []

    async def ask(asked: Asked) -> Answer:
        seen.append(asked)
        return Answer(401, {"retry-after": "7"}, b"secret")

    with pytest.raises(NotLoggedIn) as refused:
        await Identity(ask, None, "", chained=False).log_in(LOGIN)
    assert refused.value.status == 401 and refused.value.retry_after == "7" and "secret" not in str(refused.value)
    (asked,) = seen
    assert "secret" not in f"{asked.path} {asked.headers} {asked.claims}" and b"secret" in asked.body
