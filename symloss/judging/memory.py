"""How much memory a stack takes, estimated from above before it is made: a function of task and plan alone.

It counts parameters with what the optimiser keeps, activations, and the outputs that metrics look at.
"""

from __future__ import annotations

from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from symloss.judging.batches import EARLY
from symloss.judging.optimisers import OPTIMISERS
from symloss.judging.plan import Plan
from symloss.judging.tasks.task import Task
from symloss.language.loss import compile_loss
from symloss.language.slots import SLOTS
from symloss.language.zoo import zoo

ROWS = 512  # rows per forward pass when measuring; fixed, because products may round differently at another size
KEPT = 4  # copies of a parameter besides the optimiser's: itself, its gradient, a step's results, and a smaller stack's
JUDGED = 6  # copies of the judged part's outputs: the pieces, the whole, and what the metrics make of it


class Need(NamedTuple):
    """What the models of one seed need: bytes a model at most, and rows on which it is judged."""

    member: int
    judged: int


_known: WeakKeyDictionary[Task, dict[tuple[int, tuple[str, ...]], Need]] = WeakKeyDictionary()


def bytes_per_member(task: Task, plan: Plan) -> int:
    """Return how many bytes one model of a stack takes at most, from its first step to its last measurement."""
    return need_of(task, plan).member


def bytes_of_judged(task: Task, plan: Plan) -> int:
    """Return how many bytes the inputs of the judged part take, which all models of a seed share."""
    if plan.measure == ("test",):
        return 0  # it is the task's own
    judged = need_of(task, plan).judged
    sample = EARLY if judged > EARLY else 0
    return len(plan.seeds) * (judged + sample) * size_of(task.x[:1])


def need_of(task: Task, plan: Plan) -> Need:
    """Return what a plan's models need; remembered while the task lives, as a job may be as short as to find it out."""
    try:
        known = _known.setdefault(task, {})
    except TypeError:  # a user's task may have no hash
        known = {}
    key = plan.seeds[0], plan.measure
    if key not in known:
        known[key] = _estimate(task, plan)
    return known[key]


def _estimate(task: Task, plan: Plan) -> Need:
    model = task.model(plan.seeds[0])
    memories = OPTIMISERS[task.optimiser].memories if isinstance(task.optimiser, str) else 2
    held = sum(size_of(value) for value in (*model.parameters(), *model.buffers()))
    judged = len(task.test()[1]) if plan.measure == ("test",) else len(task.split(plan.seeds[0]).valid_y)
    # Half of a training step is backward, which makes as much again as it finds; its memory stays while it is measured.
    training = 2 * activation_bytes(model, task, task.batch_size)
    measuring = activation_bytes(model, task, min(ROWS, judged))
    outputs = JUDGED * judged * task.width * torch.float32.itemsize
    return Need(held * (KEPT + memories) + training + measuring + outputs, judged)


def members_that_fit(task: Task, plan: Plan) -> int:
    """Return how many models one stack may hold within the plan's memory; 0 when there is no room for one."""
    return max(0, plan.memory - bytes_of_judged(task, plan)) // bytes_per_member(task, plan)


def candidates_per_stack(task: Task, plan: Plan) -> int:
    """Return how many candidates make one stack; 0 when the models of one alone do not fit the plan's memory."""
    each = len(plan.seeds) * len(plan.learning_rates)
    fitting = members_that_fit(task, plan)
    wanted = fitting if plan.members is None else plan.members
    return min(fitting // each, max(1, wanted // each))


def activation_bytes(model: nn.Module, task: Task, rows: int) -> int:
    """Return how many bytes a forward pass over some rows makes in all."""
    slot, count = SLOTS[task.slot], _Count()
    x = task.x[:1].expand(rows, *task.x.shape[1:])
    # Running it may change a model's own statistics, and draws from torch's global source: it is a copy of its own.
    with torch.random.fork_rng(devices=[]), torch.no_grad(), count:
        slot.forward(compile_loss(zoo[slot.baselines[0]]), model, x)
    return count.bytes


class _Count(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch gives it no types
    """Adds up the results of all operations, as if none were ever freed."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Otherwise torch imports its compiler for the sake of this class, which takes each process a second.
        return False

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        self.bytes += sum(size_of(each) for each in tree_leaves(result) if isinstance(each, Tensor))
        return result


def size_of(value: Tensor) -> int:
    """Return a tensor's size in bytes."""
    return value.numel() * value.element_size()
