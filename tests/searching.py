"""A stand-in for judging: outcomes that are a function of the formula, made without torch."""

import functools
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace

from symloss.errors import FormulaError
from symloss.language.candidate import Candidate, Measurement, Outcome, State
from symloss.language.formula import Formula, parse
from symloss.searching.fitness import Judge
from symloss.searching.searches import Search

JUDGE = Judge("accuracy", maximise=True)
Score = Callable[[Candidate], float]


@functools.cache
def formula_of(text: str, slot: str) -> Formula | None:
    """Read a candidate's text as a worker would; None where it has no formula."""
    try:
        return parse(text, slot)
    except FormulaError:
        return None


def scored(candidate: Candidate, value: float) -> Outcome:
    formula = formula_of(candidate.text, candidate.slot)
    measured = (Measurement(10, 0.1, 0, {"accuracy": value}),)
    return Outcome(
        candidate.number, State.SCORED, measurements=measured, formula=formula.canonical() if formula else None
    )


def rejected(candidate: Candidate) -> Outcome:
    return Outcome(candidate.number, State.REJECTED, candidate.finding.reason or "no good")


def hashed(candidate: Candidate) -> float:
    """Score a formula by its key: from 0 to 1, without rhyme."""
    formula = formula_of(candidate.text, candidate.slot)
    assert formula is not None
    return int.from_bytes(hashlib.sha256(formula.key.encode()).digest()[:4]) / 2**32


class Bench:
    """Judges batches as the engine would: what is no loss is rejected, gradients seen before are duplicates."""

    def __init__(self, score: Score = hashed) -> None:
        self.score = score
        self.seen: dict[bytes, int] = {}
        self.trained = 0

    def __call__(self, candidates: Sequence[Candidate]) -> list[Outcome]:
        return [self._judge(candidate) for candidate in candidates]

    def _judge(self, candidate: Candidate) -> Outcome:
        if candidate.finding.is_void or formula_of(candidate.text, candidate.slot) is None:
            return rejected(candidate)
        twin = self.seen.setdefault(candidate.finding.digest, candidate.number)
        if twin != candidate.number:
            return Outcome(candidate.number, State.DUPLICATE, f"same as {twin}", twin=twin)
        self.trained += 1
        return scored(candidate, self.score(candidate))


class TunedBench(Bench):
    """Judges as the engine does where workers tune: the outcome's formula has a factor that nobody has proposed."""

    def __call__(self, candidates: Sequence[Candidate]) -> list[Outcome]:
        return [self._tuned(outcome) for outcome in super().__call__(candidates)]

    def _tuned(self, outcome: Outcome) -> Outcome:
        if outcome.formula is None:
            return outcome
        return replace(outcome, formula=parse(f"1.2345*({outcome.formula.text})").canonical())


def run(search: Search, batches: int, bench: Bench | None = None, n: int | None = None) -> list[Candidate]:
    """Ask and tell; return all candidates."""
    bench = bench or Bench()
    candidates = []
    for _ in range(batches):
        asked = search.ask(n)
        search.tell(bench(asked))
        candidates += asked
    return candidates
