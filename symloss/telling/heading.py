"""What every exported file says of its formula, and what it is called: the same words in each language.

A stranger's texts stay texts: they are escaped before they stand between triple quotes.
"""

from __future__ import annotations

import keyword
import re
import textwrap
from collections.abc import Collection

from symloss import __version__
from symloss.language.slots import SLOTS
from symloss.telling.evidence import evidence_text
from symloss.telling.target import Target

WIDTH = 110  # columns of an exported docstring


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


def class_name(function: str, taken: Collection[str] = ()) -> str:
    """Return the name of the class that stands beside a function, `BaikalCma` beside `baikal_cma`."""
    name = "".join(word.capitalize() for word in function.split("_"))
    return name if name not in taken else f"{name}Module"


def heading(target: Target) -> str:
    """Return a file's docstring: formula, slot, where it comes from, and all the evidence that there is."""
    formula = target.formula
    lines = [f"{target.name}: {formula.text}", "", f"Slot: {formula.slot}: {SLOTS[formula.slot].about}."]
    lines += [f"Source: {target.source}."] if target.source else []
    folded = [textwrap.fill(line, WIDTH) if line else "" for line in lines]
    evidence = ["", "Evidence", "", evidence_text(target.evidence, WIDTH), ""] if target.evidence else []
    return "\n".join([*folded, *evidence, f"Written by symloss {__version__}.", ""])
