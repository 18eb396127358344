"""What takes optimiser steps on a stack: all members at once by a rule, or one by a torch optimiser of the user's."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

from symloss.judging.bound import Call, Part
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

    def bound(
        self, parameters: Mapping[str, Tensor], gradients: Mapping[str, Tensor], parts: Mapping[str, Sequence[Part]]
    ) -> list[Call]:
        """Return the calls of a step on gradients that come in the same memory at every step, contiguous.

        Args:
            parts: of the parameters whose gradients come so; they are computed by these calls.
        """
        calls: list[Call] = [self.clock.tick]
        for name, parameter in parameters.items():
            for part in parts.get(name, ()):
                calls += [part.call, *self._steps_of_part(name, parameter, part)]
            if name not in parts:
                calls.append(partial(self._step_of(name, parameter), gradients[name]))
        return calls

    def _steps_of_part(self, name: str, parameter: Tensor, part: Part) -> Iterator[Call]:
        for seed in range(len(parameter)):  # of one seed columns that lie side by side are contiguous
            own = slice(seed, seed + 1), part.columns
            yield partial(self._bind(name, parameter, own), part.gradient[own[0]])

    def _step_of(self, name: str, parameter: Tensor) -> Step:
        seen, step = self._steps.get(name, (None, None))
        if seen is not parameter or step is None:
            step = self._bind(name, parameter, (slice(None), slice(None)))
            self._steps[name] = parameter, step
        return step

    def _bind(self, name: str, parameter: Tensor, members: tuple[slice, slice]) -> Step:
        """Bind the optimiser to some seeds and columns of a parameter."""
        # Which code runs must depend on the parameter alone: the two round differently.
        passes = passes_for(parameter)
        update = passes.updates[self._optimiser.name] if passes else self._optimiser.update
        memories = [memory[members] for memory in self._memories[name]]
        return update(parameter.detach()[members], memories, self._rates[members[1]], self.clock)

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
