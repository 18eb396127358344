"""The finals: the best formulas and the published ones train again on fresh seeds, and the winner is tried once.

Each formula's learning rate and the winner are chosen on validation data; then the test set is touched, once, by the
winner and the baselines alike.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from statistics import fmean, stdev
from typing import Any

from symloss.judging.pool import Pool
from symloss.judging.tasks.task import Task
from symloss.language.candidate import Measurement, Outcome, State
from symloss.language.files import plain
from symloss.language.formula import Formula
from symloss.markup import fields_html, table_html
from symloss.running.proof.entrants import BASELINE, FOUND, Entrant
from symloss.running.proof.pairs import Tested, unit_for, verdicts
from symloss.running.proof.trials import NOBODY, Ring, Stop, Trials, Watcher
from symloss.running.proof.verdict import Unit, Verdict, sentence
from symloss.running.storage.store import RunStore, Trial
from symloss.searching.fitness import FAILED, Judge

UNITLESS = Unit("")


@dataclass(frozen=True)
class Row:
    """One entrant's results.

    Args:
        learning_rate: chosen on validation; None where it failed.
        validation: mean of the judging metric over seeds; None where it failed.
        test: metric -> mean and standard deviation over seeds; empty for those that did not reach the test set.
        reason: why it failed, in words.
        by_seed: metric -> value on the test set of each training, in the order of the seeds' numbers.
    """

    name: str
    role: str
    formula: str
    learning_rate: float | None
    validation: float | None
    test: Mapping[str, tuple[float, float]]
    reason: str = ""
    by_seed: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Finals:
    """What the finals found.

    Args:
        winner: best of the found formulas on validation; None when none was scored.
        verdicts: the winner against each baseline by the judging metric, the reference first.
        others: the same by the task's further metrics.
        sentence: what the verdicts come to, in plain words.
        metric: that decided.
        seeds: trainings of each formula.
        unit: in which differences of the metric are written.
    """

    winner: Formula | None
    rows: tuple[Row, ...]
    verdicts: tuple[Verdict, ...]
    others: tuple[Verdict, ...]
    sentence: str
    metric: str
    seeds: int
    unit: Unit = UNITLESS

    def _repr_html_(self) -> str:
        rows = [
            {"name": each.name, "formula": each.formula, "rate": each.learning_rate, "validation": each.validation}
            | {f"test {name}": f"{mean:.4g} ± {deviation:.2g}" for name, (mean, deviation) in each.test.items()}
            for each in self.rows
            if each.test or each.reason
        ]
        title = f"{self.seeds} fresh seeds, learning rates tuned alike by {self.metric} on validation"
        return table_html(rows, title) + fields_html([("verdict", self.sentence)])

    def document(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        table: dict[str, Any] = plain(asdict(replace(self, winner=None)))
        return {**table, "winner": None if self.winner is None else self.winner.text}


@dataclass(frozen=True)
class _Arena:
    """Who enters, on what, and how they are trained."""

    field: Sequence[Entrant]
    task: Task
    trials: Trials
    stop: Stop
    watcher: Watcher

    @property
    def judge(self) -> Judge:
        return Judge.by(self.task.metric)

    def without_winner(self, chosen: Mapping[str, Outcome], said: str) -> Finals:
        return Finals(None, self.rows(chosen, {}), (), (), said, self.task.metric.name, len(self.trials.plan.seeds))

    def decided(
        self, first: Entrant, others: Sequence[Entrant], chosen: Mapping[str, Outcome], tested: Tested
    ) -> Finals | None:
        """Set one entrant against others by every metric, and say what that comes to; None when stopped before."""
        metric = self.task.metric
        known = self._verdicts(first, others, tested)
        if known is None:
            return None
        main, further = known[: len(others)], known[len(others) :]
        unit, seeds = unit_for(metric, tested.get(first.formula.key), self.task), len(self.trials.plan.seeds)
        rows = self.rows(chosen, tested)
        return Finals(first.formula, rows, main, further, sentence(main, unit), metric.name, seeds, unit)

    def rows(self, chosen: Mapping[str, Outcome], tested: Tested) -> tuple[Row, ...]:
        return rows_of(self.field, chosen, tested, self.task)

    def _verdicts(self, first: Entrant, others: Sequence[Entrant], tested: Tested) -> tuple[Verdict, ...] | None:
        """Compare by the judging metric, then by the others; a metric that is no mean takes its time."""
        metric = self.task.metric
        metrics = [metric, *(each for each in self.task.metrics if each.name != metric.name)]
        known: list[Verdict] = []
        for each in metrics:
            for verdict in verdicts(first, others, tested, each, self.task, self.trials):
                known.append(verdict)
                self.watcher.compared(len(known), len(metrics) * len(others))
                if self.stop():
                    return None
        return tuple(known)


def run_finals(
    field: Sequence[Entrant],
    task: Task,
    trials: Trials,
    pool: Pool,
    store: RunStore | None,
    stop: Stop = lambda: False,
    watcher: Watcher = NOBODY,
) -> Finals | None:
    """Try the best found formula against the baselines.

    Args:
        field: found formulas and baselines, see `trials.entrants`.
        store: keeps every trained job, so that finals go on where they were interrupted; None keeps nothing.
        stop: asked often; True ends the finals, to be resumed.
        watcher: told how far they are.

    Returns:
        None when stopped before the end.
    """
    arena = _Arena(field, task, trials, stop, watcher)
    ring = Ring(task, trials, pool, store, stop, watcher.trained)
    found = [each for each in field if each.role == FOUND]
    baselines = [each for each in field if each.role == BASELINE]
    if not found:
        return arena.without_winner({}, "no candidate was scored")
    chosen = ring.validate(field)
    if chosen is None:
        return None
    winner = max(found, key=lambda each: arena.judge.fitness(chosen[each.formula.key]))
    if arena.judge.fitness(chosen[winner.formula.key]) == FAILED:
        return arena.without_winner(chosen, "no candidate was scored in the finals")
    tested = ring.test([winner, *baselines], chosen)
    return None if tested is None else arena.decided(winner, baselines, chosen, tested)


def compare(
    field: Sequence[Entrant],
    task: Task,
    trials: Trials,
    pool: Pool,
    stop: Stop = lambda: False,
    watcher: Watcher = NOBODY,
) -> Finals | None:
    """Compare formulas that a person names: all reach the test set, and the first is set against each other one.

    Returns:
        None when stopped before the end.
    """
    ring = Ring(task, trials, pool, None, stop, watcher.trained)
    chosen = ring.validate(field)
    tested = None if chosen is None else ring.test(field, chosen)
    if chosen is None or tested is None:
        return None
    return _Arena(field, task, trials, stop, watcher).decided(field[0], field[1:], chosen, tested)


def rows_of(field: Sequence[Entrant], chosen: Mapping[str, Outcome], tested: Tested, task: Task) -> tuple[Row, ...]:
    """Return every entrant's results, from its outcome on validation and its trial on the test set."""
    judge = Judge.by(task.metric)
    pairs = [(each, each.formula.key) for each in field]
    return tuple(_row(each, chosen[key], tested.get(key), judge) for each, key in pairs if key in chosen)


def retest(
    field: Sequence[Entrant],
    rates: Mapping[str, float],
    task: Task,
    trials: Trials,
    pool: Pool,
    stop: Stop = lambda: False,
    watcher: Watcher = NOBODY,
) -> Finals | None:
    """Compare formulas at learning rates that were chosen before: the test set alone is measured.

    Args:
        rates: formula key -> learning rate; a formula without one counts as failed.

    Returns:
        None when stopped before the end.
    """
    ring, chosen = Ring(task, trials, pool, None, stop, watcher.trained), {}
    for each in field:
        rate = rates.get(each.formula.key)
        chosen[each.formula.key] = _failed() if rate is None else _chosen(rate, trials, task)
    tested = ring.test(field, chosen)
    if tested is None:
        return None
    return _Arena(field, task, trials, stop, watcher).decided(field[0], field[1:], chosen, tested)


def _failed() -> Outcome:
    return Outcome(0, State.DIVERGED, "no learning rate stayed finite on all seeds")


def _chosen(rate: float, trials: Trials, task: Task) -> Outcome:
    # One measurement of no value says which rate is the best; there is no other.
    measured = Measurement(trials.plan.steps, rate, trials.plan.seeds[0], {task.metric.name: 0.0})
    return Outcome(0, State.SCORED, measurements=(measured,))


def _row(entrant: Entrant, outcome: Outcome, trial: Trial | None, judge: Judge) -> Row:
    fitness = judge.fitness(outcome)
    value = None if fitness == FAILED else fitness if judge.maximise else -fitness
    reason = outcome.reason or ("" if value is not None else "no learning rate stayed finite on all seeds")
    if trial is not None and not reason:
        reason = trial.outcome.reason
    by_seed = {} if trial is None else _columns(trial.outcome)
    test = {name: summary(column) for name, column in by_seed.items()}
    rate = judge.best_learning_rate(outcome)
    return Row(entrant.name, entrant.role, entrant.formula.text, rate, value, test, reason, by_seed)


def _columns(outcome: Outcome) -> dict[str, tuple[float, ...]]:
    last = max((each.step for each in outcome.measurements), default=0)
    measured = sorted((each for each in outcome.measurements if each.step == last), key=lambda each: each.seed)
    metrics = sorted({name for each in measured for name in each.values})
    return {name: tuple(each.values[name] for each in measured) for name in metrics}


def summary(column: Sequence[float]) -> tuple[float, float]:
    """Return mean and standard deviation; NaN for that of a single value."""
    return fmean(column), stdev(column) if len(column) > 1 else math.nan
