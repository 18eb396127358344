"""How far trainings went: counts by the last step at which they were measured, kept up to date batch by batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from symloss.errors import RunError
from symloss.language.candidate import Outcome


@dataclass
class Reached:
    """Counts by last measured step.

    Args:
        trainings: a candidate at a learning rate with a seed is one.
        candidates: by the furthest of their trainings.
    """

    trainings: Mapping[int, int] = field(default_factory=Counter)
    candidates: Mapping[int, int] = field(default_factory=Counter)

    @classmethod
    def of_fact(cls, kept: Mapping[str, Any], path: Path) -> Reached:
        """Read what `fact` has written.

        Raises:
            RunError: it makes no sense, so the file is damaged.
        """
        try:
            parts = ({int(step): int(count) for step, count in kept[part].items()} for part in _PARTS)
            return cls(*(Counter(part) for part in parts))
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise RunError(f"{path} is damaged: the fact 'reached' is {str(kept)[:100]!r}.") from error

    def fact(self) -> dict[str, dict[str, int]]:
        """Return the counts as a run keeps them."""
        both = zip(_PARTS, (self.trainings, self.candidates), strict=True)
        return {part: {str(step): count for step, count in sorted(counts.items())} for part, counts in both}

    def plus(self, outcomes: Iterable[Outcome]) -> Reached:
        """Return the counts with those of some more candidates."""
        trainings, candidates = Counter(self.trainings), Counter(self.candidates)
        for outcome in outcomes:
            last: dict[tuple[float, int], int] = {}
            for each in outcome.measurements:
                key = each.learning_rate, each.seed
                last[key] = max(each.step, last.get(key, 0))
            trainings.update(last.values())
            candidates.update([max(last.values())] if last else [])
        return Reached(trainings, candidates)


_PARTS = ("trainings", "candidates")
