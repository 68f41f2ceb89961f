"""Pools against a plain set of numbers, any sequence of calls; and never the same number twice, however many ask."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.examples import examples

from netweft.store import Busy, Claim, Store, WriteTransaction

SMALL = st.integers(0, 30)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("take"), st.integers(1, 5)),
        st.tuples(st.just("take_exactly"), SMALL),
        st.tuples(st.just("give_back"), SMALL),
        st.tuples(st.just("define"), st.sets(SMALL, max_size=12)),
    ),
    max_size=40,
)


def ranges(numbers: set[int]) -> list[tuple[int, int]]:
    result: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if result and result[-1][1] == number - 1:
            result[-1] = (result[-1][0], number)
        else:
            result.append((number, number))
    return result


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = Store.open(f"sqlite:///{tmp_path_factory.mktemp('pools')}/netweft.db")
    yield store
    store.close()


@given(STEPS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(60))
def test_a_pool_is_a_set_of_numbers(shared: Store, steps: list[tuple[str, int | set[int]]]) -> None:
    pool: set[int] = set(range(1, 20))
    free = set(pool)
    with shared.write() as tx:
        tx.pools.drop("scope")
        tx.pools.define("scope", [(1, 19)])
        for name, argument in steps:
            if isinstance(argument, set):
                pool, free = set(argument), set(argument)
                tx.pools.define("scope", [])  # a pool that is defined as it is stays as it is
                tx.pools.define("scope", ranges(argument))
            elif name == "take":
                expected = sorted(free)[:argument]
                assert tx.pools.take("scope", argument) == expected
                free.difference_update(expected)
            elif name == "take_exactly":
                tx.pools.take_exactly("scope", argument)
                free.discard(argument)
            else:
                tx.pools.give_back("scope", argument)
                free |= {argument} & pool
            assert tx.is_used_up("scope") == (not free)
        assert tx.pools.take("scope", 100) == sorted(free)


def test_numbers_come_back_with_their_claim(store: Store) -> None:
    with store.write() as tx:
        tx.pools.define("scope", [(1, 3)])
        assert tx.pools.take("scope", 5) == [1, 2, 3]
        tx.insert("things", {"id": "a"}, claims=[Claim("scope", "1"), Claim("scope", "3"), Claim("scope", "77")])
        tx.delete("things", "a")
        assert tx.pools.take("scope", 5) == [1, 3]


def test_defining_again_leaves_out_what_is_claimed(store: Store) -> None:
    with store.write() as tx:
        tx.insert("things", {"id": "a"}, claims=[Claim("scope", "5"), Claim("scope", "9")])
        tx.pools.define("scope", [(1, 6), (8, 10)])
        assert tx.pools.take("scope", 100) == [1, 2, 3, 4, 6, 8, 10]


def test_addresses_of_128_bits(store: Store) -> None:
    with store.write() as tx:
        tx.pools.define("scope", [(2**128 - 2, 2**128 - 1)])
        assert tx.pools.take("scope", 2) == [2**128 - 2, 2**128 - 1]
        tx.pools.give_back("scope", 2**128 - 1)
        assert tx.pools.take("scope", 2) == [2**128 - 1]


def test_no_number_is_handed_out_twice(url: str) -> None:
    """Two servers, eight threads."""
    stores = [Store.open(url), Store.open(url)]
    with stores[0].write() as tx:
        tx.pools.define("scope", [(1, 100)])

    def take(worker: int) -> list[int]:
        mine: list[int] = []
        while True:
            try:
                with stores[worker % 2].write() as tx:
                    got = _claim_some(tx, f"{worker}-{len(mine)}")
            except Busy:
                continue
            if not got:
                return mine
            mine += got

    with ThreadPoolExecutor(8) as threads:
        taken = [number for numbers in threads.map(take, range(8)) for number in numbers]
    assert sorted(taken) == list(range(1, 101))
    for store in stores:
        store.close()


def _claim_some(tx: WriteTransaction, id: str) -> list[int]:
    got = tx.pools.take("scope", 3)
    tx.insert("things", {"id": id}, claims=[Claim("scope", str(number)) for number in got])
    return got
