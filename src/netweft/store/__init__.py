"""The one truth: objects, their links, claims and pools, and the change log.  The only package with SQL.

    store = Store.open("sqlite:////var/lib/netweft/netweft.db")     # or postgresql+psycopg://...; migrates
    with store.read() as tx:                                         # a consistent snapshot
        tx.get("ports", id); tx.get_many("ports", ids); tx.count("ports", {"project_id": [p]})
        tx.query("ports", Query({"network_id": [n]}, sort=[("name", False)], limit=100))
        tx.referrers("networks", id, source_kind="ports")            # who links to it
        tx.holders("mac:NETWORK", ["fa:16:3e:00:00:01"])             # who claimed it
        tx.held("mac:NETWORK")                                       # everything claimed there
        tx.changes(after=revision); tx.revision()
    with store.write() as tx:                                        # one transaction, one revision
        tx.insert("ports", port, [Link("network_id", "networks", n)], [Claim("mac:" + n, mac)])
        tx.update("ports", id, {"name": "a"}); tx.touch("agents", id, {...}); tx.delete("ports", id)
        tx.lock("networks", id)                                      # get, and hold against concurrent writers
        tx.pools.define("ip:SUBNET", [(first, last)]); tx.pools.take("ip:SUBNET", 10)
        tx.followers.hold("nova", me, 15.0)                          # the lease of a follower that is no node
        tx.counters.tell("hv1", [Told("routers", id, life, Counts(...))])  # what a node has counted; `sums` adds up
        tx.take_turns("segment ranges")                              # one at a time, where no row can be locked

Objects are plain dicts with at least `id`, and Neutron's attribute names.  `kind` is a collection name with
underscores.  *Links* keep what is referred to from being deleted.  *Claims* are values that one object at a time may
hold within a scope; a *pool* hands out numbers (addresses, VNIs), which are then claimed in the scope of that name, as
decimal text, and go back when the claim is released or its object deleted.

Everything here blocks: while the server runs, ask `store.turns` for a turn, or be in a thread.  `store.doorbell` wakes
asyncio waiters after each commit: `with store.doorbell.subscribe() as bell: await bell.wait()`.
"""

from netweft.store.changelog import Change, Entry, Past
from netweft.store.counters import Counts, Told
from netweft.store.errors import Busy, ChangesGone, Duplicate, InUse, Missing, NotHeld, StoreError, Taken, Unavailable
from netweft.store.followers import Following
from netweft.store.query import Query
from netweft.store.store import Store
from netweft.store.transaction import Claim, Link, New, Object, ReadTransaction, Referrer, WriteTransaction

__all__ = [
    "Busy",
    "Change",
    "ChangesGone",
    "Claim",
    "Counts",
    "Duplicate",
    "Entry",
    "Following",
    "InUse",
    "Link",
    "Missing",
    "New",
    "NotHeld",
    "Object",
    "Past",
    "Query",
    "ReadTransaction",
    "Referrer",
    "Store",
    "StoreError",
    "Taken",
    "Told",
    "Unavailable",
    "WriteTransaction",
]
