"""OpenFlow's error types and codes in words: those that something of ours could earn; others by number."""

_TYPES = {
    0: "hello failed",
    1: "bad request",
    2: "bad action",
    3: "bad instruction",
    4: "bad match",
    5: "flow mod failed",
    12: "meter mod failed",
    13: "multipart failed",
    16: "flow monitor failed",
    17: "bundle failed",
    0xFFFF: "experimenter error",
}

_CODES = {
    (1, 0): "bad version",
    (1, 1): "bad type",
    (1, 2): "bad multipart type",
    (1, 5): "no permission",
    (1, 6): "bad length",
    (1, 9): "bad table",
    (2, 0): "unknown type",
    (2, 1): "bad length",
    (2, 4): "bad output port",
    (2, 5): "bad argument",
    (2, 7): "too many",
    (2, 10): "prerequisites are not matched",
    (2, 13): "bad set-field type",
    (2, 14): "bad set-field length",
    (2, 15): "bad set-field argument",
    (2, 16): "bad set-field mask",
    (3, 0): "unknown instruction",
    (3, 2): "bad table",
    (4, 1): "bad length",
    (4, 5): "bad wildcards",
    (4, 6): "unknown field",
    (4, 7): "bad value",
    (4, 8): "bad mask",
    (4, 9): "bad prerequisite",
    (4, 10): "duplicate field",
    (4, 11): "no permission",
    (5, 1): "table full",
    (5, 2): "bad table",
    (5, 3): "overlap",
    (5, 4): "no permission",
    (5, 8): "read only",
    (12, 1): "already exists",
    (12, 2): "bad number",
    (12, 3): "unknown",
    (12, 5): "bad flags",
    (12, 6): "bad rate",
    (12, 7): "bad burst",
    (12, 10): "out of meters",
    (17, 2): "bad id",
    (17, 3): "already exists",
    (17, 4): "closed",
    (17, 5): "out of bundles",
    (17, 9): "message refused",
    (17, 13): "bundle already open",
    (17, 14): "timed out",
}


def reason(kind: int, code: int) -> str:
    """`bad match: bad prerequisite (4, 9)`"""
    words = [_TYPES.get(kind, "error")]
    if (kind, code) in _CODES:
        words.append(_CODES[kind, code])
    return f"{': '.join(words)} ({kind}, {code})"
