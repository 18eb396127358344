"""Figures of a run for papers: its Pareto front, its progress, and its finals, drawn on axes that `plot.py` makes.

Each figure is a record; what it draws comes from the same material as the report.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from symloss.errors import RunError
from symloss.running.proof.entrants import FOUND
from symloss.telling.plot import canvas
from symloss.telling.report.drawing import staircase
from symloss.telling.report.material import Material, gather
from symloss.telling.report.pictures import better_part
from symloss.telling.report.sample import improvements, scored_rows
from symloss.telling.show import shorten

_ACCENT, _GREY, _INK = "#1d5fa6", "#9aa0ab", "#2b2f36"
_LISTED = 12  # formulas of a front that are written under its figure


@dataclass(frozen=True)
class RunFigure:
    """A figure of a run.

    Args:
        about: one line for people.
        size: width and height in inches.
        panels: columns of axes.
        draw: (material, axes) -> nothing.
    """

    about: str
    size: tuple[float, float]
    panels: int
    draw: Callable[[Material, list[Any]], None]


def _front(material: Material, panels: list[Any]) -> None:
    axes, front = panels[0], material.front
    if not front:
        raise _nothing(material)
    points = [(row.candidate.complexity, row.fitness) for row in scored_rows(material)]
    axes.plot(*_columns(points), "o", color=_GREY, markersize=3, alpha=0.45, markeredgewidth=0, rasterized=True)
    end = max(float(x or 0) for x, _ in points) + 0.5
    steps = staircase([(float(each.complexity), each.fitness) for each in front], end)
    axes.plot(*_columns(steps), color=_ACCENT, linewidth=1.5)
    axes.plot(*_columns([(each.complexity, each.fitness) for each in front]), "o", color=_ACCENT, markersize=5)
    listed = front[-_LISTED:]
    for number, each in enumerate(listed, 1):
        axes.annotate(str(number), (each.complexity, each.fitness), (0, 5), textcoords="offset points", ha="center")
    lines = [f"{number}  {_plain(each.formula)}" for number, each in enumerate(listed, 1)]
    axes.set_xlabel("complexity (nodes)")
    axes.xaxis.get_major_locator().set_params(integer=True)
    place = {"transform": axes.transAxes, "va": "top", "fontsize": "small", "family": "monospace"}
    axes.text(0, -0.2, "\n".join(lines), linespacing=1.5, **place)
    _judged(axes, material)


def _progress(material: Material, panels: list[Any]) -> None:
    axes, best = panels[0], improvements(material)
    if not best:
        raise _nothing(material)
    points = [(row.place, row.fitness) for row in scored_rows(material)]
    axes.plot(*_columns(points), "o", color=_GREY, markersize=3, alpha=0.45, markeredgewidth=0, rasterized=True)
    steps = staircase([(float(row.place or 0), float(row.fitness or 0)) for row in best], material.trained)
    axes.plot(*_columns(steps), color=_ACCENT, linewidth=1.5, label="best so far")
    axes.set_xlabel("candidates trained")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(frameon=False, loc="lower right")
    _judged(axes, material)


def _finals(material: Material, panels: list[Any]) -> None:
    finals = material.finals
    verdicts = [] if finals is None else [each for each in finals["verdicts"] if _bounded(each["interval"])]
    if finals is None or not verdicts:
        path = material.run.path
        raise RunError(f"{path} has no finals with intervals to draw. Go on with `symloss resume {path}`.")
    left, right = panels
    for height, each in enumerate(verdicts):
        low, high, middle = (each["interval"][name] for name in ("low", "high", "difference"))
        colour = _ACCENT if low > 0 else _GREY if high >= 0 else "#ad3a24"
        left.plot([low, high], [height, height], color=colour, linewidth=2)
        left.plot([middle], [height], "o", color=colour, markersize=5)
    left.axvline(0, color=_INK, linewidth=0.8, linestyle=":")
    left.set_yticks(range(len(verdicts)), [_plain(each["baseline"]) for each in verdicts])
    left.set_xlabel(f"advantage in test {_plain(material.metric)}, 95 % CI")
    left.invert_yaxis()
    tested = [row for row in finals["rows"] if row["formula"] in material.per_seed]
    for height, row in enumerate(tested):
        values = material.per_seed[row["formula"]]
        colour = _ACCENT if row["role"] == FOUND else _GREY
        right.plot(values, [height] * len(values), "o", color=colour, markersize=3.5, alpha=0.6, markeredgewidth=0)
        right.plot([sum(values) / len(values)], [height], "|", color=colour, markersize=14, markeredgewidth=2)
    names = ["winner" if row["role"] == FOUND else _plain(row["name"]) for row in tested]
    right.set_yticks(range(len(tested)), names)
    right.set_xlabel(f"test {_plain(material.metric)} of {finals['seeds']} seeds, and mean")
    right.invert_yaxis()


def draw_run(run: str | Path, kind: str, path: Path) -> int:
    """Draw one figure of a run into a file.

    Args:
        run: its directory.
        kind: in RUN_FIGURES.
        path: ends in .png, .svg or .pdf.

    Returns:
        How many candidates the run has.

    Raises:
        RunError: there is no run, it has nothing to draw yet, or the file cannot be written.
        ExperimentError: matplotlib is not installed, or the file's kind is not one of these.
    """
    material, figure = gather(run), RUN_FIGURES[kind]
    with canvas(path, figure.size, figure.panels) as (_, panels):
        for axes in panels:
            axes.grid(alpha=0.25)
            axes.spines[["top", "right"]].set_visible(False)
        figure.draw(material, panels)
    return material.total


RUN_FIGURES: dict[str, RunFigure] = {
    "front": RunFigure("the Pareto front of a run's fitness and complexity", (5.5, 4.2), 1, _front),
    "progress": RunFigure("a run's fitness over the candidates that were trained", (5.5, 3.4), 1, _progress),
    "finals": RunFigure("a run's finals: differences with intervals, and single seeds", (8.0, 3.4), 2, _finals),
}


def _judged(axes: Any, material: Material) -> None:
    axes.set_ylim(*better_part(material.scored.tolist(), material.maximise))
    axes.set_ylabel(f"{_plain(material.metric)} on validation")


def _columns(points: Any) -> tuple[list[Any], list[Any]]:
    return [x for x, _ in points], [y for _, y in points]


def _bounded(interval: Mapping[str, Any] | None) -> bool:
    return interval is not None and all(interval[name] is not None for name in ("low", "high", "difference"))


def _plain(text: str) -> str:
    # A dollar sign would start mathematics; a formula's text holds none, a task's metric or a name may.
    return shorten(text, 70).replace("$", "")


def _nothing(material: Material) -> RunError:
    return RunError(f"{material.run.path} has no scored formula yet. Go on with `symloss resume {material.run.path}`.")
