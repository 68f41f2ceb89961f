"""Counters: totals of nodes, told twice, late or anew, add up to sums that never shrink."""

from concurrent.futures import ThreadPoolExecutor

from netweft.store import Counts, Store, Told


def tell(store: Store, node: str, packets: int, life: int = 1, id: str = "r") -> None:
    with store.write() as tx:
        tx.counters.tell(node, [Told("routers", id, life, Counts(packets, 2 * packets, 3 * packets, 4 * packets))])


def packets(store: Store, id: str = "r") -> int:
    with store.read() as tx:
        sums = tx.counters.sums("routers", [id])
    found = sums.get(id, Counts())
    assert found[1:4] == (2 * found[0], 3 * found[0], 4 * found[0])
    return found[0]


def test_without_a_report_there_is_none(store: Store) -> None:
    assert packets(store) == 0


def test_what_is_reported_twice_or_late_changes_nothing(store: Store) -> None:
    for told, now in ((5, 5), (5, 5), (9, 9), (7, 9), (10, 10)):
        tell(store, "hv1", told)
        assert packets(store) == now


def test_nodes_add_up_and_objects_do_not(store: Store) -> None:
    tell(store, "hv1", 5)
    tell(store, "hv2", 7)
    tell(store, "hv1", 100, id="other")
    assert (packets(store), packets(store, "other")) == (12, 100)


def test_a_node_that_begins_anew(store: Store) -> None:
    tell(store, "hv1", 50)
    for told, now in ((0, 50), (3, 53), (60, 110)):
        tell(store, "hv1", told, life=2)
        assert packets(store) == now
    tell(store, "hv1", 1, life=1)
    assert packets(store) == 111, "one that comes again is new, too"


def test_nothing_overflows(store: Store) -> None:
    """However often somebody begins anew with as much as a message can say."""
    with store.write() as tx:
        for life in range(20):
            tx.counters.tell("hv1", [Told("routers", "r", life, Counts(2**60, 2**60, 2**60, 2**60))])
            tx.counters.tell("hv2", [Told("routers", "r", life, Counts(2**60, 2**60, 2**60, 2**60))])
    with store.read() as tx:
        assert tx.counters.sums("routers", ["r"])["r"].packets_in > 2**62


def test_it_is_no_news_and_goes_with_the_object(store: Store) -> None:
    with store.write() as tx:
        tx.insert("routers", {"id": "r"})
    with store.read() as tx:
        revision = tx.revision()
    tell(store, "hv1", 5)
    tell(store, "hv1", 6, id="gone")
    with store.read() as tx:
        assert tx.changes(after=revision) == []
    store.prune()
    assert (packets(store), packets(store, "gone")) == (5, 0)


def test_reports_of_many_nodes_at_once(store: Store) -> None:
    def tells(node: int) -> None:
        for life in range(3):
            told = [Told("routers", f"r{n}", life, Counts(10)) for n in range(node % 3, 20)]
            store.run(lambda tx, told=told: tx.counters.tell(f"hv{node}", told))  # type: ignore[misc]

    with ThreadPoolExecutor(6) as nodes:
        list(nodes.map(tells, range(6)))
    with store.read() as tx:
        assert tx.counters.sums("routers", ["r19"])["r19"].packets_in == 6 * 3 * 10
