"""A Python file that needs torch alone: the loss as a function and as a module, with torch's conventions.

It holds the code that computed the loss in training, and the formula as plain torch calls.
"""

from __future__ import annotations

import inspect
import re
from typing import NamedTuple

from symloss.language.operators import OPERATORS, Operator
from symloss.language.slots import SLOTS, Slot
from symloss.telling.formula_source import formula_source, import_lines
from symloss.telling.heading import class_name, docstring, function_name, heading
from symloss.telling.pycode import TORCH, called, helper_name, torch_name
from symloss.telling.standalone import standalone_source
from symloss.telling.target import Target

_IMPORTS = {
    "Callable": "from collections.abc import Callable",
    "Any": "from typing import Any, Protocol",
    "torch": "\nimport torch\nfrom torch import Tensor, nn",
}


class Option(NamedTuple):
    """An option of torch's losses, as an exported module declares, keeps and explains it."""

    parameter: str
    store: str
    about: str


_OPTIONS = {
    "reduction": Option(
        'str = "mean"',
        """if reduction not in ("mean", "sum", "none"):
            raise ValueError(f"reduction: got {reduction!r}. Allowed: mean, sum, none.")
        self.reduction = reduction""",
        "`mean`, `sum` or `none`.",
    ),
    "weight": Option(
        "Tensor | None = None", 'self.register_buffer("weight", weight)', "(classes,), multiplies each class's term."
    ),
    "ignore_index": Option(
        "int = -100", "self.ignore_index = ignore_index", "examples with this class index count for nothing."
    ),
    "label_smoothing": Option(
        "float = 0.0",
        "self.label_smoothing = label_smoothing",
        "in [0, 1]; the share of the target that is spread over all classes.",
    ),
}


def to_torch(target: Target) -> str:
    """Return the file's text.

    Raises:
        FormulaError: the formula calls a function that is not torch's own.
    """
    slot = SLOTS[target.formula.slot]
    code = _call(slot)
    formula = _helpers(target) + formula_source(target.formula, TORCH, "Tensor")
    module = _module(target, slot, code)
    head = f'"""{docstring(heading(target))}"""\n\n{import_lines(_IMPORTS, code + formula + module)}'
    return "\n\n\n".join(part.strip("\n") for part in (head, formula, code, module)) + "\n"


def torch_names(target: Target) -> tuple[str, str]:
    """Return the names of the function and of the module in a target's torch file."""
    used = {"formula", "Any", "Callable", "Protocol", *re.findall(r"\w+", _call(SLOTS[target.formula.slot]))}
    function = function_name(target, used)
    return function, class_name(function, used)


def _call(slot: Slot) -> str:
    return standalone_source(slot.call.__module__, slot.call.__name__, "symloss.language.slots")


# Python's signs take tensors and numbers alike.
_SIGNS = {"add", "sub", "mul", "div", "pow"}


def _helpers(target: Target) -> str:
    pairs = [name for name in sorted(called(target.formula.node) - _SIGNS) if OPERATORS[name].arity == 2]
    return "".join(f"{_of_tensors(OPERATORS[name])}\n\n\n" for name in pairs)


def _of_tensors(operator: Operator) -> str:
    return _OF_TENSORS.format(name=torch_name(operator), helper=helper_name(operator))


_OF_TENSORS = '''def {helper}(a: Any, b: Any) -> Tensor:
    """Compute {name}, of numbers too."""
    like = a if isinstance(a, Tensor) else b
    a, b = (value if isinstance(value, Tensor) else like.new_full((), value) for value in (a, b))
    return {name}(a, b)'''


def _module(target: Target, slot: Slot, code: str) -> str:
    options = [name for name in _OPTIONS if f"options.{name}" in code]
    function, name = torch_names(target)
    arguments = list(inspect.signature(slot.call).parameters)[2:]
    explained = [f"        {option}: {_OPTIONS[option].about}" for option in options]
    return _MODULE.format(
        name=name,
        function=function,
        about="\n".join(["", "", "    Args:", *explained, "    "]) if options else "",
        method=_signature(["self"], options, "    "),
        plain=_signature([f"{argument}: Tensor" for argument in arguments], options, ""),
        stores="".join(f"\n        {_OPTIONS[option].store}" for option in options),
        inputs=", ".join(f"{argument}: Tensor" for argument in arguments),
        arguments=", ".join(arguments),
        options=", ".join(options),
    )


def _signature(first: list[str], options: list[str], indent: str) -> str:
    parameters = [*first, *(f"{option}: {_OPTIONS[option].parameter}" for option in options)]
    if not options:
        return ", ".join(parameters)
    return "".join(f"\n{indent}    {parameter}," for parameter in parameters) + f"\n{indent}"


_MODULE = '''class {name}(nn.Module):
    """The formula as a module.{about}"""

    def __init__({method}) -> None:
        super().__init__(){stores}

    def forward(self, {inputs}) -> Tensor:
        half = (torch.float16, torch.bfloat16)
        return call(formula, self, *(each.float() if each.dtype in half else each for each in [{arguments}]))


def {function}({plain}) -> Tensor:
    """Compute the formula as a function; see {name} for the options."""
    return {name}({options})({arguments})'''
