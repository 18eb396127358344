"""The records of an analysis: what was found of a formula, in a sentence and a number, and how sure it is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

CERTAINTIES: dict[str, str] = {
    "closed form": "solved by algebra, and equal to the number found without it",
    "proven": "interval arithmetic bounds it over the whole range, between grid points too",
    "refined": "a number refined to the stated tolerance and checked on both sides",
    "sampled": "looked up at points; it may differ between them",
    "unknown": "nothing can be said",
}


@dataclass(frozen=True)
class Finding:
    """One trait of one formula.

    Args:
        value: the number; NaN when there is none.
        words: a sentence, or the number as a sentence's end.
        certainty: a name in CERTAINTIES.
        how: how it was found: points, bounds, what was checked.
        tolerance: how far the value may be off, in its own unit; NaN where that has no meaning.
        closed_form: the value as an expression that agrees with it, e.g. `1/sqrt(C)`; "" where none is known.
        details: what stands behind the words, as plain JSON: curves' points, tables' rows.

    Raises:
        ValueError: the certainty is none.
    """

    value: float
    words: str
    certainty: str = "sampled"
    how: str = ""
    tolerance: float = math.nan
    closed_form: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.certainty not in CERTAINTIES:
            raise ValueError(f"certainty {self.certainty!r} is none of {', '.join(CERTAINTIES)}.")

    def in_closed_form(self, text: str, words: str | None = None, **details: Any) -> Finding:
        """Return the finding with a closed form that was checked against its value."""
        return replace(
            self,
            closed_form=text,
            certainty="closed form",
            words=self.words if words is None else words,
            details={**self.details, **details},
        )


def unknown(reason: str) -> Finding:
    """Return the finding that there is none, with the reason."""
    return Finding(math.nan, f"unknown: {reason}", "unknown")
