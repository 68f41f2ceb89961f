"""Checks of names in DNS, as Neutron's validators make them: in lower case, they are told apart by nothing else."""

import re
from typing import Any

from netweft.api.checks import Invalid, string

MOST = 255
_LABEL = re.compile(r"[a-z0-9-]{1,63}")
_text = string(MOST)


def host_name(value: Any) -> str:
    """Of a port: one label or more, fully qualified where it ends with a dot; empty: none."""
    text: str = _text(value).lower()
    return _checked(text, MOST) if text else text


def relative_name(value: Any) -> str:
    """Of a floating IP, to which its domain is added."""
    text: str = _text(value).lower()
    if text.endswith("."):
        raise Invalid(f"'{text}' is a FQDN. It should be a relative domain name")
    return _checked(text, MOST - 3) if text else text


def domain(value: Any) -> str:
    """Ends with a dot; empty: none."""
    text: str = _text(value).lower()
    if text and not text.endswith("."):
        raise Invalid(f"'{text}' is not a FQDN")
    return _checked(text, MOST - 2) if text else text


def _checked(text: str, most: int) -> str:
    trimmed = text.removesuffix(".")
    labels = trimmed.split(".")
    if len(text) > most:
        problem = f"'{trimmed}' exceeds the {most} character FQDN limit"
    elif not all(labels):
        problem = "Encountered an empty component"
    elif wrong := [one for one in labels if one.startswith("-") or one.endswith("-")]:
        problem = f"Name '{wrong[0]}' must not start or end with a hyphen"
    elif wrong := [one for one in labels if not _LABEL.fullmatch(one)]:
        problem = f"Name '{wrong[0]}' must be 1-63 characters long, each of which can only be alphanumeric or a hyphen"
    elif len(labels) > 1 and labels[-1].isascii() and labels[-1].isdigit():
        problem = f"TLD '{labels[-1]}' must not be all numeric"
    else:
        return text
    raise Invalid(f"'{text}' not a valid PQDN or FQDN. Reason: {problem}")
