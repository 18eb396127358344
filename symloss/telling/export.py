"""Exports: a formula as a file that others can use without symloss.

A formula from a stranger cannot smuggle code into a file: it is printed anew from its reading, and texts are escaped.
"""

from __future__ import annotations

import inspect
import json
import keyword
import re
import textwrap
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from symloss import __version__
from symloss.language.lossfile import write_loss
from symloss.language.operators import OPERATORS, Operator
from symloss.language.slots import SLOTS, Slot
from symloss.telling.pycode import SYMPY, called, helper_name, torch_body, torch_name, written
from symloss.telling.standalone import standalone_source
from symloss.telling.target import Target


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


@dataclass(frozen=True)
class Export:
    """One way to write a formula.

    Args:
        about: one line for people.
        suffix: of a file that holds it.
        write: target -> the file's text.
    """

    about: str
    suffix: str
    write: Callable[[Target], str]


def to_latex(target: Target) -> str:
    """Return the formula in LaTeX, constants at four significant digits."""
    return target.formula.latex() + "\n"


def to_loss(target: Target) -> str:
    """Return a loss file with the target's evidence.

    Raises:
        RunError: the evidence makes it larger than 64 KB.
    """
    evidence = dict(target.evidence) or ({"source": target.source} if target.source else {})
    with TemporaryDirectory() as folder:
        path = Path(folder) / "export.loss.json"
        write_loss(path, target.formula, evidence)
        return path.read_text(encoding="utf-8")


def to_sympy(target: Target) -> str:
    """Return a Python file that builds the formula from sympy's own classes: `formula`, and its variables."""
    formula = target.formula
    used = [variable for variable in SLOTS[formula.slot].variables if variable.name in formula.variables]
    lines = [f'"""{docstring(_heading(target))}"""', "", "import sympy", ""]
    for variable in used:
        facts = ", ".join(f"{name}=True" for name in sorted(variable.symbol.assumptions0) if name in _FACTS)
        lines.append(f'{variable.name} = sympy.Symbol("{variable.name}", {facts})  # {variable.meaning}')
    return "\n".join([*lines, "", f"formula = {written(formula.node, SYMPY)}", ""])


_FACTS = ("real", "positive", "nonnegative", "integer")


def to_torch(target: Target) -> str:
    """Return a Python file that needs torch alone: the loss as a function and as a module, with torch's conventions.

    It holds the code that computed the loss in training, and the formula as plain torch calls.
    """
    slot = SLOTS[target.formula.slot]
    code = standalone_source(slot.call, "symloss.language.slots")
    parts = [_torch_header(target), _torch_formula(target, slot), code, _torch_module(target, slot, code)]
    return "\n\n\n".join(part.strip("\n") for part in parts) + "\n"


EXPORTS: dict[str, Export] = {
    "torch": Export("a Python file that needs torch alone: a function and an nn.Module", ".py", to_torch),
    "loss": Export("a loss file, readable by `symloss.load`", ".loss.json", to_loss),
    "latex": Export("the formula for a paper", ".tex", to_latex),
    "sympy": Export("a Python file that builds the formula in sympy", ".py", to_sympy),
}


def docstring(text: str) -> str:
    """Return text that stays text between triple quotes, whatever a stranger has written into it."""
    visible = "".join(sign if sign.isprintable() or sign == "\n" else "?" for sign in text)
    return visible.replace("\\", "\\\\").replace('"', '\\"')


def function_name(target: Target, taken: Collection[str] = ()) -> str:
    """Return a Python name such as `baikal_cma` for a target; `symbolic` where it has no name of its own."""
    name = re.sub(r"[^A-Za-z0-9]+", "_", target.name).strip("_").lower()
    if target.kind == "formula" or not name.isidentifier() or keyword.iskeyword(name) or name in taken:
        return "symbolic"
    return name


def _heading(target: Target) -> str:
    formula = target.formula
    lines = [f"{target.name}: {formula.text}", "", f"Slot: {formula.slot}: {SLOTS[formula.slot].about}."]
    lines += [f"Source: {target.source}."] if target.source else []
    lines += [f"Evidence: {_evidence(target.evidence)}"] if target.evidence else []
    folded = [textwrap.fill(line, 110) if line else "" for line in lines]
    return "\n".join([*folded, f"Written by symloss {__version__}.", ""])


def _evidence(evidence: Mapping[str, object]) -> str:
    verdict = evidence.get("verdict") or evidence.get("note")
    return str(verdict)[:2000] if verdict else json.dumps(evidence, default=str)[:2000]


def _torch_header(target: Target) -> str:
    return f'''"""{docstring(_heading(target))}"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor, nn'''


def _torch_formula(target: Target, slot: Slot) -> str:
    names = [variable.name for variable in slot.variables] + [name for _, name in slot.fused]
    lines = [f"    {variable.name}: {variable.meaning}." for variable in slot.variables]
    lines += [f"    {name}: {part}, computed more accurately." for part, name in slot.fused]
    body = torch_body(target.formula)
    pairs = [name for name in sorted(called(target.formula.node) - _SIGNS) if OPERATORS[name].arity == 2]
    helpers = "".join(f"{_of_tensors(OPERATORS[name])}\n\n\n" for name in pairs)
    return f'''{helpers}def formula({", ".join(f"{name}: Any" for name in names)}) -> Tensor:
    """Compute the formula elementwise.

{chr(10).join(lines)}
    """
{body}'''


# Python's signs take tensors and numbers alike.
_SIGNS = {"add", "sub", "mul", "div", "pow"}


def _of_tensors(operator: Operator) -> str:
    return _OF_TENSORS.format(name=torch_name(operator), helper=helper_name(operator))


_OF_TENSORS = '''def {helper}(a: Any, b: Any) -> Tensor:
    """Compute {name}, of numbers too."""
    like = a if isinstance(a, Tensor) else b
    a, b = (value if isinstance(value, Tensor) else like.new_full((), value) for value in (a, b))
    return {name}(a, b)'''


def _torch_module(target: Target, slot: Slot, code: str) -> str:
    options = [name for name in _OPTIONS if f"options.{name}" in code]
    used = {"formula", "Any", "Callable", "Protocol", *re.findall(r"\w+", code)}
    function = function_name(target, used)
    name = "".join(word.capitalize() for word in function.split("_"))
    arguments = list(inspect.signature(slot.call).parameters)[2:]
    explained = [f"        {option}: {_OPTIONS[option].about}" for option in options]
    return _MODULE.format(
        name=name if name not in used else f"{name}Module",
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
