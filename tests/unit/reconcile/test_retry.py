from netweft.reconcile.retry import Backoff


def test_grows_to_its_limit_and_starts_over() -> None:
    backoff = Backoff(first=1.0, limit=5.0)
    assert [backoff.failed(now=100.0) for _ in range(4)] == [1.0, 2.0, 4.0, 5.0]
    assert backoff.due == 105.0
    backoff.succeeded()
    assert backoff.due is None
    assert backoff.failed(now=0.0) == 1.0


def test_keeps_trying_for_a_while_first() -> None:
    backoff = Backoff(first=1.0, limit=5.0, steady=2)
    assert [backoff.failed(now=100.0) for _ in range(5)] == [1.0, 1.0, 1.0, 2.0, 4.0]


def test_never_overflows() -> None:
    backoff = Backoff(failures=100_000)
    assert backoff.failed(now=0.0) == backoff.limit
