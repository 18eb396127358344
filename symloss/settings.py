"""Reads a TOML table into a frozen record: each field carries the rule that says what it allows.

One reader serves every section of an experiment, so all complaints name file, section, key, value and what is allowed.
"""

import math
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from symloss.errors import ExperimentError, closest, shortened, unknown

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Record = TypeVar("Record", bound=DataclassInstance)

LONGEST = 2**16  # characters of a TOML text
DOTS = 128  # in one of its lines

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
SIZES = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMG]iB)")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")
_BARE = re.compile(r"[\w./+:-]+")
_KEY = re.compile(r"[\w-]+(\.[\w-]+)*")


@dataclass(frozen=True)
class Rule:
    """What a setting allows.

    Args:
        allowed: in words, as the complaint ends.
        read: value as TOML gave it -> value as the record keeps it; raises ValueError when it is not allowed.
        names: the known names, where the value is one of few.
    """

    allowed: str
    read: Callable[[Any], Any]
    names: tuple[str, ...] = ()


def setting(rule: Rule, default: Any = MISSING) -> Any:
    """Declare a record's field with its rule; without a default the key is required."""
    return field(default=default, metadata={"rule": rule})


def whole(low: int, most: int | None = None) -> Rule:
    """A whole number of at least `low`, and of at most `most` where there is a limit."""
    allowed = f"of at least {low}" if most is None else f"from {low} to {most}"
    return Rule(f"a whole number {allowed}", lambda value: _whole(value, low, most))


def number(low: float = -math.inf, above: bool = False) -> Rule:
    """A finite number of at least `low`, or greater than it when `above`."""
    bound = "" if low == -math.inf else f" above {low:g}" if above else f" of at least {low:g}"
    return Rule(f"a finite number{bound}", lambda value: _number(value, low, above))


def truth() -> Rule:
    """True or false."""
    return Rule("true or false", _truth)


def several(rule: Rule, example: str, at_least: int = 1) -> Rule:
    """A list of different values that each follow `rule`."""
    return Rule(f"a list of different values such as {example}", lambda value: _several(value, rule, at_least))


def table(default: "Record", place: str) -> Rule:
    """A table of settings; what it does not name stays as `default` has it.

    Args:
        place: the table, as complaints name it, e.g. `[search.mutations]`.
    """

    def read(value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise ValueError(value)
        given = read_record(type(default), value, place)
        return replace(default, **{name: getattr(given, name) for name in value})

    return Rule("a table of settings", read)


def choice(*names: str) -> Rule:
    """One of a few names."""
    return Rule(f"one of {', '.join(names)}", lambda value: _choice(value, names), names)


def pattern(regex: str, allowed: str) -> Rule:
    """A text that matches `regex` as a whole."""
    return Rule(allowed, lambda value: _pattern(value, regex))


def any_text() -> Rule:
    """A text that is not empty."""
    return pattern(r"(?s).*\S.*", "a text")


def duration() -> Rule:
    """A time in seconds, or a text such as `90s`, `10m`, `2h`; kept in seconds."""
    return Rule("seconds, or a time such as 90s, 10m or 2h", seconds)


def seconds(value: object) -> float:
    """Turn 600, `600s`, `10m` or `2h` into seconds.

    Raises:
        ValueError: it is neither a positive number nor a number with a unit.
    """
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip())
        if match is None:
            raise ValueError(value)
        return seconds(float(match[1]) * UNITS[match[2]])
    return _number(value, 0.0, above=True)


def size() -> Rule:
    """A number of bytes, or a text such as `512MiB`, `1GiB`; kept in bytes."""
    return Rule("a number of bytes, or a size such as 512MiB or 2GiB", size_in_bytes)


def size_in_bytes(value: object) -> int:
    """Turn 1024, `512MiB` or `1.5GiB` into bytes.

    Raises:
        ValueError: it is neither a whole number of at least 1 nor a number with a unit.
    """
    if isinstance(value, str):
        match = _SIZE.fullmatch(value.strip())
        if match is None:
            raise ValueError(value)
        return size_in_bytes(int(float(match[1]) * SIZES[match[2]]))
    return _whole(value, 1)


def read_record(kind: "type[Record]", table: Mapping[str, object], place: str) -> "Record":
    """Read a table into a record of the given kind.

    Args:
        kind: a dataclass whose fields were declared with `setting`.
        table: as TOML gave it.
        place: file and section, as complaints name it, e.g. `mine.toml: [budget]`.

    Raises:
        ExperimentError: a key is unknown or missing, or its value is not allowed.
    """
    rules: dict[str, Rule] = {each.name: each.metadata["rule"] for each in fields(kind)}
    for key in table:
        if key not in rules:
            raise ExperimentError(unknown(place, "key", key, rules))
    for each in fields(kind):
        if each.default is MISSING and each.name not in table:
            raise ExperimentError(f"{place} lacks {each.name}, which must be {rules[each.name].allowed}.")
    return kind(**{key: _read(rules[key], value, f"{place} {key}") for key, value in table.items()})


def read_toml(text: str, place: str) -> dict[str, Any]:
    """Parse TOML text, of at most LONGEST characters and with lists over several lines.

    Raises:
        ExperimentError: it is not TOML; the message says where.
    """
    if len(text) > LONGEST:
        raise ExperimentError(f"{place} has {len(text)} characters; allowed: {LONGEST}.")
    # The time to parse a.b.c = 1 grows with the square of the dots: a stranger's 64 KiB of them took 14 s.
    dotted = next((number for number, line in enumerate(text.split("\n"), 1) if line.count(".") > DOTS), None)
    if dotted is not None:
        raise ExperimentError(f"{place}: line {dotted} has more than {DOTS} dots; write its list over several lines.")
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # an integer of more than 4300 digits is no TOMLDecodeError
        raise ExperimentError(f"{place} is not valid TOML: {error}.") from error


def override(table: Mapping[str, Any], changes: Iterable[str]) -> dict[str, Any]:
    """Return the table with changes such as `search.population=80` made; bare words count as texts.

    Raises:
        ExperimentError: a change has no `=`, no key, or a value that is neither TOML nor a bare word.

    Example:
        >>> override({"stop": {"generations": 5}}, ["stop.time=10m"])
        {'stop': {'generations': 5, 'time': '10m'}}
    """
    result = _copy(table)
    for change in changes:
        key, equals, text = change.partition("=")
        if not equals or not _KEY.fullmatch(key.strip()):
            raise ExperimentError(f"the change '{change}' cannot be read; write section.key=value.")
        *sections, last = key.strip().split(".")
        _section(result, sections, change)[last] = _value(text.strip(), change)
    return result


def _read(rule: Rule, value: object, place: str) -> Any:
    try:
        return rule.read(value)
    except (ValueError, TypeError, OverflowError) as error:
        near = closest(value, rule.names) if isinstance(value, str) and len(value) < 100 else ""
        raise ExperimentError(f"{place} is {_said(value)}; allowed: {rule.allowed}.{near}") from error


def _said(value: object) -> str:
    try:
        return shortened(repr(value))
    except (ValueError, RecursionError):  # a number of thousands of digits, tables within tables without end
        return f"a {type(value).__name__} that is too large to be shown"


def _value(text: str, change: str) -> Any:
    try:
        table = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        table = {"value": text} if _BARE.fullmatch(text) else {}
    if table.keys() != {"value"}:
        raise ExperimentError(f"the value of '{change}' cannot be read; write it as TOML: 80, 0.1, true or [1, 2].")
    return table["value"]


def _section(table: dict[str, Any], names: list[str], change: str) -> dict[str, Any]:
    for name in names:
        inner = table.setdefault(name, {})
        if not isinstance(inner, dict):
            raise ExperimentError(f"the change '{change}' takes {name} for a section, but it is a value.")
        table = inner
    return table


def _copy(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _copy(value) if isinstance(value, Mapping) else value for key, value in table.items()}


def _whole(value: object, low: int, most: int | None = None) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < low or (most is not None and value > most):
        raise ValueError(value)
    return value


def _number(value: object, low: float, above: bool) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(value)
    if not math.isfinite(value) or value < low or (above and value == low):
        raise ValueError(value)
    return float(value)


def _several(value: object, rule: Rule, at_least: int) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError(value)
    read = tuple(rule.read(each) for each in value)
    if len(read) < at_least or len(set(read)) != len(read):
        raise ValueError(value)
    return read


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(value)
    return value


def _choice(value: object, names: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in names:
        raise ValueError(value)
    return value


def _pattern(value: object, regex: str) -> str:
    if not isinstance(value, str) or not re.fullmatch(regex, value):
        raise ValueError(value)
    return value
