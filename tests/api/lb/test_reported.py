"""What users of Octavia and of its providers have reported, asked of our API.  Each names where."""

from typing import Any

import pytest
from tests.api.lb.conftest import Lb, refused

AT = {"address": "10.0.0.50", "protocol_port": 80}
MONITOR: Any = {"type": "HTTPS", "delay": 5, "timeout": 3, "max_retries": 3}


class Tree:
    """A balancer with a listener and its pool."""

    def __init__(self, lb: Lb) -> None:
        self.lb = lb
        self.balancer = lb.balancer()
        of = {"loadbalancer_id": self.balancer["id"], "protocol": "TCP"}
        self.listener = lb.make("/listeners", protocol_port=80, **of)["id"]
        self.pool = lb.make("/pools", listener_id=self.listener, protocol="TCP", lb_algorithm="ROUND_ROBIN")["id"]

    @property
    def status(self) -> str:
        return str(self.lb.get(f"/loadbalancers/{self.balancer['id']}")["provisioning_status"])

    def add(self, **member: Any) -> Any:
        return self.lb("alice", "POST", f"/pools/{self.pool}/members", {"member": {"protocol_port": 80, **member}})

    def put(self, *members: Any) -> Any:
        return self.lb("alice", "PUT", f"/pools/{self.pool}/members", {"members": members})

    def members(self) -> list[tuple[str, int]]:
        return [(one["address"], one["weight"]) for one in self.lb.get(f"/pools/{self.pool}/members")]


@pytest.fixture
def tree(lb: Lb) -> Tree:
    return Tree(lb)


def test_a_member_that_is_a_vip_holds_nothing_up(tree: Tree) -> None:
    """sapcc/octavia-f5-provider-driver#138: the balancer stayed in PENDING_UPDATE for ever."""
    assert tree.add(address=tree.balancer["vip_address"]).status_code == 201
    assert tree.status == "ACTIVE"


def test_duplicates_in_one_request_freeze_nothing(tree: Tree) -> None:
    """a10networks/a10-octavia#555: the whole tree stayed pending.  Another spelling is the same address."""
    assert refused(tree.put(AT, AT))[0] == 400
    spellings = [{"address": text, "protocol_port": 80} for text in ("fd00::9", "FD00:0::9")]
    assert refused(tree.put(*spellings))[0] == 400
    assert (tree.status, tree.members()) == ("ACTIVE", [])


def test_a_request_that_is_sent_again_says_that_it_is_there(tree: Tree) -> None:
    """terraform-provider-openstack#950: after an error the client cannot know whether the first was carried out."""
    assert tree.add(address="10.0.0.50").status_code == 201
    status, message = refused(tree.add(address="10.0.0.50"))
    assert status == 409
    assert "already using ip 10.0.0.50 on protocol_port 80" in message
    assert (tree.status, len(tree.members())) == ("ACTIVE", 1)


def test_clients_of_kubernetes_send_what_they_know_nothing_of_as_null(tree: Tree) -> None:
    """cloud-provider-openstack#1052, #623: all members at once, in a cloud whose Octavia had no such request."""
    nulls = dict.fromkeys(("weight", "subnet_id", "backup", "name", "monitor_port", "monitor_address"))
    assert tree.put(AT | nulls).status_code == 202
    assert tree.members() == [("10.0.0.50", 1)]
    assert tree.put().status_code == 202
    assert (tree.status, tree.members()) == ("ACTIVE", [])


@pytest.mark.parametrize("cidrs", [["10.0.0.0/8"], ["0.0.0.0/0"], [], None])
def test_source_ranges_that_change(tree: Tree, cidrs: list[str] | None) -> None:
    """cloud-provider-openstack#829, #837: services whose ranges are taken away kept the old ones."""
    tree.lb.put(f"/listeners/{tree.listener}", allowed_cidrs=["192.0.2.0/24"])
    assert tree.lb.put(f"/listeners/{tree.listener}", allowed_cidrs=cidrs)["allowed_cidrs"] == (cidrs or None)


@pytest.mark.parametrize("change", [{"delay": 9}, {"name": None}, {"http_method": None}, {"max_retries": 5}])
def test_a_part_of_a_monitor_is_changed(tree: Tree, change: Any) -> None:
    """F5Networks/f5-openstack-lbaasv2-driver#66: such a change left the balancer in PENDING_UPDATE."""
    monitor = tree.lb.make("/healthmonitors", pool_id=tree.pool, **MONITOR)
    after = tree.lb.put(f"/healthmonitors/{monitor['id']}", **change)
    assert {name: after[name] for name in ("type", "timeout")} == {"type": "HTTPS", "timeout": 3}
    assert tree.status == "ACTIVE"


def test_a_status_is_there_for_those_that_wait_for_it(tree: Tree) -> None:
    """terraform-provider-openstack#838: a member behind an HTTPS monitor was waited for as ACTIVE, and said DELETED."""
    tree.lb.make("/healthmonitors", pool_id=tree.pool, **MONITOR)
    made = tree.add(address="10.0.0.50").json()["member"]
    shown = tree.lb.get(f"/pools/{tree.pool}/members/{made['id']}")
    assert (shown["provisioning_status"], shown["operating_status"]) == ("ACTIVE", "OFFLINE")


def test_deleted_with_all_that_is_below_nothing_is_left(tree: Tree) -> None:
    """a10networks/a10-octavia#556: ports stayed behind."""
    tree.add(address="10.0.0.50")
    balancer = tree.balancer
    assert tree.lb("alice", "DELETE", f"/loadbalancers/{balancer['id']}?cascade=true").status_code == 204
    assert tree.lb.net.get("admin", f"/ports?network_id={balancer['vip_network_id']}")["ports"] == []
    assert tree.lb("alice", "GET", f"/pools/{tree.pool}").status_code == 404


def test_members_are_taken_away_one_after_the_other_at_once(tree: Tree) -> None:
    """cluster-api-provider-openstack#1810: the second of them was refused with 409 for as long as the first took."""
    for number in (1, 2, 3):
        made = tree.add(address=f"10.0.0.5{number}").json()["member"]
        tree.lb.delete(f"/pools/{tree.pool}/members/{made['id']}")
    assert (tree.status, tree.members()) == ("ACTIVE", [])


@pytest.mark.parametrize(
    "spelling", ["169.254.169.254", "::ffff:169.254.169.254", "::FFFF:a9fe:a9fe", "fe80::a9fe:a9fe"]
)
def test_nobody_is_led_to_metadata(tree: Tree, spelling: str) -> None:
    """Octavia's reserved_ips, in any spelling; nor do monitors ask there."""
    assert refused(tree.add(address=spelling)) == (400, f"{spelling} is not a valid option for member address")
    member = tree.add(address="10.0.0.50").json()["member"]
    told = (400, f"{spelling} is not a valid option for member monitor_address")
    assert refused(tree.add(address="10.0.0.51", monitor_address=spelling)) == told
    path = f"/pools/{tree.pool}/members/{member['id']}"
    assert refused(tree.lb("alice", "PUT", path, {"member": {"monitor_address": spelling}})) == told
    assert refused(tree.put(AT | {"monitor_address": spelling})) == told
    assert (tree.status, len(tree.members())) == ("ACTIVE", 1)


def test_no_members_at_all(tree: Tree) -> None:
    """terraform-provider-openstack#898: null, and an empty list, ended as errors of the server."""
    tree.add(address="10.0.0.50")
    assert refused(tree.lb("alice", "PUT", f"/pools/{tree.pool}/members", {"members": None}))[0] == 400
    assert len(tree.members()) == 1
    assert tree.put().status_code == 202
    assert (tree.status, tree.members()) == ("ACTIVE", [])


def test_a_monitor_that_comes_after_the_members_watches_them(tree: Tree) -> None:
    """a10networks/a10-octavia#579: those that were there before had none.  sapcc/octavia-f5-provider-driver#230: a
    member with an address of its own for that was watched when the monitor had gone."""
    members = [tree.add(address="10.0.0.50"), tree.add(address="10.0.0.51", monitor_port=81)]
    paths = [f"/pools/{tree.pool}/members/{one.json()['member']['id']}" for one in members]
    monitor = tree.lb.make("/healthmonitors", pool_id=tree.pool, **MONITOR)
    assert [tree.lb.get(path)["operating_status"] for path in paths] == ["OFFLINE", "OFFLINE"]
    tree.lb.delete(f"/healthmonitors/{monitor['id']}")
    assert [tree.lb.get(path)["operating_status"] for path in paths] == ["NO_MONITOR", "NO_MONITOR"]


def test_a_member_is_switched_off_and_on(tree: Tree) -> None:
    """a10networks/a10-octavia#490: not the first time.  sapcc/octavia-f5-provider-driver#203: a pool with one that is
    off on purpose was said to be DEGRADED."""
    tree.add(address="10.0.0.50")
    path = f"/pools/{tree.pool}/members/{tree.add(address='10.0.0.51').json()['member']['id']}"
    for up, status in ((False, "OFFLINE"), (True, "NO_MONITOR")):
        assert tree.lb.put(path, admin_state_up=up)["admin_state_up"] is up
        assert tree.lb.get(path)["operating_status"] == status
        assert tree.lb.get(f"/pools/{tree.pool}")["operating_status"] == "ONLINE"


def test_a_members_address_need_not_be_of_its_subnet(tree: Tree) -> None:
    """a10networks/a10-octavia#532: such a member, and then any change of it, was an ERROR.  Its router says the way."""
    subnet = tree.balancer["vip_subnet_id"]
    made = tree.add(address="192.0.2.38", subnet_id=subnet).json()["member"]
    assert tree.put({"address": "192.0.2.38", "protocol_port": 80, "weight": 7}).status_code == 202
    shown = tree.lb.get(f"/pools/{tree.pool}/members/{made['id']}")
    assert (shown["weight"], shown["subnet_id"], shown["provisioning_status"]) == (7, subnet, "ACTIVE")
