"""Formula to torch: a walk of the formula's reading, compiled once into a short program of torch calls.

`SymbolicLoss` is the nn.Module around it that follows the conventions of torch's own losses.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from symloss.language.formula import Formula, parse
from symloss.language.operators import OPERATORS, torch_function
from symloss.language.reading import Constant, Name, Node, text
from symloss.language.slots import SLOTS
from symloss.markup import Math, fields_html

_REDUCTIONS = ("mean", "sum", "none")
_SIGNS = {"add", "sub", "mul", "div", "pow"}  # torch's other functions of two arguments take no numbers


@dataclass(frozen=True)
class Step:
    """One torch call of a program.

    Args:
        function: of the values at `sources`.
        sources: places of the arguments among the program's values.
    """

    function: Callable[..., Any]
    sources: tuple[int, ...]


class TorchFunction:
    """A compiled formula: keyword tensors that broadcast, one per variable, to elementwise values.

    Sub-formulas that occur twice are computed once. Values may be NaN or infinite: screening decides, not this one.
    """

    def __init__(self, formula: Formula) -> None:
        self.formula = formula
        self._inputs: list[str | float] = []
        self._steps: list[Step] = []
        self._output = _Compiler(formula, self._inputs, self._steps).output

    def __call__(self, **variables: Any) -> Any:
        """Evaluate with the dtype and device of the variables."""
        like = next(value for value in variables.values() if isinstance(value, Tensor))
        values: list[Any] = [variables[source] if isinstance(source, str) else source for source in self._inputs]
        for step in self._steps:
            values.append(step.function(*[values[source] for source in step.sources]))
        result = values[self._output]
        return result if isinstance(result, Tensor) else like.new_full((), result)

    def __reduce__(self) -> tuple[Any, ...]:
        return _compiled, (self.formula.text, self.formula.slot)


class _Compiler:
    """Lays out a program: the inputs first, then one step per distinct operator call."""

    def __init__(self, formula: Formula, inputs: list[str | float], steps: list[Step]) -> None:
        self.fused = dict(SLOTS[formula.slot].fused)
        self.inputs, self.steps = inputs, steps
        self.places: dict[str, int] = {}
        self._collect_inputs(formula.node)
        self.output = self._place(formula.node)

    def _collect_inputs(self, node: Node) -> None:
        written = text(node)
        source = self._input(node, written)
        if source is None:
            for argument in node.arguments:  # type: ignore[union-attr]
                self._collect_inputs(argument)
        elif written not in self.places:
            self.places[written] = len(self.inputs)
            self.inputs.append(source)

    def _input(self, node: Node, written: str) -> str | float | None:
        if isinstance(node, Constant):
            return float(node.value)
        return node.name if isinstance(node, Name) else self.fused.get(written)

    def _place(self, node: Node) -> int:
        written = text(node)
        if written not in self.places:
            self._add_step(node, written)
        return self.places[written]

    def _add_step(self, node: Any, written: str) -> None:
        sources = tuple(self._place(argument) for argument in node.arguments)
        function = torch_function(OPERATORS[node.operator])
        needs_tensors = len(sources) == 2 and node.operator not in _SIGNS
        self.steps.append(Step(functools.partial(_on_tensors, function) if needs_tensors else function, sources))
        self.places[written] = len(self.inputs) + len(self.steps) - 1


def _on_tensors(function: Callable[..., Tensor], a: Any, b: Any) -> Tensor:
    like = a if isinstance(a, Tensor) else b
    return function(*(value if isinstance(value, Tensor) else like.new_full((), value) for value in (a, b)))


def compile_loss(formula: Formula) -> TorchFunction:
    """Turn a formula into a torch function of its slot's variables.

    Args:
        formula: over the variables of its slot, e.g. `p` in (0, 1) and `t` in [0, 1].

    Returns:
        f(p=..., t=...) -> values, elementwise over tensors that broadcast, with their dtype and device. Where the slot
        fuses a part, as classification does log(p), the value comes from its own variable, `log_p`.

    Raises:
        FormulaError: the formula uses a function that torch does not have.

    Example:
        >>> f = compile_loss(parse("t*p**2"))
        >>> f(p=torch.tensor([0.5]), t=torch.tensor([1.0]))
        tensor([0.2500])

    Source: Gonzalez and Miikkulainen 2020, arXiv:1905.11528, section 3.
    """
    return TorchFunction(formula)


def _compiled(text: str, slot: str) -> TorchFunction:
    return TorchFunction(parse(text, slot))


class SymbolicLoss(nn.Module):
    """A formula as a module with the conventions of torch's losses.

    For a classification formula `loss(logits, target)` takes (batch, classes) or (batch, classes, d1, ...) logits and
    class indices or probabilities; a regression formula takes (prediction, target) of equal shapes; an activation x.
    Half precision is computed in float32, as torch's own losses do under autocast.

    Args:
        formula: a Formula, or its text over the classification slot.
        reduction: `mean`, `sum` or `none`.
        weight: (classes,), multiplies each class's term.
        ignore_index: examples with this class index count for nothing.
        label_smoothing: in [0, 1]; the share of the target that is spread over all classes.

    Raises:
        FormulaError: the formula's text is not one.
        ValueError: an option is out of range or does not apply to the formula's slot.

    Example:
        >>> loss = SymbolicLoss("-t*log(p)", label_smoothing=0.1)
        >>> loss(torch.zeros(4, 10), torch.tensor([1, 2, 3, 4]))
        tensor(2.3026)
    """

    weight: Tensor | None

    def __init__(
        self,
        formula: Formula | str,
        reduction: str = "mean",
        weight: Tensor | None = None,
        ignore_index: int = -100,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        self.formula = parse(formula) if isinstance(formula, str) else formula
        self.reduction = reduction
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing
        self.register_buffer("weight", weight)
        self._check_options()
        self.function = compile_loss(self.formula)
        self._call = SLOTS[self.formula.slot].call

    def _check_options(self) -> None:
        if self.reduction not in _REDUCTIONS:
            raise ValueError(f"reduction: got {self.reduction!r}. Allowed: {', '.join(_REDUCTIONS)}.")
        if not 0 <= self.label_smoothing <= 1:
            raise ValueError(f"label_smoothing: got {self.label_smoothing}. Allowed: 0 to 1.")
        if not isinstance(self.ignore_index, int):
            raise ValueError(f"ignore_index: got {self.ignore_index!r}. Allowed: a whole number, torch's own is -100.")
        if self.weight is not None and self.weight.dim() != 1:
            raise ValueError(f"weight: got shape {tuple(self.weight.shape)}. Allowed: one number for each class.")
        given = {
            "weight": self.weight is not None,
            "ignore_index": self.ignore_index != -100,
            "label_smoothing": self.label_smoothing != 0,
        }
        accepted = SLOTS[self.formula.slot].accepts
        for name, is_given in given.items():
            if is_given and name not in accepted:
                raise ValueError(
                    f"{name}: a formula of the {self.formula.slot} slot does not take it. Leave it at its default."
                )

    def forward(self, *arguments: Tensor) -> Tensor:
        """Compute the loss of (output, target), or the activation of x."""
        single = (
            argument.float() if argument.dtype in (torch.float16, torch.bfloat16) else argument
            for argument in arguments
        )
        return self._call(self.function, self, *single)  # type: ignore[no-any-return]

    def _repr_html_(self) -> str:
        options = {name: getattr(self, name) for name in ("reduction", *sorted(SLOTS[self.formula.slot].accepts))}
        if isinstance(self.weight, Tensor) and "weight" in options:
            options["weight"] = [round(each, 4) for each in self.weight.tolist()]
        head: list[tuple[str, Any]] = [("loss", Math(self.formula.latex())), ("text", self.formula.text)]
        return fields_html([*head, ("slot", self.formula.slot), *options.items()])

    def extra_repr(self) -> str:
        """Show the formula where torch prints modules."""
        return f"{self.formula.text!r}, slot={self.formula.slot!r}, reduction={self.reduction!r}"


__all__ = ["SymbolicLoss", "TorchFunction", "compile_loss"]
