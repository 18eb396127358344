"""Tables and texts for the terminal: what is said of a formula, and how rows are laid out.

Each answer is a plain document first, which `--json` writes as it is, and a text made from the document alone.
"""

from __future__ import annotations

import math
import re
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any, Literal

from symloss.errors import visible
from symloss.language.slots import SLOTS
from symloss.telling.analysis import CLASSES, TRAITS, Analysis, traits
from symloss.telling.target import Target

if TYPE_CHECKING:
    from rich.console import Console

_WIDE = 200  # columns where the output is no terminal: pipes and files should not be wrapped
_TEXT = 240  # characters of a text in a table; `--json` has all of it
_NAME = 40  # characters of a row's name
_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?(e[-+]?\d+)?( ± [\d.e-]+)?$")

_LONGEST = 1000  # characters of one piece of evidence
_EXACT = 10**18  # larger whole numbers are told by their size
_WORD = 32  # characters of a word that is not broken in a column of texts
_COLUMN = 24  # columns that a column of texts needs to be read with ease
_GAP = 3  # columns between two columns


HEADLINES = ("optimum", "first_step", "residual_optimum")  # traits that a summary tells of a formula


def describe_formula(target: Target, classes: int = CLASSES, analysis: Analysis | None = None) -> dict[str, Any]:
    """Return what can be said of a target's formula without training.

    Args:
        classes: number of classes that p* and the first step are told for.
        analysis: all that is known of the formula; None for the headlines alone, which take no time.
    """
    formula = target.formula
    found = traits(formula, classes, HEADLINES) if analysis is None else analysis.findings
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
        "classes": classes,
        "traits": {
            name: {"label": TRAITS[name].label, "group": TRAITS[name].group, **asdict(each)}
            for name, each in found.items()
        },
        "algebra": "not asked" if analysis is None else analysis.algebra,
        "source": target.source,
        "evidence": dict(target.evidence),
    }


def formula_text(document: Mapping[str, Any]) -> str:
    """Lay out the headlines of what `describe_formula` returned."""
    rows = formula_rows(document)
    told = [(each["label"], each["words"]) for name, each in document["traits"].items() if name in HEADLINES]
    return fields(rows[:_FIRST] + told + rows[_FIRST:])


_FIRST = 4  # rows of a formula that stand before its traits: what it is


def formula_rows(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return label and text of what a formula is, what it lacks, and where it comes from."""
    rows = [
        ("formula", document["formula"]),
        ("latex", document["latex"]),
        ("slot", document["slot"]),
        ("complexity", f"{document['complexity']} nodes"),
    ]
    if document["lacks"]:
        rows.append(("lacks", f"{', '.join(document['lacks'])}: no search would train it"))
    rows += [("source", document["source"])] if document["source"] else []
    return rows + _evidence_rows(document["evidence"])


def fields(rows: Sequence[tuple[str, str]], width: int | None = None) -> str:
    """Lay out pairs of a label and its text.

    Args:
        width: columns to wrap the texts at; None leaves them whole.
    """
    shown = [(visible(label), visible(text)) for label, text in rows]
    room = max((len(label) for label, _ in shown), default=0)
    lines = [f"{label:<{room}}  {text}" for label, text in shown]
    if width is None:
        return "\n".join(lines)
    return "\n".join(textwrap.fill(line, width, subsequent_indent=" " * (room + 2), **_WHOLE) for line in lines)


# Of formulas: spaces stay as they are, and nothing is cut inside a word.
_WHOLE: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False, "drop_whitespace": True}


def table(rows: Sequence[Mapping[str, Any]], title: str = "", width: int | None = None) -> str:
    """Lay out rows as a table; its columns are all keys of all rows, and numbers stand right.

    Long texts are cut and wrapped, so that they push no column off the screen; names and numbers stay whole. Columns
    that do not fit beside the others stand in a table of their own below, with the first column again.

    Args:
        width: columns of the screen; None for the terminal's.
    """
    from rich.console import Console

    title = visible(title)
    if not any(rows):
        return "\n".join(filter(None, [title, "none"]))
    columns = [
        _column(name, rows, place) for place, name in enumerate(dict.fromkeys(key for row in rows for key in row))
    ]
    console = Console(file=StringIO(), width=width or (None if sys.stdout.isatty() else _WIDE))
    parts = [_drawn(part, console) for part in _fitting(columns, console.width)]
    return "\n".join(filter(None, [textwrap.fill(title, console.width), "\n\n".join(parts)]))


@dataclass(frozen=True)
class _Column:
    """A column as it is shown.

    Args:
        firm: its cells are never wrapped.
        least: columns of the screen that it needs.
    """

    name: str
    cells: tuple[str, ...]
    numeric: bool
    firm: bool
    least: int


def _column(name: str, rows: Sequence[Mapping[str, Any]], place: int) -> _Column:
    numeric = all(_is_number(row.get(name)) for row in rows)
    cells = tuple(shorten(visible(cell(row.get(name))), _TEXT if place else _NAME) for row in rows)
    firm, longest = numeric or place == 0, max(map(len, cells))
    word = min(_WORD, max((len(each) for text in cells for each in text.split()), default=0))
    return _Column(name, cells, numeric, firm, max(len(name), longest if firm else min(longest, max(word, _COLUMN))))


def _fitting(columns: Sequence[_Column], width: int) -> list[list[_Column]]:
    """Part columns into tables that fit the width; each begins with the first column."""
    first, *others = columns
    parts, room = [[first]], width - first.least
    for column in others:
        need = column.least + _GAP
        if need > room and len(parts[-1]) > 1:
            parts.append([first])
            room = width - first.least
        parts[-1].append(column)
        room -= need
    return parts


def _drawn(columns: Sequence[_Column], console: Console) -> str:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for each in columns:
        justify: Literal["left", "right"] = "right" if each.numeric else "left"
        made.add_column(each.name, justify=justify, overflow="fold", no_wrap=each.firm, min_width=len(each.name))
    for row in zip(*(each.cells for each in columns), strict=True):
        made.add_row(*map(Text, row))
    with console.capture() as captured:
        console.print(made)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def shorten(text: str, longest: int) -> str:
    """Cut a long text, with an ellipsis for the rest."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def with_spread(mean: float | None, deviation: float | None) -> str:
    """Write a mean with its deviation: two digits of the deviation, and as many decimals of the mean.

    Example:
        >>> with_spread(0.912345, 0.00421)
        '0.9123 ± 0.0042'
    """
    if mean is None or deviation is None or not deviation > 0:
        return f"{cell(mean)} ± {cell(deviation)}"
    decimals = decimals_for(deviation)
    return f"{mean:.{decimals}f} ± {deviation:.{decimals}f}"


def decimals_for(size: float) -> int:
    """Return how many decimals show two digits of a number, at most 8."""
    return min(8, max(0, 1 - math.floor(math.log10(abs(size)))))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | None) or (isinstance(value, str) and _NUMBER.match(value) is not None)


def cell(value: Any) -> str:
    """Write one value of a table: numbers at four significant digits, lists with commas, None as a dash."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int) and abs(value) >= _EXACT:
        return f"about {'-' if value < 0 else ''}10^{len(str(abs(value))) - 1}"
    return ", ".join(map(cell, value)) if isinstance(value, list | tuple) else str(value)


def _evidence_rows(evidence: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Lay out what fits on a line; tables are left to `--json`."""
    rows = []
    for key, value in evidence.items():
        if key == "trial":
            rows.append(("evidence: trial", "can be made again: symloss verify FILE"))
            continue
        if isinstance(value, Mapping):
            value = ", ".join(f"{name} = {cell(each)}" for name, each in value.items())
        if not (isinstance(value, list) and value and isinstance(value[0], Mapping)):
            rows.append((f"evidence: {key}", cell(value)[:_LONGEST]))
    return rows
