"""The family of a winner: its line of descent with what each variation changed, and all of its ancestors.

The line follows first parents, which variations change; second parents lent a subtree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from symloss.telling.report.difference import Piece, borrowed, difference
from symloss.telling.report.material import Row

MOST = 150  # ancestors that are drawn; the nearest are taken first
_LONGEST = 200  # steps of a line


@dataclass(frozen=True)
class Step:
    """One candidate on the line of descent.

    Args:
        row: the candidate.
        pieces: its genotype, with what differs from its first parent's; None for one that was newly grown.
        donor: its second parent; None where there is none.
        lent: subtrees that it has from the donor.
        gain: fitness less the first parent's, in the metric's own units; None where one of them has none.
    """

    row: Row
    pieces: tuple[Piece, ...] | None
    donor: Row | None
    lent: tuple[str, ...]
    gain: float | None


@dataclass(frozen=True)
class Family:
    """A winner's family.

    Args:
        line: from the first ancestor to the winner.
        members: all ancestors that are drawn, and the winner, by number.
        links: pairs of numbers, parent and child.
        left_out: ancestors that are not drawn.
    """

    line: tuple[Step, ...]
    members: tuple[Row, ...]
    links: tuple[tuple[int, int], ...]
    left_out: int


def family(rows: Mapping[int, Row], winner: int) -> Family | None:
    """Return the family of a candidate; None where the store does not hold it."""
    if winner not in rows:
        return None
    known = _ancestors(rows, winner)
    drawn = set(known[:MOST])
    links = [(parent, number) for number in sorted(drawn) for parent in _parents(rows, number) if parent in drawn]
    members = tuple(rows[number] for number in sorted(drawn))
    return Family(tuple(_line(rows, winner)), members, tuple(dict.fromkeys(links)), len(known) - len(drawn))


def _ancestors(rows: Mapping[int, Row], winner: int) -> list[int]:
    """Return the winner and its ancestors, nearest first."""
    found, level = {winner: None}, [winner]
    while level:
        parents = [parent for number in level for parent in _parents(rows, number)]
        level = [parent for parent in dict.fromkeys(parents) if parent not in found]
        found |= dict.fromkeys(level)
    return list(found)


def _parents(rows: Mapping[int, Row], number: int) -> list[int]:
    # Parents come earlier; a damaged store that says otherwise must not lead in a circle.
    return [parent for parent in rows[number].candidate.parents if parent in rows and parent < number]


def _line(rows: Mapping[int, Row], winner: int) -> list[Step]:
    line, number = [], winner
    for _ in range(_LONGEST):
        parents = _parents(rows, number)
        line.append(_step(rows[number], [rows[parent] for parent in parents]))
        if not parents:
            break
        number = parents[0]
    return line[::-1]


def _step(row: Row, parents: list[Row]) -> Step:
    if not parents:
        return Step(row, None, None, (), None)
    first, donor = parents[0], parents[1] if len(parents) > 1 and parents[1] is not parents[0] else None
    pieces = tuple(difference(first.candidate.text, row.candidate.text))
    lent = () if donor is None else tuple(borrowed(first.candidate.text, donor.candidate.text, row.candidate.text))
    gain = None if row.fitness is None or first.fitness is None else row.fitness - first.fitness
    return Step(row, pieces, donor, lent, gain)
