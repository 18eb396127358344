"""What all exported Python files have in common: the formula as a function of its slot's variables, and the imports."""

from __future__ import annotations

import re
from collections.abc import Mapping

from symloss.language.formula import Formula
from symloss.language.slots import SLOTS
from symloss.telling.pycode import Spelling, body


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
