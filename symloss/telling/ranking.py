"""A stored run's formulas, ranked anew from their raw measurements, without torch and without a search.

The order is the hall of fame's: twins, which training cannot tell apart, stand in it once, as the simplest of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from symloss.language.candidate import Outcome, State
from symloss.running.store import RunStore, StoredCandidate
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
    return rank(store.candidates(), outcomes, scores_of(outcomes, judge), judge.maximise)


def rank(
    candidates: Iterable[StoredCandidate], outcomes: Mapping[int, Outcome], scores: Mapping[int, float], maximise: bool
) -> list[Ranked]:
    """Rank what was read from a run store already, as `rank_run` does.

    Args:
        outcomes: candidate number -> outcome.
        scores: see `scores_of`.
        maximise: whether more of the metric is better.
    """
    sign = 1 if maximise else -1
    simplest: dict[int, Ranked] = {}
    for each in candidates:
        outcome = outcomes.get(each.number)
        first = each.number if outcome is None or outcome.twin is None else outcome.twin
        score = scores.get(first, FAILED)
        if each.formula is None or each.complexity is None or score == FAILED:
            continue
        if first not in simplest or each.complexity < simplest[first].complexity:
            simplest[first] = Ranked(each.number, each.formula, each.complexity, sign * score)
    return sorted(simplest.values(), key=lambda each: (-sign * each.fitness, each.complexity, each.number))


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
