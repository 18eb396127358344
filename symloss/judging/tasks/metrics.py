"""What a task can be judged by, computed for many trained models at once.

Every function maps outputs `(*members, n, outputs)` and targets that broadcast to `(*members, n)` to `(*members,)`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from symloss.errors import ExperimentError, unknown
from symloss.judging.failures import FAULTS, OutOfTimeError, in_words
from symloss.judging.tasks import imbalanced

MetricFunction = Callable[[Tensor, Tensor], Tensor]

BINS = 15  # of the calibration error; Guo et al. 2017, arXiv:1706.04599, section 5


@dataclass(frozen=True)
class Metric:
    """A measure of trained models.

    Args:
        name: as the experiment and the store spell it.
        maximise: whether more is better.
        function: outputs `(*members, n, outputs)`, targets `(*members or broadcastable, n)` -> `(*members,)`.
        per_example: the same arguments -> `(*members, n)`, whose mean is the metric; None where the metric is no mean.
        targets: what it compares outputs with; a user's own is trusted with any.
        outputs: the only number of them that it has a meaning for; None where it has for any.
    """

    name: str
    maximise: bool
    function: MetricFunction
    per_example: MetricFunction | None = None
    targets: Literal["labels", "values", "any"] = "any"
    outputs: int | None = None


def hits(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return 1 where the largest output is the target's, else 0."""
    return (outputs.argmax(-1) == targets).double()


def surprise(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the negative log-likelihood of each target under the softmax of the outputs, in nats."""
    logs = outputs.double().log_softmax(-1)
    index = targets.expand(logs.shape[:-1]).unsqueeze(-1)
    return -logs.gather(-1, index).squeeze(-1)


def squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the squared difference between each first output and its target."""
    return (outputs[..., 0].double() - targets).square()


def absolute_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the absolute difference between each first output and its target."""
    return (outputs[..., 0].double() - targets).abs()


def mean_of(per_example: MetricFunction) -> MetricFunction:
    """Turn a measure of examples into one of members."""

    def mean(outputs: Tensor, targets: Tensor) -> Tensor:
        return per_example(outputs, targets).mean(-1)

    return mean


def calibration_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the expected calibration error over 15 equal bins of confidence, in [0, 1].

    Source: Guo et al. 2017, arXiv:1706.04599, Eq. (3).
    """
    confidence = outputs.double().softmax(-1).amax(-1)
    place = (confidence * BINS).long().clamp(0, BINS - 1)
    gap = confidence - hits(outputs, targets)
    per_bin = gap.new_zeros((*gap.shape[:-1], BINS)).scatter_add(-1, place, gap)
    return per_bin.abs().sum(-1) / gap.shape[-1]


def explained_variance(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the coefficient of determination: 1 is perfect, 0 is no better than the targets' mean."""
    wanted = targets.double()
    around_mean = (wanted - wanted.mean(-1, keepdim=True)).square().mean(-1)
    return 1 - squared_error(outputs, targets).mean(-1) / around_mean


def on_its_side(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return 1 where the first output lies on its target's side of 1/2, else 0; for targets of 0 and 1."""
    return ((outputs[..., 0] > 0.5) == (targets > 0.5)).double()


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", True, mean_of(hits), hits, "labels"),
        Metric("nll", False, mean_of(surprise), surprise, "labels"),
        Metric("ece", False, calibration_error, None, "labels"),
        Metric("balanced_accuracy", True, imbalanced.mean_recall, None, "labels"),
        Metric("f1", True, imbalanced.f1_of_one, None, "labels", 2),
        Metric("f1_macro", True, imbalanced.f1_of_all, None, "labels"),
        Metric("auroc", True, imbalanced.area_under_roc, None, "labels"),
        Metric("auprc", True, imbalanced.average_precision, None, "labels"),
        Metric("mse", False, mean_of(squared_error), squared_error, "values"),
        Metric("mae", False, mean_of(absolute_error), absolute_error, "values"),
        Metric("r2", True, explained_variance, None, "values"),
        Metric("side", True, mean_of(on_its_side), on_its_side, "values"),
    )
}

DIRECTIONS = {"maximise": True, "minimise": False}


def one_by_one(function: Callable[[Tensor, Tensor], float]) -> MetricFunction:
    """Let a user's function of one model's outputs `(n, outputs)` and targets `(n,)` serve many members.

    It never sees a diverged model's outputs, at which many a library raises: the value of those is NaN. Whatever device
    models train on, it gets tensors of the processor.
    """

    def over_members(outputs: Tensor, targets: Tensor) -> Tensor:
        members = outputs.shape[:-2]
        wanted = targets.expand(outputs.shape[:-1]).reshape(-1, outputs.shape[-2]).cpu()
        flat = outputs.reshape(-1, *outputs.shape[-2:]).cpu()
        values = [
            float(function(one, target)) if bool(one.isfinite().all()) else math.nan
            for one, target in zip(flat, wanted, strict=True)
        ]
        return torch.tensor(values, dtype=torch.float64).reshape(members).to(outputs.device)

    return over_members


def apply(place: str, metric: Metric, outputs: Tensor, targets: Tensor) -> Tensor:
    """Compute a metric, and say whose fault it is when it raises.

    Args:
        place: for the complaint, e.g. `task 'mine'`.
        metric: the measure.
        outputs: `(*members, n, outputs)`.
        targets: `(*members or broadcastable, n)`.

    Returns:
        `(*members,)`.

    Raises:
        ExperimentError: the metric raised.
    """
    try:
        return metric.function(outputs, targets)
    except OutOfTimeError:
        raise
    except FAULTS as error:
        raise ExperimentError(f"{place}: its metric '{metric.name}' raised {in_words(error)}.") from error


def check_metric(place: str, metric: Metric, labels: bool, outputs: int) -> None:
    """Refuse a metric that has no meaning for a task's targets or its number of outputs.

    Args:
        place: for the complaint, e.g. `task 'mine'`.
        metric: the measure.
        labels: whether targets are labels; otherwise they are values.
        outputs: of the model.
    """
    kind = "labels" if labels else "values"
    if metric.targets not in ("any", kind):
        fitting = ", ".join(sorted(each.name for each in METRICS.values() if each.targets == kind))
        raise ExperimentError(
            f"{place}: the metric '{metric.name}' is for {metric.targets}, and its targets are {kind}. "
            f"For {kind} there are: {fitting}."
        )
    if metric.outputs not in (None, outputs):
        raise ExperimentError(
            f"{place}: the metric '{metric.name}' is for {metric.outputs} outputs, and the model has {outputs}. "
            "f1_macro, balanced_accuracy, auroc and auprc take any number of classes."
        )


def read_metric(place: str, given: str | tuple[Callable[[Tensor, Tensor], float], str] | Metric) -> Metric:
    """Return the metric that a task names, or make one of a function and its direction.

    Args:
        place: for the complaint, e.g. `task 'mine'`.
        given: a name in METRICS, `(function, "maximise")` or `(function, "minimise")`; the function takes one model's
            outputs `(n, outputs)` and targets `(n,)` and returns a number.

    Raises:
        ExperimentError: the name or the direction is unknown, or it is neither a name nor such a pair.

    Example:
        >>> read_metric("task 'mine'", (lambda outputs, targets: -(outputs[:, 0] - targets).abs().max(), "maximise"))
    """
    if isinstance(given, Metric):
        return given
    if isinstance(given, str):
        if given not in METRICS:
            raise ExperimentError(unknown(place, "metric", given, METRICS))
        return METRICS[given]
    if not (isinstance(given, tuple) and len(given) == 2 and callable(given[0])):
        raise ExperimentError(
            f"{place}: metric must be a name or (function, 'maximise' or 'minimise'), got {given!r}. "
            f"Known names: {', '.join(sorted(METRICS))}."
        )
    function, direction = given
    if direction not in DIRECTIONS:
        raise ExperimentError(unknown(f"{place}: metric", "direction", str(direction), DIRECTIONS))
    name = getattr(function, "__name__", "metric")
    return Metric("metric" if name == "<lambda>" else name, DIRECTIONS[direction], one_by_one(function))
