"""Who may try to log in again, and when: by a clock that is moved."""

import asyncio

import pytest

from netweft.plugins.identity import IdentityUnavailable
from netweft.plugins.identity.embedded import passwords as passwords_module
from netweft.plugins.identity.embedded.attempts import ADDRESS, CLAIMED, PAIR, Attempts
from netweft.plugins.identity.embedded.errors import TooManyAttempts
from netweft.plugins.identity.embedded.passwords import MAX_WAITING, Passwords
from netweft.store.turns import asking


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords_module, "PASSES", 1)
    monkeypatch.setattr(passwords_module, "KIBIBYTES", 8)


class Door:
    def __init__(self, size: int = 1000) -> None:
        self.now = 0.0
        self.attempts = Attempts(size, lambda: self.now)

    async def knock(self, address: str, claimed: str, software: str = "", *, right: bool = False) -> int:
        """0, or after how many seconds to come again."""
        try:
            async with self.attempts.attempt(address, claimed, software) as attempt:
                for _ in range(3):
                    await asyncio.sleep(0)
                attempt.right = right
        except TooManyAttempts as refusal:
            return refusal.seconds
        return 0


async def test_a_pair_has_a_few_and_then_one_now_and_then() -> None:
    door = Door()
    burst = int(PAIR.burst)
    assert [await door.knock("a", "u") for _ in range(burst + 1)] == [0] * burst + [10]
    assert await door.knock("a", "u", right=True) == 10
    door.now += 10
    assert [await door.knock("a", "u") for _ in range(2)] == [0, 10]
    door.now += 3600
    assert [await door.knock("a", "u") for _ in range(burst + 1)] == [0] * burst + [10]


async def test_who_is_right_is_never_stopped() -> None:
    door = Door()
    for _ in range(1000):
        assert await door.knock("a", "u", right=True) == 0
    assert await asyncio.gather(*(door.knock("b", "u", right=True) for _ in range(200))) == [0] * 200


@pytest.mark.parametrize("was_right", [False, True])
async def test_many_at_once_get_no_more_than_one_after_the_other(was_right: bool) -> None:
    """A pair that was right before is no hole for whoever guesses from the same address."""
    door = Door()
    if was_right:
        assert await door.knock("a", "u", right=True) == 0
    for after, passed in ((0, PAIR.burst), (10, 1), (5, 0), (5, 1)):
        door.now += after
        results = await asyncio.gather(*(door.knock("a", "u") for _ in range(200)))
        assert results.count(0) == passed


async def test_who_is_right_waits_for_those_under_way_and_gets_their_tokens() -> None:
    """Many logins at once of one program, some with an old password."""
    door = Door()
    rights = [False, True, True, False, *[True] * 100]
    results = await asyncio.gather(*(door.knock("a", "u", right=right) for right in rights))
    assert results == [0] * len(rights)


async def test_an_attempt_that_is_given_up_leaves_the_others_their_turn() -> None:
    door = Door()
    tasks = [asyncio.create_task(door.knock("a", "u", right=True)) for _ in range(50)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert results[1::2] == [0] * 25
    assert await door.knock("a", "u", right=True) == 0


async def test_who_guesses_from_a_users_own_address_does_not_lock_it_out() -> None:
    """Unless the software that it uses is known to the guesser too; then for as long as the guessing lasts."""
    door = Door()
    assert await door.knock("home", "victim", "openstacksdk/4", right=True) == 0
    guesses = [await door.knock("home", "victim", f"guesser {number}") for number in range(500)]
    assert guesses.count(0) == PAIR.burst
    assert await door.knock("home", "victim", "openstacksdk/4", right=True) == 0
    guesses = [await door.knock("home", "victim", "openstacksdk/4") for _ in range(500)]
    assert guesses.count(0) == PAIR.burst
    assert await door.knock("home", "victim", "openstacksdk/4", right=True) == 10
    door.now += 10
    assert await door.knock("home", "victim", "openstacksdk/4", right=True) == 0


async def test_a_victim_who_was_here_before_is_not_locked_out_from_elsewhere_nor_by_its_proxy() -> None:
    door = Door()
    assert await door.knock("home", "victim", right=True) == 0
    for attacker in range(500):
        await door.knock(f"bad{attacker}", "victim")
        await door.knock("home", f"other{attacker}")
    assert await door.knock("bad", "victim") > 0  # the soft limit of a user
    assert await door.knock("home", "yet another") > 0  # and of an address
    assert await door.knock("home", "victim", right=True) == 0


async def test_limits_of_an_address_and_of_a_user_let_some_through() -> None:
    door = Door()
    tried = [await door.knock("bad", f"u{number}") for number in range(400)]
    assert tried.count(0) == ADDRESS.burst
    door.now += 1
    assert [await door.knock("bad", f"v{number}") for number in range(10)].count(0) == ADDRESS.per_second
    tried = [await door.knock(f"a{number}", "victim") for number in range(200)]
    assert tried.count(0) == CLAIMED.burst
    door.now += 1
    assert await door.knock("new", "victim") == 0


async def test_what_is_remembered_has_an_end() -> None:
    door = Door(size=50)
    for number in range(1000):
        door.now += 1
        await door.knock(f"a{number}", f"u{number}")
    assert {len(table) for table in (door.attempts._pairs, door.attempts._addresses, door.attempts._claims)} == {50}


async def test_an_attempt_that_nobody_looked_at_costs_nothing() -> None:
    door = Door()
    for _ in range(20):
        with pytest.raises(IdentityUnavailable):
            async with door.attempts.attempt("a", "u"):
                raise IdentityUnavailable("too many logins at a time")
    assert await door.knock("a", "u") == 0


async def test_argon2_takes_clients_in_turn() -> None:
    """One with many that wait does not keep another waiting for all of them."""
    passwords = Passwords()
    hash = await passwords.hash("right")
    done: list[str] = []

    async def verify(client: str) -> None:
        asking.set((client, "u"))
        await passwords.verify(hash, "wrong")
        done.append(client)

    loud = [asyncio.create_task(verify("loud")) for _ in range(60)]
    await asyncio.sleep(0)
    await verify("quiet")
    assert done.index("quiet") <= 6
    for task in loud:
        task.cancel()
    await asyncio.gather(*loud, return_exceptions=True)
    assert await passwords.verify(hash, "right")
    passwords.close()


async def test_argon2_has_an_end_of_its_queue() -> None:
    passwords = Passwords()
    hash = await passwords.hash("right")
    tasks = [asyncio.create_task(passwords.verify(hash, "x")) for _ in range(MAX_WAITING + 10)]
    await asyncio.sleep(0)
    failed = [task for task in tasks if task.done() and task.exception()]
    assert {type(task.exception()) for task in failed} == {IdentityUnavailable}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    passwords.close()
