"""One search of a study: run without finals in this process, taken up where it was broken off, and told as a curve."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

from reproduce.study import Piece, Place, digest
from symloss.language.candidate import TRAINED
from symloss.running.config import load_experiment
from symloss.running.costs import Price
from symloss.running.observer import Silent
from symloss.running.reached import Reached
from symloss.running.run import resume, search
from symloss.running.storage.recollection import Standings
from symloss.running.storage.rundir import RunDirectory
from symloss.running.storage.store import RunStore
from symloss.searching.fitness import FAILED, Judge
from symloss.telling.ranking import rank, stand

BEST = 5  # formulas of a search that are told


def search_piece(
    place: Place, name: str, table: Mapping[str, Any], make: Callable[..., Mapping[str, Any]] | None = None
) -> Piece:
    """Return a search as a piece; the folder of its run has the experiment's digest in its name, too.

    Args:
        make: `search_once`, or what does so and says more.
    """
    folder = place.folder / "runs" / f"{name}-{digest(table)}"
    return name, make or search_once, {"folder": str(folder), "table": table}


def search_once(folder: str, table: Mapping[str, Any]) -> dict[str, Any]:
    """Search, and return what the search came to.

    Args:
        folder: of the run; one that holds it already is gone on with.
        table: the experiment's, as TOML would give it.
    """
    path = Path(folder)
    if RunDirectory(path).store.exists():
        resume(path, workers=0, observer=Silent())
    else:
        whole = {**table, "finals": {**table.get("finals", {}), "top": 0}}
        search(whole, path, workers=0, observer=Silent())
    return told_of(path)


def told_of(path: Path) -> dict[str, Any]:
    """Return a run's best fitness over the training steps that it spent, and its best formulas.

    A search ends with a batch, so beyond the steps that it may spend; what came of these does not count. `seconds` are
    those that its batches took, in all sessions.
    """
    experiment = load_experiment(RunDirectory(path).experiment)
    price, most = Price.of(experiment), experiment.stop.steps or inf
    with RunStore.read(RunDirectory(path).store) as store:
        meta = store.meta()
        judge = Judge(meta["metric"], meta["maximise"])
        steps, last, best, curve = 0, -1, FAILED, []
        for number, outcome in sorted(store.outcomes().items()):
            if outcome.state not in TRAINED:
                continue
            spent = price.spent(1, Reached().plus([outcome]))
            if steps + spent > most:
                break
            steps, last = steps + spent, number
            best = max(best, judge.fitness(outcome))
            curve.append((number, steps, best))
        ranking = rank(store, up_to(last, stand(store)), BEST)
        seconds = sum(batch.seconds for batch in store.batches())
        counts = {state.value: count for state, count in store.counts().items()}
    improvements = [row for place, row in enumerate(curve) if place == 0 or row[2] > curve[place - 1][2]]
    return {
        "seconds": seconds,
        "counts": counts,
        "steps": steps,
        "curve": [[number, done, fitness] for number, done, fitness in improvements if fitness > FAILED],
        "best": [[each.formula, each.fitness, each.complexity] for each in ranking.best],
        "front": [[each.formula, each.fitness, each.complexity] for each in ranking.front],
    }


def up_to(last: int, standings: Standings) -> Standings:
    """Return how a run's candidates stand up to a number."""
    within = np.asarray(standings.numbers) <= last
    return Standings(*(getattr(standings, each.name)[within] for each in fields(Standings)))


def best_at(curve: list[list[float]], steps: float) -> float | None:
    """Return the best fitness when so many steps were spent; None before anything was scored."""
    reached = [fitness for _, done, fitness in curve if done <= steps]
    return max(reached, default=None)
