"""Pictures of formulas: value and gradient over the axis of their slot, drawn with matplotlib without any window.

Losses are scaled to the same first step, because every loss trains at a learning rate of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from symloss.errors import ExperimentError, FormulaError
from symloss.language.files import write_whole
from symloss.language.slots import SLOTS
from symloss.language.zoo import zoo
from symloss.telling.curves import Curves, comparable
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
    with canvas(path, (10, 4.6), 2) as (figure, (left, right)):
        for number, target in enumerate(targets):
            drawn = comparable(target.formula, classes)
            _draw_curve(left, drawn, drawn.values, _label(target, drawn.scale), number)
            _draw_curve(right, drawn, drawn.gradients, "", number)
        left.set_ylabel("value above its minimum")
        right.set_ylabel(f"gradient by {drawn.gradient_of}")
        figure.legend(loc="outside upper center", fontsize="small", ncols=1 if len(targets) < 4 else 2)
        for axes in (left, right):
            axes.set_xlabel(drawn.axis)
            axes.grid(alpha=0.3)


@contextmanager
def canvas(path: Path, size: tuple[float, float], panels: int, sharey: bool = False) -> Iterator[tuple[Any, list[Any]]]:
    """Make a figure without any window, let the block draw on it, and write it into a file.

    Text stays text in .pdf (TrueType) and .svg, as publishers ask.

    Args:
        path: ends in .png, .svg or .pdf.
        size: width and height in inches.
        panels: axes beside each other.
        sharey: whether they have one vertical axis.

    Raises:
        ExperimentError: matplotlib is not installed, or the file's kind is not one of these.
        RunError: the file cannot be written.
    """
    check_picture(path)
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"pdf.fonttype": 42, "svg.fonttype": "none"}):
        figure = Figure(figsize=size, layout="constrained")
        yield figure, list(figure.subplots(1, panels, sharey=sharey, squeeze=False)[0])
        drawn = BytesIO()
        figure.savefig(drawn, format=path.suffix[1:].lower(), dpi=150)
        write_whole(path, drawn.getvalue())


def check_picture(path: Path) -> None:
    """Refuse a picture that cannot be drawn, before anything is computed for it.

    Raises:
        ExperimentError: matplotlib is not installed, or the file's kind is none of SUFFIXES.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ExperimentError(f"{path} is no picture that can be drawn; end it with {', '.join(SUFFIXES)}.")
    try:
        import matplotlib.figure  # noqa: F401 - whether it is there
    except ImportError as error:
        raise ExperimentError("drawing needs matplotlib; install it with: pip install 'symloss[plot]'") from error


def _draw_curve(axes: Any, drawn: Curves, heights: Any, label: str, number: int) -> None:
    axes.plot(drawn.x, heights, label=label, linewidth=2.5 if number == 0 else 1.5)


def _label(target: Target, scale: float) -> str:
    text = target.formula.text
    short = text if len(text) <= _LONGEST else text[:_LONGEST] + " ..."
    called = "winner" if target.kind == "run" else target.name
    name = short if target.kind == "formula" else f"{called}: {short}"
    # A dollar sign would start mathematics; a formula's text holds none, a file's name may.
    return name.replace("$", "") + ("" if abs(scale - 1) < 5e-3 else f"  (divided by {scale:.3g})")
