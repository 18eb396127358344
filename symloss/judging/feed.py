"""Hands out what a stack trains on, mini-batch after mini-batch.

A step of a small model is short beside the calls that lay out its labels: on the processor they are laid out for many
steps at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from symloss.judging.batches import Data
from symloss.judging.kernel import lay_out
from symloss.judging.passes import passes_for
from symloss.judging.tasks.task import Task
from symloss.language.slots import SLOTS

AHEAD = 2**20  # bytes of each variable that are laid out at once, at least one step's


class Batch(NamedTuple):
    """What one step trains on.

    Args:
        x: `(seeds, batch, ...)`; where the feed reuses its memory, the same tensor at each step, written into again.
        y: `(seeds, 1, batch)`.
        given: `y` as the slot's formulas see it, see `kernel.lay_out`; None where it is not laid out ahead.
    """

    x: Tensor
    y: Tensor
    given: Tensor | None = None


class Feed:
    """Hands out the batches of some data.

    Args:
        task: what the data are of.
        reuses: whether inputs lie in the same memory at every step; a user's model might look at an earlier batch.
    """

    def __init__(self, data: Data, task: Task, reuses: bool = False) -> None:
        self._data, self._width, self._link = data, task.width, SLOTS[task.slot].output_link
        seeds, self._steps, batch = data.rows.shape
        self._shape = seeds, batch, *data.x.shape[1:]
        self._x = data.x.new_empty(self._shape) if reuses else None
        self._pick = picking(data.x, data.rows, self._x.flatten(0, 1)) if self._x is not None else None
        self._first = 0
        self._ahead: list[tuple[Tensor, Tensor, Tensor | None]] = []  # rows, targets and what is given, step by step

    def batch(self, step: int) -> Batch:
        """Return the batch of a step, from 1."""
        number = step - 1
        if not 0 <= number - self._first < len(self._ahead):
            self._look_ahead(number)
        rows, targets, given = self._ahead[number - self._first]
        if self._pick is None or self._x is None:
            return Batch(self._data.x.index_select(0, rows).view(self._shape), targets, given)
        self._pick(rows)
        return Batch(self._x, targets, given)

    def batch_after(self, steps: Tensor) -> Batch:
        """Return the next batch after so many steps, `(1,)` on the device, which need not be known here."""
        rows, targets = (each.index_select(1, steps) for each in (self._data.rows, self._data.targets))
        return Batch(self._data.x[rows[:, 0]], targets)

    def _look_ahead(self, number: int) -> None:
        """Lay out the batches from a step on, the first being 0."""
        seeds, batch = self._shape[:2]
        last = min(self._steps, number + max(1, AHEAD // (4 * self._width * seeds * batch)))
        rows, targets = (each[:, number:last].transpose(0, 1) for each in (self._data.rows, self._data.targets))
        given: tuple[Tensor | None, ...] = (None,) * (last - number)
        if self._link is not None and self._data.x.device.type == "cpu":
            given = lay_out(self._link, targets, self._width).unbind()
        self._first = number
        self._ahead = list(zip(rows.flatten(1).unbind(), targets.unsqueeze(2).unbind(), given, strict=True))


def picking(source: Tensor, rows: Tensor, room: Tensor) -> Callable[[Tensor], object]:
    """Return what copies some of these rows of a source `(n, ...)` to a room for as many."""
    passes = passes_for(source) if room.is_contiguous() and room.dtype == source.dtype else None
    # Compiled code checks no bounds, and looks at a row's first number.
    if passes is not None and passes.pick_rows is not None and room.numel() and is_within(rows, len(source)):
        return passes.pick_rows(source, room)
    return lambda rows: torch.index_select(source, 0, rows, out=room)


def is_within(rows: Tensor, count: int) -> bool:
    """Whether all are numbers of rows, of so many."""
    least, most = rows.aminmax()
    return bool(least >= 0) and bool(most < count)
