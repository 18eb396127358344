"""Which candidates a report holds: all that matter, and an even sample of the rest, within a number and a size.

What is left out is counted, and the report says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from symloss.telling.report.material import Material, Row

MOST = 1500  # candidates
BYTES = 150_000  # of their texts
LONGEST = 400  # characters of one text
_BEST = 200  # formulas by fitness that are always held


def improvements(material: Material) -> list[Row]:
    """Return the candidates that were better than everything before them, in order."""
    sign, best, found = 1 if material.maximise else -1, None, []
    for row in material.trained:
        if row.fitness is not None and (best is None or sign * row.fitness > best):
            best = sign * row.fitness
            found.append(row)
    return found


def sample(material: Material, family: Iterable[int] = (), most: int = MOST, size: int = BYTES) -> list[Row]:
    """Choose the candidates that a report holds, by number.

    Taken in this order, as long as there is room: the front, the running best, the winner's ancestors, the best by
    fitness; then the others, evenly over the run, first those that were scored.
    """
    rows = {row.number: row for row in material.rows}
    first = [each.number for each in material.front]
    first += [row.number for row in improvements(material)]
    first += [number for number in family if number in rows]
    first += [each.number for each in material.ranked[:_BEST]]
    scored = [row.number for row in material.trained if row.fitness is not None]
    wanted = dict.fromkeys([*first, *_evenly(scored, most), *_evenly(list(rows), most)])
    chosen: list[int] = []
    for number in wanted:
        size -= min(LONGEST, len(rows[number].shown.encode())) + _reason_size(rows[number])
        if len(chosen) == most or size < 0:
            break
        chosen.append(number)
    return [rows[number] for number in sorted(chosen)]


def _reason_size(row: Row) -> int:
    return 0 if row.outcome is None or row.outcome.twin is not None else min(LONGEST, len(row.outcome.reason.encode()))


def _evenly(numbers: Sequence[int], count: int) -> list[int]:
    """Return up to `count` of the numbers: a few far apart first, then those between, so that any beginning is even."""
    if not numbers:
        return []
    stride = 1
    while stride * 2 <= len(numbers):
        stride *= 2
    found: dict[int, None] = {}
    while stride and len(found) < count:
        found |= dict.fromkeys(numbers[::stride])
        stride //= 2
    return list(found)
