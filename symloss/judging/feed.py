"""Hands out what a stack trains on, mini-batch after mini-batch.

A step of a small model is short beside the calls that lay out its labels: on the processor they are laid out for many
steps at once.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from symloss.judging.batches import Data
from symloss.judging.kernel import lay_out
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
        self._rows = data.rows.transpose(0, 1).flatten(1)
        self._targets = data.targets.transpose(0, 1).unsqueeze(2)
        self._shape = seeds, batch, *data.x.shape[1:]
        self._gathered = data.x.new_empty(seeds * batch, *data.x.shape[1:]) if reuses else None
        self._x = self._gathered.view(self._shape) if self._gathered is not None else None
        self._first, self._ahead = 0, torch.empty(0)

    def batch(self, step: int) -> Batch:
        """Return the batch of a step, from 1."""
        gathered = torch.index_select(self._data.x, 0, self._rows[step - 1], out=self._gathered)
        x = gathered.view(self._shape) if self._x is None else self._x
        return Batch(x, self._targets[step - 1], self._given(step - 1))

    def batch_after(self, steps: Tensor) -> Batch:
        """Return the next batch after so many steps, `(1,)` on the device, which need not be known here."""
        rows, targets = (each.index_select(1, steps) for each in (self._data.rows, self._data.targets))
        return Batch(self._data.x[rows[:, 0]], targets)

    def _given(self, number: int) -> Tensor | None:
        if self._link is None or self._data.x.device.type != "cpu":
            return None
        if not 0 <= number - self._first < len(self._ahead):
            last = min(self._steps, number + max(1, AHEAD // (4 * self._width * self._rows.shape[1])))
            self._first = number
            self._ahead = lay_out(self._link, self._data.targets[:, number:last].transpose(0, 1), self._width)
        return self._ahead[number - self._first]
