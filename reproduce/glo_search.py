"""GLO's two stages from scratch, in its grammar: does the search find Baikal, or a relative of it.

After Gonzalez and Miikkulainen 2020, arXiv:1905.11528, section 3: genetic programming over small trees, then CMA-ES
over a coefficient at each node of the best.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproduce.searches import search_once
from reproduce.study import Place, Study, make_pieces
from symloss.language.formula import parse
from symloss.telling.analysis.traits import traits

SEEDS = 3
SHOWN = 3  # formulas of each search

TASKS: Mapping[str, Mapping[str, Any]] = {
    "digits": {"task": {"name": "digits"}, "rates": [0.01]},
    "enlarged digits": {"task": {"name": "digits28"}, "rates": [0.003]},
}


def table_for(task: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Return the experiment: GLO's settings, as far as FACTS say."""
    return {
        "name": "glo", "seed": seed, "grammar": "glo", "task": task["task"],
        "search": {"method": "glo", "fresh": 5, "generations": 15, "coefficients": {"best": 2, "population": 16}},
        "budget": {"steps": 200, "learning_rates": task["rates"], "seeds": 2, "stack": "stacked"},
        "stop": {"generations": 30},
    }  # fmt: skip


def run(place: Place) -> dict[str, Any]:
    """Search on each task with several seeds, and describe the best."""
    pieces = []
    for task, spec in TASKS.items():
        for seed in range(1, place.scaled(SEEDS) + 1):
            name = f"{task}-{seed}".replace(" ", "_")
            arguments = {"folder": str(place.folder / "runs" / name), "table": table_for(spec, seed)}
            pieces.append((name, one, arguments))
    return {"searches": make_pieces(place, pieces)}


def one(folder: str, table: Mapping[str, Any]) -> dict[str, Any]:
    """Search once, and say of the best formulas where they hold confidence and what they are nearest to."""
    found = search_once(folder, table)
    return {**found, "described": [describe(text) for text, _, _ in found["best"][:SHOWN]]}


def describe(text: str) -> dict[str, str]:
    """Return p*, first step and the nearest published loss, in words."""
    said = traits(parse(text, "classification"), 10)
    return {name: said[name].words for name in ("optimum", "first_step", "kinship") if name in said}


def table_of(figures: Mapping[str, Any]) -> list[list[str]]:
    """Lay out the best formulas."""
    rows = [["search", "formula", "fitness", "p*", "first step", "nearest"]]
    for name, each in figures["searches"].items():
        for (text, fitness, _), said in zip(each["best"], each["described"], strict=False):
            cells = [said.get(key, "-") for key in ("optimum", "first_step", "kinship")]
            rows.append([name, f"`{text}`", f"{fitness:.4f}", *cells])
    return rows


STUDY = Study("GLO's two stages from scratch", run, {"glo_search": table_of})
