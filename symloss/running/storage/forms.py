"""The form of the documents that a run store keeps as JSON: a stranger's are looked at before anything is told of them.

A form is a type, a function, a tuple of forms (any of them), a list of one form (a list of such), or a dict of keys,
where `?` marks those that may be missing and `*` stands for all others.
"""

from collections.abc import Mapping
from typing import Any

Form = Any  # a type, a function of a value, or a tuple, list or dict of forms


def fits(value: Any, form: Form) -> bool:
    """Whether a document has a form.

    Example:
        >>> fits({"a": [1.5]}, {"a": [is_number], "?b": str})
        True
    """
    if isinstance(form, tuple):
        return any(fits(value, each) for each in form)
    if isinstance(form, list):
        return isinstance(value, list) and all(fits(each, form[0]) for each in value)
    if isinstance(form, dict):
        return isinstance(value, dict) and _keys_fit(value, form)
    if isinstance(form, type):
        return isinstance(value, form) and not (form is int and isinstance(value, bool))
    return bool(form(value))


def _keys_fit(table: Mapping[str, Any], form: Mapping[str, Form]) -> bool:
    known = {key.removeprefix("?"): each for key, each in form.items() if key != "*"}
    missing = [key for key in form if key != "*" and not key.startswith("?") and key not in table]
    others = form.get("*", lambda value: True)
    return not missing and all(fits(value, known.get(key, others)) for key, value in table.items())


def is_number(value: Any) -> bool:
    """Whether a value is a number of a double's range."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def is_time(value: Any) -> bool:
    """Whether a value is a number of seconds that somebody can have waited."""
    return is_number(value) and 0 <= value < 1e18


def is_count(value: Any) -> bool:
    """Whether a value is a number of things."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def is_short(value: Any) -> bool:
    """Whether a value is a text that fits a table's cell."""
    return isinstance(value, str) and len(value) <= 200


def is_pair(value: Any) -> bool:
    """Whether a value is a mean and a deviation, of which either may be unknown."""
    return fits(value, [_MAYBE]) and len(value) == 2


_MAYBE = (is_number, type(None))
_INTERVAL = {"difference": _MAYBE, "low": _MAYBE, "high": _MAYBE, "p": _MAYBE, "seeds": is_count}
_VERDICT = {"baseline": str, "metric": is_short, "reason": str, "interval": (_INTERVAL, type(None))}
_ROW = {
    "name": str, "role": str, "formula": str, "learning_rate": _MAYBE, "validation": _MAYBE, "test": {"*": is_pair},
    "reason": str, "?by_seed": {"*": [_MAYBE]},
}  # fmt: skip
FINALS = {
    "winner": (str, type(None)), "rows": [_ROW], "verdicts": [_VERDICT], "others": [_VERDICT], "metric": is_short,
    "seeds": is_count, "sentence": str, "?unit": {"*": (str, is_number)},
}  # fmt: skip
_SESSION = {"?started": str, "?seconds": is_time, "?versions": {"*": str}, "?platform": str, "?kind": dict}

# Facts about a run that are read again.
FACTS: Mapping[str, Form] = {
    "name": is_short, "slot": is_short, "metric": is_short, "maximise": bool, "stack": is_short,
    "stack_members": is_count, "stack_reason": str, "ended": str, "sessions": [_SESSION],
    "finals": (FINALS, type(None)), "free_tests": {"*": is_count}, "reached": dict,
    "steps": is_count, "tunes": bool,
    "asynchronous": bool,
}  # fmt: skip
