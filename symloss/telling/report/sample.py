"""Which candidates a report holds: all that matter, and an even sample of the rest, within a number and a size.

What is left out is counted, and the report says so.
"""

from __future__ import annotations

from collections.abc import Iterable

from symloss.telling.report.choice import MOST, evenly, improving
from symloss.telling.report.material import BEST, Material, Row

BYTES = 150_000  # of their texts
LONGEST = 400  # characters of one text


def improvements(material: Material) -> list[Row]:
    """Return the candidates that were better than everything before them, in order."""
    numbers = set(improving(material.standings))
    return [row for row in material.rows if row.number in numbers]


def scored_rows(material: Material) -> list[Row]:
    """Return the candidates at hand that were trained and have a fitness, in order."""
    return [row for row in material.rows if row.place is not None and row.fitness is not None]


def sample(material: Material, family: Iterable[int] = (), most: int = MOST, size: int = BYTES) -> list[Row]:
    """Choose the candidates that a report holds, by number.

    Taken in this order, as long as there is room: the front, the running best, the winner's ancestors, the best by
    fitness; then the others, evenly over the run, first those that were scored.
    """
    rows = {row.number: row for row in material.rows}
    first = [each.number for each in material.front]
    first += [row.number for row in improvements(material)]
    first += [number for number in family if number in rows]
    first += [each.number for each in material.ranked[:BEST]]
    scored = [row.number for row in scored_rows(material)]
    wanted = dict.fromkeys([*first, *evenly(scored, most), *evenly(list(rows), most)])
    chosen: list[int] = []
    for number in wanted:
        size -= min(LONGEST, len(rows[number].shown.encode())) + _reason_size(rows[number])
        if len(chosen) == most or size < 0:
            break
        chosen.append(number)
    return [rows[number] for number in sorted(chosen)]


def _reason_size(row: Row) -> int:
    return 0 if row.outcome is None or row.outcome.twin is not None else min(LONGEST, len(row.outcome.reason.encode()))
