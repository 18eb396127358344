"""A stored run's formulas, ranked anew from their raw measurements, without torch and without a search.

The order is the hall of fame's: twins, which training cannot tell apart, stand in it once, as the simplest of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from symloss.language.candidate import Outcome, State
from symloss.running.store import RunStore, StoredCandidate
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


def rank_run(store: RunStore) -> list[Ranked]:
    """Return a run's scored formulas, best first; of equally good ones the simpler, then the earlier."""
    meta = store.meta()
    judge, outcomes = Judge(meta["metric"], meta["maximise"]), store.outcomes()
    return rank(store.candidates(), outcomes, scores_of(outcomes, judge), meta["slot"], judge.maximise)


def rank(
    candidates: Iterable[StoredCandidate],
    outcomes: Mapping[int, Outcome],
    scores: Mapping[int, float],
    slot: str,
    maximise: bool,
) -> list[Ranked]:
    """Rank what was read from a run store already, as `rank_run` does.

    Args:
        outcomes: candidate number -> outcome.
        scores: see `scores_of`.
        slot: of the run.
        maximise: whether more of the metric is better.
    """
    sign, hall = 1 if maximise else -1, HallOfFame(slot)
    for each in candidates:
        outcome = outcomes.get(each.number)
        if outcome is not None:
            first = each.number if outcome.twin is None else outcome.twin
            hall.add(each.number, each.text, scores.get(first, FAILED), outcome.formula, first)
    ranked = hall.best(len(hall))
    return [Ranked(each.number, each.text, each.complexity, sign * each.fitness) for each in ranked]


def scores_of(outcomes: Mapping[int, Outcome], judge: Judge) -> dict[int, float]:
    """Return candidate number -> fitness, higher is better, for those that were scored."""
    return {number: judge.fitness(each) for number, each in outcomes.items() if each.state is State.SCORED}


def front_of(ranked: list[Ranked]) -> list[Ranked]:
    """Return the Pareto front of a ranking, simplest first: each is better than everything simpler."""
    front: list[Ranked] = []
    for each in ranked:  # best first, so whatever follows must be simpler to stand on the front
        if not front or each.complexity < front[-1].complexity:
            front.append(each)
    return front[::-1]
