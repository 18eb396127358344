"""The loss file (`*.loss.json`): a formula that travels, with the evidence for it; reading a stranger's runs nothing.

Strict JSON, small, and read once within bounds: unknown or duplicate keys, NaN and irregular files are refused.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from symloss.errors import FormulaError, PluginError, RunError, unknown
from symloss.language.files import plain, read_bounded, write_whole
from symloss.language.formula import Formula, parse
from symloss.plugins import asleep

FORMAT = "symloss-loss"
VERSION = 1
MAX_BYTES = 64 * 1024
CANONICAL = ("format", "version", "slot", "formula", "constants")
KEYS = (*CANONICAL, "evidence", "sha256")


@dataclass(frozen=True)
class LossFile:
    """What a loss file says.

    Args:
        formula: parsed; its text is the file's.
        evidence: plain JSON about how the formula was found and tried; information, never instructions.
    """

    formula: Formula
    evidence: Mapping[str, Any] = field(default_factory=dict)


def read_loss(path: str | Path) -> LossFile:
    """Read a loss file in one bounded read.

    Raises:
        RunError: it is missing, no regular file, larger than 64 KB, no strict JSON, of another format or version,
            altered, or its formula cannot be read; the message names the file.

    Example:
        >>> read_loss("winner.loss.json").formula.text
        '-t*log(p)'
    """
    table = _decode(_read_bytes(Path(path)), path)
    for key in table:
        if key not in KEYS:
            raise RunError(unknown(str(path), "key", key, KEYS))
    for key in KEYS:
        if key not in table:
            raise RunError(f"{path} lacks the key '{key}'. A loss file holds {', '.join(KEYS)}.")
    _check_kind(table, path)
    _check_types(table, path)
    if table["sha256"] != _digest(table):
        raise RunError(f"{path} was altered: sha256 does not fit {', '.join(CANONICAL)}. Export the loss again.")
    return LossFile(_formula(table, path), table["evidence"])


def write_loss(path: str | Path, formula: Formula, evidence: Mapping[str, Any] | None = None) -> None:
    """Write a loss file whole or not at all.

    Args:
        evidence: plain JSON; numbers that are not finite become null.

    Raises:
        RunError: the file would exceed 64 KB, or cannot be written.
    """
    text = loss_text(formula, evidence)
    if len(text) > MAX_BYTES:  # ASCII, so a character is a byte
        raise RunError(f"{path} would take {len(text)} bytes; allowed: {MAX_BYTES}. Give less evidence.")
    write_whole(Path(path), text)


def loss_text(formula: Formula, evidence: Mapping[str, Any] | None = None) -> str:
    """Return what a loss file would hold, in ASCII; `write_loss` refuses more than MAX_BYTES of it."""
    constants = list(formula.constants)
    table: dict[str, Any] = {"format": FORMAT, "version": VERSION, "slot": formula.slot, "formula": formula.text}
    table |= {"constants": constants, "evidence": plain(dict(evidence or {}))}
    return json.dumps({**table, "sha256": _digest(table)}, indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def _read_bytes(path: Path) -> bytes:
    try:
        return read_bounded(path, MAX_BYTES, "a loss file")
    except OSError as error:
        raise RunError(f"{path} cannot be read as a loss file: {error}.") from error
    except ValueError as error:  # a name that no file can have is one, too
        raise RunError(f"{path} {error}; it cannot be read as a loss file.") from error


def _decode(data: bytes, path: str | Path) -> dict[str, Any]:
    try:
        table = json.loads(
            data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite_float
        )
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path} is not a loss file: {_short(error)}.") from error
    if not isinstance(table, dict):
        raise RunError(f"{path} is not a loss file: it holds {type(table).__name__}, not an object.")
    return table


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"duplicate key '{next(name for name in names if names.count(name) > 1)}'")
    return table


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _finite_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is beyond a double's range")
    return value


def _check_kind(table: Mapping[str, Any], path: str | Path) -> None:
    if table["format"] != FORMAT:
        raise RunError(f"{path} has the format {_short(table['format'])}; this is '{FORMAT}' only.")
    version = table["version"]
    if type(version) is not int or version != VERSION:  # neither true nor 1.0
        raise RunError(
            f"{path} has version {_short(version)}; this symloss reads version {VERSION}. A newer symloss may read it."
        )


def _check_types(table: Mapping[str, Any], path: str | Path) -> None:
    for key, kind in (("slot", str), ("formula", str), ("constants", list), ("evidence", dict), ("sha256", str)):
        if not isinstance(table[key], kind):
            raise RunError(f"{path}: {key} is {_short(table[key])}; it must be a JSON {_JSON[kind]}.")


_JSON: dict[type, str] = {str: "string", list: "array", dict: "object"}


def _formula(table: Mapping[str, Any], path: str | Path) -> Formula:
    try:
        with asleep():
            formula = parse(table["formula"], table["slot"])
    except (FormulaError, PluginError) as error:
        raise RunError(f"{path} holds a formula that cannot be read: {error}") from error
    if list(formula.constants) != table["constants"]:
        raise RunError(f"{path}: constants differ from the numbers in the formula. Export the loss again.")
    return formula


def _digest(table: Mapping[str, Any]) -> str:
    part = {key: table[key] for key in CANONICAL}
    return hashlib.sha256(json.dumps(part, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _short(value: object) -> str:
    text = str(value) if isinstance(value, Exception) else repr(value)
    return " ".join(ascii(text)[1:-1].split())[:200]
