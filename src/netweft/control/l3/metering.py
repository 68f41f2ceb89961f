"""Metering labels and their rules.  A label is for the routers of its project, or, shared, for all of them.

A label keeps its rules, too, so that the feed hears of them; who writes one holds its label alone.
"""

from collections.abc import Sequence
from ipaddress import ip_network

from netweft.control.errors import Conflict, InvalidInput, NotFound
from netweft.control.standard import born
from netweft.model.metering import METERED, RULES, SHARED
from netweft.store import Link, Object, Query, ReadTransaction, WriteTransaction

KIND, RULE_KIND = "metering_labels", "metering_label_rules"
LABEL = "metering_label_id"
REMOTE, SOURCE, DESTINATION = PREFIXES = ("remote_ip_prefix", "source_ip_prefix", "destination_ip_prefix")


class MeteringLabelNotFound(NotFound):
    message = "Metering label '%(id)s' does not exist."


class MeteringLabelRuleNotFound(NotFound):
    message = "Metering label rule '%(id)s' does not exist."


class MeteringLabelRuleOverlaps(Conflict):
    message = "Metering label rule with remote_ip_prefix '%(remote_ip_prefix)s' overlaps another."


class MeteringLabels:
    def create(self, tx: WriteTransaction, wanted: list[Object]) -> list[Object]:
        labels = [born(one, **{METERED: SHARED if one["shared"] else one["project_id"], RULES: []}) for one in wanted]
        for label in labels:
            tx.insert(KIND, label)
        return labels

    def update(self, tx: WriteTransaction, current: Object, changes: Object) -> Object:
        raise InvalidInput("Metering labels do not change")

    def delete(self, tx: WriteTransaction, current: Object) -> None:
        """With its rules."""
        for rule in _rules_of(tx, current["id"]):
            tx.delete(RULE_KIND, rule["id"])
        tx.delete(KIND, current["id"])


class MeteringLabelRules:
    def create(self, tx: WriteTransaction, wanted: list[Object]) -> list[Object]:
        return [self._create(tx, one) for one in wanted]

    def update(self, tx: WriteTransaction, current: Object, changes: Object) -> Object:
        raise InvalidInput("Metering label rules do not change")

    def delete(self, tx: WriteTransaction, current: Object) -> None:
        tx.delete(RULE_KIND, current["id"])
        _tell(tx, current[LABEL])

    def _create(self, tx: WriteTransaction, wanted: Object) -> Object:
        label = tx.lock(KIND, wanted[LABEL])
        if label is None:
            raise MeteringLabelNotFound(id=wanted[LABEL])
        _check(wanted)
        _refuse_overlap(wanted, _rules_of(tx, label["id"]))
        rule = born(wanted | {"project_id": label["project_id"]})
        tx.insert(RULE_KIND, rule, [Link(LABEL, KIND, label["id"])])
        _tell(tx, label["id"])
        return rule


def _rules_of(tx: ReadTransaction, label_id: str) -> Sequence[Object]:
    return tx.query(RULE_KIND, Query({LABEL: [label_id]}))


def _tell(tx: WriteTransaction, label_id: str) -> None:
    """The label has other rules now."""
    rules = [{name: rule[name] for name in ("direction", "excluded", *PREFIXES)} for rule in _rules_of(tx, label_id)]
    tx.update(KIND, label_id, {RULES: rules})


def _check(wanted: Object) -> None:
    if wanted[REMOTE] and (wanted[SOURCE] or wanted[DESTINATION]):
        raise InvalidInput(f"Cannot use '{REMOTE}' in conjunction with '{SOURCE}' or '{DESTINATION}'")
    given = [wanted[name] for name in PREFIXES if wanted[name]]
    if not given:
        names = f"'{REMOTE}', '{SOURCE}' or '{DESTINATION}'"
        raise InvalidInput(f"You must define at least one of the following parameters {names}")
    if len({ip_network(prefix).version for prefix in given}) > 1:
        raise InvalidInput(f"'{SOURCE}' and '{DESTINATION}' are of different IP versions")


def _refuse_overlap(wanted: Object, others: Sequence[Object]) -> None:
    """Of the label's rules that count in the same direction, or that do not, each remote address is in one."""
    for other in others if wanted[REMOTE] else ():
        same = all(other[name] == wanted[name] for name in ("direction", "excluded"))
        if same and other[REMOTE] and ip_network(other[REMOTE]).overlaps(ip_network(wanted[REMOTE])):
            raise MeteringLabelRuleOverlaps(remote_ip_prefix=wanted[REMOTE])
