"""A port's bindings, one by one: wired ahead on another host, then activated there, then gone from where it was.

Each use case takes the locked port and is part of one transaction.
"""

from netweft.control.errors import Conflict, NotFound
from netweft.control.l2 import hosts, placing, trunks
from netweft.control.l2.hosts import HOST
from netweft.control.l3 import owned
from netweft.control.standard import bumped
from netweft.store import Object, WriteTransaction

_NAMES = {
    "host": HOST,
    "vif_type": hosts.VIF_TYPE,
    "vif_details": hosts.VIF_DETAILS,
    "vnic_type": "binding:vnic_type",
    "profile": "binding:profile",
}


class PortBindingNotFound(NotFound):
    message = "Binding for port %(port_id)s for host %(host)s could not be found."


class PortBindingAlreadyExists(Conflict):
    message = "Binding for port %(port_id)s on host %(host)s already exists."


class PortBindingAlreadyActive(Conflict):
    message = "Binding for port %(port_id)s on host %(host)s is already active."


class PortBindingError(Conflict):
    message = "Binding for port %(port_id)s on host %(host)s could not be created or updated: %(reason)s."


def every(port: Object) -> list[Object]:
    """As the API shows them, the active one first."""
    return [_shown(port, binding) for binding in _bindings(port)]


def one(port: Object, host: str) -> Object:
    return _shown(port, _on(port, host))


def create(tx: WriteTransaction, port: Object, wanted: Object) -> Object:
    """Inactive, unless it is the only one."""
    host = wanted["host"]
    if any(binding[HOST] == host for binding in _bindings(port)):
        raise PortBindingAlreadyExists(port_id=port["id"], host=host)
    new = placing.fresh(hosts.Binder(tx), port, host) | {"binding:profile": {}} | _given(wanted)
    if new[hosts.VIF_TYPE] == hosts.FAILED:
        raise PortBindingError(port_id=port["id"], host=host, reason=new["status_detail"])
    others = placing.ahead(port)
    if not port[HOST]:
        return one(_place(tx, port, new, others), host)
    return one(_place(tx, port, placing.active(port), [*others, new]), host)


def update(tx: WriteTransaction, port: Object, host: str, changes: Object) -> Object:
    found = _on(port, host)
    changed = [binding | (_given(changes) if binding is found else {}) for binding in placing.ahead(port)]
    here = placing.active(port) | (_given(changes) if port[HOST] == host else {})
    return one(_place(tx, port, here, changed), host)


def activate(tx: WriteTransaction, port: Object, host: str) -> Object:
    """The port is there from now on; where it was it is wired as before, until that binding is deleted."""
    there = _on(port, host)
    if port[HOST] == host:
        raise PortBindingAlreadyActive(port_id=port["id"], host=host)
    before = [placing.active(port)] if port[HOST] else []
    others = [binding for binding in placing.ahead(port) if binding is not there]
    return one(_place(tx, port, there, others + before), host)


def delete(tx: WriteTransaction, port: Object, host: str) -> None:
    gone = _on(port, host)
    here = hosts.UNBOUND | {"status": "DOWN"} if port[HOST] == host else placing.active(port)
    _place(tx, port, here, [binding for binding in placing.ahead(port) if binding is not gone])


def _bindings(port: Object) -> list[Object]:
    return [*([placing.active(port)] if port[HOST] else []), *placing.ahead(port)]


def _on(port: Object, host: str) -> Object:
    for binding in _bindings(port):
        if binding[HOST] == host:
            return binding
    raise PortBindingNotFound(port_id=port["id"], host=host)


def _place(tx: WriteTransaction, port: Object, here: Object, others: list[Object]) -> Object:
    trunks.refuse_sub_port(port)
    owned.refuse_bound(tx.glance, port)
    changes = placing.placed(tx, port, here, others)
    placed = tx.update("ports", port["id"], bumped(port, changes))
    placing.follow(tx, [placed])
    return placed


def _given(wanted: Object) -> Object:
    given = {_NAMES[name]: wanted[name] for name in ("vnic_type", "profile") if name in wanted}
    return given | ({"binding:profile": {}} if given.get("binding:profile", {}) is None else {})


def _shown(port: Object, binding: Object) -> Object:
    status = "ACTIVE" if binding[HOST] == port[HOST] else "INACTIVE"
    return {name: binding[kept] for name, kept in _NAMES.items()} | {"status": status, "project_id": port["project_id"]}
