"""What a report's scripts draw from: compact columns of the candidates and curves, as safe JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from markupsafe import Markup

from symloss.errors import visible
from symloss.telling.report.material import Row
from symloss.telling.report.sample import LONGEST
from symloss.telling.report.sections import Draft
from symloss.telling.show import shorten

_STRIDE = 3  # every third point of a curve is enough for a chart
_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def payload(draft: Draft) -> dict[str, Any]:
    """Return everything that the scripts need, as plain JSON."""
    material = draft.material
    return {
        "metric": material.metric,
        "maximise": material.maximise,
        "unit": material.unit,
        "live": material.live,
        "written": round(material.read_at),
        "total": material.total,
        "trained": material.trained,
        "span": [_rounded(end, 6) for end in draft.span],
        "rows": _columns(draft.shown),
        "best": [[row.place, _rounded(row.fitness, 6), row.number] for row in draft.best],
        "front": [[each.complexity, _rounded(each.fitness, 6), each.number] for each in material.front],
        "curves": _curves(draft),
    }


def as_json(value: Any) -> Markup:
    """Write JSON for a `<script>` block that is not run: no text in it can end the block or begin another.

    Example:
        >>> as_json({"name": "</script>"})
        Markup('{"name":"\\\\u003c/script\\\\u003e"}')
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for sign, escape in _ESCAPES.items():
        text = text.replace(sign, escape)
    return Markup(text)


class _Words:
    """Texts that come up often, each kept once."""

    def __init__(self) -> None:
        self.known: dict[str, int] = {}

    def place(self, text: str) -> int:
        return self.known.setdefault(_text(text), len(self.known))

    def list(self) -> list[str]:
        return list(self.known)


def _columns(rows: Sequence[Row]) -> dict[str, Any]:
    states, variations, reasons = _Words(), _Words(), _Words()
    columns: dict[str, Callable[[Row], Any]] = {
        "number": lambda row: row.number,
        "fitness": lambda row: _rounded(row.fitness, 6),
        "complexity": lambda row: row.candidate.complexity,
        "text": lambda row: _text(row.shown),
        "state": lambda row: states.place(row.ending),
        "batch": lambda row: row.candidate.batch,
        "place": lambda row: row.place,
        "variation": lambda row: variations.place(row.candidate.variation),
        "parents": lambda row: list(row.candidate.parents[:2]),
        "twin": lambda row: None if row.outcome is None else row.outcome.twin,
        "reason": lambda row: None if not _reason(row) else reasons.place(_reason(row)),
    }
    made: dict[str, Any] = {name: [column(row) for row in rows] for name, column in columns.items()}
    return made | {"states": states.list(), "variations": variations.list(), "reasons": reasons.list()}


def _reason(row: Row) -> str:
    return "" if row.outcome is None or row.outcome.twin is not None else row.outcome.reason


def _text(text: str) -> str:
    return shorten(visible(text), LONGEST)


def _curves(draft: Draft) -> dict[str, Any] | None:
    if not draft.lines:
        return None
    first = draft.lines[0].curve
    return {
        "axis": first.axis,
        "gradient_of": first.gradient_of,
        "x": _numbers(first.x[::_STRIDE]),
        "lines": [
            {
                "name": each.name,
                "text": _text(each.text),
                "on": each.on,
                "values": _numbers(each.curve.values[::_STRIDE]),
                "gradients": _numbers(each.curve.gradients[::_STRIDE]),
            }
            for each in draft.lines
        ],
    }


def _numbers(values: Iterable[Any]) -> list[float | None]:
    return [_rounded(float(value), 4) for value in values]


def _rounded(value: float | None, digits: int) -> float | None:
    """Shorten a number to significant digits; whole ones lose their point, what is not finite becomes null."""
    if value is None or not math.isfinite(value):
        return None
    short = float(f"{value:.{digits}g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short
