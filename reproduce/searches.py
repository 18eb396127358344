"""One search of a study: run without finals in this process, taken up where it was broken off, and told as a curve."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from symloss.language.candidate import TRAINED
from symloss.running.config import load_experiment
from symloss.running.costs import Price
from symloss.running.observer import Silent
from symloss.running.reached import Reached
from symloss.running.run import resume, search
from symloss.running.storage.rundir import RunDirectory
from symloss.running.storage.store import RunStore
from symloss.searching.fitness import FAILED, Judge
from symloss.telling.ranking import rank_run

BEST = 5  # formulas of a search that are told


def search_once(folder: str, table: Mapping[str, Any]) -> dict[str, Any]:
    """Search, and return what the search came to.

    Args:
        folder: of the run; one that holds it already is gone on with.
        table: the experiment's, as TOML would give it.
    """
    path, began = Path(folder), time.perf_counter()
    if RunDirectory(path).store.exists():
        resume(path, workers=0, observer=Silent())
    else:
        whole = {**table, "finals": {**table.get("finals", {}), "top": 0}}
        search(whole, path, workers=0, observer=Silent())
    return {"seconds": time.perf_counter() - began, **told_of(path)}


def told_of(path: Path) -> dict[str, Any]:
    """Return a run's best fitness over the training steps that it spent, and its best formulas."""
    price = Price.of(load_experiment(RunDirectory(path).experiment))
    with RunStore.read(RunDirectory(path).store) as store:
        meta = store.meta()
        judge = Judge(meta["metric"], meta["maximise"])
        steps, best, curve = 0, FAILED, []
        for number, outcome in sorted(store.outcomes().items()):
            if outcome.state not in TRAINED:
                continue
            steps += price.spent(1, Reached().plus([outcome]))
            best = max(best, judge.fitness(outcome))
            curve.append((number, steps, best))
        ranking = rank_run(store, BEST)
        counts = {state.value: count for state, count in store.counts().items()}
    improvements = [row for place, row in enumerate(curve) if place == 0 or row[2] > curve[place - 1][2]]
    return {
        "counts": counts,
        "steps": steps,
        "curve": [[number, done, fitness] for number, done, fitness in improvements if fitness > FAILED],
        "best": [[each.formula, each.fitness, each.complexity] for each in ranking.best],
        "front": [[each.formula, each.fitness, each.complexity] for each in ranking.front],
    }


def best_at(curve: list[list[float]], steps: float) -> float | None:
    """Return the best fitness when so many steps were spent; None before anything was scored."""
    reached = [fitness for _, done, fitness in curve if done <= steps]
    return max(reached, default=None)
