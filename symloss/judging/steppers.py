"""What takes optimiser steps on a stack: all members at once by a rule, or one by a torch optimiser of the user's."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

from symloss.judging.bound import Call
from symloss.judging.optimisers import Clock, Optimiser, Step
from symloss.judging.passes import passes_for


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
        self.clock = Clock(rates.device)
        self._memories = {
            name: [torch.zeros_like(value) for _ in range(optimiser.memories)] for name, value in parameters.items()
        }
        self._steps: dict[str, tuple[Tensor, Step]] = {}  # name -> the parameter as it was seen, and its step

    def step(self, parameters: Mapping[str, Tensor], gradients: Mapping[str, Tensor]) -> None:
        """Change the parameters in place."""
        self.clock.tick()
        for name, parameter in parameters.items():
            self._step_of(name, parameter)(gradients[name].contiguous())

    def bound(self, parameters: Mapping[str, Tensor], gradients: Mapping[str, Tensor]) -> list[Call]:
        """Return the calls of a step on gradients that come in the same memory at every step, contiguous."""
        steps = [partial(self._step_of(name, value), gradients[name]) for name, value in parameters.items()]
        return [self.clock.tick, *steps]

    def _step_of(self, name: str, parameter: Tensor) -> Step:
        seen, step = self._steps.get(name, (None, None))
        if seen is not parameter or step is None:
            # Which code runs must depend on the parameter alone: the two round differently.
            passes = passes_for(parameter)
            update = passes.updates[self._optimiser.name] if passes else self._optimiser.update
            step = update(parameter.detach(), self._memories[name], self._rates, self.clock)
            self._steps[name] = parameter, step
        return step

    def keep(self, columns: Tensor) -> None:
        """Forget all columns but these."""
        self._steps.clear()  # first: what is bound would keep all that is let go
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
