"""The finals: the best formulas and the published ones train again on fresh seeds, and the winner is tried once.

Each formula's learning rate and the winner are chosen on validation data; then the test set is touched, once, by the
winner and the baselines alike.
"""

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import fmean, stdev
from typing import Any

import numpy as np
import torch

from symloss.judging.evaluate import Job, Judged
from symloss.judging.plan import Plan
from symloss.judging.pool import Pool
from symloss.judging.tasks.metrics import Metric
from symloss.judging.tasks.task import Task
from symloss.language.candidate import Outcome, State
from symloss.language.formula import Formula
from symloss.language.lossfile import plain
from symloss.language.zoo import zoo
from symloss.running.store import RunStore, Trial
from symloss.running.verdict import (
    Floats,
    Indices,
    Interval,
    Verdict,
    interval_of_metric,
    interval_of_scores,
    sentence,
    unit_of,
)
from symloss.searching.fitness import FAILED, Judge

FEW = 1000  # resamples of a metric that must be computed anew on each

FOUND, BASELINE = "found", "baseline"


@dataclass(frozen=True)
class Entrant:
    """A formula that enters the finals.

    Args:
        name: as tables and sentences call it.
        role: `found` by the search, or `baseline`.
    """

    name: str
    formula: Formula
    role: str


@dataclass(frozen=True)
class Trials:
    """How entrants are trained.

    Args:
        plan: on validation, at all learning rates and all seeds.
        seed: of the bootstrap.
        resamples: of the bootstrap.
        time_limit: seconds that one job may take.
    """

    plan: Plan
    seed: int
    resamples: int
    time_limit: float


@dataclass(frozen=True)
class Row:
    """One entrant's results.

    Args:
        learning_rate: chosen on validation; None where it failed.
        validation: mean of the judging metric over seeds; None where it failed.
        test: metric -> mean and standard deviation over seeds; empty for those that did not reach the test set.
        reason: why it failed, in words.
    """

    name: str
    role: str
    formula: str
    learning_rate: float | None
    validation: float | None
    test: Mapping[str, tuple[float, float]]
    reason: str = ""


@dataclass(frozen=True)
class Finals:
    """What the finals found.

    Args:
        winner: best of the found formulas on validation; None when none was scored.
        verdicts: the winner against each baseline, the reference first.
        sentence: what that comes to, in plain words.
        metric: that decided.
        seeds: trainings of each formula.
    """

    winner: Formula | None
    rows: tuple[Row, ...]
    verdicts: tuple[Verdict, ...]
    sentence: str
    metric: str
    seeds: int

    def document(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        table = plain(asdict(replace(self, winner=None)))
        return {**table, "winner": None if self.winner is None else self.winner.text}


def entrants(found: Sequence[Formula], baselines: Iterable[str]) -> list[Entrant]:
    """List who enters: found formulas in the order of their fitness in the search, then baselines by zoo name."""
    first = [Entrant(f"found {place}", formula, FOUND) for place, formula in enumerate(found, 1)]
    return [*first, *(Entrant(name, zoo[name], BASELINE) for name in baselines)]


def run_finals(
    field: Sequence[Entrant],
    task: Task,
    trials: Trials,
    pool: Pool,
    store: RunStore | None,
    stop: Callable[[], bool] = lambda: False,
    watch: Callable[[int, int], None] = lambda done, total: None,
) -> Finals | None:
    """Try the best found formula against the baselines.

    Args:
        field: found formulas and baselines, see `entrants`.
        store: keeps every trained job, so that finals go on where they were interrupted; None keeps nothing.
        stop: asked often; True ends the finals, to be resumed.
        watch: told the number of jobs done and in all.

    Returns:
        None when stopped before the end.
    """
    ring = _Ring(task, trials, pool, store, stop, watch)
    judge = Judge(task.metric.name, task.metric.maximise)
    found = [each for each in field if each.role == FOUND]
    baselines = [each for each in field if each.role == BASELINE]
    if not found:
        return Finals(None, (), (), "no candidate was scored", task.metric.name, len(trials.plan.seeds))
    chosen = ring.validate(field)
    if chosen is None:
        return None
    winner = max(found, key=lambda each: judge.fitness(chosen[each.formula.key]))
    if judge.fitness(chosen[winner.formula.key]) == FAILED:
        return _finals(None, field, chosen, {}, (), task, trials)
    tested = ring.test([winner, *baselines], chosen)
    if tested is None:
        return None
    verdicts = tuple(ring.verdict(winner, baseline, tested) for baseline in baselines)
    return _finals(winner, field, chosen, tested, verdicts, task, trials)


def compare(
    field: Sequence[Entrant], task: Task, trials: Trials, pool: Pool, stop: Callable[[], bool] = lambda: False
) -> Finals | None:
    """Compare formulas that a person names: all reach the test set, and the first is set against each other one.

    Returns:
        None when stopped before the end.
    """
    ring = _Ring(task, trials, pool, None, stop, lambda done, total: None)
    chosen = ring.validate(field)
    tested = None if chosen is None else ring.test(field, chosen)
    if chosen is None or tested is None:
        return None
    first, *others = field
    verdicts = tuple(ring.verdict(first, other, tested) for other in others)
    return _finals(first, field, chosen, tested, verdicts, task, trials)


class _Ring:
    """Where entrants are trained: jobs that the store knows are not trained again."""

    def __init__(
        self,
        task: Task,
        trials: Trials,
        pool: Pool,
        store: RunStore | None,
        stop: Callable[[], bool],
        watch: Callable[[int, int], None],
    ) -> None:
        self._task = task
        self._trials = trials
        self._pool = pool
        self._store = store
        self._stop = stop
        self._watch = watch
        self._judge = Judge(task.metric.name, task.metric.maximise)
        self._known = {} if store is None else store.trials()
        self._used: set[str] = set()

    def validate(self, field: Sequence[Entrant]) -> dict[str, Outcome] | None:
        """Train at all learning rates; formula key -> outcome, None when stopped."""
        done = self._train({each.formula.key: (each.formula, self._trials.plan) for each in field})
        return None if done is None else {key: trial.outcome for key, trial in done.items()}

    def test(self, field: Sequence[Entrant], chosen: Mapping[str, Outcome]) -> dict[str, Trial] | None:
        """Train those that did not fail again, each at its chosen learning rate, and measure them on the test set."""
        jobs = {}
        for each in field:
            rate = self._judge.best_learning_rate(chosen[each.formula.key])
            if rate is not None:
                plan = replace(self._trials.plan, learning_rates=(rate,), measure=("test",))
                jobs[each.formula.key] = (each.formula, plan)
        done = self._train(jobs)
        if done is not None and self._store is not None:
            self._store.keep_trials(self._used)
        return done

    def verdict(self, winner: Entrant, other: Entrant, tested: Mapping[str, Trial]) -> Verdict:
        """Compare two formulas by their outputs on the test set."""
        first, second = tested.get(winner.formula.key), tested.get(other.formula.key)
        for name, trial in ((winner.name, first), (other.name, second)):
            if trial is None or trial.outcome.state is not State.SCORED:
                return Verdict(other.name, None, f"{name} failed" if trial is None else trial.outcome.reason)
        assert first is not None
        assert second is not None
        return Verdict(other.name, self._interval(first, second))

    def _interval(self, first: Trial, second: Trial) -> Interval:
        metric, targets = self._task.metric, self._task.test()[1]
        sign = 1.0 if metric.maximise else -1.0
        one, other = _outputs(first), _outputs(second)
        if metric.per_example is not None:
            scores = sign * (_scores(metric, one, targets) - _scores(metric, other, targets))
            return interval_of_scores(scores, self._trials.resamples, self._trials.seed)

        def differences(examples: Indices) -> Floats:
            index = torch.from_numpy(examples)
            values = [metric.function(each[:, index], targets[index]).double().numpy() for each in (one, other)]
            return np.asarray(sign * (values[0] - values[1]))

        shape = (len(one), len(targets))
        return interval_of_metric(differences, shape, min(self._trials.resamples, FEW), self._trials.seed)

    def _train(self, wanted: Mapping[str, tuple[Formula, Plan]]) -> dict[str, Trial] | None:
        names = {key: job_name(formula, plan) for key, (formula, plan) in wanted.items()}
        self._used |= set(names.values())
        missing = [key for key, name in names.items() if name not in self._known]
        jobs = [self._job(place, *wanted[key]) for place, key in enumerate(missing)]
        self._watch(len(names) - len(jobs), len(names))
        for job, (judged,) in self._pool.run_with_outputs(jobs, self._stop):
            key = missing[job.number]
            self._keep(names[key], *wanted[key], judged)
            self._watch(sum(name in self._known for name in names.values()), len(names))
        if any(name not in self._known for name in names.values()):
            return None
        return {key: self._known[name] for key, name in names.items()}

    def _job(self, place: int, formula: Formula, plan: Plan) -> Job:
        return Job(place, ((place, formula.text, formula.slot),), plan, self._trials.time_limit)

    def _keep(self, name: str, formula: Formula, plan: Plan, judged: Judged) -> None:
        outputs = {} if judged.outputs is None else dict(zip(plan.seeds, judged.outputs, strict=True))
        trial = Trial(name, plan.measure[0], formula.text, judged.outcome, outputs)
        self._known[name] = trial
        if self._store is not None:
            self._store.write_trial(trial)


def job_name(formula: Formula, plan: Plan) -> str:
    """Name a job by all that decides its result within a run."""
    return hashlib.sha256(json.dumps([formula.slot, formula.text, asdict(plan)]).encode()).hexdigest()[:32]


def _outputs(trial: Trial) -> torch.Tensor:
    return torch.stack([torch.from_numpy(np.array(trial.outputs[seed])) for seed in sorted(trial.outputs)])


def _scores(metric: Metric, outputs: torch.Tensor, targets: torch.Tensor) -> Floats:
    assert metric.per_example is not None
    return np.asarray(metric.per_example(outputs, targets).double().numpy())


def _finals(
    winner: Entrant | None,
    field: Sequence[Entrant],
    chosen: Mapping[str, Outcome],
    tested: Mapping[str, Trial],
    verdicts: tuple[Verdict, ...],
    task: Task,
    trials: Trials,
) -> Finals:
    metric = task.metric
    judge = Judge(metric.name, metric.maximise)
    rows = tuple(_row(each, chosen[each.formula.key], tested.get(each.formula.key), judge) for each in field)
    if winner is None:
        said = "no candidate was scored in the finals"
    else:
        trial = tested.get(winner.formula.key)
        scores = None
        if metric.per_example is not None and trial is not None and trial.outputs:
            scores = _scores(metric, _outputs(trial), task.test()[1])
        said = sentence(verdicts, unit_of(metric.name, scores, metric.maximise))
    return Finals(winner.formula if winner else None, rows, verdicts, said, metric.name, len(trials.plan.seeds))


def _row(entrant: Entrant, outcome: Outcome, trial: Trial | None, judge: Judge) -> Row:
    fitness = judge.fitness(outcome)
    value = None if fitness == FAILED else fitness if judge.maximise else -fitness
    reason = outcome.reason or ("" if value is not None else "no learning rate stayed finite on all seeds")
    if trial is not None and not reason:
        reason = trial.outcome.reason
    test = {} if trial is None else _summary(trial.outcome)
    rate = judge.best_learning_rate(outcome)
    return Row(entrant.name, entrant.role, entrant.formula.text, rate, value, test, reason)


def _summary(outcome: Outcome) -> dict[str, tuple[float, float]]:
    last = max((each.step for each in outcome.measurements), default=0)
    final = [each.values for each in outcome.measurements if each.step == last]
    metrics = sorted({name for values in final for name in values})
    columns = {name: [values[name] for values in final] for name in metrics}
    return {name: (fmean(column), stdev(column) if len(column) > 1 else math.nan) for name, column in columns.items()}
