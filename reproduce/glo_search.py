"""GLO's two stages from scratch, in its grammar: does the search find Baikal, or a relative of it.

Beside it random search in the same grammar, which may spend what GLO has spent.

After Gonzalez and Miikkulainen 2020, arXiv:1905.11528, section 3: genetic programming over small trees, then CMA-ES
over a coefficient at each node of the best.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproduce.searches import search_once, search_piece
from reproduce.study import Piece, Place, Study, brief, make_pieces
from symloss.language.formula import parse
from symloss.language.zoo import zoo
from symloss.telling.analysis.traits import traits

SEEDS = 3
SHOWN = 3  # formulas of each search

PUBLISHED = ["cross_entropy", "baikal", "baikal_cma"]  # judged as each search judges
REFERENCES = {"evaluations": len(PUBLISHED)}

TASKS: Mapping[str, Mapping[str, Any]] = {
    "digits": {"task": {"name": "digits"}, "rates": [0.01], "generations": 15},
    "enlarged digits": {"task": {"name": "digits28"}, "rates": [0.003], "generations": 6},
}


def table_for(task: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Return the experiment: GLO's settings, as far as FACTS say."""
    return {
        "name": "glo", "seed": seed, "grammar": "glo", "task": task["task"],
        "search": {
            "method": "glo", "fresh": 5, "generations": task["generations"],
            "coefficients": {"population": 16},
        },
        "budget": {"steps": 200, "learning_rates": task["rates"], "seeds": 2, "stack": "stacked"},
        "stop": {"generations": 2 * task["generations"]},
    }  # fmt: skip


def run(place: Place) -> dict[str, Any]:
    """Search on each task with several seeds, and describe the best."""
    tables = {
        f"{task}-{seed}".replace(" ", "_"): table_for(spec, seed)
        for task, spec in TASKS.items()
        for seed in range(1, place.scaled(SEEDS) + 1)
    }
    found = make_pieces(place, [search_piece(place, name, table, one) for name, table in tables.items()])
    published = {"search": {"method": "random", "initial": PUBLISHED, "batch": len(PUBLISHED)}, "stop": REFERENCES}
    others = list[Piece]()
    for name, table in tables.items():
        chance = {"search": {"method": "random", "batch": 60}, "stop": {"steps": found[name]["steps"]}}
        others.append(search_piece(place, f"published-{name}", {**table, **published}))
        others.append(search_piece(place, f"random-{name}", {**table, **chance}, one))
    return {"searches": found, "others": make_pieces(place, others)}


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
    rows = [["search", "formula", "fitness", "p*", "first step, of cross-entropy's", "nearest published loss"]]
    for name, each in figures["searches"].items():
        for (text, fitness, _), said in zip(each["best"], each["described"], strict=False):
            optimum, step = said["optimum"].partition(" (")[0], said["first_step"].partition(" times")[0]
            rows.append([name, f"`{brief(text)}`", f"{fitness:.4f}", optimum, step, said.get("kinship", "-")])
    return rows


def published_table(figures: Mapping[str, Any]) -> list[list[str]]:
    """Lay out the published losses, and the best that random search found, as each search judges them."""
    rows = [["search", *PUBLISHED, "its best", "random search's best", "which is"]]
    for name, each in figures["searches"].items():
        known, chance = (figures["others"][f"{kind}-{name}"] for kind in ("published", "random"))
        fitness = {text: value for text, value, _ in known["best"]}
        first, best = each["best"][0], chance["best"][0]
        own = [*(fitness.get(zoo[loss].text) for loss in PUBLISHED), first[1], best[1]]
        cells = ["-" if value is None else f"{value:.4f}" for value in own]
        rows.append([name, *cells, f"`{brief(best[0])}`: {chance['described'][0].get('kinship', '-')}"])
    return rows


STUDY = Study("GLO's two stages from scratch", run, {"glo_search": table_of, "glo_published": published_table})
