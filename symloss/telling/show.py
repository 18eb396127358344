"""Tables and texts for the terminal: what is said of a formula, and how rows are laid out.

Each answer is a plain document first, which `--json` writes as it is, and a text made from the document alone.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

from symloss.language.slots import SLOTS
from symloss.telling.analysis import CLASSES, TRAITS, traits
from symloss.telling.target import Target

_WIDE = 200  # columns where the output is no terminal: pipes and files should not be wrapped

_LONGEST = 1000  # characters of one piece of evidence


def describe_formula(target: Target, classes: int = CLASSES) -> dict[str, Any]:
    """Return all that can be said of a target's formula without training.

    Args:
        classes: number of classes that p* and the first step are told for.
    """
    formula = target.formula
    found = traits(formula, classes)
    return {
        "kind": target.kind,
        "name": target.name,
        "slot": formula.slot,
        "formula": formula.text,
        "latex": formula.latex(),
        "complexity": formula.complexity,
        "variables": sorted(formula.variables),
        "lacks": list(SLOTS[formula.slot].lacks(formula.variables)),
        "key": formula.key,
        "traits": {name: {"value": each.value, "words": each.words} for name, each in found.items()},
        "source": target.source,
        "evidence": dict(target.evidence),
    }


def formula_text(document: Mapping[str, Any]) -> str:
    """Lay out what `describe_formula` returned."""
    rows = [
        ("formula", document["formula"]),
        ("latex", document["latex"]),
        ("slot", document["slot"]),
        ("complexity", f"{document['complexity']} nodes"),
    ]
    rows += [(TRAITS[name].label, each["words"]) for name, each in document["traits"].items()]
    if document["lacks"]:
        rows.append(("lacks", f"{', '.join(document['lacks'])}: no search would train it"))
    rows += [("source", document["source"])] if document["source"] else []
    rows += _evidence_rows(document["evidence"])
    return fields(rows)


def fields(rows: Sequence[tuple[str, str]]) -> str:
    """Lay out pairs of a label and its text."""
    width = max((len(label) for label, _ in rows), default=0)
    return "\n".join(f"{label:<{width}}  {text}" for label, text in rows)


def table(rows: Sequence[Mapping[str, Any]], title: str = "") -> str:
    """Lay out rows as a table; its columns are all keys of all rows, and numbers stand right.

    Returns:
        Lines of text, as wide as the terminal, and never cut.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if not rows:
        return "\n".join(filter(None, [title, "none"]))
    columns = list(dict.fromkeys(key for row in rows for key in row))
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        numeric = all(isinstance(row.get(column), int | float | None) for row in rows)
        made.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        made.add_row(*(Text(cell(row.get(column))) for column in columns))
    console = Console(file=StringIO(), width=None if sys.stdout.isatty() else _WIDE)
    with console.capture() as captured:
        console.print(made)
    return "\n".join(filter(None, [title, *(line.rstrip() for line in captured.get().splitlines())]))


def cell(value: Any) -> str:
    """Write one value of a table: numbers at four significant digits, lists with commas, None as a dash."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _evidence_rows(evidence: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Lay out what fits on a line; tables are left to `--json`."""
    rows = []
    for key, value in evidence.items():
        if isinstance(value, Mapping):
            value = ", ".join(f"{name} = {each}" for name, each in value.items())
        if not (isinstance(value, list) and value and isinstance(value[0], Mapping)):
            rows.append((f"evidence: {key}", cell(value)[:_LONGEST]))
    return rows
