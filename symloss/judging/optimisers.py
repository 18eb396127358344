"""The lower-level optimisers as rules, in place on stacked parameters with one learning rate per member.

Equal to torch.optim's, which takes one learning rate per optimiser and costs seconds to import.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

MOMENTUM = 0.9
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # Kingma and Ba 2015, arXiv:1412.6980, Algorithm 1
SHARES = np.array([1 - BETA_1, BETA_2, 1 - BETA_2], np.float32)
LAST = 17_000  # step from which Adam's corrections are 1 in float32


def corrections(step: int) -> tuple[float, float]:
    """Return what Adam's mean and root are to be multiplied by at a step from 1."""
    return 1 / (1 - BETA_1**step), 1 / (1 - BETA_2**step) ** 0.5


class Clock:
    """How many steps were taken: a number here, and on a GPU one there as well, which a captured step can read.

    Args:
        device: where the parameters are.
        there: whether steps are counted on the device; by default on any but the processor.

    Attributes:
        steps: taken, as far as they were taken here.
        count: `(1,)` int64, steps taken, where they are counted on the device.
        table: `(LAST + 1, 2)` Adam's corrections by step, likewise.
    """

    def __init__(self, device: torch.device, there: bool | None = None) -> None:
        self.steps, self._now = 0, (1.0, 1.0)
        self.there = device.type != "cpu" if there is None else there
        if self.there:
            rows = [(1.0, 1.0), *(corrections(step) for step in range(1, LAST + 1))]
            self.count = torch.zeros(1, dtype=torch.int64, device=device)
            self.table = torch.tensor(rows, dtype=torch.float32).to(device)

    def tick(self) -> None:
        """Count a step."""
        self.steps += 1
        if self.there:
            self.count.add_(1)
        else:
            self._now = corrections(self.steps)

    def corrections(self) -> Sequence[float | Tensor]:
        """Return Adam's corrections at this step, as numbers or as tensors `()`."""
        if not self.there:
            return self._now
        return self.table.index_select(0, self.count.clamp(max=LAST))[0].unbind()


Step = Callable[[Tensor], None]  # a gradient -> a step, which changes the parameter and the memories in place
Update = Callable[[Tensor, Sequence[Tensor], Tensor, Clock], Step]


@dataclass(frozen=True)
class Optimiser:
    """A rule that changes parameters by their gradients.

    Args:
        memories: tensors shaped like the parameter that it keeps between steps, zero at first.
        update: (parameter, memories, learning rates `(columns,)`, clock) -> what takes a step on them, by torch; a
            compiled pass of the same name takes its place where there is one.
    """

    name: str
    memories: int
    update: Update


def sgd(parameter: Tensor, memories: Sequence[Tensor], rates: Tensor, clock: Clock) -> Step:
    """Step down the gradient."""

    def step(gradient: Tensor) -> None:
        parameter.addcmul_(gradient, spread(rates, parameter), value=-1)

    return step


def momentum(parameter: Tensor, memories: Sequence[Tensor], rates: Tensor, clock: Clock) -> Step:
    """Step down a decaying sum of gradients (heavy ball, 0.9)."""
    (velocity,) = memories

    def step(gradient: Tensor) -> None:
        velocity.mul_(MOMENTUM).add_(gradient)
        parameter.addcmul_(velocity, spread(rates, parameter), value=-1)

    return step


def adam(parameter: Tensor, memories: Sequence[Tensor], rates: Tensor, clock: Clock) -> Step:
    """Step by the gradient's mean over its root mean square (arXiv:1412.6980, Algorithm 1)."""
    mean, square = memories

    def step(gradient: Tensor) -> None:
        of_mean, of_root = clock.corrections()
        mean.lerp_(gradient, 1 - BETA_1)
        square.mul_(BETA_2).addcmul_(gradient, gradient, value=1 - BETA_2)
        root = square.sqrt().mul_(of_root).add_(EPSILON)
        parameter.addcmul_(torch.div(mean, root, out=root), spread(rates * of_mean, parameter), value=-1)

    return step


def spread(rates: Tensor, parameter: Tensor) -> Tensor:
    """Return learning rates `(columns,)` in a shape that broadcasts to a parameter's."""
    return rates.view(1, -1, *[1] * (parameter.ndim - 2))


OPTIMISERS: dict[str, Optimiser] = {
    optimiser.name: optimiser
    for optimiser in (Optimiser("sgd", 0, sgd), Optimiser("momentum", 1, momentum), Optimiser("adam", 2, adam))
}
