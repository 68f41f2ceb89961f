"""Who may do what with a secret or a container, as Barbican has it.

A project's readers see what there is, its members use and make it.  An access list (`acl`) names users of any project
who may read; without `project-access` only they, the creator and the project's admins may.
"""

from typing import Any

from netweft.control.key_manager.errors import Forbidden, KeyNotFound
from netweft.store import Object

OPEN: Object = {"read": {"project-access": True, "users": []}}


class Caller:
    """user_id, project_id, roles: of the token."""

    def __init__(self, user_id: str, project_id: str | None, roles: frozenset[str]) -> None:
        self.user_id, self.project_id, self._roles = user_id, project_id, roles

    def _is(self, *names: str) -> bool:
        return not self._roles.isdisjoint(names)

    def require_maker(self, action: str) -> str:
        """The project in which it may make something."""
        if not self.project_id or not self._is("admin", "member", "creator"):
            raise Forbidden(action=action)
        return self.project_id

    def require_lister(self, action: str) -> str:
        if not self.project_id or not self._is("admin", "member", "reader", "creator", "observer"):
            raise Forbidden(action=action)
        return self.project_id

    def may_see(self, one: Object) -> bool:
        """That it is there, and what kind of thing it is."""
        return self._is_own(one) or self._is_named(one)

    def require_read(self, one: Object, what: str, action: str) -> None:
        """Its payload."""
        if not self.may_see(one):
            raise KeyNotFound(what=what)
        of_project = self._is_own(one) and self._is("admin", "member", "creator")
        mine = one["creator_id"] == self.user_id or self._is("admin")
        if not (self._is_named(one) or (of_project and (project_access(one) or mine))):
            raise Forbidden(action=action)

    def require_change(self, one: Object, what: str, action: str) -> None:
        if not self.may_see(one):
            raise KeyNotFound(what=what)
        if not self._is_own(one) or not self._is("admin", "member", "creator"):
            raise Forbidden(action=action)
        if not project_access(one) and one["creator_id"] != self.user_id and not self._is("admin"):
            raise Forbidden(action=action)

    def _is_own(self, one: Object) -> bool:
        return bool(self.project_id) and one["project_id"] == self.project_id

    def _is_named(self, one: Object) -> bool:
        return self.user_id in _read(one).get("users", ())


def project_access(one: Object) -> bool:
    return bool(_read(one).get("project-access", True))


def _read(one: Object) -> dict[str, Any]:
    found: dict[str, Any] = (one.get("acl") or OPEN).get("read") or {}
    return found
