"""What a search is told of a candidate, in as few words as it learns from: enough to tell it again.

A run keeps these, so that a resume need not propose, probe and score again what was told before.
"""

from dataclasses import dataclass

from symloss.language.candidate import State
from symloss.language.formula import Canonical
from symloss.searching.fitness import FAILED, NO_PROMISE, Promise


@dataclass(frozen=True, slots=True)
class Told:
    """A candidate as the search has learnt it.

    Args:
        number: of the candidate.
        text: its tree.
        digest: of its gradient, see `Finding`.
        state: how it ended.
        origin: number of its first twin; its own where it has none.
        fitness: higher is better; minus infinity for a failure.
        complexity: of its formula in nodes; of its tree where it was not trained.
        formula: as whoever trained it has read it; of a twin, where it is simpler than all earlier ones; else None.
        promise: of one whose training was stopped early, see `Judge.promise`.
        robustness: see `Judge.robustness`; minus infinity for a failure.
        worth_training: whether the free tests on probe points let it pass, as no twin of an earlier one.
    """

    number: int
    text: str
    digest: bytes
    state: State
    origin: int
    fitness: float
    complexity: int
    formula: Canonical | None = None
    promise: Promise = NO_PROMISE
    robustness: float = FAILED
    worth_training: bool = False
