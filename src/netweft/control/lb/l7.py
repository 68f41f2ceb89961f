"""L7 policies of listeners, in their order, and the rules that have to match."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from netweft.control.lb import expressions, listeners, vocabulary
from netweft.control.lb.errors import (
    InvalidL7PolicyArgs,
    L7RuleValidation,
    LbNotFound,
    ListenerNoChildren,
    TooManyRules,
)
from netweft.control.lb.tree import Tree
from netweft.control.lb.vocabulary import L7RULES, POLICIES, POOLS, PROMETHEUS
from netweft.store import Object

TO_POOL, TO_URL, TO_PREFIX = "REDIRECT_TO_POOL", "REDIRECT_TO_URL", "REDIRECT_PREFIX"
_TARGETS: Final = {TO_POOL: "redirect_pool_id", TO_URL: "redirect_url", TO_PREFIX: "redirect_prefix"}
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~,\-]+")
_COOKIE_VALUE = re.compile(r"[\x21\x23-\x3a\x3c-\x7e]+")
_HEADER_VALUE = re.compile(r"[\x21-\x7e]+")
_QUOTED_VALUE = re.compile(r'"[\x20-\x7e\t]*"')
_NAME_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9-]*")


# -- policies


def create(tree: Tree, listener: Object, wanted: Object) -> Object:
    wanted = _settled(wanted)
    _check_target(tree, listener, wanted)
    tree.begin()
    tree.affects([listener["id"]])
    return made(tree, listener, wanted)


def made(tree: Tree, listener: Object, wanted: Object) -> Object:
    """In a tree that may change; with its rules."""
    rules = wanted.get("rules") or []
    wanted = _settled({name: value for name, value in wanted.items() if name != "rules"})
    _check_target(tree, listener, wanted)
    others = _in_order(tree, listener["id"])
    place = min(wanted["position"], len(others) + 1)
    more = {"listener_id": listener["id"], "position": place}
    (policy,) = tree.insert(POLICIES, [wanted | more])
    _number(tree, [*others[: place - 1], policy, *others[place - 1 :]])
    add_rules(tree, policy, rules)
    return policy


def update(tree: Tree, current: Object, changes: Object) -> Object:
    changes = _settled(changes, current)
    listener = tree.rows(vocabulary.LISTENERS)[current["listener_id"]]
    _check_target(tree, listener, changes)
    tree.begin()
    tree.affects([listener["id"]])
    others = [one for one in _in_order(tree, listener["id"]) if one["id"] != current["id"]]
    place = min(changes.pop("position", current["position"]) or len(others) + 1, len(others) + 1)
    updated = tree.update(POLICIES, current["id"], changes | {"position": place})
    _number(tree, [*others[: place - 1], updated, *others[place - 1 :]])
    return updated


def delete(tree: Tree, current: Object) -> None:
    tree.begin()
    tree.affects([current["listener_id"]])
    tree.delete(L7RULES, [id for id, one in tree.rows(L7RULES).items() if one["l7policy_id"] == current["id"]])
    tree.delete(POLICIES, [current["id"]])
    _number(tree, _in_order(tree, current["listener_id"]))


def _in_order(tree: Tree, listener_id: str) -> list[Object]:
    here = [one for one in tree.rows(POLICIES).values() if one["listener_id"] == listener_id]
    return sorted(here, key=lambda one: int(one["position"]))


def _number(tree: Tree, policies: Iterable[Object]) -> None:
    for position, one in enumerate(policies, 1):
        if one["position"] != position:
            tree.write(POLICIES, one["id"], {"position": position})


def _settled(given: Object, current: Object | None = None) -> Object:
    """What an action does not need is not kept; what says where to go says the action, too."""
    action = given.get("action")
    targets = {of: given[name] for of, name in _TARGETS.items() if given.get(name)}
    if action == "REJECT":
        targets = {}
    elif action in _TARGETS and action not in targets:
        name = _TARGETS[action]
        named = f"{name} or redirect_pool" if action == TO_POOL else name
        raise InvalidL7PolicyArgs(msg=f"{named} must not be None")
    if TO_POOL in targets and len(targets) > 1:
        msg = "Cannot specify redirect_pool_id and redirect_url or redirect_prefix at the same time"
        raise InvalidL7PolicyArgs(msg=msg)
    if not action and not targets:
        return dict(given)
    settled = action if action in targets or not targets else next(iter(targets))
    code = given.get("redirect_http_code") or (current or {}).get("redirect_http_code") or 302
    result = given | {"action": settled} | {name: targets.get(of) for of, name in _TARGETS.items() if of == settled}
    result |= {name: None for of, name in _TARGETS.items() if of != settled}
    return result | {"redirect_http_code": code if settled in (TO_URL, TO_PREFIX) else None}


def _check_target(tree: Tree, listener: Object, values: Object) -> None:
    if listener["protocol"] == PROMETHEUS:
        raise ListenerNoChildren(protocol=PROMETHEUS)
    if id := values.get("redirect_pool_id"):
        pool = tree.rows(POOLS).get(id)
        if pool is None:
            raise LbNotFound(resource="Pool", id=id)
        listeners.check_protocols(listener["protocol"], pool["protocol"])


# -- rules


def create_rule(tree: Tree, policy: Object, wanted: Object) -> Object:
    _check_rule(wanted)
    _refuse_more(tree, policy, 1)
    tree.begin()
    tree.affects([policy["id"], policy["listener_id"]])
    return add_rules(tree, policy, [wanted])[0]


def add_rules(tree: Tree, policy: Object, wanted: Sequence[Object]) -> list[Object]:
    for one in wanted:
        _check_rule(one)
    _refuse_more(tree, policy, len(wanted))
    return tree.insert(L7RULES, [one | {"l7policy_id": policy["id"]} for one in wanted])


def update_rule(tree: Tree, policy: Object, current: Object, changes: Object) -> Object:
    _check_rule(current | changes)
    tree.begin()
    tree.affects([policy["id"], policy["listener_id"]])
    return tree.update(L7RULES, current["id"], changes)


def delete_rule(tree: Tree, policy: Object, current: Object) -> None:
    tree.begin()
    tree.affects([policy["id"], policy["listener_id"]])
    tree.delete(L7RULES, [current["id"]])


def _refuse_more(tree: Tree, policy: Object, more: int) -> None:
    there = sum(one["l7policy_id"] == policy["id"] for one in tree.rows(L7RULES).values())
    if there + more > vocabulary.MOST_RULES:
        raise TooManyRules(id=policy["id"])


def _check_rule(rule: Object) -> None:
    """Whether such a rule can match anything, and is nothing but one value where it is written down."""
    if not rule["value"]:
        raise L7RuleValidation(error="L7 rule type requires a value")
    if rule["type"].startswith("SSL_"):
        _check_tls_rule(rule)
        return
    if rule["type"] in ("HEADER", "COOKIE"):
        if not rule["key"]:
            raise L7RuleValidation(error="L7 rule type requires a key")
        if not _HEADER_NAME.fullmatch(rule["key"]):
            raise L7RuleValidation(error="Invalid characters in key")
    if rule["type"] == "FILE_TYPE" and rule["compare_type"] not in ("REGEX", "EQUAL_TO"):
        raise L7RuleValidation(error="invalid comparison type for rule type")
    if rule["compare_type"] == "REGEX":
        _check_regex(rule["value"])
    elif rule["type"] == "COOKIE" and not _COOKIE_VALUE.fullmatch(rule["value"]):
        raise L7RuleValidation(error="Invalid characters in cookie value")
    elif not (_HEADER_VALUE.fullmatch(rule["value"]) or _QUOTED_VALUE.fullmatch(rule["value"])):
        what = "header value" if rule["type"] == "HEADER" else "comparison value"
        raise L7RuleValidation(error=f"Invalid characters in {what}")


def _check_tls_rule(rule: Object) -> None:
    kind, key, value = rule["type"], rule["key"], rule["value"]
    problem = ""
    if kind == "SSL_DN_FIELD":
        if rule["compare_type"] == "REGEX":
            _check_regex(value)
        if not key:
            problem = f"L7rule type {kind} needs to specify a key and a value."
        elif not _NAME_FIELD.fullmatch(key):
            problem = "Invalid L7rule distinguished name field."
    elif key:
        problem = f'L7rule type {kind} does not use the "key" field.'
    elif kind == "SSL_CONN_HAS_CERT" and value.lower() != "true":
        problem = f"L7rule value {value} is not a boolean True string."
    elif kind == "SSL_VERIFY_RESULT" and not (value.isascii() and value.isdigit()):
        problem = f"L7rule type {kind} needs a int value, which is >= 0"
    elif rule["compare_type"] != "EQUAL_TO":
        problem = f"L7rule type {kind} only supports the EQUAL_TO compare type."
    if problem:
        raise L7RuleValidation(error=problem)


def _check_regex(text: str) -> None:
    if problem := expressions.problem(text):
        raise L7RuleValidation(error=f"Unable to parse regular expression: {problem}")
