"""At a VIP: who may come by its own security groups, and what becomes of an answer."""

from tests.unit.control.trace.faults import HEALTHY, VIP, B, all_rows, ways

WAY = HEALTHY["by a load balancer"][:3]


def test_a_vips_groups_let_in_by_their_rules() -> None:
    rows = all_rows()
    (group,) = rows["security_groups"]
    rows["loadbalancers"]["lb"]["vip_sg_ids"] = [group]
    there, _ = ways(rows, *WAY)
    assert there.findings == []
    (at_it,) = (step for step in there.steps if step.row is not None and step.row["id"] == "vip")
    assert f"security group {group} lets it in" in at_it.does


def test_a_vips_groups_are_said_of_its_port() -> None:
    rows = all_rows()
    rows["loadbalancers"]["lb"]["vip_sg_ids"] = ["empty"]
    (finding,) = ways(rows, *WAY)[0].findings
    assert (finding.code.code, finding.row["id"]) == ("no-rule-lets-it-in", "vip")
    assert finding.fix.endswith(" empty")


def test_the_client_is_answered_by_the_vip() -> None:
    for way in ("by a load balancer", "by a load balancer's HAProxy"):
        _, back = ways(all_rows(), *HEALTHY[way][:3])
        assert back is not None
        assert (back.packet.src, back.findings) == (VIP, [])


def test_a_member_beside_the_client_answers_by_no_router() -> None:
    rows = all_rows()
    rows["members"] = {"near": {**rows["members"]["near"], "address": B}}
    there, back = ways(rows, *WAY)
    assert there.findings == []
    assert back is not None
    assert (back.packet.src, back.routers, back.findings) == (VIP, [], [])


def test_balancers_that_lead_to_each_other_are_left_alone() -> None:
    rows = all_rows()
    for member in rows["members"].values():
        member["address"] = VIP
    there, back = ways(rows, *WAY)
    assert (there.end, back) == ("unknown", None)
