"""What there is: the tables of symloss, and the runs of a folder, as rows.

Every table of the engine can be listed, so that nobody has to read source to know a name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from symloss import plugins
from symloss.errors import RunError
from symloss.judging.tasks import TASKS
from symloss.language.grammar import list_grammars, load_grammar
from symloss.language.operators import OPERATORS
from symloss.language.slots import SLOTS
from symloss.language.zoo import ZOO, zoo
from symloss.running.storage.rundir import find_run
from symloss.running.storage.store import RunStore
from symloss.searching.searches import SEARCHES

Rows = list[dict[str, Any]]


def list_tasks(folder: Path) -> Rows:
    """List the built-in tasks with their options."""
    rows = [
        {"name": task.name, "slot": task.slot, "about": task.about, "options": list(task.options)}
        for task in TASKS.values()
    ]
    return with_origin(rows, "tasks", TASKS)


def list_all_grammars(folder: Path) -> Rows:
    """List the built-in grammars."""
    grammars = [load_grammar(name) for name in list_grammars()]
    return [
        {"name": each.name, "slot": each.slot, "operators": list(each.operators),
         "variables": list(each.variables), "about": each.about}
        for each in grammars
    ]  # fmt: skip


def list_zoo(folder: Path) -> Rows:
    """List the published formulas."""
    rows = [
        {"name": each.name, "slot": each.slot, "formula": zoo[each.name].text, "complexity": zoo[each.name].complexity,
         "source": each.source, "about": each.about}
        for each in ZOO.values()
    ]  # fmt: skip
    return with_origin(rows, "zoo", ZOO)


def list_slots(folder: Path) -> Rows:
    """List the slots with their variables and baselines."""
    rows = [
        {"name": slot.name, "variables": [variable.name for variable in slot.variables],
         "required": list(slot.required), "baselines": list(slot.baselines), "about": slot.about}
        for slot in SLOTS.values()
    ]  # fmt: skip
    return with_origin(rows, "slots", SLOTS)


def list_operators(folder: Path) -> Rows:
    """List the operators that formulas may use."""
    rows = [
        {"name": each.name, "arity": each.arity, "cost": each.cost, "about": each.about} for each in OPERATORS.values()
    ]
    return with_origin(rows, "operators", OPERATORS)


def list_searches(folder: Path) -> Rows:
    """List the searches with their settings."""
    rows = [
        {"name": each.name, "about": each.about, "settings": [setting.name for setting in fields(each.settings)]}
        for each in SEARCHES.values()
    ]
    return with_origin(rows, "searches", SEARCHES)


def with_origin(rows: Rows, kind: str, table: dict[str, Any]) -> Rows:
    """Say of each row where it comes from, and add what packages offer and nobody has named yet."""
    known = [row | {"origin": plugins.origin(kind, row["name"])} for row in rows]
    return known + [
        {"name": offer.name, "origin": offer.package, "about": why} for offer, why in plugins.unused(kind, table)
    ]


def list_runs(folder: Path) -> Rows:
    """List the runs in a folder, newest last; a damaged one is listed with what is wrong with it."""
    stores = sorted(folder.glob("*/run.sqlite"), key=lambda path: path.stat().st_mtime)
    return [_run_row(path.parent) for path in stores]


def _run_row(path: Path) -> dict[str, Any]:
    row: dict[str, Any] = {
        "run": str(path),
        "batches": None,
        "candidates": None,
        "trained": None,
        "best": None,
        "state": "",
    }
    try:
        with RunStore.read(find_run(path).store) as store:
            batches = store.batches()
            row |= {"batches": len(batches), "candidates": sum(store.counts().values()), "trained": store.evaluations()}
            row |= {"best": batches[-1].best if batches else None}
            tried = store.meta().get("finals") is not None
    except RunError as error:
        return row | {"state": str(error)}
    return row | {"state": "finished" if tried else "unfinished"}


LISTINGS: dict[str, Callable[[Path], Rows]] = {
    "tasks": list_tasks,
    "grammars": list_all_grammars,
    "zoo": list_zoo,
    "slots": list_slots,
    "operators": list_operators,
    "searches": list_searches,
    "runs": list_runs,
}
