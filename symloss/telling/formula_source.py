"""What all exported Python files have in common: the formula as a function, the imports, and a library's form."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from symloss.errors import FormulaError
from symloss.language.formula import Formula
from symloss.language.slots import SLOTS
from symloss.telling.pycode import Spelling, body
from symloss.telling.standalone import module_source, standalone_source

_FORMS = "symloss.telling.forms"


def formula_source(formula: Formula, spelling: Spelling, array: str) -> str:
    """Return the function `formula` of the slot's variables.

    Args:
        spelling: of the library that computes it.
        array: the name of that library's arrays.
    """
    slot = SLOTS[formula.slot]
    names = [variable.name for variable in slot.variables] + [name for _, name in slot.fused]
    lines = [f"    {variable.name}: {variable.meaning}." for variable in slot.variables]
    lines += [f"    {name}: {part}, computed more accurately." for part, name in slot.fused]
    return f'''def formula({", ".join(f"{name}: Any" for name in names)}) -> {array}:
    """Compute the formula elementwise.

{chr(10).join(lines)}
    """
{body(formula, spelling)}'''


def import_lines(lines: Mapping[str, str], code: str) -> str:
    """Return the import lines of the names that some code uses.

    Args:
        lines: a name -> the line that imports it.
    """
    used = set(re.findall(r"\w+", code))
    return "\n".join(["from __future__ import annotations\n", *(line for name, line in lines.items() if name in used)])


@dataclass(frozen=True)
class Form:
    """How a library computes a slot's losses: source that calls a function `formula`.

    Args:
        code: of the function `call` and of what it needs.
        required: the parameters of `call` that have no default.
        options: parameter -> its default, as source.
        about: the docstring of `call`.
    """

    code: str
    required: tuple[str, ...]
    options: Mapping[str, str]
    about: str

    def named(self, name: str, decorator: str = "") -> str:
        """Return the code with `call` under another name."""
        return self.code.replace("\ndef call(", f"\n{decorator}def {name}(")


def read_form(library: str, slot: str) -> Form:
    """Read a form from `forms/`.

    Raises:
        FormulaError: the library has no form of the slot.
    """
    folder = Path(__file__).parent / "forms"
    if not (folder / f"{library}_{slot}.py").is_file():
        known = [name for name in SLOTS if (folder / f"{library}_{name}.py").is_file()]
        raise FormulaError(
            f"a formula of the slot {slot} cannot be exported for {library} yet; it has forms of {', '.join(known)}. "
            "Export it as torch, loss, sympy or latex."
        )
    module = f"{_FORMS}.{library}_{slot}"
    definitions = [each for each in ast.parse(module_source(module)).body if isinstance(each, ast.FunctionDef)]
    call = next(each for each in definitions if each.name == "call")
    return Form(
        "\n" + standalone_source(module, "call", _FORMS),
        tuple(each.arg for each in call.args.args[: len(call.args.args) - len(call.args.defaults)]),
        _options(call.args),
        ast.get_docstring(call) or "",
    )


def _options(given: ast.arguments) -> dict[str, str]:
    first = len(given.args) - len(given.defaults)
    pairs = [
        *zip(given.args[first:], given.defaults, strict=True),
        *zip(given.kwonlyargs, given.kw_defaults, strict=True),
    ]
    return {argument.arg: ast.unparse(default) for argument, default in pairs if default is not None}
