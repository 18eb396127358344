"""XOR from scratch: does evolution find a loss whose gradient is the squared error's, and how soon.

After Kozax, which searches losses of a net 2-16-16-1 for XOR (Adam at 0.01, 150 steps, four nets) with five populations
of 100: `pred*(pred - 2*y)`, which it found, has the gradient of `(pred - y)**2`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from reproduce.searches import search_once, search_piece
from reproduce.study import Place, Study, brief, make_pieces
from symloss.errors import FormulaError
from symloss.language.formula import Formula, parse
from symloss.language.probing import Prober, prefix
from symloss.language.zoo import zoo
from symloss.running.storage.store import RunStore

SEEDS = 3
GENERATIONS = 11
ALIKE = 1e-6  # largest difference of two gradients' directions that counts as none

TABLE: Mapping[str, Any] = {
    "name": "xor",
    "grammar": str(Path(__file__).parent / "xor_grammar.toml"),
    "task": {"name": "xor"},
    "search": {"method": "islands", "islands": 5, "population": 100, "elites": 5},
    "budget": {"steps": 150, "learning_rates": [0.01], "seeds": 4, "stack": "stacked"},
    "stop": {"generations": GENERATIONS},
}


def run(place: Place) -> dict[str, Any]:
    """Search with several seeds and look for the squared error among what was scored."""
    seeds = range(1, place.scaled(SEEDS) + 1)
    pieces = [search_piece(place, f"xor-{seed}", {**TABLE, "seed": seed}, one) for seed in seeds]
    return {"searches": make_pieces(place, pieces)}


def one(folder: str, table: Mapping[str, Any]) -> dict[str, Any]:
    """Search once, and say when a loss with the squared error's gradient came first."""
    return {**search_once(folder, table), **recognised(Path(folder))}


def recognised(path: Path) -> dict[str, Any]:
    """Return the first candidate whose gradient is the squared error's up to a positive factor, and its generation."""
    prober, wanted = Prober("regression", 1), zoo["mse"]
    target = direction(prober, wanted)
    with RunStore.read(path / "run.sqlite") as store:
        known, metric = store.outcomes(), store.meta()["metric"]
        for candidate in store.candidates():
            outcome = known.get(candidate.number)
            if outcome is None or candidate.formula is None or not outcome.measurements:
                continue
            if alike(prober, candidate.formula, target):
                values = [each.values[metric] for each in outcome.measurements]
                return {
                    "generation": candidate.batch + 1, "candidate": candidate.number, "formula": candidate.formula,
                    "measured": float(np.mean(values)),
                }  # fmt: skip
    return {"generation": None, "candidate": None, "formula": None, "measured": None}


def alike(prober: Prober, text: str, target: Any) -> bool:
    """Whether a formula's gradient points where the target's does, at all probe points together."""
    try:
        own = direction(prober, parse(text, "regression"))
    except FormulaError:
        return False
    return bool(own is not None and np.abs(own - target).max() < ALIKE)


def direction(prober: Prober, formula: Formula) -> Any:
    """Return the gradient at the probe points, scaled to length 1; None where it is not finite."""
    gradients = prober.respond(list(prefix(formula.node)), formula.text).gradients
    norm = float(np.linalg.norm(gradients))
    return gradients / norm if np.isfinite(norm) and norm > 0 else None


def table_of(figures: Mapping[str, Any]) -> list[list[str]]:
    """Lay out when each seed found it."""
    rows = [["seed", "in generation", "as candidate", "formula", "right side", "best of the search", "right side"]]
    for name, each in figures["searches"].items():
        found = "not in 11" if each["generation"] is None else str(each["generation"])
        number = "-" if each["candidate"] is None else str(each["candidate"])
        own = ["-", "-"] if each["formula"] is None else [f"`{brief(each['formula'])}`", f"{each['measured']:.3f}"]
        best = [f"`{brief(each['best'][0][0])}`", f"{each['best'][0][1]:.3f}"] if each["best"] else ["-", "-"]
        rows.append([name.removeprefix("xor-"), found, number, *own, *best])
    return rows


STUDY = Study("XOR: is the squared error found from scratch", run, {"xor": table_of})
