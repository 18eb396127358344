"""What each part of a report says: plain values for its template, made from a run's material.

A part that has nothing to say about a run, as finals before they are held, is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from symloss.language.formula import Formula
from symloss.telling.analysis import TRAITS, traits
from symloss.telling.mathml import mathml
from symloss.telling.report.ancestry import Family, Step, family
from symloss.telling.report.difference import Piece
from symloss.telling.report.material import Material, Row
from symloss.telling.report.overlay import Line, overlay
from symloss.telling.report.pictures import (
    better_part,
    beyond,
    curve_pictures,
    family_picture,
    front_picture,
    progress_picture,
)
from symloss.telling.report.proof import proof
from symloss.telling.report.sample import improvements, sample
from symloss.telling.report.savings import rungs, savings
from symloss.telling.report.source import source
from symloss.telling.show import shorten

LONGEST = 300  # characters of a formula's text in a table
_BEST = 20  # formulas that are listed where no script runs
_FRONT = 60  # formulas of the front in its table
_MATH = 5_000  # characters of one formula's MathML
_ROOM = 70_000  # characters of MathML in one part

Values = Mapping[str, Any]


@dataclass
class Draft:
    """What the parts of one report share.

    Args:
        material: the run.
        most, size: limits of the candidates that are held, see `sample`.
    """

    material: Material
    most: int
    size: int
    family: Family | None = field(init=False)
    best: list[Row] = field(init=False)
    shown: list[Row] = field(init=False)
    span: tuple[float, float] = field(init=False)
    lines: list[Line] = field(init=False)
    proof: Values | None = field(init=False)

    def __post_init__(self) -> None:
        material = self.material
        rows = {row.number: row for row in material.rows}
        winner = material.winner
        self.family = None if winner is None else family(rows, winner.number)
        self.best = improvements(material)
        kin = [] if self.family is None else [row.number for row in self.family.members]
        self.shown = sample(material, kin, self.most, self.size)
        self.span = better_part(material.scored.tolist(), material.maximise)
        self.proof = proof(material)
        self.lines = overlay(material)


class Room:
    """Space for formulas as MathML: one that is too long, or comes when the space is used up, is shown as text."""

    def __init__(self, size: int = _ROOM) -> None:
        self._left = size

    def formula(self, formula: Formula | None, text: str) -> Markup:
        """Return a formula as it is shown."""
        made = Markup("") if formula is None else mathml(formula.node, shorten(text, LONGEST))
        if made and len(made) <= min(_MATH, self._left):
            self._left -= len(made)
            return made
        return Markup('<code class="formula">{}</code>').format(shorten(text, LONGEST))


def opening(draft: Draft) -> Values:
    """The answer: the winner, the verdict, and how large the run was."""
    material, winner, finals = draft.material, draft.material.winner, draft.proof
    return {
        "name": str(material.facts["name"]),
        "status": _status(material),
        "winner": winner,
        "polished": material.is_polished,
        "formula": None if winner is None else Room().formula(material.formula, winner.formula),
        "called": _called(material),
        "sentence": None if finals is None else str(finals["sentence"]),
        "tone": _tone([] if finals is None else finals["tables"]),
        "slot": material.slot,
        "metric": material.metric,
        "candidates": material.total,
        "trained": material.trained,
        "batches": len(material.batches),
        "unit": "batches told" if material.unit == "batch" else "generations",
        "seconds": material.seconds,
        "counts": material.counts,
    }


def _status(material: Material) -> tuple[str, str]:
    """Return how a run stands: a word for its look, and words for people."""
    ended = str(material.facts.get("ended", ""))
    if material.live:
        return "live", "finals are being held" if ended else "the search is running"
    if material.finals is not None:
        return "done", "finished"
    return "open", f"not finished: {ended}" if ended else "not finished"


def _called(material: Material) -> str:
    if material.winner is None:
        return "Nothing was scored yet" if material.live else "No formula was scored"
    if material.finals is None:
        return "Best so far, not tried in finals yet"
    return "Winner" if material.finals.get("winner") else "Best of the search"


def _tone(tables: Sequence[Mapping[str, Any]]) -> str:
    """Return how the winner stands against its reference: `better`, `worse` or `even`."""
    rows = tables[0]["rows"] if tables else []
    return str(rows[0]["tone"]) if rows else "even"


def curves(draft: Draft) -> Values | None:
    """The winner's value and gradient beside published formulas', and what can be said of it without training."""
    material = draft.material
    if material.formula is None or not draft.lines:
        return None
    value, gradient = curve_pictures([(each.name, each.curve) for each in draft.lines if each.on])
    found = traits(material.formula, material.classes)
    return {
        "value": value,
        "gradient": gradient,
        "lines": draft.lines,
        "traits": [(TRAITS[name].label, each.words) for name, each in found.items() if name in TRAITS],
        "scaled": any(abs(each.curve.scale - 1) > 5e-3 for each in draft.lines),
    }


def progress(draft: Draft) -> Values:
    """Fitness over evaluations."""
    material = draft.material
    scored, (low, high) = material.scored, draft.span
    return {
        "picture": progress_picture(material, draft.best, draft.shown, draft.span) if len(scored) else None,
        "metric": material.metric,
        "scored": len(scored),
        "trained": material.trained,
        "shown": sum(row.place is not None and row.fitness is not None for row in draft.shown),
        "outside": int(((scored < low) | (scored > high)).sum()),
        "best": draft.best[-1] if draft.best else None,
    }


def front(draft: Draft) -> Values | None:
    """The Pareto front of fitness against complexity."""
    material = draft.material
    if not material.front:
        return None
    room, entries = Room(), material.front[-_FRONT:]
    return {
        "picture": front_picture(material, draft.shown, draft.span),
        "rows": [(each, room.formula(material.parsed(each.formula), each.formula)) for each in entries],
        "total": len(material.front),
        "metric": material.metric,
        "winner": material.winner,
    }


def descent(draft: Draft) -> Values | None:
    """The winner's line of descent, with what each variation changed."""
    known, material = draft.family, draft.material
    if known is None:
        return None
    span = better_part([row.fitness for row in known.members if row.fitness is not None], material.maximise)
    room = Room(40_000)
    steps = [(each, _step_formula(each, material, room), _pieces(each.pieces)) for each in reversed(known.line)]
    return {
        "picture": family_picture(known, material.metric, span, material.unit) if len(known.members) > 1 else None,
        "beyond": beyond(known, span),
        "steps": steps,
        "polished": material.is_polished,
        "ancestors": len(known.members) - 1 + known.left_out,
        "left_out": known.left_out,
        "maximise": material.maximise,
        "unit": material.unit,
    }


def _step_formula(step: Step, material: Material, room: Room) -> Markup:
    text = step.row.candidate.formula
    return room.formula(None if text is None else material.parsed(text), step.row.shown)


def _pieces(pieces: Sequence[Piece] | None) -> list[Piece] | None:
    if pieces is None:
        return None
    long = LONGEST // max(1, min(4, len(pieces)))
    return [Piece(each.change, shorten(each.text, max(40, long))) for each in pieces[:40]]


def saved(draft: Draft) -> Values | None:
    """What the free tests and the rungs saved."""
    material = draft.material
    if not material.total:
        return None
    tests, steps = savings(material.endings, material.mean_seconds), rungs(material.reached)
    spared = sum(each.saved for each in steps)
    done = sum((each.step - before) * each.trainings for before, each in zip(_steps_before(steps), steps, strict=True))
    return {
        "tests": tests[:12],
        "more": len(tests) - 12,
        "count": sum(each.count for each in tests),
        "seconds": sum(each.seconds for each in tests),
        "each": material.mean_seconds,
        "total": material.total,
        "rungs": steps if len(steps) > 1 else [],
        "spared": spared / (spared + done) if spared else 0.0,
        "counts": material.counts,
    }


def _steps_before(steps: Sequence[Any]) -> list[int]:
    return [0, *(each.step for each in steps)][: len(steps)]


def candidates(draft: Draft) -> Values:
    """All candidates that the report holds; the best by fitness where no script runs."""
    material, room = draft.material, Room(30_000)
    best = [(each, room.formula(material.parsed(each.formula), each.formula)) for each in material.ranked[:_BEST]]
    return {"best": best, "shown": len(draft.shown), "total": material.total, "metric": material.metric}


@dataclass(frozen=True)
class Section:
    """One part of a report.

    Args:
        title: as the page's navigation calls it.
        values: what its template, of the same name, is filled with; None leaves the part out.
    """

    title: str
    values: Callable[[Draft], Values | None]


SECTIONS: dict[str, Section] = {
    "opening": Section("", opening),
    "proof": Section("Finals", lambda draft: draft.proof),
    "curves": Section("Shape", curves),
    "progress": Section("Progress", progress),
    "front": Section("Front", front),
    "descent": Section("Family", descent),
    "saved": Section("Free tests", saved),
    "candidates": Section("Candidates", candidates),
    "source": Section("Use and repeat", lambda draft: source(draft.material)),
}
