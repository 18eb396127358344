"""What a surrogate foretells, and what searches find that let it choose what is trained.

    python -m benchmarks.preselection [--data-dir DIR] [--work runs/preselection]

Every search is a run of symloss's own, kept in the work directory: an interrupted study goes on where it was. It writes
`results/preselection.json` and the tables of `docs/surrogate.md`.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import kendalltau

from benchmarks.fidelity import FRESH_SEEDS, best_on_fresh_seeds, images_task, run_once, slug, winner_on_test
from benchmarks.record import rounded, with_deviation, write_record, write_table
from symloss.judging.screen import Screen
from symloss.language.candidate import TRAINABLE, Candidate, Measurement, Outcome, State
from symloss.language.grammar import Grammar, load_grammar
from symloss.language.probing import Prober
from symloss.language.tree import StoredTree, Tree
from symloss.running.storage.store import RunStore
from symloss.searching.fitness import FAILED, Judge
from symloss.searching.searches import make_search
from symloss.searching.surrogate import INNOCENT, LEAST, MEMORY, Process, features, ranks
from symloss.searching.told import Told

DOCUMENT = Path(__file__).parent.parent / "docs" / "surrogate.md"
GRAMMAR = "compact"
OUTPUTS = 10  # of both base models
FEW = 6  # trained candidates of a generation, below which ranks among them say little
PLACES = 40  # in the generation for which the driver is timed
BEST = 0.1  # share of a search's candidates that it must not lose


@dataclass(frozen=True)
class Problem:
    """A base problem, and what is searched on it.

    Args:
        settings: population and `preselect` of each kind of search.
        looks: trained candidates after which the best is told; a search trains as many as the last.
    """

    name: str
    task: Mapping[str, Any]
    budget: Mapping[str, Any]
    settings: tuple[tuple[int, int], ...]
    looks: tuple[int, ...]
    seeds: int


@dataclass(frozen=True)
class Searched:
    """A search that has ended.

    Args:
        told: its trained candidates.
        batches: the batch of each.
        parents: the best parent's fitness of each, minus infinity without one.
        finals: what became of its best on fresh seeds.
    """

    told: list[Told]
    batches: list[int]
    parents: list[float]
    finals: Mapping[str, Any]

    @property
    def best(self) -> list[float]:
        """The best fitness after each trained candidate."""
        return np.maximum.accumulate([each.fitness for each in self.told]).tolist()


def problems(data_dir: str | None, searches: int) -> list[Problem]:
    """Return noisy digits and the noisy images of docs/fidelity.md, whose searches take longer."""
    digits = {"name": "digits", "noise": 0.4, "hidden": [64, 64]}
    budget = {"steps": 300, "learning_rates": [0.003, 0.01], "seeds": 4, "stack": "stacked", "timeout": "1h"}
    images, pictures = images_task(data_dir), budget | {"learning_rates": [0.001, 0.003]}
    grid = ((80, 1), (40, 1), (20, 1), (40, 8), (20, 3), (20, 8))
    return [
        Problem("noisy digits", digits, budget, grid, (15, 25, 50, 100, 150), searches),
        Problem("noisy images", images, pictures, ((40, 1), (40, 8)), (15, 25, 40, 60), -(-searches // 2)),
    ]


def searched(work: Path, problem: Problem, setting: tuple[int, int], seed: int, workers: int) -> Searched:
    """Search, and try the best three on fresh seeds."""
    population, preselect = setting
    table = {
        "seed": seed, "grammar": GRAMMAR, "task": dict(problem.task), "budget": dict(problem.budget),
        "search": {"method": "evolution", "population": population, "preselect": preselect},
        "stop": {"evaluations": problem.looks[-1]},
        "finals": FRESH_SEEDS | {"learning_rates": list(problem.budget["learning_rates"])},
    }  # fmt: skip
    path = work / slug(f"{problem.name} {population} {preselect} {seed}")
    finals = run_once(path, table, workers)["finals"]
    with RunStore.read(path / "run.sqlite") as store:
        told = [each for batch in store.batches() for each in store.told(batch.number) or []]
        stored = {each.number: each for each in store.candidates()}
    fitness = {each.number: each.fitness for each in told}
    trained = [each for each in told if each.worth_training]
    return Searched(
        trained,
        [stored[each.number].batch for each in trained],
        [max((fitness[one] for one in stored[each.number].parents), default=FAILED) for each in trained],
        finals,
    )


def foretelling(found: Searched, grammar: Grammar) -> dict[str, float]:
    """Compare, generation by generation, what a surrogate of the earlier ones says with what training said.

    Returns:
        `tau`: Kendall's, of the surrogate's mean within a generation; `parents`: of the best parent's fitness;
        `skipped`: the share of candidates that are foretold to be worse than half of the earlier ones; `lost`: the
        share of the search's best tenth that is among them.
    """
    prober = Prober(grammar.slot, OUTPUTS, grammar.lacks)

    def trace(tree: Tree) -> np.ndarray[Any, np.dtype[np.float64]]:
        return prober.trace(tree.nodes, tree.text)

    batches = np.array(found.batches)
    seen = np.array([features(trace(StoredTree(each.text, grammar))) for each in found.told])
    merits = [(each.fitness, each.promise) for each in found.told]
    fit = np.array([each.state not in INNOCENT for each in found.told])
    whole = ranks(merits)
    taus, of_parents, poor, best = list[float](), list[float](), list[bool](), list[bool]()
    for batch in sorted(set(found.batches)):
        before, now = np.flatnonzero((batches < batch) & fit), np.flatnonzero(batches == batch)
        if len(before) < LEAST or len(now) < FEW:
            continue
        means, _ = Process.of(seen[before], ranks([merits[one] for one in before])).foretell(seen[now])
        taus.append(float(kendalltau(means, whole[now]).statistic))
        of_parents.append(float(kendalltau([found.parents[one] for one in now], whole[now]).statistic))
        poor += (means < 0.5).tolist()
        best += (whole[now] > 1 - BEST).tolist()
    return {
        "tau": float(np.nanmean(taus)),
        "parents": float(np.nanmean(of_parents)),
        "skipped": statistics.fmean(poor),
        "lost": sum(a and b for a, b in zip(poor, best, strict=True)) / max(1, sum(best)),
    }


def cost(preselect: int, grammar: Grammar) -> dict[str, float]:
    """Measure what the driver spends on a proposal, and on learning, when a surrogate remembers all that it can.

    Returns:
        Milliseconds of the processor.
    """
    judge, draw = Judge("accuracy", maximise=True), random.Random(0)
    search = make_search("evolution", grammar, judge, 0, {"preselect": preselect}, OUTPUTS)

    def outcome(candidate: Candidate, ended: Outcome | None) -> Outcome:
        measured = (Measurement(1, 0.1, 0, {"accuracy": draw.random()}),)
        return ended or Outcome(candidate.number, State.SCORED, measurements=measured)

    screen = Screen()
    while screen.counts[TRAINABLE] < MEMORY:
        asked = search.ask()
        search.tell([outcome(*each) for each in zip(asked, screen.check(asked), strict=True)])
    times = [time.process_time()]
    for count in (1, PLACES):  # whoever asks first after something was told waits until it is learnt
        search.ask(count, ahead=True)
        times.append(time.process_time())
    place = 1000 * (times[2] - times[1]) / PLACES
    return {"preselect": preselect, "place": place, "learning": max(0.0, 1000 * (times[1] - times[0]) - place)}


def row(problem: Problem, setting: tuple[int, int], runs: Sequence[Searched]) -> dict[str, Any]:
    """Say what the searches of one kind found."""
    return {
        "population": setting[0],
        "preselect": setting[1],
        "best": {look: [run.best[min(look, len(run.best)) - 1] for run in runs] for look in problem.looks},
        "fresh": [best_on_fresh_seeds(run.finals) for run in runs],
        "test": [winner_on_test(run.finals) for run in runs],
    }


def foretelling_table(parts: Mapping[str, Any]) -> list[list[str]]:
    """Lay out what the surrogate foretells."""
    lines = [
        ["base problem", "searches", "tau, surrogate", "tau, best parent", "foretold to be poor", "of the best tenth"]
    ]
    for name, part in parts.items():
        means = {key: statistics.fmean(each[key] for each in part["foretelling"]) for key in part["foretelling"][0]}
        taus = [f"{means['tau']:.2f}", f"{means['parents']:.2f}"]
        lines.append([name, str(len(part["foretelling"])), *taus, f"{means['skipped']:.0%}", f"{means['lost']:.1%}"])
    return lines


def cost_table(costs: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Lay out what it costs."""
    lines = [["preselect", "the driver, each place", "to learn anew"]]
    return lines + [[str(each["preselect"]), f"{each['place']:.1f} ms", f"{each['learning']:.0f} ms"] for each in costs]


def search_table(part: Mapping[str, Any]) -> list[list[str]]:
    """Lay out what the searches found."""
    looks = sorted(part["rows"][0]["best"], key=int)
    head = ["population", "preselect", *(f"best after {look}" for look in looks), "best, fresh seeds", "test"]
    lines = [head]
    for each in part["rows"]:
        figures = [*(each["best"][look] for look in looks), each["fresh"], each["test"]]
        lines.append([str(each["population"]), str(each["preselect"]), *(with_deviation(one) for one in figures)])
    return lines


def main() -> None:
    """Run the study and write its tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", default=os.environ.get("SYMLOSS_DATA"), help="where Fashion-MNIST lies")
    parser.add_argument("--work", type=Path, default=Path("runs/preselection"), help="keeps the runs of the study")
    parser.add_argument("--searches", type=int, default=8, help="seeds of the searches; half as many on images")
    parser.add_argument("--workers", type=int, default=2, help="change nothing but how long it takes")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    grammar, parts = load_grammar(GRAMMAR), dict[str, Any]()
    for problem in problems(given.data_dir, given.searches):
        runs = {
            setting: [
                searched(given.work, problem, setting, seed, given.workers) for seed in range(1, problem.seeds + 1)
            ]
            for setting in problem.settings
        }
        without = [run for setting, own in runs.items() if setting[1] == 1 for run in own]
        parts[problem.name] = {
            "rows": [row(problem, setting, own) for setting, own in runs.items()],
            "foretelling": [foretelling(run, grammar) for run in without],
        }
    found = rounded({"problems": parts, "costs": [cost(preselect, grammar) for preselect in (1, 8)]})
    write_record("preselection", found)
    write_tables(found)


def write_tables(found: Mapping[str, Any]) -> None:
    """Write the tables between the markers of the document."""
    parts = found["problems"]
    write_table(DOCUMENT, "costs", cost_table(found["costs"]), "benchmarks.preselection")
    write_table(DOCUMENT, "foretelling", foretelling_table(parts), "benchmarks.preselection")
    for name, part in parts.items():
        write_table(DOCUMENT, name, search_table(part), "benchmarks.preselection")


if __name__ == "__main__":
    main()
