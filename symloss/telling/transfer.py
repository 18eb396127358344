"""A transfer as people name it and read it: targets and tasks in words, one table, one picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from symloss.errors import ExperimentError
from symloss.language.formula import Formula
from symloss.language.slots import SLOTS
from symloss.language.zoo import zoo
from symloss.running.config import read_experiment
from symloss.running.observer import Observer
from symloss.running.proof.comparing import Trying
from symloss.running.proof.transferring import RESULT, Column, Transfer, transfer_formulas
from symloss.running.proof.verdict import Interval, Unit, Verdict
from symloss.running.session import Crew
from symloss.running.storage.rundir import find_run, read_text
from symloss.settings import override, read_record, read_toml
from symloss.telling.grounds import read_grounds
from symloss.telling.plot import canvas, check_picture
from symloss.telling.show import fields, shorten, table, with_spread
from symloss.telling.target import Target, find_target

PICTURE = "transfer.png"
WINNER = "winner"


def transfer_target(
    target: str | Path,
    tasks: str,
    against: Sequence[str] = (),
    overrides: Iterable[str] = (),
    out: str | Path | None = None,
    picture: str | Path | None = None,
    crew: Crew | None = None,
    observer: Observer | None = None,
) -> Transfer | None:
    """Try a run's winner, and the published losses, on tasks that it was not searched on.

    Args:
        target: a run directory; a loss file, a zoo name or a formula will do as well.
        tasks: see `read_grounds`, e.g. `digits,digits:noise=0.2,hidden=[32],my_task.py:task`.
        against: targets to try beside it, the first is the reference; empty for those of the run, or of its slot.
        overrides: `seeds=20`, `steps=600`, `learning_rates=[0.001,0.01]` or `seed=3`.
        out: folder of the results; by default `transfer` in the run, or `runs/transfer-NAME`.
        picture: a .png, .svg or .pdf; by default `transfer.png` in that folder.

    Returns:
        What came out; None when interrupted. `transfer.json` in the folder holds it, too.

    Raises:
        ExperimentError: a task or a setting is not allowed, or a task is of another slot than the formula.
        RunError: the target is not there, or the folder cannot be used.

    Example:
        >>> symloss.transfer("runs/mine", "digits,digits:noise=0.2", overrides=["seeds=4"]).sentence
        'winner against tuned cross_entropy on 2 tasks: better on 1, not better on 1'
    """
    found = find_target(str(target))
    grounds = read_grounds(tasks)
    folder = Path(out) if out is not None else _folder(found, Path(target))
    drawn = Path(picture) if picture is not None else folder / PICTURE
    check_picture(drawn)
    trying = read_record(Trying, override(_usual(found, Path(target)), overrides), "--set")
    formulas = _formulas(found, [find_target(each) for each in against] or _baselines(found, Path(target)))
    told = _tells(observer)
    transfer = transfer_formulas(formulas, grounds, trying, folder, crew, observer, told)
    if transfer is not None:
        draw_transfer(transfer, drawn)
    return transfer


def _tells(observer: Observer | None) -> Callable[[Column], None]:
    def tell(column: Column) -> None:
        if observer is not None:
            observer.finals_done(f"{column.label}: {column.sentence}")

    return tell


def _folder(found: Target, path: Path) -> Path:
    return find_run(path).path / "transfer" if found.kind == "run" else Path("runs") / f"transfer-{found.name}"


def _usual(found: Target, path: Path) -> dict[str, Any]:
    """Return the settings of a run's own finals, that the other tasks are tried with."""
    if found.kind != "run":
        return {}
    own = find_run(path).experiment
    experiment = read_experiment(read_toml(read_text(own), str(own)), str(own), own.parent)
    return {"steps": experiment.finals.steps or experiment.budget.steps, "seed": experiment.seed}


def _baselines(found: Target, path: Path) -> list[Target]:
    names = SLOTS[found.formula.slot].baselines
    if found.kind == "run":
        own = find_run(path).experiment
        names = read_experiment(read_toml(read_text(own), str(own)), str(own), own.parent).finals.baselines or names
    return [Target("zoo", name, zoo[name]) for name in names]


def _formulas(found: Target, others: Sequence[Target]) -> dict[str, Formula]:
    subject = WINNER if found.kind == "run" else found.formula.text if found.kind == "formula" else found.name
    formulas = {subject: found.formula}
    for each in others:
        name = each.formula.text if each.kind == "formula" else each.name
        if each.formula.slot != found.formula.slot:
            raise ExperimentError(f"{name} is of the slot {each.formula.slot}, and {subject} of {found.formula.slot}.")
        if each.formula not in formulas.values():
            formulas[name if name not in formulas else f"{name} ({len(formulas) + 1})"] = each.formula
    if len(formulas) < 2:
        raise ExperimentError(f"{subject} has nothing to be compared with; name another formula with --against.")
    return formulas


def transfer_text(transfer: Transfer, folder: Path | None = None) -> str:
    """Lay out a transfer: differences to the reference, test values, and a sentence for each task."""
    names = [name for name in transfer.formulas if name != transfer.reference]
    metrics = ", ".join(dict.fromkeys(column.metric for column in transfer.columns))
    differences = [_difference_row(name, transfer) for name in names]
    values = [_value_row(name, transfer) for name in transfer.formulas]
    seeds = transfer.columns[0].seeds
    title = f"Difference to {transfer.reference} on the test set, 95 % CI (+ is better; * beyond chance; {seeds} seeds)"
    parts = [table(differences, title), table(values, f"Test values ({metrics}), learning rates tuned alike")]
    parts.append(fields([(column.label, column.sentence) for column in transfer.columns]))
    parts.append(transfer.sentence + (f"\nkept in {folder / RESULT}" if folder is not None else ""))
    return "\n\n".join(parts)


def _difference_row(name: str, transfer: Transfer) -> dict[str, Any]:
    cells = {column.label: _difference(column, name) for column in transfer.columns}
    return {"loss": shorten(name, 40), **cells}


def _difference(column: Column, name: str) -> str:
    verdict = _verdict(column, name)
    if verdict is None or verdict.interval is None:
        return "failed" if verdict is None else shorten(verdict.reason, 40)
    mark = " *" if verdict.better or verdict.worse else ""
    return f"{_written(verdict.interval, column.unit)}{mark}"


def _written(interval: Interval, unit: Unit) -> str:
    numbers = [
        unit.number(each, interval.low, interval.high) for each in (interval.difference, interval.low, interval.high)
    ]
    return f"{numbers[0]} ({numbers[1]} to {numbers[2]})" + (" pts" if unit.name == "points" else "")


def _verdict(column: Column, name: str) -> Verdict | None:
    return next((each for each in column.differences if each.baseline == name), None)


def _value_row(name: str, transfer: Transfer) -> dict[str, Any]:
    cells: dict[str, Any] = {"loss": shorten(name, 40)}
    for column in transfer.columns:
        row = next(each for each in column.rows if each.name == name)
        value = row.test.get(column.metric)
        cells[column.label] = row.reason or "-" if value is None else with_spread(*value)
    return cells


def draw_transfer(transfer: Transfer, path: Path) -> None:
    """Draw every formula's difference to the reference on every task, with its interval, into a .png, .svg or .pdf.

    Raises:
        ExperimentError: matplotlib is not installed, or the file's kind is not one of these.
        RunError: the file cannot be written.
    """
    names = [name for name in transfer.formulas if name != transfer.reference]
    size, panels = (2.2 + 2.7 * len(transfer.columns), 1.6 + 0.34 * len(names)), len(transfer.columns)
    with canvas(path, size, panels, sharey=True) as (figure, drawn):
        for axes, column in zip(drawn, transfer.columns, strict=True):
            _draw_column(axes, column, names, transfer)
        drawn[0].set_yticks(range(len(names)), [shorten(name, 28).replace("$", "") for name in names])
        drawn[0].invert_yaxis()
        title = f"difference to {transfer.reference} on the test set, 95 % intervals (right is better)"
        figure.suptitle(title.replace("$", ""))


def _draw_column(axes: Any, column: Column, names: Sequence[str], transfer: Transfer) -> None:
    factor = column.unit.factor
    for place, name in enumerate(names):
        verdict = _verdict(column, name)
        if verdict is None or verdict.interval is None:
            axes.annotate("failed", (0, place), ha="center", va="center", fontsize="small")
            continue
        interval, first = verdict.interval, name == transfer.subject
        colour = "tab:green" if verdict.better else "tab:red" if verdict.worse else "0.45"
        spread = [[(interval.difference - interval.low) * factor], [(interval.high - interval.difference) * factor]]
        axes.errorbar(
            interval.difference * factor, place, xerr=spread, color=colour, capsize=3, fmt="D" if first else "o",
            markersize=7 if first else 4, linewidth=2.5 if first else 1.5,
        )  # fmt: skip
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_title(shorten(column.label, 30).replace("$", ""), fontsize="medium")
    axes.set_xlabel(f"{column.metric}, points" if column.unit.name == "points" else column.metric)
    axes.grid(axis="x", alpha=0.3)


def result_folder(transfer_of: str | Path, out: Path | None) -> Path:
    """Return where a target's transfer is kept."""
    return out if out is not None else _folder(find_target(str(transfer_of)), Path(transfer_of))
