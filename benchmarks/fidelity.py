"""What rungs and other proxies cost in rank fidelity, and what a search with rungs finds for how many steps.

    python -m benchmarks.fidelity [--data-dir DIR] [--work runs/fidelity]

Everything that trains is a run of symloss's own, kept in the work directory: an interrupted study goes on where it was.
It writes `results/fidelity.json` and the tables of `docs/fidelity.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.problems import images
from benchmarks.ranks import Measured, best_share, cut_loss, measured, race_loss, steps_spent, tau
from benchmarks.record import rounded, with_deviation, write_table
from symloss.language.candidate import Outcome, State
from symloss.running.run import resume, search
from symloss.running.storage.store import RunStore
from symloss.searching.fitness import Judge

HERE = Path(__file__).parent
DOCUMENT = HERE.parent / "docs" / "fidelity.md"
STEPS, RUNGS = 300, [10, 20, 30, 50, 75, 100, 150, 200]
FACTORS = (2, 3, 4)
RATES, IMAGE_RATES = (0.003, 0.01), (0.001, 0.003)
SEEN, FRESH = (0, 1, 2, 3), (4, 5, 6, 7)  # training seeds that judge, and others that say what the truth is
DIGITS = {"name": "digits", "noise": 0.4, "hidden": [64, 64]}
QUICK = {"seeds": 2, "top": 1, "steps": 1, "learning_rates": [0.01], "baselines": ["cross_entropy"], "resamples": 100}
FRESH_SEEDS = {"seeds": 8, "top": 3, "baselines": ["cross_entropy"], "resamples": 1000}

# How searches are cut: name -> what their [budget] says; the first stops nobody and measures at every rung.
WHOLE = "no rungs"
CUTS: dict[str, dict[str, Any]] = {
    WHOLE: {"rungs": RUNGS, "reduction_factor": 1},
    "100, factor 2": {"rungs": [100], "reduction_factor": 2},
    "50 and 100, factor 2": {"rungs": [50, 100], "reduction_factor": 2},
    "50 and 100, factor 3": {"rungs": [50, 100], "reduction_factor": 3},
    "75, own rates": {"rungs": [75], "reduction_factor": 1, "rate_factor": 2},
    "75, factor 1.3, own rates": {"rungs": [75], "reduction_factor": 1.3, "rate_factor": 2},
}
IMAGE_CUTS: dict[str, dict[str, Any]] = {
    WHOLE: CUTS[WHOLE],
    "30 and 100, factor 2": {"rungs": [30, 100], "reduction_factor": 2},
    "30, own rates": {"rungs": [30], "reduction_factor": 1, "rate_factor": 2},
    "30 and 100, factor 1.5, own rates": {"rungs": [30, 100], "reduction_factor": 1.5, "rate_factor": 2},
    "30 and 100, factor 2, own rates": {"rungs": [30, 100], "reduction_factor": 2, "rate_factor": 2},
    "15, 45 and 120, factor 2, own rates": {"rungs": [15, 45, 120], "reduction_factor": 2, "rate_factor": 2},
    "30 and 100, factor 3, own rates": {"rungs": [30, 100], "reduction_factor": 3, "rate_factor": 2},
}


@dataclass(frozen=True)
class Question:
    """What is searched for with rungs and without.

    Args:
        label: of its runs.
        evaluations: candidates that each search trains.
    """

    label: str
    task: Mapping[str, Any]
    rates: tuple[float, ...]
    population: int
    evaluations: int
    seeds: int
    workers: int

    def searched(self, work: Path, cuts: Mapping[str, Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
        """Search with each way to cut, one search a seed."""
        return {
            name: [self._search(work / f"{self.label}-{slug(name)}-{seed}", cut, seed) for seed in self._numbers]
            for name, cut in cuts.items()
        }

    @property
    def _numbers(self) -> range:
        return range(1, self.seeds + 1)

    def _search(self, path: Path, cut: Mapping[str, Any], seed: int) -> dict[str, Any]:
        """Search, and try the best three on fresh seeds."""
        table = {
            "seed": seed, "grammar": "compact", "task": dict(self.task),
            "search": {"method": "evolution", "population": self.population},
            "budget": budget(cut, 4, self.rates), "stop": {"evaluations": self.evaluations},
            "finals": FRESH_SEEDS | {"learning_rates": list(self.rates)},
        }  # fmt: skip
        return run_once(path, table, self.workers)


def main() -> None:
    """Run the study and write its tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", default=os.environ.get("SYMLOSS_DATA"), help="where Fashion-MNIST lies")
    parser.add_argument("--work", type=Path, default=Path("runs/fidelity"), help="keeps the runs of the study")
    parser.add_argument("--candidates", type=int, default=200)
    parser.add_argument("--searches", type=int, default=8, help="seeds of the searches; half as many on images")
    parser.add_argument("--evaluations", type=int, default=200, help="candidates that each search trains")
    parser.add_argument("--workers", type=int, default=2, help="change nothing but how long it takes")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    image_task = images_task(given.data_dir)

    def trained(name: str, task: Mapping[str, Any], count: int, seeds: int, rates: Sequence[float] = RATES) -> Measured:
        return candidates(given.work / name, task, count, seeds, rates, given.workers)

    grown = trained("digits", DIGITS, given.candidates, 8)
    few = trained("few", {**DIGITS, "examples": 236}, given.candidates, 4)
    pictures = trained("images", image_task, given.candidates // 3, 4, IMAGE_RATES)
    questions = {
        "searches": (Question("search", DIGITS, RATES, 120, given.evaluations, given.searches, given.workers), CUTS),
        "image_searches": (
            Question(
                "pictures", image_task, IMAGE_RATES, 40, given.evaluations // 2, -(-given.searches // 2), given.workers
            ),
            IMAGE_CUTS,
        ),
    }
    runs = {name: question.searched(given.work, cuts) for name, (question, cuts) in questions.items()}
    # Each search has training seeds of its own, so ranks are compared within each.
    bred, bred_pictures = (
        [fidelity(measured(late(run["outcomes"]), "accuracy"), SEEN, SEEN) for run in runs[name][WHOLE]]
        for name in questions
    )
    document = {
        "candidates": {"digits": len(grown.values), "images": len(pictures.values), "task": image_task["name"]},
        "digits": fidelity(grown, SEEN, FRESH),
        "evolved": averaged(bred),
        "images": fidelity(pictures, SEEN, SEEN),
        "evolved_images": averaged(bred_pictures),
        "few_examples": proxy_of_data(grown, few),
    } | {name: search_rows(own) for name, own in runs.items()}
    (HERE / "results" / "fidelity.json").write_text(json.dumps(rounded(document), indent=1) + "\n", encoding="utf-8")
    write_tables(rounded(document))


def images_task(data_dir: str | None) -> dict[str, Any]:
    """Return the image MLP's task with wrong labels: Fashion-MNIST, or enlarged digits where it is not at hand."""
    task = images(data_dir, noise=0.4)
    return task if task["name"] == "digits28" else task | {"validation": 2000}


# The runs.


def candidates(
    path: Path, task: Mapping[str, Any], count: int, seeds: int, rates: Sequence[float], workers: int
) -> Measured:
    """Train newly grown candidates to the end, measured at every rung."""
    table = {
        "seed": 1, "grammar": "compact", "task": dict(task), "search": {"method": "random", "batch": count},
        "budget": budget(CUTS[WHOLE], seeds, rates), "stop": {"evaluations": count}, "finals": QUICK,
    }  # fmt: skip
    return measured(run_once(path, table, workers)["outcomes"], "accuracy")


def budget(cut: Mapping[str, Any], seeds: int, rates: Sequence[float]) -> dict[str, Any]:
    """Return the budget section."""
    table = {"steps": STEPS, "learning_rates": list(rates), "seeds": seeds, "stack": "stacked", "timeout": "1h"}
    return table | dict(cut)


def slug(name: str) -> str:
    """Return a way to cut as part of a file's name."""
    return "-".join(re.findall(r"[a-z0-9.]+", name))


def run_once(path: Path, table: Mapping[str, Any], workers: int) -> dict[str, Any]:
    """Run an experiment, or go on with it, and return what its store holds."""
    if not finished(path):
        sys.stderr.write(f"running {path}\n")
        if (path / "run.sqlite").exists():
            resume(path, workers=workers)
        else:
            search({"name": path.name, **table}, out=path, workers=workers)
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
            row["race"] = dict(zip(("lost", "saved"), race_loss(held, step, seen), strict=True))
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
    whole = runs[WHOLE]
    for name, own in runs.items():
        spent = [sum(steps_spent(run["outcomes"])) for run in own]
        pairs = list(zip(own, whole, spent, strict=True))
        full = [sum(steps_spent(run["outcomes"])) for run in whole]
        rows.append({
            "name": name, "share_of_steps": fmean(a / b for a, b in zip(spent, full, strict=True)), "steps": spent,
            "searched": [max(judge.fitness(each) for each in run["outcomes"]) for run in own],
            "fresh": [best_on_fresh_seeds(run["finals"]) for run in own],
            "test": [winner_on_test(run["finals"]) for run in own],
            "without_rungs_for_as_many_steps": [best_for(other, limit, judge) for _, other, limit in pairs],
            "trained": [sum(bool(each.measurements) for each in run["outcomes"]) for run in own],
        })  # fmt: skip
    return rows


def best_on_fresh_seeds(finals: Mapping[str, Any]) -> float:
    """Return the best validation accuracy of what a search had found."""
    return max(row["validation"] or 0.0 for row in finals["rows"] if row["role"] == "found")


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
        "evolved_images": rank_table(document["evolved_images"]),
        "searches": search_table(document["searches"]),
        "image_searches": search_table(document["image_searches"]),
    }
    for name, rows in parts.items():
        write_table(DOCUMENT, name, rows, "benchmarks.fidelity")


def rank_table(part: Mapping[str, Any]) -> list[list[str]]:
    """Lay out rank fidelity step by step."""
    head = ["step", "tau, 1 seed", "2 seeds", "4 seeds", "better half"]
    truth = ["truth, 1 seed", "4 seeds"] if part["has_truth"] else []
    lines = [head + truth + [f"lost, saved at factor {factor}" for factor in FACTORS] + ["own rates: points, saved"]]
    for row in part["rows"]:
        cells = [str(row["step"]), *(f"{row['tau_end'][k]:.2f}" for k in ("1", "2", "4"))]
        cells += [f"{row['tau_better_half']:.2f}"] + [f"{row['tau_truth'][k]:.2f}" for k in ("1", "4") if truth]
        cuts = row.get("cuts") or {}
        cells += [f"{cuts[f]['lost']:.0%}, {cuts[f]['saved']:.0%}" if cuts else "" for f in map(str, FACTORS)]
        race = row.get("race")
        cells.append(f"{100 * race['lost']:.2f}, {race['saved']:.0%}" if race else "")
        lines.append(cells)
    return lines


def search_table(rows: list[Mapping[str, Any]]) -> list[list[str]]:
    """Lay out what the searches found."""
    lines = [["rungs", "steps", "best found, fresh seeds", "test", "in the search", "no rungs, as many steps"]]
    for row in rows:
        columns = ("fresh", "test", "searched", "without_rungs_for_as_many_steps")
        cells = [with_deviation(row[key]) for key in columns]
        lines.append([row["name"], f"{row['share_of_steps']:.0%}", *cells])
    return lines


if __name__ == "__main__":
    main()
