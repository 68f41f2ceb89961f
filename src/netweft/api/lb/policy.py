"""Who may do what: Keystone's default roles and Octavia's own, as Octavia's policies have them by default.

A caller is told that something is not for them, also of what is another project's: that is Octavia's way.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from netweft.control.lb.errors import PolicyForbidden
from netweft.plugins.identity import Context

_ADMIN: Final = frozenset({"admin", "load-balancer_admin"})
_SEE_ALL: Final = _ADMIN | {"load-balancer_global_observer"}
_WRITE: Final = frozenset({"member", "load-balancer_member"})
_READ: Final = _WRITE | {"reader", "load-balancer_observer"}
_QUOTAS: Final = _ADMIN | {"load-balancer_quota_admin"}


def sees_all(context: Context) -> bool:
    return bool(context.roles & _SEE_ALL)


def is_admin(context: Context) -> bool:
    return bool(context.roles & _ADMIN)


def visible(context: Context) -> Sequence[Mapping[str, list[str]]]:
    """Filters of which one must match; for whom everything does there are none."""
    if sees_all(context):
        return ()
    return [{"project_id": [str(context.project_id)] if may_read(context, context.project_id) else []}]


def may_read(context: Context, project_id: str | None) -> bool:
    return sees_all(context) or (_is_own(context, project_id) and bool(context.roles & _READ))


def require_read(context: Context, project_id: str | None) -> None:
    if not may_read(context, project_id):
        raise PolicyForbidden()


def require_write(context: Context, project_id: str | None) -> None:
    if not (is_admin(context) or (_is_own(context, project_id) and context.roles & _WRITE)):
        raise PolicyForbidden()


def require_admin(context: Context) -> None:
    if not is_admin(context):
        raise PolicyForbidden()


def require_reader(context: Context) -> None:
    """For what is nobody's: what there is to choose from."""
    require_read(context, context.project_id)


def require_quota_read(context: Context, project_id: str | None) -> None:
    if not context.roles & _QUOTAS:
        require_read(context, project_id)


def sees_all_quotas(context: Context) -> bool:
    return bool(context.roles & (_QUOTAS | _SEE_ALL))


def require_quota_write(context: Context) -> None:
    if not context.roles & _QUOTAS:
        raise PolicyForbidden()


def _is_own(context: Context, project_id: str | None) -> bool:
    return project_id is not None and project_id == context.project_id
