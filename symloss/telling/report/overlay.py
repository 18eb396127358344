"""The winner's curves and those of published formulas of its slot, which a reader may lay over each other."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from symloss.errors import SymlossError
from symloss.language.formula import Formula
from symloss.language.slots import SLOTS
from symloss.language.zoo import ZOO, zoo
from symloss.telling.curves import Comparable, comparable
from symloss.telling.report.material import Material

_AT_FIRST = 3  # published formulas that are drawn before a reader chooses


@dataclass(frozen=True)
class Line:
    """One formula's curves.

    Args:
        on: whether it is drawn before a reader chooses.
    """

    name: str
    text: str
    curve: Comparable
    on: bool


def overlay(material: Material) -> list[Line]:
    """Return the winner's line and those of the zoo, the slot's baselines first; none without a winner."""
    winner = material.formula
    first = None if winner is None else _line("winner", winner, material.classes, True)
    if first is None or winner is None:
        return []
    known = SLOTS[material.slot].baselines
    names = [*known, *(name for name, entry in ZOO.items() if entry.slot == material.slot and name not in known)]
    chosen = _chosen(material, names)
    others = [_line(name, zoo[name], material.classes, name in chosen) for name in names if zoo[name] != winner]
    return [first, *(each for each in others if each is not None)]


def _chosen(material: Material, names: list[str]) -> list[str]:
    """Choose what stands beside the winner at first: the reference, and the best baselines of the finals."""
    rows = [] if material.finals is None else material.finals.get("rows", [])
    scores = {row["name"]: row["validation"] for row in rows if isinstance(row.get("validation"), int | float)}
    best = sorted((name for name in names if name in scores), key=scores.__getitem__, reverse=material.maximise)
    return list(dict.fromkeys([names[0], *best, *names]))[:_AT_FIRST]


@functools.lru_cache(maxsize=64)
def _line(name: str, formula: Formula, classes: int, on: bool) -> Line | None:
    try:
        return Line(name, formula.text, comparable(formula, classes), on)
    except SymlossError:  # a formula whose derivative has no reading in the engine's operators
        return None
