"""What rungs and other proxies cost in rank fidelity, and what a search with rungs finds for how many steps.

    python -m benchmarks.fidelity [--data-dir DIR] [--work runs/fidelity]

Everything that trains is a run of symloss's own, kept in the work directory: an interrupted study goes on where it was.
It writes `results/fidelity.json` and the tables of `docs/fidelity.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from benchmarks.problems import images
from benchmarks.ranks import Measured, best_share, cut_loss, measured, steps_spent, tau
from benchmarks.record import rounded, write_table
from symloss.language.candidate import Outcome, State
from symloss.running.run import resume, search
from symloss.running.storage.store import RunStore
from symloss.searching.fitness import Judge

HERE = Path(__file__).parent
DOCUMENT = HERE.parent / "docs" / "fidelity.md"
STEPS, RUNGS = 300, [10, 20, 30, 50, 75, 100, 150, 200]
FACTORS = (2, 3, 4)
SEEN, FRESH = (0, 1, 2, 3), (4, 5, 6, 7)  # training seeds that judge, and others that say what the truth is
DIGITS = {"name": "digits", "noise": 0.4, "hidden": [64, 64]}
QUICK = {"seeds": 2, "top": 1, "steps": 1, "learning_rates": [0.01], "baselines": ["cross_entropy"], "resamples": 100}
FRESH_SEEDS = {"seeds": 8, "top": 3, "baselines": ["cross_entropy"], "resamples": 1000}

# How searches are cut: name -> rungs and reduction factor; the first stops nobody and measures at every rung.
CUTS: dict[str, tuple[list[int], float]] = {
    "no rungs": (RUNGS, 1),
    "100, factor 2": ([100], 2),
    "50 and 100, factor 2": ([50, 100], 2),
    "50 and 100, factor 3": ([50, 100], 3),
}


def main() -> None:
    """Run the study and write its tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", default=os.environ.get("SYMLOSS_DATA"), help="where Fashion-MNIST lies")
    parser.add_argument("--work", type=Path, default=Path("runs/fidelity"), help="keeps the runs of the study")
    parser.add_argument("--candidates", type=int, default=200)
    parser.add_argument("--searches", type=int, default=3, help="seeds of the searches")
    parser.add_argument("--evaluations", type=int, default=200, help="candidates that each search trains")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    image_task = images_task(given.data_dir)
    grown = candidates(given.work / "digits", DIGITS, given.candidates, 8)
    runs = {
        name: [searched(given.work, name, seed, given.evaluations) for seed in range(1, given.searches + 1)]
        for name in CUTS
    }
    few = candidates(given.work / "few", {**DIGITS, "examples": 236}, given.candidates, 4)
    pictures = candidates(given.work / "images", image_task, given.candidates // 3, 4, [0.001, 0.003])
    # Each search has training seeds of its own, so ranks are compared within each.
    bred = [fidelity(measured(late(run["outcomes"]), "accuracy"), SEEN, SEEN) for run in runs["no rungs"]]
    document = {
        "candidates": {"digits": len(grown.values), "images": len(pictures.values), "task": image_task["name"]},
        "digits": fidelity(grown, SEEN, FRESH),
        "evolved": averaged(bred),
        "images": fidelity(pictures, SEEN, SEEN),
        "few_examples": proxy_of_data(grown, few),
        "searches": search_rows(runs),
    }
    (HERE / "results" / "fidelity.json").write_text(json.dumps(rounded(document), indent=1) + "\n", encoding="utf-8")
    write_tables(rounded(document))


def images_task(data_dir: str | None) -> dict[str, Any]:
    """Return the image MLP's task with wrong labels: Fashion-MNIST, or enlarged digits where it is not at hand."""
    task = images(data_dir, noise=0.4)
    return task if task["name"] == "digits28" else task | {"validation": 2000}


# The runs.


def candidates(
    path: Path, task: Mapping[str, Any], count: int, seeds: int, rates: list[float] | None = None
) -> Measured:
    """Train newly grown candidates to the end, measured at every rung."""
    search_table = {"method": "random", "batch": count}
    outcomes = run_once(path, {
        "seed": 1, "grammar": "compact", "task": dict(task), "search": search_table,
        "budget": budget(RUNGS, 1, seeds, rates), "stop": {"evaluations": count}, "finals": QUICK,
    })  # fmt: skip
    return measured(outcomes["outcomes"], "accuracy")


def searched(work: Path, cut: str, seed: int, evaluations: int) -> dict[str, Any]:
    """Search noisy digits with rungs or without, and try the best three on fresh seeds."""
    rungs, factor = CUTS[cut]
    path = work / f"search-{'-'.join(map(str, rungs)) if factor > 1 else 'none'}-{factor:g}-{seed}"
    return run_once(path, {
        "seed": seed, "grammar": "compact", "task": DIGITS,
        "search": {"method": "evolution", "population": 120}, "budget": budget(rungs, factor, 4, None),
        "stop": {"evaluations": evaluations}, "finals": FRESH_SEEDS | {"learning_rates": [0.003, 0.01]},
    })  # fmt: skip


def budget(rungs: list[int], factor: float, seeds: int, rates: list[float] | None) -> dict[str, Any]:
    """Return the budget section."""
    table = {"steps": STEPS, "learning_rates": rates or [0.003, 0.01], "seeds": seeds, "stack": "stacked"}
    return table | {"rungs": rungs, "reduction_factor": factor, "timeout": "1h"}


def run_once(path: Path, table: Mapping[str, Any]) -> dict[str, Any]:
    """Run an experiment, or go on with it, and return what its store holds."""
    if not finished(path):
        sys.stderr.write(f"running {path}\n")
        if (path / "run.sqlite").exists():
            resume(path, workers=0)
        else:
            search({"name": path.name, **table}, out=path, workers=0)
    if not finished(path):
        raise SystemExit(f"interrupted in {path}; the same command goes on from there")
    with RunStore.read(path / "run.sqlite") as store:
        return {"outcomes": list(store.outcomes().values()), "finals": store.meta()["finals"]}


def finished(path: Path) -> bool:
    """Whether a run has ended with its finals."""
    if not (path / "run.sqlite").exists():
        return False
    with RunStore.read(path / "run.sqlite") as store:
        return store.meta().get("finals") is not None


def late(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return the second half of a search's scored candidates: those that evolution has bred."""
    scored = [each for each in outcomes if each.state is State.SCORED]
    return scored[len(scored) // 2 :]


# The figures.


def fidelity(held: Measured, seen: tuple[int, ...], truth: tuple[int, ...]) -> dict[str, Any]:
    """Compare each rung with the end: of the seeds that judge, and of the seeds that say what the truth is."""
    end, real = held.fitness(STEPS, seen), held.fitness(STEPS, truth)
    good = held.those(best_share(end, 0.5))
    rows = []
    for step in held.steps:
        row: dict[str, Any] = {"step": step}
        row["tau_end"] = {len(part): tau(held.fitness(step, part), end) for part in (seen[:1], seen[:2], seen)}
        row["tau_truth"] = {len(part): tau(held.fitness(step, part), real) for part in (seen[:1], seen[:2], seen)}
        row["tau_better_half"] = tau(good.fitness(step, seen), good.fitness(STEPS, seen))
        if step < STEPS:
            row["cuts"] = {f: dict(zip(("lost", "saved"), cut_loss(held, step, seen, f), strict=True)) for f in FACTORS}
        rows.append(row)
    return {"rows": rows, "has_truth": seen != truth}


def averaged(parts: Sequence[Any]) -> Any:
    """Return the mean of each figure of several alike tables."""
    first = parts[0]
    if isinstance(first, dict):
        return {key: averaged([part[key] for part in parts]) for key in first}
    if isinstance(first, list):
        return [averaged(rows) for rows in zip(*parts, strict=True)]
    return fmean(parts) if isinstance(first, float) else first


def proxy_of_data(grown: Measured, few: Measured) -> dict[str, Any]:
    """Compare training on a quarter of the rows with training on all, over the candidates that were scored in both."""
    both = sorted(set(grown.numbers) & set(few.numbers))
    few, grown = few.numbered(both), grown.numbered(both)
    return {
        "compared": len(both),
        "tau_end": tau(few.fitness(STEPS, SEEN), grown.fitness(STEPS, SEEN)),
        "tau_truth": tau(few.fitness(STEPS, SEEN), grown.fitness(STEPS, FRESH)),
    }


def search_rows(runs: Mapping[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Say what each way to cut found and spent, and what a search without rungs had found for as many steps."""
    judge, rows = Judge("accuracy", maximise=True), []
    whole = runs["no rungs"]
    for name, own in runs.items():
        spent = [sum(steps_spent(run["outcomes"])) for run in own]
        pairs = list(zip(own, whole, spent, strict=True))
        full = [sum(steps_spent(run["outcomes"])) for run in whole]
        rows.append({
            "name": name, "share_of_steps": fmean(a / b for a, b in zip(spent, full, strict=True)), "steps": spent,
            "searched": [max(judge.fitness(each) for each in run["outcomes"]) for run in own],
            "fresh": [max(row["validation"] or 0.0 for row in run["finals"]["rows"] if row["role"] == "found")
                      for run in own],
            "test": [winner_on_test(run["finals"]) for run in own],
            "without_rungs_for_as_many_steps": [best_for(other, limit, judge) for _, other, limit in pairs],
            "trained": [sum(bool(each.measurements) for each in run["outcomes"]) for run in own],
        })  # fmt: skip
    return rows


def winner_on_test(finals: Mapping[str, Any]) -> float:
    """Return the winner's accuracy on the test set."""
    return next(row["test"]["accuracy"][0] for row in finals["rows"] if row["formula"] == finals["winner"])


def best_for(run: Mapping[str, Any], limit: int, judge: Judge) -> float:
    """Return the best fitness that a search had found when it had spent so many steps."""
    best, total = -1.0, 0
    for outcome, spent in zip(run["outcomes"], steps_spent(run["outcomes"]), strict=True):
        total += spent
        if total > limit:
            break
        best = max(best, judge.fitness(outcome))
    return best


# The document.


def write_tables(document: Mapping[str, Any]) -> None:
    """Write the tables between the markers of the document."""
    parts = {
        "digits": rank_table(document["digits"]),
        "evolved": rank_table(document["evolved"]),
        "images": rank_table(document["images"]),
        "searches": search_table(document["searches"]),
    }
    for name, rows in parts.items():
        write_table(DOCUMENT, name, rows, "benchmarks.fidelity")


def rank_table(part: Mapping[str, Any]) -> list[list[str]]:
    """Lay out rank fidelity step by step."""
    head = ["step", "tau, 1 seed", "2 seeds", "4 seeds", "better half"]
    truth = ["truth, 1 seed", "4 seeds"] if part["has_truth"] else []
    lines = [head + truth + [f"lost, saved at factor {factor}" for factor in FACTORS]]
    for row in part["rows"]:
        cells = [str(row["step"]), *(f"{row['tau_end'][k]:.2f}" for k in ("1", "2", "4"))]
        cells += [f"{row['tau_better_half']:.2f}"] + [f"{row['tau_truth'][k]:.2f}" for k in ("1", "4") if truth]
        cuts = row.get("cuts") or {}
        cells += [f"{cuts[f]['lost']:.0%}, {cuts[f]['saved']:.0%}" if cuts else "" for f in map(str, FACTORS)]
        lines.append(cells)
    return lines


def search_table(rows: list[Mapping[str, Any]]) -> list[list[str]]:
    """Lay out what the searches found."""
    lines = [["rungs", "steps", "best found, fresh seeds", "test", "in the search", "no rungs, as many steps"]]
    for row in rows:
        columns = ("fresh", "test", "searched", "without_rungs_for_as_many_steps")
        cells = [f"{fmean(row[key]):.4f} ± {stdev(row[key]) if len(row[key]) > 1 else 0:.4f}" for key in columns]
        lines.append([row["name"], f"{row['share_of_steps']:.0%}", *cells])
    return lines


if __name__ == "__main__":
    main()
