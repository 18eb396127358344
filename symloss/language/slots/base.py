"""The records that describe a slot: where a formula plugs into training, what it sees, and what its values become.

A new kind of search is one slot, one task and one grammar; nothing else in the engine asks which slot it serves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import sympy
from numpy.typing import NDArray

from symloss.language.reading import Node

if TYPE_CHECKING:
    from torch import Generator, Tensor

Array = NDArray[np.float64]
Function = Callable[..., "Tensor"]  # a compiled formula: keyword tensors, one per variable -> tensor
Model = Callable[..., Any]  # a base model with its parameters: (x, ...) -> output


@dataclass(frozen=True)
class Variable:
    """One variable that formulas of a slot may use.

    Args:
        low: smallest value that training can produce; a positive one lets sympy use log(p**2) = 2*log(p).
        high: largest value.
        stands_for: the variables that this one is made of; a formula that sees it sees them.
    """

    name: str
    low: float
    high: float
    meaning: str
    integer: bool = False
    stands_for: tuple[str, ...] = ()

    @property
    def symbol(self) -> sympy.Symbol:
        """The sympy symbol, with the assumptions that its range allows."""
        sign = {"positive": True} if self.low > 0 else {"nonnegative": True} if self.low == 0 else {"real": True}
        return sympy.Symbol(self.name, integer=True, **sign) if self.integer else sympy.Symbol(self.name, **sign)


@dataclass(frozen=True)
class Response:
    """What a formula does on a slot's probe points.

    Args:
        values: of the formula, `(points,)`.
        gradients: at the model's output, of what training differentiates, `(points,)`.
    """

    values: Array
    gradients: Array


@dataclass(frozen=True)
class Probes:
    """A slot's probe points: fixed, over the variables' real range and its edges, and some more for the free tests.

    Args:
        inputs: variable -> its values, `(points,)` or one number.
        moving: variable -> its slope along the model's output, for those that have one.
        points: how many there are.
        proper: so many of them, the first ones, lie in the range where values and gradients must be finite.
        pull_back: slopes of the formula, `(points,)` -> gradients at the model's output.
        trace: response -> 1-d, equal for two formulas exactly when training cannot tell them apart.
        fused: (operator, variable) -> the variable that stands for the operator applied to it.
    """

    inputs: Mapping[str, Array]
    moving: Mapping[str, Array]
    points: int
    proper: int
    pull_back: Callable[[Array], Array]
    trace: Callable[[Response], Array]
    fused: Mapping[tuple[str, str], str]


@dataclass(frozen=True)
class FreeTest:
    """A test of a formula that costs no training.

    Args:
        check: (response on the probe points, number of model outputs) -> "" when passed, else the reason in words.
    """

    name: str
    about: str
    check: Callable[[Response, int], str]


@dataclass(frozen=True)
class FreeOutputs:
    """Outputs of no model, which a loss worth training brings to their targets.

    Args:
        about: what the score is, in words.
        start: (source of random numbers, samples, number of model outputs) -> outputs `(1, 1, samples, outputs)` and
            targets `(1, 1, samples)`.
        score: outputs `(*members, samples, outputs)`, targets -> `(*members,)`, higher is better.
        least: so much the score must rise.
    """

    about: str
    start: Callable[[Generator, int, int], tuple[Tensor, Tensor]]
    score: Callable[[Tensor, Tensor], Tensor]
    least: float


class Options(Protocol):
    """The options of torch's losses, as `SymbolicLoss` holds them."""

    reduction: str
    weight: Tensor | None
    ignore_index: int
    label_smoothing: float


@dataclass(frozen=True)
class OutputLink:
    """How the variables follow from the model's output, said so that a kernel can compute and differentiate them.

    Args:
        along: the variable that is the model's output itself, or its log-softmax.
        log_softmax: whether log-softmax over the last dimension comes first.
        derived: variable -> what it is of `along` and the given ones; `clamp(a, low, high)` may be called as well.
        given: (target (*members or 1.., batch), output (*members, batch, outputs)) -> the variables that do not depend
            on the output, in a shape that broadcasts to the output's.
    """

    along: str
    log_softmax: bool
    derived: Mapping[str, Node]
    given: Callable[[Any, Any], dict[str, Any]]


@dataclass(frozen=True)
class Slot:
    """Where a formula plugs into training.

    Args:
        required: variables that a formula must see to be worth training.
        accepts: names of the options of torch's losses that make sense here.
        baselines: zoo names; the first is the reference that a winner must beat.
        target: what the base problem is trained to meet: `labels` (integers 0, 1, ..., one model output for each) or
            `values` (floats, one model output).
        traits: names in `analysis.TRAITS` of what can be said of its formulas.
        shares_forward: True where the formula acts on the model's output alone, so that a cohort shares its forward.
        forward: (function, model, x) -> output, with the formula inside the model where the slot is there.
        objective: (function, output (*members, batch, outputs), target (*members or 1.., batch)) -> (*members,), the
            training objective of each member, averaged over its mini-batch.
        probes: number of model outputs -> the points that formulas are looked at on before any training.
        call: (function, options, *arguments) -> tensor; what `SymbolicLoss.forward` computes.
        tests: free tests, cheapest first.
        fused: (text of a sub-formula, name of a variable) pairs; `objective` and `call` provide the variable in its
            place, computed more accurately than the sub-formula would be.
        normalise: canonical rewriting that only this slot knows, as r for f - y.
        free_outputs: what the last free test starts from and how it is scored; None where a formula has no targets.
        output_link: the objective in a form that `kernel.CohortLoss` runs; without it torch differentiates it.
    """

    name: str
    about: str
    variables: tuple[Variable, ...]
    required: tuple[str, ...]
    accepts: frozenset[str]
    baselines: tuple[str, ...]
    target: Literal["labels", "values"]
    traits: tuple[str, ...]
    shares_forward: bool
    forward: Callable[[Function, Model, Any], Any]
    objective: Callable[[Function, Any, Any], Any]
    probes: Callable[[int], Probes]
    call: Callable[..., Any]
    tests: tuple[FreeTest, ...]
    fused: tuple[tuple[str, str], ...] = ()
    normalise: Callable[[sympy.Expr], sympy.Expr] = lambda expr: expr
    output_link: OutputLink | None = None
    free_outputs: FreeOutputs | None = None

    def symbols(self) -> dict[str, sympy.Symbol]:
        """Return variable name -> sympy symbol."""
        return {variable.name: variable.symbol for variable in self.variables}

    def lacks(self, seen: Iterable[str]) -> tuple[str, ...]:
        """Return the required variables that a formula over `seen` does not see, directly or through a stand-in."""
        names = set(seen)
        for variable in self.variables:
            if variable.name in names:
                names |= set(variable.stands_for)
        return tuple(name for name in self.required if name not in names)


def forward_plain(function: Function, model: Model, x: Any) -> Any:
    """Run the model; the formula acts on its output later."""
    return model(x)


def reduced(losses: Tensor, reduction: str, count: Tensor | float) -> Tensor:
    """Apply torch's `reduction` to one loss per example; `count` is what `mean` divides by."""
    if reduction == "none":
        return losses
    return losses.sum() if reduction == "sum" else losses.sum() / count
