"""When a run ends: an experiment's stops, and the signals of a person or a machine that wants it to end now.

Stops that decide a result are looked at between batches only; time and signals may end the run within one, which is
then left to a resume.
"""

import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from symloss.errors import RunError
from symloss.interrupts import Interrupts
from symloss.language.candidate import TRAINED, Outcome, State
from symloss.running.config import Stop
from symloss.running.observer import Progress
from symloss.searching.archive import HallOfFame
from symloss.searching.fitness import FAILED, Judge
from symloss.searching.told import Told

DRY = "the search has nothing new to propose: the grammar's space is exhausted"


@dataclass
class Tally:
    """What the told batches add up to; the same after a resume as without a break.

    Args:
        generations: told; as many as batches, but in an asynchronous search.
    """

    batches: int = 0
    generations: int = 0
    candidates: int = 0
    counts: Counter[State] = field(default_factory=Counter)

    @property
    def evaluated(self) -> int:
        """Distinct candidates trained."""
        return sum(self.counts[state] for state in TRAINED)

    def with_(self, other: "Tally") -> "Tally":
        """Return what both add up to; as many batches as here, because the other's is not told yet."""
        return Tally(self.batches, self.generations, self.candidates + other.candidates, self.counts + other.counts)

    def add(self, outcomes: Sequence[Outcome | Told]) -> None:
        """Count a told batch."""
        self.batches += 1
        self.generations += 1
        self.candidates += len(outcomes)
        self.counts.update(outcome.state for outcome in outcomes)


class Pending:
    """What a batch that is not told yet has come to: counted as it comes, because a large one takes its time.

    Args:
        judge: of the search.

    Attributes:
        best: text and fitness of the fittest so far; None while none was scored.
    """

    def __init__(self, judge: Judge) -> None:
        self.tally = Tally()
        self.best: tuple[str, float] | None = None
        self._judge = judge

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Count some that have ended."""
        self.tally.add(outcomes)
        for outcome in outcomes:
            fitness = self._judge.fitness(outcome)
            if outcome.formula is not None and fitness > (FAILED if self.best is None else self.best[1]):
                self.best = outcome.formula.text, fitness


class Ending:
    """Decides when a search ends, and says why in words.

    Args:
        stop: the experiment's.
        sign: 1 where the metric is maximised, -1 where it is minimised; turns the target into a fitness.
        told: batches that earlier sessions told; they are replayed without a look at the stops.
        spent: seconds that earlier sessions searched.
        interrupts: heard signals end the search too.
        idle: called whenever the pool asks, which it does often while it waits.
        fault: what `idle` has raised. It ends the batch, and is raised after it: a pool that trains would take it for a
            candidate's fault.

    Attributes:
        steps: training steps spent so far, as whoever drives the search counts them.
    """

    def __init__(
        self, stop: Stop, sign: int, told: int, spent: float, interrupts: Interrupts, idle: Callable[[], object] = bool
    ) -> None:
        self.tally = Tally()
        self.told = told
        self.best: tuple[str, float] | None = None
        self.fault: RunError | None = None
        self.steps = 0
        self._stop = stop
        self._sign = sign
        self._spent = spent
        self._interrupts = interrupts
        self._idle = idle
        self._began = time.monotonic()
        self._trained = 0

    @property
    def session(self) -> float:
        """Seconds searched in this session."""
        return time.monotonic() - self._began

    @property
    def seconds(self) -> float:
        """Seconds searched, all sessions together."""
        return self._spent + self.session

    def reason(self, in_training: int = 0, steps: int = 0) -> str:
        """Return why no further batch is begun; empty to go on.

        Args:
            in_training: candidates that will have been trained when what was asked has ended.
            steps: training steps that these take.
        """
        if self._interrupts.heard is None and self.replaying:
            return ""
        return self.cut_short() or next((words for reached, words in self._stops(in_training, steps) if reached), "")

    def cut_short(self) -> str:
        """Return why a batch is left unfinished; empty to go on."""
        if self._interrupts.heard is not None:
            return f"interrupted by {signal.Signals(self._interrupts.heard).name}"
        limit = self._stop.time
        return f"the time of {limit:g} seconds is over" if limit is not None and self.seconds >= limit else ""

    def now(self) -> bool:
        """Whether to end within a batch; the pool asks this often."""
        self._interrupts.listen()
        if self.fault is None:
            try:
                self._idle()
            except RunError as error:
                self.fault = error
        return self.fault is not None or bool(self.cut_short())

    def trained(self, outcomes: Sequence[Outcome]) -> None:
        """Count what this session has trained, for its speed."""
        self._trained += len(outcomes)

    @property
    def replaying(self) -> bool:
        """Whether the batch that comes next was told in an earlier session."""
        return self.tally.batches < self.told

    def told_batch(
        self, outcomes: Sequence[Outcome | Told], archive: HallOfFame, generations: int | None = None
    ) -> None:
        """Count a batch that the search was told, and look who leads now.

        Args:
            generations: that are over by now; None where each batch is one.
        """
        self.tally.add(outcomes)
        if generations is not None:
            self.tally.generations = generations
        leader = archive.leader()
        if leader is not None:
            self.best = (leader.text, leader.fitness)

    def progress(self, pending: Pending | None = None) -> Progress:
        """Describe how far the search is, what an unfinished batch has come to included."""
        tally = self.tally if pending is None else self.tally.with_(pending.tally)
        here = self.session
        leaders = [each for each in (self.best, pending and pending.best) if each]
        leader = max(leaders, key=lambda each: each[1], default=None)
        best, fitness = ("", None) if leader is None else (leader[0], self._sign * leader[1])
        return Progress(
            generation=self.tally.generations, candidates=tally.candidates, evaluated=tally.evaluated,
            counts=dict(tally.counts), best=best, fitness=fitness, rate=self._trained / here if here > 0 else 0.0,
            seconds=self.seconds, left=self._left(tally.evaluated),
        )  # fmt: skip

    def _stops(self, in_training: int, steps: int) -> list[tuple[bool, str]]:
        stop, tally = self._stop, self.tally
        target = None if stop.target is None else self._sign * stop.target
        return [
            (_reached(tally.generations, stop.generations), f"{tally.generations} generations are done"),
            (_reached(tally.evaluated + in_training, stop.evaluations), f"{tally.evaluated} candidates are trained"),
            (_reached(self.steps + steps, stop.steps), f"{self.steps} training steps are spent"),
            (_reached(self.best[1] if self.best else None, target), f"the target of {stop.target} is reached"),
        ]

    def _left(self, evaluated: int) -> float | None:
        stop, done = self._stop, self.tally.generations
        per_batch = self.seconds / done if done else None
        per_training = self.seconds / evaluated if evaluated else None
        per_step = self.seconds / self.steps if self.steps else None
        ends = [
            _times(stop.generations, done, per_batch),
            _times(stop.evaluations, evaluated, per_training),
            _times(stop.steps, self.steps, per_step),
            _times(stop.time, self.seconds, 1.0),
        ]
        return min((max(0.0, end) for end in ends if end is not None), default=None)


def _reached(value: float | None, limit: float | None) -> bool:
    return value is not None and limit is not None and value >= limit


def _times(limit: float | None, done: float, each: float | None) -> float | None:
    return None if limit is None or each is None else (limit - done) * each
