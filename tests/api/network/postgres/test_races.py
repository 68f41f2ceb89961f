"""Every check that comes before a write, raced on two servers: what was checked holds when it is written.

`control/locks.py` has the list of what is held; a race that is lost there shows here, as two that were both answered
with yes, or as a 5xx.  None of these requests may wait for one that waits for it, either: no deadlock is found.
"""

import asyncio
from ipaddress import ip_network
from itertools import combinations
from typing import Any

import pytest
from tests.examples import rounds

from .region import Region, Somebody, number, together

pytestmark = pytest.mark.postgres
ROUNDS = rounds(3)


def _body(member: str, at: Any) -> dict[str, Any]:
    """One of these that may be there beside any other."""
    n = number()
    special: dict[str, dict[str, Any]] = {
        "port": {"network_id": at},
        "subnet": {"network_id": at, "ip_version": 4, "cidr": f"10.{n // 250 % 250}.{n % 250}.0/24"},
        "security_group_rule": {"security_group_id": at, "direction": "ingress", "protocol": str(140 + n % 100)},
        "subnetpool": {"name": "p", "prefixes": ["10.0.0.0/8"]},
    }
    return {member: special.get(member, {"name": "n"})}


@pytest.mark.parametrize("member", ["network", "port", "subnet", "security_group", "security_group_rule", "subnetpool"])
async def test_quotas_are_exact(region: Region, member: str) -> None:
    red = await region.newcomer()
    home = await red.make("network") if member in ("port", "subnet") else {"id": ""}
    if member.startswith("security"):
        home = (await red.get("/security-groups"))[0]
    path = f"/{member.replace('_', '-')}s"
    own = f"{path}?project_id={red.project}"  # it sees what others share with everybody, too
    there = len(await red.get(own))
    quota = {"quota": {member: there + 5}}
    assert (await region.admin("PUT", f"/quotas/{red.project}", quota)).status_code == 200
    codes = await together(*(red("POST", path, _body(member, home["id"])) for _ in range(32)))
    assert sorted(codes) == [201] * 5 + [409] * 27
    assert len(await red.get(own)) == there + 5


async def test_a_quota_lowered_while_it_is_used_up(region: Region) -> None:
    red = await region.newcomer()
    limit = {"quota": {"network": 2, "check_limit": True}}
    codes = await together(
        *(red("POST", "/networks", {"network": {}}) for _ in range(4)),
        region.admin("PUT", f"/quotas/{red.project}", limit),
    )
    if codes[-1] == 200:
        assert len(await red.get(f"/networks?project_id={red.project}")) <= 2


async def test_the_first_list_of_groups(region: Region) -> None:
    for _ in range(ROUNDS):
        new = await region.newcomer()
        network = await new.make("network")
        body = {"port": {"network_id": network["id"]}}
        lists = (new("GET", "/security-groups") for _ in range(8))
        assert set(await together(*lists, *(new("POST", "/ports", body) for _ in range(4)))) == {200, 201}
        assert [group["name"] for group in await new.get("/security-groups")] == ["default"]


async def _shared(region: Region, type: str, id: str) -> str:
    entry = {"object_type": type, "object_id": id, "action": "access_as_shared", "target_tenant": region.blue.project}
    made = await region.red.make("rbac_policy", **entry)
    return f"/rbac-policies/{made['id']}"


async def test_a_network_is_withdrawn_while_the_other_project_makes_ports(region: Region) -> None:
    for _ in range(ROUNDS):
        network, _ = await region.red.network()
        entry = await _shared(region, "network", network)
        body = {"port": {"network_id": network}}
        makes = (region.blue("POST", "/ports", body) for _ in range(3))
        withdrawn, *made = await together(region.red("DELETE", entry), *makes)
        assert (withdrawn == 204) == all(code == 404 for code in made), (withdrawn, made)


async def test_a_network_is_no_longer_shared_while_the_other_project_makes_ports(region: Region) -> None:
    for _ in range(ROUNDS):
        network, _ = await region.red.network()
        path = f"/networks/{network}"
        assert (await region.admin("PUT", path, {"network": {"shared": True}})).status_code == 200
        makes = (region.blue("POST", "/ports", {"port": {"network_id": network}}) for _ in range(3))
        alone, *made = await together(region.admin("PUT", path, {"network": {"shared": False}}), *makes)
        assert (alone == 200) == all(code == 404 for code in made), (alone, made)


async def _users(region: Region) -> list[tuple[str, str, str, str, Any]]:
    """RBAC's type, who is shared, its path, and how the other project uses it."""
    blue = region.blue
    network, _ = await blue.network(f"10.9.{number() % 250}.0/24")
    port = await blue.make("port", network_id=network)
    own = await blue.make("security_group", name="own")
    group = (await region.red.make("security_group", name="g"))["id"]
    policy = (await region.admin.make("policy", name="q", project_id=region.red.project))["id"]
    addresses = (await region.red.make("address_group", name="a"))["id"]
    rule = {"security_group_id": own["id"], "direction": "ingress"}
    return [
        ("security_group", group, "PUT", f"/ports/{port['id']}", {"port": {"security_groups": [group]}}),
        (
            "security_group",
            group,
            "POST",
            "/security-group-rules",
            {"security_group_rule": rule | {"remote_group_id": group}},
        ),
        ("qos_policy", policy, "PUT", f"/networks/{network}", {"network": {"qos_policy_id": policy}}),
        ("qos_policy", policy, "POST", "/ports", {"port": {"network_id": network, "qos_policy_id": policy}}),
        (
            "address_group",
            addresses,
            "POST",
            "/security-group-rules",
            {"security_group_rule": rule | {"remote_address_group_id": addresses}},
        ),
    ]


PATHS = {"security_group": "security-groups", "qos_policy": "qos/policies", "address_group": "address-groups"}


@pytest.mark.parametrize("which", range(5))
async def test_what_is_shared_is_withdrawn_while_the_other_project_begins_to_use_it(region: Region, which: int) -> None:
    for _ in range(ROUNDS):
        type, id, *use = (await _users(region))[which]
        entry = await _shared(region, type, id)
        withdrawn, used = await together(region.red("DELETE", entry), region.blue(*use))
        assert (withdrawn == 204) != (used < 300), (withdrawn, used)


@pytest.mark.parametrize("which", range(5))
async def test_what_is_used_is_deleted_while_somebody_begins_to_use_it(region: Region, which: int) -> None:
    """A rule goes with the group that it names; everything else is in the way."""
    for _ in range(ROUNDS):
        type, id, *use = (await _users(region))[which]
        await _shared(region, type, id)
        path = f"/{PATHS[type]}/{id}"
        deleted, used = await together(region.admin("DELETE", path), region.blue(*use))
        if which != 1:
            assert (deleted == 204) != (used < 300), (deleted, used)
        rules = await region.blue.get("/security-group-rules")
        assert deleted != 204 or all(rule["remote_group_id"] != id for rule in rules)


async def test_a_subnet_is_deleted_while_ports_take_its_addresses(region: Region) -> None:
    for _ in range(ROUNDS):
        network, subnet = await region.red.network()
        body = {"port": {"network_id": network, "fixed_ips": [{"subnet_id": subnet}]}}
        makes = (region.red("POST", "/ports", body) for _ in range(3))
        deleted, *made = await together(region.red("DELETE", f"/subnets/{subnet}"), *makes)
        assert (deleted == 204) == all(code == 404 for code in made), (deleted, made)


async def test_a_network_is_deleted_while_ports_and_subnets_are_made(region: Region) -> None:
    for _ in range(ROUNDS):
        network, _ = await region.red.network()
        subnet = {"subnet": {"network_id": network, "ip_version": 4, "cidr": "10.7.0.0/24"}}
        deleted, port, cut = await together(
            region.red("DELETE", f"/networks/{network}"),
            region.red("POST", "/ports", {"port": {"network_id": network}}),
            region.red("POST", "/subnets", subnet),
        )
        assert (deleted == 204) != (port == 201), (deleted, port, cut)
        subnets = [one for one in await region.red.get("/subnets") if one["network_id"] == network]
        assert deleted != 204 or not subnets


async def test_subnets_of_a_network_do_not_overlap(region: Region) -> None:
    for _ in range(ROUNDS):
        network = (await region.red.make("network"))["id"]
        body = {"network_id": network, "ip_version": 4}
        cidrs = ("10.8.0.0/24", "10.8.0.0/16", "10.8.0.128/25", "10.8.0.0/24")
        codes = await together(*(region.red("POST", "/subnets", {"subnet": body | {"cidr": cidr}}) for cidr in cidrs))
        made = [ip_network(one["cidr"]) for one in await region.red.get(f"/subnets?network_id={network}")]
        assert len(made) == codes.count(201) >= 1
        assert not any(one.overlaps(other) for one, other in combinations(made, 2))
        assert len((await region.red.get(f"/networks/{network}"))["subnets"]) == len(made)


async def test_subnets_of_a_pool_do_not_overlap(region: Region) -> None:
    pool = (await region.red.make("subnetpool", name="p", prefixes=["10.64.0.0/22"], default_prefixlen=24))["id"]
    networks = [(await region.red.make("network"))["id"] for _ in range(8)]
    bodies = [{"network_id": id, "ip_version": 4, "subnetpool_id": pool} for id in networks]
    codes = await together(*(region.red("POST", "/subnets", {"subnet": body}) for body in bodies))
    assert sorted(codes) == [201] * 4 + [409] * 4
    made = [ip_network(one["cidr"]) for one in await region.red.get(f"/subnets?subnetpool_id={pool}")]
    assert not any(one.overlaps(other) for one, other in combinations(made, 2))


async def test_what_only_one_may_have(region: Region) -> None:
    """Addresses, MACs, rules, entries, names, defaults, bindings, trunks: of several who ask, one gets it."""
    red, admin = region.red, region.admin
    for n in range(ROUNDS):
        network, _ = await red.network()
        group = (await red.make("security_group", name="g"))["id"]
        port = (await red.make("port", network_id=network))["id"]
        new = await region.newcomer()
        address = {"port": {"network_id": network, "fixed_ips": [{"ip_address": "10.0.0.77"}]}}
        mac = {"port": {"network_id": network, "mac_address": f"fa:16:3e:aa:00:{n:02x}"}}
        rule = {"security_group_rule": {"security_group_id": group, "direction": "ingress", "protocol": "tcp"}}
        entry = {"object_type": "network", "object_id": network, "action": "access_as_shared", "target_tenant": "*"}
        pool = {"name": "p", "prefixes": ["10.0.0.0/8"], "is_default": True}
        policy = {"name": "q", "is_default": True, "project_id": new.project}
        for who, path, body in (
            (red, "/ports", address),
            (red, "/ports", mac),
            (red, "/security-group-rules", rule),
            (red, "/rbac-policies", {"rbac_policy": entry | {"target_tenant": region.blue.project}}),
            (admin, "/subnetpools", {"subnetpool": pool}),
            (admin, "/qos/policies", {"policy": policy}),
            (red, "/trunks", {"trunk": {"port_id": port}}),
            (admin, "/identity/v3/users", {"user": {"name": f"u{number()}"}}),
        ):
            codes = await together(*(who("POST", path, body) for _ in range(4)))
            assert codes.count(201) == 1, (path, codes)
            assert all(code in (201, 400, 409) for code in codes), (path, codes)
        for default in await admin.get("/subnetpools?is_default=true"):
            assert (await admin("DELETE", f"/subnetpools/{default['id']}")).status_code == 204


async def test_one_port_is_part_of_one_trunk(region: Region) -> None:
    red = region.red
    for _ in range(ROUNDS):
        network, _ = await red.network()
        one, other, wanted = [(await red.make("port", network_id=network))["id"] for _ in range(3)]
        trunks = [(await red.make("trunk", port_id=id))["id"] for id in (one, other)]
        sub = {"sub_ports": [{"port_id": wanted, "segmentation_type": "vlan", "segmentation_id": 7}]}
        codes = await together(
            red("PUT", f"/trunks/{trunks[0]}/add_subports", sub),
            red("PUT", f"/trunks/{trunks[1]}/add_subports", sub),
            red("POST", "/trunks", {"trunk": {"port_id": wanted}}),
            red("DELETE", f"/ports/{wanted}"),
        )
        assert sum(code < 300 for code in codes) == 1, codes


async def test_a_trunks_port_is_moved_while_the_trunk_changes(region: Region) -> None:
    """Both change the same rows, each beginning with another."""
    red, admin = region.red, region.admin
    for n in range(ROUNDS):
        network, _ = await red.network()
        parent, first, second = [(await red.make("port", network_id=network))["id"] for _ in range(3)]
        sub = {"segmentation_type": "vlan", "segmentation_id": 7}
        trunk = (await red.make("trunk", port_id=parent, sub_ports=[sub | {"port_id": first}]))["id"]
        codes = await together(
            admin("PUT", f"/ports/{parent}", {"port": {"binding:host_id": f"host{n}"}}),
            red(
                "PUT", f"/trunks/{trunk}/add_subports", {"sub_ports": [sub | {"port_id": second, "segmentation_id": 8}]}
            ),
            red("PUT", f"/trunks/{trunk}/remove_subports", {"sub_ports": [{"port_id": first}]}),
        )
        assert codes == [200, 200, 200]
        left = (await red.get(f"/trunks/{trunk}"))["sub_ports"]
        assert [one["port_id"] for one in left] == [second]
        assert (await admin.get(f"/ports/{second}"))["binding:host_id"] == f"host{n}"


async def test_a_range_of_segments_shrinks_while_networks_draw_from_it(region: Region) -> None:
    admin = region.admin
    for n in range(ROUNDS):
        first = 900_000 + 100 * n
        new = await region.newcomer()
        values = {"network_type": "vxlan", "minimum": first, "maximum": first + 9, "shared": False, "name": "r"}
        made = await admin.make("network_segment_range", project_id=new.project, **values)
        path = f"/network_segment_ranges/{made['id']}"
        codes = await together(
            admin("PUT", path, {"network_segment_range": {"minimum": first + 5}}),
            new("POST", "/networks", {"network": {}}),
            new("POST", "/networks", {"network": {}}),
        )
        least = first + 5 if codes[0] == 200 else first
        drawn = [one["provider:segmentation_id"] for one in await admin.get(f"/networks?project_id={new.project}")]
        assert all(least <= number <= first + 9 for number in drawn), (codes, drawn)
        codes = await together(admin("DELETE", path), new("POST", "/networks", {"network": {}}))
        assert codes[0] == 409


async def test_what_several_add_is_all_there(region: Region) -> None:
    """Tags, addresses of a group, rules of a policy: nobody writes over what somebody else has just written."""
    red, admin = region.red, region.admin
    network = (await red.make("network"))["id"]
    group = (await red.make("address_group", name="a"))["id"]
    await together(
        *(red("PUT", f"/networks/{network}/tags/t{n}") for n in range(8)),
        *(red("PUT", f"/address-groups/{group}/add_addresses", {"addresses": [f"10.0.{n}.0/24"]}) for n in range(8)),
    )
    assert len((await red.get(f"/networks/{network}"))["tags"]) == 8
    assert len((await red.get(f"/address-groups/{group}"))["addresses"]) == 8
    policy = (await admin.make("policy", name="q"))["id"]
    rule = {"bandwidth_limit_rule": {"max_kbps": 1000, "direction": "egress"}}
    path = f"/qos/policies/{policy}/bandwidth_limit_rules"
    assert sorted(await together(*(admin("POST", path, rule) for _ in range(4)))) == [201, 409, 409, 409]


async def test_rules_that_name_each_others_groups(region: Region) -> None:
    red = region.red
    for _ in range(ROUNDS):
        one, other = [(await red.make("security_group", name="g"))["id"] for _ in range(2)]

        def between(group: str, remote: str, port: int, red: Somebody = red) -> Any:
            rule = {"security_group_id": group, "remote_group_id": remote, "direction": "ingress", "protocol": "tcp"}
            ports = {"port_range_min": port, "port_range_max": port}
            return red("POST", "/security-group-rules", {"security_group_rule": rule | ports})

        pairs = [(one, other), (other, one)]
        assert set(await together(*(between(*pair, port) for port in range(1, 4) for pair in pairs))) == {201}


async def test_subnets_and_ports_of_one_network_come_and_go(region: Region) -> None:
    """IPv6 subnets whose addresses ports make themselves change all ports of their network."""
    red = region.red
    network, _ = await red.network()
    ports = [(await red.make("port", network_id=network))["id"] for _ in range(6)]
    for n in range(ROUNDS):
        modes = {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}
        v6 = {"network_id": network, "ip_version": 6, "cidr": f"fd00:0:0:{n}::/64"} | modes
        codes = await together(
            red("POST", "/subnets", {"subnet": v6}),
            *(red("PUT", f"/ports/{id}", {"port": {"name": f"n{n}"}}) for id in ports),
            red("PUT", f"/networks/{network}", {"network": {"name": f"n{n}"}}),
            red("POST", "/ports", {"port": {"network_id": network}}),
        )
        assert set(codes) == {200, 201}
    for port in await red.get(f"/ports?network_id={network}"):
        assert len({fixed["subnet_id"] for fixed in port["fixed_ips"]}) == 1 + ROUNDS
    subnets = [one["id"] for one in await red.get(f"/subnets?network_id={network}&ip_version=6")]
    changes = [red("PUT", f"/ports/{id}", {"port": {"name": "x"}}) for id in ports]
    assert set(await together(*(red("DELETE", f"/subnets/{id}") for id in subnets), *changes)) == {204, 200}


async def test_ports_take_addresses_of_several_subnets(region: Region) -> None:
    """In whatever order they name them, while others give theirs back."""
    for _ in range(ROUNDS):
        network = (await region.red.make("network"))["id"]
        four = await region.red.make("subnet", network_id=network, ip_version=4, cidr="10.9.0.0/24")
        six = await region.red.make("subnet", network_id=network, ip_version=6, cidr="fd00:9::/64")
        there = [(await region.red.make("port", network_id=network))["id"] for _ in range(3)]
        ways = [[{"subnet_id": one["id"]} for one in way] for way in ((four, six), (six, four))]
        wanted = [{"network_id": network, "fixed_ips": ways[n % 2]} for n in range(6)]
        codes = await together(
            *(region.red("POST", "/ports", {"port": port}) for port in wanted),
            *(region.red("DELETE", f"/ports/{port}") for port in there),
        )
        assert codes == [201] * 6 + [204] * 3


async def test_who_wants_a_network_alone_gets_it_while_ports_are_made_on_it(region: Region) -> None:
    """Some are always at it: they stand in the queue behind the one who waits longer."""
    red = region.red
    network, _ = await red.network("10.0.0.0/16")
    over, made = asyncio.Event(), 0

    async def keep_making() -> None:
        nonlocal made
        while not over.is_set() and made < 300:
            made += (await red("POST", "/ports", {"port": {"network_id": network}})).status_code == 201

    makers = [asyncio.create_task(keep_making()) for _ in range(12)]
    while made < 5:
        await asyncio.sleep(0.01)
    before = made
    assert (await red("PUT", f"/networks/{network}", {"network": {"name": "n"}})).status_code == 200
    after = made
    over.set()
    await asyncio.gather(*makers)
    assert after - before <= 60, "each maker's request under way, and few more"


async def test_identitys_objects_go_while_they_are_named(region: Region) -> None:
    admin = region.admin
    for _ in range(ROUNDS):
        made = {}
        for kind in ("user", "project", "role"):
            answer = await admin("POST", f"/identity/v3/{kind}s", {kind: {"name": f"{kind}{number()}"}})
            made[kind] = answer.json()[kind]["id"]
        grant = f"/identity/v3/projects/{made['project']}/users/{made['user']}/roles/{made['role']}"
        for kind, id in made.items():
            codes = await together(
                *(admin("PUT", grant) for _ in range(3)), *(admin("DELETE", f"/identity/v3/{kind}s/{id}") for _ in "ab")
            )
            assert all(code in (204, 404) for code in codes[:3])
            assert sorted(codes[3:]) == [204, 404]
        left = (await admin("GET", "/identity/v3/role_assignments")).json()["role_assignments"]
        assert not any(id in str(left) for id in made.values())


async def test_a_user_goes_while_an_application_credential_is_made(region: Region) -> None:
    for _ in range(ROUNDS):
        new, user = await region.stranger()
        path = f"/identity/v3/users/{user}"
        body = {"application_credential": {"name": "a"}}
        codes = await together(
            *(new("POST", f"{path}/application_credentials", body) for _ in range(3)), region.admin("DELETE", path)
        )
        assert codes.count(201) <= 1
        assert all(code in (201, 401, 404, 409) for code in codes[:3])
        assert codes[3] == 204
