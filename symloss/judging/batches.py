"""The rows of every training step and the part that is judged, drawn for all seeds of a plan and kept for the next job.

Every draw comes from the seed of its training alone, so that results depend on nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from symloss.errors import ExperimentError
from symloss.judging.plan import Plan
from symloss.judging.tasks.parts import groups_of, pick, share_out
from symloss.judging.tasks.task import Split, Task, generator

# Rows of each seed's judged part that rungs before the last look at, no fewer than docs/fidelity.md tried; and rows of
# a class that these must hold, else all are looked at.
EARLY, FEW = 2048, 32


@dataclass(frozen=True)
class Data:
    """The rows of every step and the judged part, on the task's device.

    Args:
        rows: `(seeds, steps, batch)` of `x`.
        targets: `(seeds, steps, batch)`.
        judged_x: `(seeds, n, ...)`.
        judged_y: `(seeds or 1, 1, n)`.
        early: inputs and targets that rungs before the last look at: the judged part, or a sample of it.
        is_test: whether the judged part is the test part, whose outputs are kept.
    """

    x: Tensor
    rows: Tensor
    targets: Tensor
    judged_x: Tensor
    judged_y: Tensor
    early: tuple[Tensor, Tensor]
    is_test: bool


_Key = tuple[tuple[int, ...], int, tuple[str, ...]]
_last: WeakKeyDictionary[Task, tuple[_Key, Data]] = WeakKeyDictionary()


def load(task: Task, plan: Plan) -> Data:
    """Return the data for all seeds; they are kept while the task lives, until another plan's are asked for."""
    key = plan.seeds, plan.steps, plan.measure
    try:
        seen, data = _last.get(task, (None, None))
    except TypeError:  # a user's task may have no hash
        return draw(task, plan)
    if data is None or seen != key:
        forget(task)
        data = draw(task, plan)
        _last[task] = key, data
    return data


def forget(task: Task) -> None:
    """Let go of the data that are kept: a user's model may have written into them."""
    try:
        _last.pop(task, None)
    except TypeError:
        return


def draw(task: Task, plan: Plan) -> Data:
    """Draw splits and mini-batches for all seeds."""
    splits = [task.split(seed) for seed in plan.seeds]
    order = torch.stack(
        [
            batches(len(split.train_y), task.batch_size, plan.steps, generator(seed, "order"))
            for seed, split in zip(plan.seeds, splits, strict=True)
        ]
    )
    rows = torch.stack([split.train_index[places] for split, places in zip(splits, order, strict=True)])
    targets = torch.stack([split.train_y[places] for split, places in zip(splits, order, strict=True)])
    judged_x, judged_y = judged(task, plan, splits)
    rows, targets, judged_x, judged_y = (part.to(task.x.device) for part in (rows, targets, judged_x, judged_y))
    is_test = plan.measure == ("test",)
    early = (judged_x, judged_y) if is_test else sampled(judged_x, judged_y, plan.seeds)
    return Data(task.x, rows, targets, judged_x, judged_y, early, is_test)


def judged(task: Task, plan: Plan, splits: Sequence[Split]) -> tuple[Tensor, Tensor]:
    """Return the inputs and targets that the plan measures on."""
    if plan.measure == ("test",):
        x, y = task.test()
        return x.expand(len(splits), *x.shape), y[None, None]
    if len({len(split.valid_y) for split in splits}) > 1:
        raise ExperimentError(f"task '{task.name}': the validation parts of two seeds differ in size; they must not.")
    targets = torch.stack([split.valid_y for split in splits])
    return torch.stack([task.x[split.valid_index.to(task.x.device)] for split in splits]), targets.unsqueeze(1)


def sampled(x: Tensor, y: Tensor, seeds: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Draw the rows that rungs before the last look at, of each class in proportion to its size.

    To measure thousands of rows would take as long as the steps up to an early rung.

    Args:
        x: `(seeds, n, ...)`.
        y: `(seeds, 1, n)`.

    Returns:
        The same of EARLY rows; all where there are no more, or where that would leave fewer than FEW of a class.
    """
    if y.shape[-1] <= EARLY:
        return x, y
    parts = [_sample(targets[0].cpu(), generator(seed, "early")) for targets, seed in zip(y, seeds, strict=True)]
    rows = [part.to(x.device) for part in parts if part is not None]
    if len(rows) < len(parts):
        return x, y
    return (
        torch.stack([own[places] for own, places in zip(x, rows, strict=True)]),
        torch.stack([own[:, places] for own, places in zip(y, rows, strict=True)]),
    )


def _sample(y: Tensor, draws: torch.Generator) -> Tensor | None:
    """Return the rows of a sample of targets `(n,)`; None where it would hold too few of a class."""
    groups = groups_of(y)
    counts = share_out(EARLY, [float(len(group)) for group in groups])
    return pick(groups, counts, draws) if min(counts) >= FEW else None


def batches(rows: int, size: int, steps: int, draws: torch.Generator) -> Tensor:
    """Return `(steps, size)` places in a training part, shuffled anew each epoch, without its incomplete rest."""
    size = min(size, rows)
    per_epoch = rows // size
    epochs = [
        torch.randperm(rows, generator=draws)[: per_epoch * size].view(per_epoch, size)
        for _ in range(-(-steps // per_epoch))
    ]
    return torch.cat(epochs)[:steps]
