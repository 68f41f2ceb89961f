"""Default security group rules: what every new group begins with, as templates that an admin may change.

A template's remote group `PARENT` stands for the group that the rule becomes part of.  Groups that are there already
stay as they are.
"""

from netweft.control.errors import DefaultSecurityGroupRuleExists, DuplicateDefaultSgRuleInPost
from netweft.control.security import protocols
from netweft.control.security import security_group_rules as rules
from netweft.control.standard import Plain, born
from netweft.store import Claim, Link, New, Object, Query, ReadTransaction, Taken, WriteTransaction

KIND = "default_security_group_rules"
PARENT = "PARENT"
USED_IN_DEFAULT, USED_IN_OTHERS = "used_in_default_sg", "used_in_non_default_sg"
_PREPARED = "prepared"  # kind: what was done once in the life of this database


class DefaultRules(Plain):
    def __init__(self) -> None:
        super().__init__(KIND)

    def prepare(self, tx: WriteTransaction) -> None:
        """Neutron's own templates, unless they were made before: an admin may have removed them since."""
        tx.take_turns(KIND)
        if tx.get(_PREPARED, KIND) is None:
            tx.insert(_PREPARED, {"id": KIND})
            for ethertype in protocols.ETHERTYPES:
                _insert(tx, [_template("egress", ethertype), _template("ingress", ethertype, among_members=True)])

    def create(self, tx: WriteTransaction, wanted: list[Object]) -> list[Object]:
        templates = [born(rules.checked(one)) for one in wanted]
        _insert(tx, templates)
        return templates


def rules_for(tx: ReadTransaction, group: Object) -> list[Object]:
    """What a new group begins with."""
    used = USED_IN_DEFAULT if group["name"] == rules.DEFAULT else USED_IN_OTHERS
    return [_rule(template, group) for template in tx.query(KIND, Query({used: [True]}))]


def _rule(template: Object, group: Object) -> Object:
    wanted = {name: template[name] for name in ("direction", *rules.ANYTHING)}
    if wanted["remote_group_id"] == PARENT:
        wanted["remote_group_id"] = group["id"]
    wanted["description"] = None  # the template's is about the template
    return rules.of_group(wanted, group)


def _template(direction: str, ethertype: str, *, among_members: bool = False) -> Object:
    """In Neutron any group lets everything out; the default one lets its members in."""
    said = f"Legacy default SG rule for {direction} traffic"
    wanted = rules.ANYTHING | {"direction": direction, "ethertype": ethertype, "project_id": "", "description": said}
    wanted["remote_group_id"] = PARENT if among_members else None
    return born(wanted, **{USED_IN_DEFAULT: True, USED_IN_OTHERS: not among_members})


def _insert(tx: WriteTransaction, templates: list[Object]) -> None:
    new = [New(one, _links(one), _claims(one)) for one in templates]
    claims = [claim for one in new for claim in one.claims]
    if len(set(claims)) < len(claims):
        raise DuplicateDefaultSgRuleInPost()
    rules.refuse_missing(tx, [one for one in templates if one["remote_group_id"] != PARENT])
    try:
        tx.insert_many(KIND, new)
    except Taken as taken:
        raise DefaultSecurityGroupRuleExists(rule_id=rules.holder(tx, taken)) from taken


def _links(template: Object) -> list[Link]:
    return [link for link in rules.remote_links(template) if link.id != PARENT]


def _claims(template: Object) -> list[Claim]:
    """One for each kind of group that it is used in: there two of the same would be one too many."""
    same = rules.sameness(template)
    return [Claim(f"template:{used}", same) for used in (USED_IN_DEFAULT, USED_IN_OTHERS) if template[used]]
