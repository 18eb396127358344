"""The lower-level optimisers, in place on stacked parameters with one learning rate per member.

Equal to torch.optim's, which takes one learning rate per optimiser and costs seconds to import.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from symloss.judging import fused

MOMENTUM = 0.9
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # Kingma and Ba 2015, arXiv:1412.6980, Algorithm 1
SHARES = np.array([1 - BETA_1, BETA_2, 1 - BETA_2], np.float32)


Update = Callable[[Tensor, Tensor, Sequence[Tensor], Tensor, int], None]


@dataclass(frozen=True)
class Optimiser:
    """A rule that changes parameters by their gradients.

    Args:
        memories: tensors shaped like the parameter that it keeps between steps, zero at first.
        update: (parameter, gradient, memories, learning rates `(columns,)`, step from 1) -> None, in place, by torch.
        fused: the same in one compiled pass, for what `fused.fits`.
    """

    name: str
    memories: int
    update: Update
    fused: Update


def sgd(parameter: Tensor, gradient: Tensor, memories: Sequence[Tensor], rates: Tensor, step: int) -> None:
    """Step down the gradient."""
    parameter.addcmul_(gradient, spread(rates, parameter), value=-1)


def momentum(parameter: Tensor, gradient: Tensor, memories: Sequence[Tensor], rates: Tensor, step: int) -> None:
    """Step down a decaying sum of gradients (heavy ball, 0.9)."""
    (velocity,) = memories
    velocity.mul_(MOMENTUM).add_(gradient)
    parameter.addcmul_(velocity, spread(rates, parameter), value=-1)


def adam(parameter: Tensor, gradient: Tensor, memories: Sequence[Tensor], rates: Tensor, step: int) -> None:
    """Step by the gradient's mean over its root mean square (arXiv:1412.6980, Algorithm 1)."""
    mean, square = memories
    mean.lerp_(gradient, 1 - BETA_1)
    square.mul_(BETA_2).addcmul_(gradient, gradient, value=1 - BETA_2)
    root = square.sqrt().div_((1 - BETA_2**step) ** 0.5).add_(EPSILON)
    parameter.addcmul_(torch.div(mean, root, out=root), spread(rates, parameter), value=-1 / (1 - BETA_1**step))


def spread(rates: Tensor, parameter: Tensor) -> Tensor:
    """Return learning rates `(columns,)` in a shape that broadcasts to a parameter's."""
    return rates.view(1, -1, *[1] * (parameter.ndim - 2))


def fused_sgd(parameter: Tensor, gradient: Tensor, memories: Sequence[Tensor], rates: Tensor, step: int) -> None:
    """See `sgd`."""
    fused.step_sgd(fused.by_member(parameter), fused.by_member(gradient), rates.numpy())


def fused_momentum(parameter: Tensor, gradient: Tensor, memories: Sequence[Tensor], rates: Tensor, step: int) -> None:
    """See `momentum`."""
    own, slope, velocity = map(fused.by_member, (parameter, gradient, *memories))
    fused.step_momentum(own, slope, velocity, rates.numpy(), np.float32(MOMENTUM))


def fused_adam(parameter: Tensor, gradient: Tensor, memories: Sequence[Tensor], rates: Tensor, step: int) -> None:
    """See `adam`."""
    own, slope, mean, square = map(fused.by_member, (parameter, gradient, *memories))
    corrections = np.array([1 / (1 - BETA_1**step), 1 / (1 - BETA_2**step) ** 0.5], np.float32)
    fused.step_adam(own, slope, mean, square, rates.numpy(), SHARES, corrections, np.float32(EPSILON))


OPTIMISERS: dict[str, Optimiser] = {
    optimiser.name: optimiser
    for optimiser in (
        Optimiser("sgd", 0, sgd, fused_sgd),
        Optimiser("momentum", 1, momentum, fused_momentum),
        Optimiser("adam", 2, adam, fused_adam),
    )
}


class Stepper(Protocol):
    """Something that takes optimiser steps on stacked parameters."""

    def step(self, parameters: Mapping[str, Tensor], gradients: Mapping[str, Tensor]) -> None:
        """Change the parameters `(seeds, columns, ...)` in place."""
        ...

    def keep(self, columns: Tensor) -> None:
        """Forget all columns but these."""
        ...


class StackedStepper:
    """Steps all members at once.

    Args:
        optimiser: the rule.
        parameters: name -> `(seeds, columns, ...)`.
        rates: `(columns,)` learning rates.
    """

    def __init__(self, optimiser: Optimiser, parameters: Mapping[str, Tensor], rates: Tensor) -> None:
        self._optimiser = optimiser
        self._rates = rates
        self._steps = 0
        self._memories = {
            name: [torch.zeros_like(value) for _ in range(optimiser.memories)] for name, value in parameters.items()
        }

    def step(self, parameters: Mapping[str, Tensor], gradients: Mapping[str, Tensor]) -> None:
        """Change the parameters in place."""
        self._steps += 1
        with torch.no_grad():
            for name, parameter in parameters.items():
                # Which code runs must depend on the parameter alone: the two round differently.
                update = self._optimiser.fused if fused.fits(parameter) else self._optimiser.update
                gradient = gradients[name].contiguous()
                update(parameter, gradient, self._memories[name], self._rates, self._steps)

    def keep(self, columns: Tensor) -> None:
        """Forget all columns but these."""
        self._rates = self._rates[columns]
        self._memories = {
            name: [memory.index_select(1, columns) for memory in memories] for name, memories in self._memories.items()
        }


class FactoryStepper:
    """Steps one member with a torch optimiser that the user's factory makes.

    Args:
        factory: (parameters, learning rate) -> a `torch.optim.Optimizer`.
        parameters: name -> `(1, 1, ...)`; the optimiser sees them without the leading dimensions.
        rate: the member's learning rate.
    """

    def __init__(self, factory: Callable[..., Any], parameters: Mapping[str, Tensor], rate: float) -> None:
        self._views = {name: value.detach()[0, 0] for name, value in parameters.items()}  # they share memory
        self._optimiser = factory(list(self._views.values()), rate)

    def step(self, parameters: Mapping[str, Tensor], gradients: Mapping[str, Tensor]) -> None:
        """Change the parameters in place."""
        for name, view in self._views.items():
            view.grad = gradients[name][0, 0]
        self._optimiser.step()

    def keep(self, columns: Tensor) -> None:
        """Keep the only member: one that is dropped takes its whole training with it."""
