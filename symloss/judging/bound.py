"""Calls bound to the tensors that they work on: views of them are made once, as long as the same ones come.

A step of small models is short beside the views that its calls would need: they work in the same memory at every step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import is_
from typing import Any

from torch import Tensor

Call = Callable[[], object]


@dataclass(frozen=True)
class Listed:
    """A training step as a list of calls, each in the memory that it was bound to.

    The products of a step empty the processor's caches: what walks through objects between two of them to find the next
    call waits for each of these.

    Args:
        x: where the mini-batch's inputs lie at every step.
        before: what leads to the model's outputs.
        losses: target as it is given -> the losses, and the gradients at the outputs.
        after: what leads from there to the parameters of the next step.
    """

    x: Tensor
    before: Sequence[Call]
    losses: Callable[[Tensor], None]
    after: Sequence[Call]

    def __call__(self, given: Tensor) -> None:
        """Take the step, the mini-batch's inputs being in their place."""
        for call in self.before:
            call()
        self.losses(given)
        for call in self.after:
            call()


@dataclass(frozen=True)
class Part:
    """A parameter's gradient of some columns, which is used before the next columns' is computed: it is still near.

    Args:
        columns: whose gradient it is.
        gradient: `(seeds, those columns, ...)`, in memory that the next part may write into again.
        call: computes it.
    """

    columns: slice
    gradient: Tensor
    call: Call


class Bound:
    """Works on some tensors where they lie; it looks at them anew when others come.

    It holds those that came last, so it is for what is written into again, not for what is made at every step.

    Args:
        bind: tensors -> what works on them, however their numbers have changed.

    Attributes:
        call: works on those that came last; None before any.
    """

    def __init__(self, bind: Callable[..., Call]) -> None:
        self._bind = bind
        self._seen: tuple[Tensor, ...] = ()
        self.call: Call | None = None

    def __call__(self, *tensors: Tensor) -> Any:
        """Work on them."""
        if self.call is None or len(tensors) != len(self._seen) or not all(map(is_, tensors, self._seen)):
            self._seen, self.call = tensors, self._bind(*tensors)
        return self.call()
