"""What a run directory says: how the search went, what it found, and how the winner was tried.

Read from the run store alone, also while a driver is writing it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from symloss.errors import RunError
from symloss.running.rundir import find_run
from symloss.running.store import RunStore
from symloss.telling.analysis import CLASSES
from symloss.telling.progress import duration
from symloss.telling.ranking import Ranked, front_of, rank_run
from symloss.telling.show import cell, describe_formula, fields, formula_text, table
from symloss.telling.target import find_target

TOP = 10  # formulas listed by fitness


def summarise_run(path: str | Path, classes: int = CLASSES) -> dict[str, Any]:
    """Return a run as plain JSON: counts, front, best formulas, finals and winner.

    Args:
        classes: number of classes that the winner's p* and first step are told for.

    Raises:
        RunError: there is no run, or its store is damaged.
    """
    run = find_run(path)
    with RunStore.read(run.store) as store:
        meta, batches, ranked = store.meta(), store.batches(), rank_run(store)
        counts, evaluated = store.counts(), store.evaluations()
    return {
        "kind": "run",
        "run": str(run.path),
        "name": meta["name"],
        "slot": meta["slot"],
        "metric": meta["metric"],
        "maximise": meta["maximise"],
        "ended": meta.get("ended", ""),
        "batches": len(batches),
        "candidates": sum(counts.values()),
        "evaluated": evaluated,
        "counts": {state.value: count for state, count in counts.items()},
        "seconds": sum(batch.seconds for batch in batches),
        "front": [asdict(each) for each in front_of(ranked)],
        "best": [asdict(each) for each in ranked[:TOP]],
        "finals": meta.get("finals"),
        "winner": _winner(str(run.path), ranked, classes),
        "sessions": meta["sessions"],
    }


def _winner(path: str, ranked: list[Ranked], classes: int) -> dict[str, Any] | None:
    if not ranked:
        return None
    try:
        return describe_formula(find_target(path if "/" in path else f"./{path}"), classes)
    except RunError as error:
        return {"error": str(error)}


def run_text(summary: Mapping[str, Any]) -> str:
    """Lay out what `summarise_run` returned."""
    counts = ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in summary["counts"].items())
    head = [
        ("run", f"{summary['name']} in {summary['run']}"),
        (
            "search",
            f"{summary['batches']} generations, {duration(summary['seconds'])}; {summary['ended'] or 'not ended'}",
        ),
        ("candidates", f"{summary['candidates']}: {counts or 'none yet'}"),
    ]
    parts = [fields(head)]
    if summary["front"]:
        title = f"Front: {summary['metric']} on validation against complexity"
        parts.append(table([_front_row(each) for each in summary["front"]], title))
    if summary["finals"]:
        parts.append(table([_finals_row(row) for row in summary["finals"]["rows"]], _finals_title(summary["finals"])))
    parts.append(_winner_text(summary))
    return "\n\n".join(parts)


def finals_text(finals: Mapping[str, Any], subject: str) -> str:
    """Lay out a finals table and its sentence about `subject`."""
    rows = table([_finals_row(row) for row in finals["rows"]], _finals_title(finals))
    return f"{rows}\n\n{subject} {finals['sentence']}"


def _winner_text(summary: Mapping[str, Any]) -> str:
    winner, finals = summary["winner"], summary["finals"]
    if winner is None:
        return "no formula was scored yet"
    if "error" in winner:
        return f"winner: {winner['error']}"
    shown = formula_text({**winner, "evidence": {}})
    if not finals:
        return f"Best so far, not tried in finals yet\n{shown}"
    return f"Winner\n{shown}\n\n{'winner ' if finals['winner'] else ''}{finals['sentence']}"


def _front_row(each: Mapping[str, Any]) -> dict[str, Any]:
    return {"complexity": each["complexity"], "fitness": each["fitness"], "formula": each["formula"]}


def _finals_title(finals: Mapping[str, Any]) -> str:
    return f"Finals: {finals['seeds']} fresh seeds, learning rate tuned for each by {finals['metric']} on validation"


def _finals_row(row: Mapping[str, Any]) -> dict[str, Any]:
    test = {f"test {name}": _spread(*each) for name, each in row["test"].items()}
    shown = {"name": row["name"], "rate": row["learning_rate"], "validation": row["validation"], **test}
    # A baseline's formula is `symloss show`'s to tell; here it would push the numbers off the screen.
    formula = {} if row["role"] == "baseline" or row["name"] == row["formula"] else {"formula": row["formula"]}
    return shown | formula | ({"note": row["reason"]} if row["reason"] else {})


def _spread(mean: float | None, deviation: float | None) -> str:
    return f"{cell(mean)} ± {'-' if deviation is None else f'{deviation:.2g}'}"
