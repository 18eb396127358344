"""An analysis laid out for a terminal: headings, one line a finding with how sure it is, and what algebra added.

Made from the document that `--json` writes, and from nothing else.
"""

from __future__ import annotations

import math
import re
import shutil
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from symloss.errors import visible
from symloss.telling.analysis import CERTAINTIES
from symloss.telling.show import cell, fields, formula_rows

WIDEST = 120  # columns: longer lines are hard to read
_PIPED = 100  # columns where the output is no terminal
_NARROWEST = 48
_INDENT = "  "
_FIRM = "\xa0"  # a space at which no line is broken
_TOGETHER = re.compile(r"\[[^\]]{3,30}\]|\w+ (->|=) \S+|\d+ %")  # what is read as one word

Document = Mapping[str, Any]
Style = Callable[[str], str]


def portrait(document: Document, explain: bool = False, width: int | None = None) -> str:
    """Lay out what `describe_formula` returned of a whole analysis.

    Args:
        explain: whether to add how each finding was made.
        width: columns; None for the terminal's, at most 120.
    """
    width = columns() if width is None else width
    parts = [fields(formula_rows(document), width)]
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for each in document["traits"].values():
        groups.setdefault(each["group"], []).append(each)
    label_width = max((len(each["label"]) for each in document["traits"].values()), default=0)
    parts += [_section(name, found, label_width, width, explain) for name, found in groups.items()]
    table = curve_table(document["traits"], width)
    if table:
        parts.append(table)
    parts.append(_legend(document["traits"].values(), width))
    return "\n\n".join(parts)


def columns() -> int:
    """Return how wide to write: the terminal's columns within reason."""
    return max(_NARROWEST, min(WIDEST, shutil.get_terminal_size((_PIPED, 24)).columns))


def _section(name: str, found: Sequence[Mapping[str, Any]], label_width: int, width: int, explain: bool) -> str:
    lines = [heading(name)]
    for each in found:
        lines.append(_row(each["label"], f"{each['words']} {sureness(each)}", label_width, width))
        if explain and each["how"]:
            lines.append(_row("", f"how: {each['how']}", label_width, width))
    return "\n".join(lines)


def _row(label: str, words: str, label_width: int, width: int) -> str:
    first = f"{_INDENT}{label:<{label_width}}  "
    whole = _TOGETHER.sub(lambda found: found.group().replace(" ", _FIRM), visible(words))
    filled = textwrap.fill(
        whole, width, initial_indent=first, subsequent_indent=" " * len(first), break_on_hyphens=False
    )
    return filled.replace(_FIRM, " ").rstrip()


def heading(text: str) -> str:
    """Write a heading."""
    return f"{text}\n{'─' * len(text)}"


def sureness(finding: Mapping[str, Any]) -> str:
    """Write how sure a finding is, as `[proven, ± 3e-08]`."""
    if finding["certainty"] == "unknown":
        return ""
    tolerance = finding["tolerance"]
    close = isinstance(tolerance, float) and math.isfinite(tolerance) and tolerance > 0
    return f"[{finding['certainty']}{f', ± {tolerance:.1g}' if close else ''}]"


def _legend(findings: Any, width: int) -> str:
    met = {each["certainty"] for each in findings}
    rows = [(f"[{name}]", meaning) for name, meaning in CERTAINTIES.items() if name in met and name != "unknown"]
    return "\n".join(_row(name, meaning, max(len(each) for each, _ in rows), width) for name, meaning in rows)


# trait whose details hold a curve: (its axis, name in the details -> label of the row)
_CURVES: dict[str, tuple[str, dict[str, str]]] = {
    "true_class": ("p", {"value": "true class, value", "slope": "true class, slope"}),
    "wrong_class": ("p", {"value": "wrong class, value", "slope": "wrong class, slope"}),
    "pull": ("p", {"gradient": "gradient on true logit"}),
    "residual_shape": ("r", {"value": "value", "gradient": "gradient"}),
    "input_shape": ("x", {"value": "value", "gradient": "slope"}),
}


def curve_table(traits: Mapping[str, Mapping[str, Any]], width: int) -> str:
    """Lay out the curves of an analysis as numbers; columns that do not fit are left out from the middle on."""
    rows: list[tuple[str, list[Any]]] = []
    for name, (axis, labels) in _CURVES.items():
        details = traits.get(name, {}).get("details", {})
        if axis in details:
            rows = rows or [(axis, details[axis])]
            rows += [(label, details[key]) for key, label in labels.items()]
    if not rows:
        return ""
    texts = [(label, [_short(value) for value in values]) for label, values in rows]
    label_width = max(len(label) for label, _ in texts)
    size = max(len(text) for _, each in texts for text in each) + 2
    kept = _fitting(len(texts[0][1]), (width - label_width - len(_INDENT)) // size)
    lines = [f"{_INDENT}{label:<{label_width}}{''.join(f'{each[k]:>{size}}' for k in kept)}" for label, each in texts]
    return "\n".join([heading(f"Curves over {rows[0][0]}"), *lines])


def _short(value: Any) -> str:
    if value is None or not math.isfinite(value):
        return "-"
    return f"{value:.3g}"


def _fitting(count: int, room: int) -> list[int]:
    """Choose which of several columns to show: all, or every second one and so on, always with both ends."""
    step = 1
    while step < count and len({*range(0, count, step), count - 1}) > max(room, 2):
        step += 1
    return sorted({*range(0, count, step), count - 1})


def painted(text: str, bold: Style, faint: Style) -> str:
    """Set headings and marks of sureness apart, for terminals that have colours.

    Args:
        bold, faint: text -> the same text with the terminal's codes around it.
    """
    text = re.sub(r"(?m)^(.+)(?=\n─+$)", lambda found: bold(found.group()), text)
    return re.sub(rf"\[(?:{'|'.join(CERTAINTIES)})[^\]]*\]", lambda found: faint(found.group()), text)


def closed_forms(before: Document, after: Document, width: int | None = None) -> str:
    """Lay out what computer algebra added to an analysis, each with the check that it passed.

    Args:
        before: the document without its answers.
        after: the document with them.
    """
    width = columns() if width is None else width
    rows = [
        (each["label"], _answer(each))
        for name, each in after["traits"].items()
        if each["closed_form"] and each["closed_form"] != before["traits"][name]["closed_form"]
    ]
    lines = [heading("In closed form")]
    label_width = max((len(label) for label, _ in rows), default=0)
    lines += [_row(label, words, label_width, width) for label, words in rows]
    if not rows:
        lines.append(f"{_INDENT}computer algebra found none that agrees with the numbers")
    if after["algebra"].startswith("stopped"):
        lines.append(f"{_INDENT}{after['algebra']}: what it had not answered stays a number")
    return "\n".join(lines)


def _answer(finding: Mapping[str, Any]) -> str:
    forms = finding["details"].get("forms")
    if not forms:
        return f"{finding['closed_form']}"
    gaps = [("value", forms[-1]["value_gap"]), ("gradient", forms[-1]["gradient_gap"])]
    told = [f"{name} within {cell(gap)}" for name, gap in gaps if gap is not None and math.isfinite(gap)]
    return f"{finding['closed_form']} ({forms[-1]['name']}; {', '.join(told)} at {forms[-1]['points']} random points)"
