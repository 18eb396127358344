"""Which candidates of a run are read for its report: all, or of a large run those that matter and an even share.

A report holds fewer still, see `sample`; what it says of all candidates it has from counts and columns.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from symloss.running.storage.recollection import Standings
from symloss.running.storage.store import RunStore
from symloss.telling.ranking import Ranking

ALL = 20_000  # candidates of a run that are all read
MOST = 1000  # candidates that a report holds
KIN = 1000  # ancestors that are looked for


def choose(store: RunStore, standings: Standings, ranking: Ranking, total: int) -> list[int]:
    """Return the numbers of the candidates to read, increasing."""
    if total <= ALL:
        return list(range(total))
    winner = ranking.named or (ranking.best[0] if ranking.best else None)
    chosen = {each.number for each in (*ranking.best, *ranking.front)}
    chosen |= set(improving(standings)) | set(ancestors(store, winner.number) if winner else ())
    scored = standings.numbers[standings.trained & np.isfinite(standings.fitness)]
    chosen |= set(evenly(scored.tolist(), MOST)) | set(evenly(range(total), MOST))
    return sorted(chosen)


def improving(standings: Standings) -> list[int]:
    """Return the numbers of the trained candidates that were better than all before them."""
    trained = standings.trained & np.isfinite(standings.fitness)
    numbers, fitness = standings.numbers[trained], standings.fitness[trained]
    return [int(number) for number in numbers[_rises(fitness)]]


def _rises(fitness: NDArray[np.float64]) -> NDArray[np.bool_]:
    rises = np.ones(len(fitness), bool)
    rises[1:] = fitness[1:] > np.maximum.accumulate(fitness)[:-1]
    return rises


def ancestors(store: RunStore, number: int) -> list[int]:
    """Return a candidate and its ancestors, nearest first, as far as they are looked for."""
    found, level = {number: None}, [number]
    while level and len(found) < KIN:
        parents = [parent for own in store.parents(level) for parent in own]
        level = [parent for parent in dict.fromkeys(parents) if parent not in found]
        found |= dict.fromkeys(level)
    return list(found)


def evenly(numbers: Sequence[int], count: int) -> list[int]:
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
