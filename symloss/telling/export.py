"""Exports: a formula as a file, or as a folder of files, that others can use.

A formula from a stranger cannot smuggle code into a file: it is printed anew from its reading, and texts are escaped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from symloss.language.lossfile import write_loss
from symloss.language.slots import SLOTS
from symloss.telling.heading import docstring, heading
from symloss.telling.pycode import SYMPY, written
from symloss.telling.target import Target
from symloss.telling.torch_file import to_torch


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
    lines = [f'"""{docstring(heading(target))}"""', "", "import sympy", ""]
    for variable in used:
        facts = ", ".join(f"{name}=True" for name in sorted(variable.symbol.assumptions0) if name in _FACTS)
        lines.append(f'{variable.name} = sympy.Symbol("{variable.name}", {facts})  # {variable.meaning}')
    return "\n".join([*lines, "", f"formula = {written(formula.node, SYMPY)}", ""])


_FACTS = ("real", "positive", "nonnegative", "integer")


EXPORTS: dict[str, Export] = {
    "torch": Export("a Python file that needs torch alone: a function and an nn.Module", ".py", to_torch),
    "loss": Export("a loss file, readable by `symloss.load`", ".loss.json", to_loss),
    "latex": Export("the formula for a paper", ".tex", to_latex),
    "sympy": Export("a Python file that builds the formula in sympy", ".py", to_sympy),
}
