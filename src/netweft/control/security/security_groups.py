"""Security groups.  Each project has one called `default`, made when first needed."""

from netweft.control import quotas
from netweft.control.errors import (
    SecurityGroupCannotUpdateDefault,
    SecurityGroupDefaultAlreadyExists,
    SecurityGroupInUse,
)
from netweft.control.fwaas import logs
from netweft.control.security import default_rules, security_group_rules
from netweft.control.security.security_group_rules import DEFAULT
from netweft.control.standard import born, bumped
from netweft.store import Busy, Claim, New, Object, ReadTransaction, Taken, WriteTransaction

KIND = "security_groups"
_DEFAULTS = "default_security_group"  # scope: a project holds one


def default_exists(tx: ReadTransaction, project_id: str) -> bool:
    return bool(tx.holders(_DEFAULTS, [project_id]))


class SecurityGroups:
    def default_of(self, tx: WriteTransaction, project_id: str) -> str:
        """The id of the project's default group, which is made if it is not there."""
        holder = tx.holders(_DEFAULTS, [project_id]).get(project_id)
        if holder is not None:
            return holder[1]
        wanted = {"name": DEFAULT, "description": "Default security group", "project_id": project_id}
        group = born(wanted, stateful=True)
        try:
            tx.insert(KIND, group, claims=[Claim(_DEFAULTS, project_id)])
        except Taken as taken:  # another server made it just now
            raise Busy(str(taken)) from taken
        _add_rules(tx, [group])
        id: str = group["id"]
        return id

    def create(self, tx: WriteTransaction, wanted: list[Object]) -> list[Object]:
        if any(one["name"].lower() == DEFAULT for one in wanted):
            raise SecurityGroupDefaultAlreadyExists()
        groups = [born(one) for one in wanted]
        tx.insert_many(KIND, [New(group) for group in groups])
        _add_rules(tx, groups)
        return groups

    def take_over(self, tx: WriteTransaction, wanted: Object, *, is_default: bool) -> Object:
        """Another cloud's group, without rules yet.  A default one takes the place of one that nothing uses.
        Raises SecurityGroupDefaultAlreadyExists, SecurityGroupInUse."""
        if wanted["name"].lower() == DEFAULT and not is_default:
            raise SecurityGroupDefaultAlreadyExists()
        claims = [Claim(_DEFAULTS, wanted["project_id"])] if is_default else []
        there = tx.holders(_DEFAULTS, [wanted["project_id"]]).values() if is_default else ()
        for _, id in there:
            if (current := tx.lock(KIND, id)) is not None:
                self.delete(tx, current)
        group = born(wanted)
        tx.insert(KIND, group, claims=claims)
        return group

    def update(self, tx: WriteTransaction, current: Object, changes: Object) -> Object:
        if current["name"] == DEFAULT and changes.get("name", DEFAULT) != DEFAULT:
            raise SecurityGroupCannotUpdateDefault()
        if current["name"] != DEFAULT and changes.get("name", "").lower() == DEFAULT:
            raise SecurityGroupDefaultAlreadyExists()
        if changes.get("stateful", current["stateful"]) != current["stateful"]:
            self._refuse_if_on_a_port(tx, current)
        return tx.update(KIND, current["id"], bumped(current, changes))

    def delete(self, tx: WriteTransaction, current: Object) -> None:
        """Its rules go with it, others' rules that name it as the far end, and logs of it.  A default group is made
        again."""
        self._refuse_if_on_a_port(tx, current)
        logs.leave(tx, KIND, current["id"])
        users = {(user.kind, user.id) for user in tx.referrers(KIND, current["id"])}
        rules = tx.lock_many(security_group_rules.KIND, {id for _, id in users})
        for kind, id in sorted(users):
            tx.delete(kind, id)
        tx.delete(KIND, current["id"])
        security_group_rules.changed(tx, {rule["security_group_id"] for rule in rules.values()} - {current["id"]})

    def _refuse_if_on_a_port(self, tx: WriteTransaction, group: Object) -> None:
        if tx.referrers(KIND, group["id"], source_kind="ports"):
            raise SecurityGroupInUse(id=group["id"])


def _add_rules(tx: WriteTransaction, groups: list[Object]) -> None:
    """What new groups begin with.  It counts like any other rule."""
    rules = [rule for group in groups for rule in default_rules.rules_for(tx, group)]
    security_group_rules.insert(tx, rules)
    quotas.check(tx, "security_group_rule", security_group_rules.QUOTA, rules)
