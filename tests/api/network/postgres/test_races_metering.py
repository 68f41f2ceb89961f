"""Metering on two servers: rules do not overlap, and a label goes with all of its rules."""

import pytest
from tests.examples import rounds

from .region import Region, together

pytestmark = pytest.mark.postgres
ROUNDS = rounds(4)
RULES = "/metering/metering-label-rules"


async def test_two_rules_that_overlap(region: Region) -> None:
    for number in range(ROUNDS):
        made = await region.admin("POST", "/metering/metering-labels", {"metering_label": {"name": str(number)}})
        label = str(made.json()["metering_label"]["id"])
        body = {"metering_label_id": label, "direction": "egress"}
        wanted = ({"metering_label_rule": body | {"remote_ip_prefix": p}} for p in ("10.0.0.0/8", "10.0.0.0/24"))
        assert sorted(await together(*(region.admin("POST", RULES, one) for one in wanted))) == [201, 409]


async def test_a_label_goes_while_a_rule_comes(region: Region) -> None:
    for _ in range(ROUNDS):
        made = await region.admin("POST", "/metering/metering-labels", {"metering_label": {}})
        label = str(made.json()["metering_label"]["id"])
        rule = {"metering_label_id": label, "direction": "egress", "source_ip_prefix": "10.0.0.0/8"}
        gone, came = await together(
            region.admin("DELETE", f"/metering/metering-labels/{label}"),
            region.admin("POST", RULES, {"metering_label_rule": rule}),
        )
        assert (gone, came) in ((204, 404), (204, 201))
        assert await region.admin.get(f"{RULES}?metering_label_id={label}") == []
