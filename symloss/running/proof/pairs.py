"""Paired differences on the test set: one formula's outputs against another's, seed by seed and example by example.

Both were trained on the same seeds, so what seeds and examples have in common cancels.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch

from symloss.judging.tasks.metrics import Metric
from symloss.judging.tasks.task import Task
from symloss.language.candidate import State
from symloss.running.proof.entrants import Entrant
from symloss.running.proof.trials import Trials
from symloss.running.proof.verdict import (
    Floats,
    Indices,
    Interval,
    Unit,
    Verdict,
    interval_of_metric,
    interval_of_scores,
    unit_of,
)
from symloss.running.storage.store import Trial

FEW = 1000  # resamples of a metric that must be computed anew on each

Tested = Mapping[str, Trial]  # formula key -> trial on the test set


class Measured:
    """A formula's outputs on the test set, measured on any resample of its examples; each resample once."""

    def __init__(self, trial: Trial, metric: Metric, task: Task) -> None:
        self._metric = metric
        self._outputs = _outputs(trial)
        self._targets = task.test()[1]
        self._seen: dict[bytes, Floats] = {}

    @property
    def shape(self) -> tuple[int, int]:
        """Seeds, examples."""
        return len(self._outputs), len(self._targets)

    def scores(self) -> Floats:
        """Return each seed's score of each example, `(seeds, examples)`; for a metric that is their mean."""
        return _scores(self._metric, self._outputs, self._targets)

    def values(self, examples: Indices) -> Floats:
        """Return each seed's metric on a resample, `(seeds,)`."""
        key = examples.tobytes()
        if key not in self._seen:
            index = torch.from_numpy(examples)
            measured = self._metric.function(self._outputs[:, index], self._targets[index])
            self._seen[key] = np.asarray(measured.double().numpy())
        return self._seen[key]


def verdicts(
    one: Entrant, others: Sequence[Entrant], tested: Tested, metric: Metric, task: Task, trials: Trials
) -> Iterator[Verdict]:
    """Compare a formula with each other one by their outputs on the test set, one after the other."""
    known = {key: Measured(trial, metric, task) for key, trial in tested.items() if _scored(trial)}
    return (_verdict(one, other, tested, known, metric, trials) for other in others)


def _verdict(
    one: Entrant, other: Entrant, tested: Tested, known: Mapping[str, Measured], metric: Metric, trials: Trials
) -> Verdict:
    for each in (one, other):
        if each.formula.key not in known:
            trial = tested.get(each.formula.key)
            reason = f"{each.name} failed" if trial is None else trial.outcome.reason
            return Verdict(other.name, None, reason, metric.name)
    interval = _interval(known[one.formula.key], known[other.formula.key], metric, trials)
    return Verdict(other.name, interval, metric=metric.name)


def _scored(trial: Trial) -> bool:
    return trial.outcome.state is State.SCORED


def unit_for(metric: Metric, trial: Trial | None, task: Task) -> Unit:
    """Choose how a metric's differences are written, by any formula's trial on the test set."""
    scores = None
    if metric.per_example is not None and trial is not None and trial.outputs:
        scores = _scores(metric, _outputs(trial), task.test()[1])
    return unit_of(metric.name, scores, metric.maximise)


def _interval(one: Measured, other: Measured, metric: Metric, trials: Trials) -> Interval:
    sign = 1.0 if metric.maximise else -1.0
    if metric.per_example is not None:
        return interval_of_scores(sign * (one.scores() - other.scores()), trials.resamples, trials.seed)

    def differences(examples: Indices) -> Floats:
        return sign * (one.values(examples) - other.values(examples))

    return interval_of_metric(differences, one.shape, min(trials.resamples, FEW), trials.seed)


def _outputs(trial: Trial) -> torch.Tensor:
    return torch.stack([torch.from_numpy(np.array(trial.outputs[seed])) for seed in sorted(trial.outputs)])


def _scores(metric: Metric, outputs: torch.Tensor, targets: torch.Tensor) -> Floats:
    assert metric.per_example is not None
    return np.asarray(metric.per_example(outputs, targets).double().numpy())
