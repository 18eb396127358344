"""What a run directory says: how the search went, what it found, and how the winner was tried.

Read from the run store alone, also while a driver is writing it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from symloss.errors import RunError, visible
from symloss.judging.mishaps import mishaps_in_words, mishaps_of
from symloss.language.candidate import MEASURED, TRAINABLE, TRAINED, State
from symloss.running.proof.entrants import FOUND
from symloss.running.proof.verdict import p_words
from symloss.running.storage.rundir import RunDirectory, find_run
from symloss.running.storage.store import RunStore
from symloss.telling.analysis import CLASSES
from symloss.telling.progress import duration
from symloss.telling.ranking import Ranking, rank_run
from symloss.telling.show import (
    decimals_for,
    describe_formula,
    fields,
    formula_text,
    table,
    with_spread,
)
from symloss.telling.target import Target, target_of_run

TOP = 10  # formulas listed by fitness
FEW = 0.1  # share of the trained candidates; when no more can be measured, something is wrong with the task


def summarise_run(path: str | Path, classes: int = CLASSES) -> dict[str, Any]:
    """Return a run as plain JSON: counts, front, best formulas, finals and winner.

    Args:
        classes: number of classes that the winner's p* and first step are told for.

    Raises:
        RunError: there is no run, or its store is damaged.
    """
    return summary_and_winner(path, classes)[0]


def summary_and_winner(path: str | Path, classes: int = CLASSES) -> tuple[dict[str, Any], Target | None]:
    """Return what `summarise_run` does, and the winner that it describes; None where nothing can be read as one.

    The candidates are ranked once for both, which is most of the time that a large run takes.
    """
    run = find_run(path)
    with RunStore.read(run.store) as store:
        meta, batches = store.meta(), store.batches()
        ranking = rank_run(store, TOP)
        counts, reasons = store.counts(), store.reasons()
        rungs = _rungs(store.reached().trainings)
    winner, told = _winner(run, ranking, meta["slot"], classes)
    summary = {
        "kind": "run",
        "run": str(run.path),
        "name": meta["name"],
        "slot": meta["slot"],
        "metric": meta["metric"],
        "maximise": meta["maximise"],
        "ended": meta.get("ended", ""),
        "batches": len(batches),
        "asynchronous": bool(meta.get("asynchronous", False)),
        "candidates": sum(counts.values()),
        "evaluated": sum(counts.get(state, 0) for state in TRAINED),
        "counts": {state.value: count for state, count in counts.items()},
        "free_tests": meta.get("free_tests", {}),
        "reasons": {state.value: {"reason": reason, "times": times} for state, (reason, times) in reasons.items()},
        "rungs": rungs,
        "steps": meta.get("steps"),
        "seconds": sum(session.get("seconds", 0.0) for session in meta["sessions"]),
        "front": [asdict(each) for each in ranking.front],
        "best": [asdict(each) for each in ranking.best],
        "finals": meta.get("finals"),
        "winner": told,
        "sessions": meta["sessions"],
        "mishaps": mishaps_of(meta["sessions"]),
        "report": str(run.report) if run.report.exists() else None,
    }
    return summary, winner


def _rungs(reached: Mapping[int, int]) -> dict[str, Any]:
    """Say what each rung stopped and saved, of the trainings that did not diverge; the longest passed all of them."""
    last, trainings = max(reached, default=0), sum(reached.values())
    stopped = {str(step): count for step, count in reached.items() if step < last}
    unspent = sum((last - step) * count for step, count in reached.items())
    return {"trainings": trainings, "stopped": stopped, "saved": unspent / (last * trainings) if trainings else 0.0}


def _winner(
    run: RunDirectory, ranking: Ranking, slot: str, classes: int
) -> tuple[Target | None, dict[str, Any] | None]:
    """Return a run's winner and its document, which is an error where its file is damaged."""
    if not ranking.best:
        return None, None
    try:
        winner = target_of_run(run, ranking.best, slot)
    except RunError as error:
        return None, {"error": str(error)}
    return winner, describe_formula(winner, classes)


def run_text(summary: Mapping[str, Any]) -> str:
    """Lay out what `summarise_run` returned."""
    counts = ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in summary["counts"].items())
    searched = f"{summary['batches']} {'batches told' if summary['asynchronous'] else 'generations'}"
    head = [
        ("run", f"{summary['name']} in {summary['run']}"),
        ("search", f"{searched}, {duration(summary['seconds'])}; {summary['ended'] or 'not ended'}"),
        ("candidates", f"{summary['candidates']}: {counts or 'none yet'}"),
    ]
    happened = mishaps_in_words(summary["mishaps"])
    head += [("mishaps", happened)] if happened else []
    head += [("report", summary["report"])] if summary["report"] else []
    told = _saved_rows(summary["free_tests"]) + _rung_rows(summary["rungs"])
    told += [("cost", f"{summary['steps']} training steps")] if summary["steps"] else []
    told += _reason_rows(summary)
    parts = [fields(head + told)]
    if summary["front"]:
        title = f"Front: {summary['metric']} on validation against complexity"
        parts.append(table([_front_row(each) for each in summary["front"]], title))
    if summary["finals"]:
        parts += finals_tables(summary["finals"])
    parts.append(_winner_text(summary))
    return "\n\n".join(parts)


def finals_text(finals: Mapping[str, Any], subject: str) -> str:
    """Lay out a finals table and its sentence about `subject`."""
    return "\n\n".join([*finals_tables(finals), visible(f"verdict on {subject}: {finals['sentence']}")])


def finals_tables(finals: Mapping[str, Any]) -> list[str]:
    """Lay out the results on the test set, and the paired differences behind the verdict.

    Found formulas that were not chosen were not tested; `--json` has them.
    """
    shown = [row for row in finals["rows"] if _is_of_interest(row, finals["winner"])]
    tables = [table([_finals_row(row) for row in shown], _finals_title(finals))] if shown else []
    verdicts = [*finals["verdicts"], *finals["others"]]
    if verdicts:
        title = "Advantage of the first over each other on the test set, paired by seed and example (+ is better)"
        tables.append(table([_verdict_row(each) for each in verdicts], title))
    return tables


def _is_of_interest(row: Mapping[str, Any], winner: str | None) -> bool:
    return winner is None or row["role"] != FOUND or bool(row["test"]) or row["formula"] == winner


def _rung_rows(rungs: Mapping[str, Any]) -> list[tuple[str, str]]:
    if not rungs["stopped"]:
        return []
    stopped = ", ".join(f"{count} stopped at step {step}" for step, count in rungs["stopped"].items())
    saved = f"{100 * rungs['saved']:.0f} % of the steps were spared"
    return [("rungs", f"of {rungs['trainings']} trainings, {stopped}: {saved}")]


def _saved_rows(counts: Mapping[str, int]) -> list[tuple[str, str]]:
    """Say how many trainings each free test has saved, the one that saved most first."""
    saved = sorted(((count, test) for test, count in counts.items() if test != TRAINABLE and count), reverse=True)
    if not saved:
        return []
    total = sum(count for count, _ in saved)
    tests = ", ".join(f"{count} {test.replace('_', ' ')}" for count, test in saved)
    return [("free tests", f"{total} of {sum(counts.values())} trainings saved: {tests}")]


def _reason_rows(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Say why candidates failed, where hardly one did not."""
    if sum(summary["counts"].get(state.value, 0) for state in MEASURED) > FEW * summary["evaluated"]:
        return []
    reasons = {state: each for state, each in summary["reasons"].items() if state != State.DUPLICATE.value}
    return [
        (f"why {state.replace('_', ' ')}", f"{each['reason']} ({each['times']} of {summary['counts'].get(state, 0)})")
        for state, each in reasons.items()
    ]


def _winner_text(summary: Mapping[str, Any]) -> str:
    winner, finals = summary["winner"], summary["finals"]
    if winner is None:
        return visible(finals["sentence"]) if finals else "no formula was scored yet"
    if "error" in winner:
        return visible(f"winner: {winner['error']}")
    shown = formula_text({**winner, "evidence": {}})
    if not finals:
        return f"Best so far, not tried in finals yet\n{shown}"
    title = "Best of the search" if finals["winner"] is None else "Winner"
    return f"{title}\n{shown}\n\nverdict: {visible(finals['sentence'])}"


def _front_row(each: Mapping[str, Any]) -> dict[str, Any]:
    return {"complexity": each["complexity"], "fitness": each["fitness"], "formula": each["formula"]}


def _finals_title(finals: Mapping[str, Any]) -> str:
    return f"Finals: {finals['seeds']} fresh seeds, learning rate tuned for each by {finals['metric']} on validation"


def _finals_row(row: Mapping[str, Any]) -> dict[str, Any]:
    test = {f"test {name}": with_spread(*each) for name, each in row["test"].items()}
    # A baseline's formula is `symloss show`'s to tell, and the winner's stands below; here it would take the room.
    name = f"winner ({row['name']})" if row["role"] == FOUND else row["name"]
    shown = {"name": name, "rate": row["learning_rate"], "validation": row["validation"], **test}
    return shown | ({"note": row["reason"]} if row["reason"] else {})


def _verdict_row(verdict: Mapping[str, Any]) -> dict[str, Any]:
    row = {"other": verdict["baseline"], "metric": verdict["metric"]}
    interval = verdict["interval"]
    if interval is None:
        return row | {"note": verdict["reason"]}
    low, high = interval["low"], interval["high"]
    if interval["difference"] is None or low is None or high is None:
        return row | {"difference": interval["difference"], "note": "too few seeds or examples for an interval"}
    decimals = decimals_for((high - low) / 2 or interval["difference"] or 1.0)
    shown = {"difference": f"{interval['difference']:+.{decimals}f}"}
    return (
        row
        | shown
        | {
            "95 % CI": f"{low:+.{decimals}f} to {high:+.{decimals}f}",
            "p": p_words(interval["p"]).removeprefix("p ").removeprefix("= "),
        }
    )
