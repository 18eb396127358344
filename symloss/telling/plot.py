"""Pictures of formulas: value and gradient over the axis of their slot, drawn with matplotlib without any window.

Losses are scaled to the same first step, because every loss trains at a learning rate of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from symloss.errors import ExperimentError, FormulaError, RunError
from symloss.language.formula import Formula
from symloss.language.slots import SLOTS
from symloss.language.zoo import zoo
from symloss.telling.analysis import first_step
from symloss.telling.curves import Curves, curves
from symloss.telling.target import Target

SUFFIXES = (".png", ".svg", ".pdf")
_LONGEST = 60  # characters of a formula in a legend


def drawn_targets(target: Target, against: Sequence[Target] = ()) -> list[Target]:
    """Return a target, what it is compared with, and its slot's reference, each formula once.

    Raises:
        FormulaError: the targets are of different slots.
    """
    slot = target.formula.slot
    name = SLOTS[slot].baselines[0]
    found = {target.formula.key: target}
    for each in against:
        found.setdefault(each.formula.key, each)
    found.setdefault(zoo[name].key, Target("zoo", name, zoo[name]))
    for each in found.values():
        if each.formula.slot != slot:
            raise FormulaError(f"{each.name} is of slot {each.formula.slot}, {target.name} of {slot}; draw them apart.")
    return list(found.values())


def draw(targets: Sequence[Target], path: Path, classes: int) -> None:
    """Draw value and gradient of formulas of one slot into a file.

    Args:
        path: ends in .png, .svg or .pdf.
        classes: number of classes that classification losses are drawn for.

    Raises:
        ExperimentError: matplotlib is not installed, or the file's kind is not one of these.
        RunError: the file cannot be written.
    """
    check_picture(path)
    figure = blank_figure(10, 4.6)
    left, right = figure.subplots(1, 2)
    for number, target in enumerate(targets):
        drawn = curves(target.formula, classes)
        scale = _scale(target.formula, classes)
        _draw_curve(left, drawn, (drawn.values - _smallest(drawn.values)) / scale, _label(target, scale), number)
        _draw_curve(right, drawn, drawn.gradients / scale, "", number)
    left.set_ylabel("value above its minimum")
    right.set_ylabel(f"gradient by {drawn.gradient_of}")
    figure.legend(loc="outside upper center", fontsize="small", ncols=1 if len(targets) < 4 else 2)
    for axes in (left, right):
        axes.set_xlabel(drawn.axis)
        axes.grid(alpha=0.3)
    save_figure(figure, path)


def check_picture(path: Path) -> None:
    """Refuse a kind of picture that cannot be drawn.

    Raises:
        ExperimentError: matplotlib is not installed, or the file's kind is none of SUFFIXES.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ExperimentError(f"{path} is no picture that can be drawn; end it with {', '.join(SUFFIXES)}.")
    blank_figure(1, 1)


def save_figure(figure: Any, path: Path) -> None:
    """Write a figure.

    Raises:
        RunError: the file cannot be written.
    """
    try:
        figure.savefig(path, dpi=150)
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error}.") from error


def blank_figure(width: float, height: float) -> Any:
    """Make a figure without any window, sizes in inches.

    Raises:
        ExperimentError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ExperimentError("drawing needs matplotlib; install it with: pip install 'symloss[plot]'") from error
    return Figure(figsize=(width, height), layout="constrained")


def _draw_curve(axes: Any, drawn: Curves, heights: Any, label: str, number: int) -> None:
    axes.plot(
        drawn.x, np.where(np.isfinite(heights), heights, np.nan), label=label, linewidth=2.5 if number == 0 else 1.5
    )


def _smallest(values: Any) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.min()) if finite.size else 0.0


def _scale(formula: Formula, classes: int) -> float:
    if "first_step" not in SLOTS[formula.slot].traits:
        return 1.0
    try:
        ratio = first_step(formula, classes)
    except FormulaError:
        return 1.0
    return ratio if math.isfinite(ratio) and ratio > 0 else 1.0


def _label(target: Target, scale: float) -> str:
    text = target.formula.text
    short = text if len(text) <= _LONGEST else text[:_LONGEST] + " ..."
    called = "winner" if target.kind == "run" else target.name
    name = short if target.kind == "formula" else f"{called}: {short}"
    # A dollar sign would start mathematics; a formula's text holds none, a file's name may.
    return name.replace("$", "") + ("" if abs(scale - 1) < 5e-3 else f"  (divided by {scale:.3g})")
