"""The finals as a report shows them: results on the test set, and differences with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from symloss.errors import RunError
from symloss.running.proof.entrants import FOUND
from symloss.running.proof.verdict import p_words
from symloss.telling.report.drawing import Span, spread
from symloss.telling.report.material import NAME, Material
from symloss.telling.report.pictures import interval_picture, strip_picture
from symloss.telling.show import cell, decimals_for, shorten, with_spread


def proof(material: Material) -> Mapping[str, Any] | None:
    """Return what the finals found; None before they are held.

    Raises:
        RunError: the store's document of the finals is damaged.
    """
    try:
        return None if material.finals is None else _proof(material, material.finals)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"{material.run.store} is damaged: its finals cannot be read ({error!r}).") from error


def _proof(material: Material, finals: Mapping[str, Any]) -> Mapping[str, Any]:
    tested = [row for row in finals["rows"] if row.get("test") or row.get("reason")]
    metrics = list(dict.fromkeys([str(material.facts["metric"]), *(name for row in tested for name in row["test"])]))
    judged = [each for each in finals["verdicts"] if each]
    others = [each for each in finals["others"] if each]
    return {
        "sentence": finals["sentence"],
        "seeds": finals["seeds"],
        "metrics": [(name, shorten(name, NAME)) for name in metrics if any(name in row["test"] for row in tested)],
        "rows": _rows(tested, material),
        "strips": any(len(values) > 1 for values in material.per_seed.values()),
        "tables": _tables([*judged, *others]),
        "dropped": [row for row in finals["rows"] if row.get("role") == FOUND and not row.get("test")],
    }


def _rows(tested: Sequence[Mapping[str, Any]], material: Material) -> list[dict[str, Any]]:
    span = spread([value for values in material.per_seed.values() for value in values])
    return [
        {
            "name": "winner" if row["role"] == FOUND else shorten(str(row["name"]), NAME),
            "found": row["role"] == FOUND,
            "formula": row["formula"],
            "rate": cell(row["learning_rate"]),
            "validation": cell(row["validation"]),
            "test": {name: with_spread(*each) for name, each in row["test"].items()},
            "strip": _strip(row["formula"], material, span),
            "reason": row["reason"],
        }
        for row in tested
    ]


def _strip(formula: str, material: Material, span: Span) -> Markup:
    values = material.per_seed.get(formula, ())
    return strip_picture(values, span) if len(values) > 1 else Markup("")


def _tables(verdicts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a table of differences for each metric, on an axis of its own."""
    tables = []
    for metric in dict.fromkeys(str(each["metric"]) for each in verdicts):
        own = [each for each in verdicts if each["metric"] == metric]
        ends = [each["interval"][name] for each in own if each["interval"] for name in ("low", "high", "difference")]
        span = spread([0.0, *(float(end) for end in ends if end is not None)], pad=0.03)
        tables.append({"metric": shorten(metric, NAME), "rows": [_difference(each, span) for each in own]})
    return tables


def _difference(verdict: Mapping[str, Any], span: Span) -> dict[str, Any]:
    row = {
        "other": shorten(str(verdict["baseline"]), NAME),
        "difference": "-",
        "bounds": "",
        "p": "",
        "tone": "even",
        "picture": "",
    }
    interval = verdict["interval"]
    if interval is None:
        return row | {"bounds": verdict["reason"]}
    value, low, high = (interval[name] for name in ("difference", "low", "high"))
    if value is None or low is None or high is None:
        few = "too few seeds or examples for an interval"
        return row | {"difference": cell(value), "bounds": few, "picture": interval_picture(interval, span, "even")}
    decimals = decimals_for((high - low) / 2 or value or 1.0)
    tone = "better" if low > 0 else "worse" if high < 0 else "even"
    return row | {
        "difference": f"{value:+.{decimals}f}",
        "bounds": f"{low:+.{decimals}f} to {high:+.{decimals}f}",
        "p": p_words(interval["p"]).removeprefix("p ").removeprefix("= "),
        "tone": tone,
        "picture": interval_picture(interval, span, tone),
    }
