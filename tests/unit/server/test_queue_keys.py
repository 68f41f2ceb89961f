"""Whose line a request waits in before its token is looked at."""

from netweft.server.queue_keys import Known
from netweft.store.turns import STRANGERS


def test_a_token_that_was_good_waits_in_its_owners_line_from_anywhere() -> None:
    known = Known()
    assert known.names(b"t", "home") == (STRANGERS, "home")
    known.learn(b"t", ("project", "user", "home"))
    assert known.names(b"t", "home") == ("project", "user", "home")
    assert known.names(b"t", "elsewhere") == ("project", "user", "elsewhere")
    assert known.names(b"u", "home") == (STRANGERS, "home")
    assert known.names(b"", "home") == (STRANGERS, "home")


def test_one_that_is_good_no_more_waits_among_strangers() -> None:
    known = Known()
    known.learn(b"t", ("project", "user", "home"))
    known.learn(b"t", (STRANGERS, "home"))
    assert known.names(b"t", "home") == (STRANGERS, "home")


def test_nothing_is_learned_of_rubbish_and_what_is_kept_has_an_end() -> None:
    known = Known(size=10)
    for number in range(1000):
        known.learn(b"rubbish%d" % number, (STRANGERS, "home"))
        known.learn(b"", ("project", "user", "home"))
        known.learn(b"login", (STRANGERS, "home", "claimed"))
    assert not known._names
    for number in range(1000):
        known.learn(b"%d" % number, ("project", "user", "home"))
    assert len(known._names) == 10
    assert known.names(b"999", "home")[0] == "project"
