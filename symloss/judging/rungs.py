"""What a rung does: every member is measured, and learning rates that do not reach the rung's threshold are stopped.

Successive halving (Jamieson and Talwalkar 2016, arXiv:1502.07943) by thresholds that are given beforehand, and among a
candidate's own learning rates, so that how a training ends does not depend on what trains beside it.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, NamedTuple

import torch
from torch import Tensor

from symloss.judging.batches import Data
from symloss.judging.failures import Failures, blamed, untouched
from symloss.judging.kernel import Function
from symloss.judging.memory import ROWS
from symloss.judging.plan import Leg
from symloss.judging.stack import Column, Stack
from symloss.judging.tasks.metrics import Metric, apply
from symloss.judging.tasks.task import Task
from symloss.language.slots import SLOTS


@dataclass(frozen=True)
class Record:
    """What one rung measured.

    Args:
        places: of the columns that were in the stack at that step.
        values: metric -> `(seeds, columns)`.
        outputs: `(seeds, columns, n, outputs)`, kept for the test part only.
    """

    step: int
    places: Mapping[Column, int]
    values: Mapping[str, Tensor]
    outputs: Tensor | None

    def of(self, column: Column, seed: int) -> dict[str, float]:
        """Return a member's metrics."""
        return {name: float(values[seed, self.places[column]]) for name, values in self.values.items()}


class Cut(NamedTuple):
    """Where a learning rate was stopped: its mean over the seeds, and the threshold or the last that went on."""

    step: int
    score: float
    threshold: float


def measure(stack: Stack, functions: Sequence[Function], task: Task, data: Data, step: int, fails: Failures) -> Record:
    """Compute every metric for every member; a metric that is not finite ends its member.

    Args:
        data: whose judged part is looked at, before the last of the plan's steps a sample of it.
    """
    x, y = (data.judged_x, data.judged_y) if step == data.rows.shape[1] else data.early
    stack.model.eval()
    with torch.no_grad():
        chunks = torch.split(x, ROWS, dim=1)
        outputs = torch.cat([predict(stack, functions, task.slot, x, fails) for x in chunks], dim=2)
        place = f"task '{task.name}'"
        values = {metric.name: apply(place, metric, outputs, y) for metric in task.metrics}
        for value in (*values.values(), outputs.flatten(2).sum(-1)):
            stack.alive &= value.isfinite()
    stack.model.train()
    places = {column: place for place, column in enumerate(stack.columns)}
    found = {name: value.cpu() for name, value in values.items()}
    return Record(step, places, found, outputs.cpu() if data.is_test else None)


def predict(stack: Stack, functions: Sequence[Function], slot: str, x: Tensor, failures: Failures) -> Tensor:
    """Return every member's outputs `(seeds, columns, rows, outputs)` for inputs `(seeds, rows, ...)`."""
    if SLOTS[slot].shares_forward:
        with untouched(x):
            return stack.outputs(x)
    pieces: dict[int, Tensor] = {}
    for i, columns in stack.spans().items():
        own = {name: value[:, columns].contiguous() for name, value in stack.parameters.items()}
        with untouched(x), blamed(i, failures):
            pieces[i] = SLOTS[slot].forward(functions[i], member_model(stack, own, columns), x)
    width = next((piece.shape[-1] for piece in pieces.values()), 1)
    outputs = torch.full((len(x), len(stack.columns), x.shape[1], width), torch.nan, device=x.device)
    for i, columns in stack.spans().items():
        if i in pieces:
            outputs[:, columns] = pieces[i]
    return outputs


def member_model(stack: Stack, parameters: Mapping[str, Tensor], columns: slice) -> Callable[..., Tensor]:
    """Return the model of some columns as a function of its inputs and what else its forward takes."""
    buffers = {name: value[:, columns] for name, value in stack.buffers.items()}

    def model(x: Tensor, *rest: Any) -> Tensor:
        return stack.run(parameters, buffers, x, *rest)

    return model


def mean_score(records: Iterable[Record], column: Column, metric: Metric) -> float:
    """Return a learning rate's mean over the seeds; those of one stack, or of several that trained one by one."""
    return fmean(float(value) for each in records for value in each.values[metric.name][:, each.places[column]])


def cuts(scores: Mapping[int, float], leg: Leg, metric: Metric) -> dict[int, Cut]:
    """Return which of one candidate's learning rates a rung stops: those below its threshold, then its worse ones.

    Args:
        scores: number of a learning rate -> its mean over the seeds; of equal ones the first goes on.
    """
    sign = 1 if metric.maximise else -1
    threshold = -sign * math.inf if leg.threshold is None else leg.threshold
    best_first = sorted(scores, key=lambda rate: (-sign * scores[rate], rate))
    reached = [rate for rate in best_first if sign * scores[rate] >= sign * threshold]
    going = reached[: math.ceil(len(reached) / leg.rate_factor)]
    return {
        rate: Cut(leg.rung, scores[rate], scores[going[-1]] if rate in reached else threshold)
        for rate in best_first
        if rate not in going
    }


def cut_in_words(cuts: Iterable[Cut], metric: Metric) -> str:
    """Say why a candidate was stopped: by the learning rate that got furthest."""
    sign = 1 if metric.maximise else -1
    step, score, threshold = max(cuts, key=lambda cut: (cut.step, sign * cut.score))
    return f"its {metric.name} of {score:.4g} at step {step} did not reach that rung's {threshold:.4g}"
