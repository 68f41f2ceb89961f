"""Logs (Neutron's `logging` API): what of firewall groups' and security groups' verdicts agents write down, for whoever
runs the cloud.

Of one group, of one port in a group, or of all groups of the project.  One goes with what it names.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from netweft.control.errors import BadRequest, Conflict, NotFound
from netweft.control.fwaas.attachment import GROUPS, can_be_guarded
from netweft.control.standard import born, bumped
from netweft.model.fwaas import FIREWALL_GROUP, OF_FIREWALLS, OF_GROUPS
from netweft.store import Link, New, Object, WriteTransaction

KIND: Final = "logs"
TYPES: Final[Mapping[str, str]] = {OF_FIREWALLS: GROUPS, OF_GROUPS: "security_groups"}


class LogResourceNotFound(NotFound):
    message = "Log resource %(id)s could not be found."


class InvalidLogResourceType(BadRequest):
    message = "Invalid log resource_type: %(resource_type)s."


class ResourceNotFound(NotFound):
    message = "Resource %(id)s could not be found."


class TargetResourceNotFound(NotFound):
    message = "Target resource %(id)s could not be found."


class LoggingTypeNotSupported(Conflict):
    message = "Logging type %(log_type)s is not supported on port %(port_id)s."


class TargetResourceNotAssociated(BadRequest):
    message = "Target resource %(target_id)s is not associated with any %(kind)s."


class InvalidResourceConstraint(BadRequest):
    message = (
        "Invalid resource constraint between resource (%(resource)s %(resource_id)s) and target resource "
        "(%(target_resource)s %(target_id)s)."
    )


class Logs:
    def create(self, tx: WriteTransaction, wanted: list[Object]) -> list[Object]:
        for one in wanted:
            _check(tx, one)
        logs = [born(one) for one in wanted]
        tx.insert_many(KIND, [New(log, _links(log)) for log in logs])
        return logs

    def update(self, tx: WriteTransaction, current: Object, changes: Object) -> Object:
        return tx.update(KIND, current["id"], bumped(current, changes))

    def delete(self, tx: WriteTransaction, current: Object) -> None:
        tx.delete(KIND, current["id"])


def leave(tx: WriteTransaction, kind: str, id: str) -> None:
    """What these logs are about goes."""
    for log in sorted(user.id for user in tx.referrers(kind, id, source_kind=KIND)):
        tx.lock(KIND, log)
        tx.delete(KIND, log)


def _check(tx: WriteTransaction, log: Object) -> None:
    """There, of the log's project, and of each other."""
    if log["resource_type"] not in TYPES:
        raise InvalidLogResourceType(resource_type=log["resource_type"])
    kind, group_id, port_id = log["resource_type"], log["resource_id"], log["target_id"]
    group = tx.get(TYPES[kind], group_id) if group_id else None
    if group_id and (group is None or group["project_id"] != log["project_id"]):
        raise ResourceNotFound(id=group_id)
    port = tx.get("ports", port_id) if port_id else None
    if port_id and (port is None or port["project_id"] != log["project_id"]):
        raise TargetResourceNotFound(id=port_id)
    if port is None:
        return
    if not can_be_guarded(port):
        raise LoggingTypeNotSupported(log_type=kind, port_id=port_id)
    its = _groups(kind, port)
    if group_id and group_id not in its:
        both = {"resource": kind, "resource_id": group_id}
        raise InvalidResourceConstraint(**both, target_resource="port", target_id=port_id)
    if not its:
        raise TargetResourceNotAssociated(target_id=port_id, kind=kind.replace("_", " "))


def _groups(kind: str, port: Object) -> Sequence[str]:
    """The port's, of the kind that the log is about."""
    if kind == OF_FIREWALLS:
        return list(filter(None, [port.get(FIREWALL_GROUP)]))
    return list(port.get("security_groups") or ())


def _links(log: Object) -> list[Link]:
    named = {"resource_id": TYPES[log["resource_type"]], "target_id": "ports"}
    return [Link(name, kind, log[name]) for name, kind in named.items() if log[name]]
