from netweft.reconcile.plan import Plan, Step

ORDER = ("bridge", "port", "flow")


def test_creates_follow_dependencies_and_deletes_go_backwards() -> None:
    steps = [
        Step("flow", "f1", now="flow 1"),
        Step("bridge", "b1", was="old bridge"),
        Step("port", "p2", was="port 2", now="port two"),
        Step("flow", "f0", was="flow 0"),
        Step("bridge", "b2", now="new bridge"),
    ]
    plan = Plan.of(steps, ORDER)
    assert str(plan).splitlines() == [
        "+ bridge new bridge",
        "~ port port two",
        "+ flow flow 1",
        "- flow flow 0",
        "- bridge old bridge",
    ]
    assert plan == Plan.of(reversed(steps), ORDER), "a plan does not depend on the order things were found in"


def test_nothing_to_do_is_falsy_and_prints_nothing() -> None:
    assert not Plan()
    assert str(Plan()) == ""
