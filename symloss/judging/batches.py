"""The rows of every training step and the part that is judged, drawn for all seeds of a plan.

Every draw comes from the seed of its training alone, so that results depend on nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from symloss.errors import ExperimentError
from symloss.judging.plan import Plan
from symloss.judging.tasks.task import Split, Task, generator


@dataclass(frozen=True)
class Data:
    """The rows of every step and the judged part, on the task's device.

    Args:
        rows: `(seeds, steps, batch)` of `x`.
        targets: `(seeds, steps, batch)`.
        judged_x: `(seeds, n, ...)`.
        judged_y: `(seeds or 1, 1, n)`.
        is_test: whether the judged part is the test part, whose outputs are kept.
    """

    x: Tensor
    rows: Tensor
    targets: Tensor
    judged_x: Tensor
    judged_y: Tensor
    is_test: bool


def load(task: Task, plan: Plan) -> Data:
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
    return Data(task.x, rows, targets, judged_x, judged_y, plan.measure == ("test",))


def judged(task: Task, plan: Plan, splits: Sequence[Split]) -> tuple[Tensor, Tensor]:
    """Return the inputs and targets that the plan measures on."""
    if plan.measure == ("test",):
        x, y = task.test()
        return x.expand(len(splits), *x.shape), y[None, None]
    if len({len(split.valid_y) for split in splits}) > 1:
        raise ExperimentError(f"task '{task.name}': the validation parts of two seeds differ in size; they must not.")
    targets = torch.stack([split.valid_y for split in splits])
    return torch.stack([task.x[split.valid_index.to(task.x.device)] for split in splits]), targets.unsqueeze(1)


def batches(rows: int, size: int, steps: int, draws: torch.Generator) -> Tensor:
    """Return `(steps, size)` places in a training part, shuffled anew each epoch, without its incomplete rest."""
    size = min(size, rows)
    per_epoch = rows // size
    epochs = [
        torch.randperm(rows, generator=draws)[: per_epoch * size].view(per_epoch, size)
        for _ in range(-(-steps // per_epoch))
    ]
    return torch.cat(epochs)[:steps]
