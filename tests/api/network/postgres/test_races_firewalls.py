"""Firewalls on two servers: whatever is asked at once, a port is in one group, a policy names rules that are there."""

from typing import Any

import pytest
from tests.examples import rounds

from .region import Region, Somebody, together

pytestmark = pytest.mark.postgres
ROUNDS = rounds(3)
POLICIES, RULES, GROUPS = (f"/fwaas/firewall_{kind}" for kind in ("policies", "rules", "groups"))
MEMBERS = {POLICIES: "firewall_policy", RULES: "firewall_rule", GROUPS: "firewall_group"}


async def made(who: Somebody, path: str, **values: Any) -> str:
    answer = await who("POST", path, {MEMBERS[path]: values})
    assert answer.status_code == 201, answer.text
    return str(answer.json()[MEMBERS[path]]["id"])


async def shown(who: Somebody, path: str, id: str) -> Any:
    return (await who("GET", f"{path}/{id}")).json()[MEMBERS[path]]


def change(who: Somebody, path: str, id: str, **values: Any) -> Any:
    return who("PUT", f"{path}/{id}", {MEMBERS[path]: values})


async def test_a_rule_goes_while_a_policy_takes_it(region: Region) -> None:
    policy = await made(region.red, POLICIES)
    for number in range(ROUNDS):
        rule = await made(region.red, RULES)
        body = {"firewall_rule_id": rule}
        taking = (
            region.red("PUT", f"{POLICIES}/{policy}/insert_rule", body)
            if number % 2
            else change(region.red, POLICIES, policy, firewall_rules=[rule])
        )
        gone, taken = await together(region.red("DELETE", f"{RULES}/{rule}"), taking)
        assert (gone, taken) in ((204, 404), (409, 200))
        assert (rule in (await shown(region.red, POLICIES, policy))["firewall_rules"]) is (taken == 200)


async def test_rules_come_into_a_policy_all_at_once(region: Region) -> None:
    policy = await made(region.red, POLICIES)
    rules = [await made(region.red, RULES) for _ in range(ROUNDS)]
    path = f"{POLICIES}/{policy}/insert_rule"
    assert set(await together(*(region.red("PUT", path, {"firewall_rule_id": id}) for id in rules))) == {200}
    assert sorted((await shown(region.red, POLICIES, policy))["firewall_rules"]) == sorted(rules), "none is lost"


async def test_a_rule_goes_before_the_one_that_is_removed(region: Region) -> None:
    """And another one comes first of all: the order is that of one after the other, whichever it was."""
    for _ in range(ROUNDS):
        first, last, one, two = [await made(region.red, RULES) for _ in range(4)]
        policy = await made(region.red, POLICIES, firewall_rules=[first, last])
        path = f"{POLICIES}/{policy}"
        removed, before, head = await together(
            region.red("PUT", f"{path}/remove_rule", {"firewall_rule_id": last}),
            region.red("PUT", f"{path}/insert_rule", {"firewall_rule_id": one, "insert_before": last}),
            region.red("PUT", f"{path}/insert_rule", {"firewall_rule_id": two}),
        )
        assert (removed, head) == (200, 200) and before in (200, 400)
        left = [two, first, *([one] if before == 200 else [])]
        assert (await shown(region.red, POLICIES, policy))["firewall_rules"] == left
        third = await made(region.red, RULES)
        body = {"firewall_rule_id": third, "insert_after": first}
        assert (await region.red("PUT", f"{path}/insert_rule", body)).status_code == 200
        assert (await shown(region.red, POLICIES, policy))["firewall_rules"] == [two, first, third, *left[2:]]


async def test_what_is_shared_is_withdrawn_while_another_project_takes_it(region: Region) -> None:
    """A policy by a group, a rule by a policy: it stays shared while it is used."""
    for _ in range(ROUNDS):
        rule = await made(region.admin, RULES, shared=True)
        policy = await made(region.admin, POLICIES, firewall_rules=[rule], shared=True)
        group, theirs = await made(region.blue, GROUPS), await made(region.blue, POLICIES)
        codes = await together(
            change(region.admin, POLICIES, policy, shared=False),
            change(region.blue, GROUPS, group, ingress_firewall_policy_id=policy),
        )
        assert tuple(codes) in ((200, 404), (409, 200))
        assert (await shown(region.admin, POLICIES, policy))["shared"] is (codes[1] == 200)
        await region.blue("DELETE", f"{GROUPS}/{group}")
        await region.admin("DELETE", f"{POLICIES}/{policy}")
        codes = await together(
            change(region.admin, RULES, rule, shared=False),
            region.blue("PUT", f"{POLICIES}/{theirs}/insert_rule", {"firewall_rule_id": rule}),
        )
        assert tuple(codes) in ((200, 404), (409, 200))
        assert (await shown(region.admin, RULES, rule))["shared"] is (codes[1] == 200)


async def test_a_rule_changes_while_its_policies_do(region: Region) -> None:
    """Both write the policy: one takes the auditor's word away, the other gives it."""
    rule = await made(region.red, RULES)
    policies = [await made(region.red, POLICIES, firewall_rules=[rule], audited=True) for _ in range(3)]
    for number in range(ROUNDS):
        changes = [change(region.red, POLICIES, id, audited=True, firewall_rules=[rule]) for id in policies]
        asked = [change(region.red, RULES, rule, description=str(number)), *changes]
        assert set(await together(*asked)) == {200}


async def test_a_port_in_two_groups_at_once(region: Region) -> None:
    network, _ = await region.red.network("10.20.0.0/24")
    port = (await region.red.make("port", network_id=network, device_owner="compute:nova"))["id"]
    groups = [await made(region.red, GROUPS) for _ in range(2)]
    for _ in range(ROUNDS):
        answers = await together(*(change(region.red, GROUPS, id, ports=[port]) for id in groups))
        assert sorted(answers) == [200, 409]
        having = [id for id in groups if (await shown(region.red, GROUPS, id))["ports"]]
        assert having == [groups[answers.index(200)]]
        assert (await change(region.red, GROUPS, having[0], ports=[])).status_code == 200


async def test_a_port_goes_while_its_group_takes_others(region: Region) -> None:
    network, _ = await region.red.network("10.21.0.0/24")
    group = await made(region.red, GROUPS)
    for _ in range(ROUNDS):
        ports = [
            (await region.red.make("port", network_id=network, device_owner="compute:nova"))["id"] for _ in range(3)
        ]
        assert (await change(region.red, GROUPS, group, ports=ports[:2])).status_code == 200
        gone, taken = await together(
            region.red("DELETE", f"/ports/{ports[0]}"), change(region.red, GROUPS, group, ports=ports[1:])
        )
        assert (gone, taken) == (204, 200)
        assert sorted((await shown(region.red, GROUPS, group))["ports"]) == sorted(ports[1:])
    assert (await change(region.red, GROUPS, group, ports=[])).status_code == 200


async def test_a_policy_goes_while_a_group_takes_it(region: Region) -> None:
    for _ in range(ROUNDS):
        policy, group = await made(region.red, POLICIES), await made(region.red, GROUPS)
        gone, taken = await together(
            region.red("DELETE", f"{POLICIES}/{policy}"),
            change(region.red, GROUPS, group, ingress_firewall_policy_id=policy),
        )
        assert (gone, taken) in ((204, 404), (409, 200))
        await region.red("DELETE", f"{GROUPS}/{group}")


async def test_everybody_looks_first(region: Region) -> None:
    """A project has one default group, whoever makes it."""
    newcomer = await region.newcomer()
    assert set(await together(*(newcomer("GET", path) for path in (GROUPS, RULES, POLICIES, GROUPS)))) == {200}
    assert [one["name"] for one in await newcomer.get(GROUPS)] == ["default"]
    assert [len(await newcomer.get(path)) for path in (POLICIES, RULES)] == [2, 4]


async def test_a_quota_is_never_passed(region: Region) -> None:
    newcomer = await region.newcomer()
    await newcomer.get(RULES)
    limits = {"quota": {"firewall_rule": 6}}
    assert (await region.admin("PUT", f"/quotas/{newcomer.project}", limits)).status_code == 200
    answers = await together(*(newcomer("POST", RULES, {"firewall_rule": {}}) for _ in range(6)))
    assert sorted(answers) == [201, 201, 409, 409, 409, 409]


@pytest.mark.parametrize("about", ["group", "port"])
async def test_a_log_comes_while_what_it_is_about_goes(region: Region, about: str) -> None:
    """And one that is there is deleted at the same time."""
    network, _ = await region.red.network("10.23.0.0/24")
    for _ in range(ROUNDS):
        port = (await region.red.make("port", network_id=network, device_owner="compute:nova"))["id"]
        ports = [port] if about == "port" else []
        group = await made(region.red, GROUPS, ports=ports)
        named = {"target_id": port} if about == "port" else {"resource_id": group}
        log = {"log": {"resource_type": "firewall_group", "project_id": region.red.project, **named}}
        there = (await region.admin("POST", "/log/logs", log)).json()["log"]["id"]
        goes = f"/ports/{port}" if about == "port" else f"{GROUPS}/{group}"
        gone, logged, deleted = await together(
            region.red("DELETE", goes),
            region.admin("POST", "/log/logs", log),
            region.admin("DELETE", f"/log/logs/{there}"),
        )
        assert (gone, logged) in ((204, 404), (204, 201)) and deleted in (204, 404)
        assert await region.admin.get(f"/log/logs?project_id={region.red.project}") == []


async def test_a_group_of_addresses_goes_or_is_withdrawn_while_a_rule_names_it(region: Region) -> None:
    for _ in range(ROUNDS):
        own = (await region.red.make("address_group", name="a", addresses=["10.0.0.0/8"]))["id"]
        theirs = (await region.blue.make("address_group", name="a", addresses=["10.0.0.0/8"]))["id"]
        entry = {"object_type": "address_group", "object_id": theirs, "action": "access_as_shared"}
        made = await region.blue.make("rbac_policy", **entry, target_tenant=region.red.project)
        for group, going in (
            (own, region.red("DELETE", f"/address-groups/{own}")),
            (theirs, region.blue("DELETE", f"/rbac-policies/{made['id']}")),
        ):
            body = {"firewall_rule": {"netweft:source_address_group_id": group, "ip_version": 4}}
            codes = await together(going, region.red("POST", RULES, body))
            assert tuple(codes) in ((204, 404), (409, 201))
