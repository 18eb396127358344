"""A stored run's formulas, ranked without torch and without a search.

The order is the hall of fame's: twins, which training cannot tell apart, stand in it once, as the simplest of them.
What the search was told is kept with the run; what it was not told yet, and all of a run of an older version, is scored
anew from its raw measurements.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from symloss.errors import FormulaError
from symloss.language.candidate import TRAINED, Outcome, State
from symloss.language.formula import parse
from symloss.running.storage.recollection import Standings, gaps_of
from symloss.running.storage.store import RunStore
from symloss.searching.archive import HallOfFame
from symloss.searching.fitness import FAILED, Judge


@dataclass(frozen=True)
class Ranked:
    """A scored formula of a run.

    Args:
        number: of its candidate.
        fitness: in the metric's own units.
    """

    number: int
    formula: str
    complexity: int
    fitness: float


@dataclass(frozen=True)
class Ranking:
    """A run's scored formulas.

    Args:
        best: the first so many, best first; of equally good ones the simpler, then the earlier.
        front: Pareto front of fitness against complexity, simplest first: each is better than everything simpler.
        named: the formula that was asked for by its text; None where there is none.
    """

    best: tuple[Ranked, ...]
    front: tuple[Ranked, ...]
    named: Ranked | None = None


def rank_run(store: RunStore, most: int | None = None, named: str | None = None) -> Ranking:
    """Rank a run's scored formulas.

    Args:
        most: how many of the best; None for all.
        named: text of a formula to find.
    """
    return rank(store, stand(store), most, named)


def stand(store: RunStore) -> Standings:
    """Return how all candidates of a run stand, those included that the search was not told yet."""
    told, meta = store.standings(), store.meta()
    outcomes = _untold(store, told)
    if not outcomes:
        return told
    return _joined(told, _stand_anew(store, outcomes, Judge(meta["metric"], meta["maximise"]), meta["slot"]))


def _untold(store: RunStore, told: Standings) -> dict[int, Outcome]:
    """Return the outcomes of what the search was not told yet; an asynchronous one was told later batches before."""
    behind = int(told.numbers[-1]) + 1 if len(told) else 0
    between: dict[int, Outcome] = {}
    for first, last in gaps_of(told.numbers):  # a stranger's store may leave out a thousand million
        between |= store.outcomes(first, last)
    return between | store.outcomes(behind)


def rank(store: RunStore, standings: Standings, most: int | None = None, named: str | None = None) -> Ranking:
    """Rank what stands, as `rank_run` does."""
    slot, sign = store.meta()["slot"], 1 if store.meta()["maximise"] else -1
    order = _ranked(standings)
    size = standings.complexity[order]
    simplest = np.minimum.accumulate(size) if len(size) else size
    on_front = np.ones(len(size), bool)
    on_front[1:] = size[1:] < simplest[:-1]
    wanted = [] if named is None else _places_of(store, standings, named, slot)
    best, front = order[:most], order[on_front][::-1]
    formulas = store.formulas([int(standings.numbers[place]) for place in dict.fromkeys([*best, *front, *wanted])])
    known: dict[str, int] = {}  # key -> the first candidate that has it: a formula stands in a ranking once
    for number in sorted(formulas):
        known.setdefault(formulas[number].key, number)

    def told(places: Iterable[int]) -> tuple[Ranked, ...]:
        entries = [(int(standings.numbers[place]), sign * float(standings.fitness[place])) for place in places]
        first = [each for each in entries if each[0] in formulas and known[formulas[each[0]].key] == each[0]]
        return tuple(Ranked(n, formulas[n].text, formulas[n].complexity, fitness) for n, fitness in first)

    return Ranking(told(best), told(front), next(iter(told(wanted)), None))


def _ranked(standings: Standings) -> NDArray[np.int64]:
    """Return the places of the simplest of all twins, best first."""
    places = np.flatnonzero(np.isfinite(standings.fitness) & (standings.complexity > 0))
    # By first twin, then the simplest, then the earlier.
    places = places[np.lexsort((standings.numbers[places], standings.complexity[places], standings.origins[places]))]
    _, simplest = np.unique(standings.origins[places], return_index=True)
    places = places[simplest]
    keys = standings.numbers[places], standings.complexity[places], -standings.fitness[places]
    return places[np.lexsort(keys)]


def _places_of(store: RunStore, standings: Standings, text: str, slot: str) -> list[int]:
    try:
        numbers = store.with_key(parse(text, slot).key)
    except FormulaError:
        return []
    places = np.searchsorted(standings.numbers, numbers)
    scored = (place for place, number in zip(places, numbers, strict=True) if _scored_at(standings, int(place), number))
    return [int(place) for place in scored]


def _scored_at(standings: Standings, place: int, number: int) -> bool:
    here = place < len(standings) and standings.numbers[place] == number
    return bool(here and np.isfinite(standings.fitness[place]))


def _stand_anew(store: RunStore, outcomes: Mapping[int, Outcome], judge: Judge, slot: str) -> Standings:
    """Work out how candidates stand from their measurements."""
    hall, scores = HallOfFame(slot), scores_of(outcomes, judge)
    tunes = store.meta().get("tunes", False)  # then a twin's own text is not what was scored
    rows: list[tuple[int, int, float, int, bool]] = []
    for each in store.candidates(min(outcomes), max(outcomes)):
        outcome = outcomes.get(each.number)
        if outcome is None:
            continue
        origin = each.number if outcome.twin is None else outcome.twin
        score = scores.get(origin, FAILED)
        formula = outcome.formula
        if formula is None and score > FAILED and not tunes:
            formula = hall.read_simpler(each.text, origin)
        if formula is not None:
            hall.add(each.number, each.text, score, formula, origin)
        size = formula.complexity if formula is not None and hall.holds(each.number, origin) else 0
        rows.append((each.number, origin, np.nan if score == FAILED else score, size, outcome.state in TRAINED))
    numbers, origins, fitness, complexity, trained = zip(*rows, strict=True)
    return Standings(
        np.asarray(numbers), np.asarray(origins), np.asarray(fitness), np.asarray(complexity), np.asarray(trained)
    )


def _joined(one: Standings, other: Standings) -> Standings:
    order = np.argsort(np.concatenate([one.numbers, other.numbers]), kind="stable")
    return Standings(
        *(np.concatenate([getattr(one, name), getattr(other, name)])[order] for name in Standings.__dataclass_fields__)
    )


def scores_of(outcomes: Mapping[int, Outcome], judge: Judge) -> dict[int, float]:
    """Return candidate number -> fitness, higher is better, for those that were scored."""
    return {number: judge.fitness(each) for number, each in outcomes.items() if each.state is State.SCORED}
