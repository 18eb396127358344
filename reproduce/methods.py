"""Which search is worth its cost: all methods, the same number of training steps, several seeds, four tasks.

Each winner, chosen on validation, trains again on fresh seeds beside tuned published losses; random search is what
every other method must beat. All methods are compared seed by seed: a seed's trainings have the same initial weights
and mini-batches whoever searches, which moves all of its searches alike.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata, wilcoxon

from reproduce.searches import best_at, search_piece
from reproduce.study import Piece, Place, StoppedError, Study, difference, in_words, make_pieces, mean_interval
from symloss.language.formula import parse
from symloss.language.slots import SLOTS
from symloss.language.zoo import zoo
from symloss.running.costs import Price
from symloss.running.observer import Silent
from symloss.running.proof.comparing import Trying
from symloss.running.proof.transferring import Ground, transfer_formulas
from symloss.running.proof.verdict import p_words
from symloss.running.session import Crew

RANDOM, TWO_STAGES, UNTUNED = "random", "glo, two stages", "evomal, untuned"
DEFAULT = "evolution"  # what a search is where an experiment names none
POINTS = 20  # of a curve
BATCH = {"population": 60, "elites": 4}
TUNING = {"steps": 100, "rate": 0.01, "inner_rate": 0.1}  # 400 training steps a candidate

# The searches, by the name under which they stand in the tables. `random` comes first: it is the reference.
METHODS: Mapping[str, Mapping[str, Any]] = {
    RANDOM: {"method": "random", "batch": 60},
    "evolution": {"method": "evolution", **BATCH},
    "aging": {"method": "aging", "population": 60, "sample": 15, "batch": 20},
    "nsga2": {"method": "nsga2", "population": 60},
    "islands": {"method": "islands", "population": 15, "elites": 1, "islands": 4},
    "map_elites": {"method": "map_elites", "first": 60, "batch": 40},
    TWO_STAGES: {"method": "glo", **BATCH, "fresh": 5, "generations": 10**6, "coefficients": {"population": 16}},
    UNTUNED: {"method": "evomal", "tuning": {"method": "none"}},
    "evomal": {"method": "evomal", "tuning": {**TUNING, "method": "gradient"}},
    "evomal, CMA-ES": {"method": "evomal", "tuning": {**TUNING, "method": "cma"}},
    "taylor": {"method": "taylor"},
}  # fmt: skip

EVOMAL = [name for name, settings in METHODS.items() if settings["method"] == "evomal"]

# The base problems: what to train, at which cost, how many trained candidates that makes where none is tuned, how many
# seeds of the search.
TASKS: Mapping[str, Mapping[str, Any]] = {
    "noisy digits": {
        "task": {"name": "digits", "noise": 0.4},
        "budget": {"steps": 300, "learning_rates": [0.003, 0.01], "seeds": 2, "stack": "stacked"},
        "evaluations": 200, "seeds": 5, "trying": Trying(seeds=8, steps=600),
    },
    "few digits": {
        "task": {"name": "digits", "examples": 100},
        "budget": {"steps": 300, "learning_rates": [0.003, 0.01], "seeds": 2, "stack": "stacked"},
        "evaluations": 200, "seeds": 5, "trying": Trying(seeds=8, steps=600),
    },
    "noisy Fashion-MNIST": {
        "task": {"name": "fashion_mnist", "noise": 0.4, "examples": 5000},
        "budget": {"steps": 200, "learning_rates": [0.001, 0.003], "seeds": 1, "stack": "stacked"},
        "evaluations": 120, "seeds": 3, "trying": Trying(seeds=4, steps=400),
    },
    "mammography, AUPRC": {
        "task": {"name": "mammography", "metric": "auprc"},
        "budget": {"steps": 200, "learning_rates": [0.003, 0.01], "seeds": 2, "stack": "stacked"},
        "evaluations": 200, "seeds": 3, "trying": Trying(seeds=8, steps=400),
    },
}  # fmt: skip


def run(place: Place) -> dict[str, Any]:
    """Search with every method on every task, then try all winners."""
    found = make_pieces(place, [piece for task in TASKS for piece in searches(place, task)])
    return {task: {"searches": by_method(found, task), **finals(place, task, found)} for task in TASKS}


def searches(place: Place, task: str) -> list[Piece]:
    """Return the searches on a task."""
    spec, pieces = TASKS[task], list[Piece]()
    evaluations = place.scaled(spec["evaluations"], 20)
    for method, usual in METHODS.items():
        # GLO's first stage may spend half of what the whole search may.
        settings = {**usual, "evaluations": evaluations // 2} if method == TWO_STAGES else usual
        for seed in range(place.scaled(spec["seeds"])):
            table = {
                "name": "study", "seed": seed + 1, "grammar": "compact", "task": spec["task"], "search": settings,
                "budget": spec["budget"], "stop": {"steps": cost_of(task, evaluations)},
            }  # fmt: skip
            pieces.append(search_piece(place, piece_name(task, method, seed), table))
    return pieces


def cost_of(task: str, evaluations: int) -> int:
    """Return the training steps of so many candidates whose numbers are not tuned: what every search may spend."""
    budget = TASKS[task]["budget"]
    return evaluations * Price(budget["steps"], len(budget["learning_rates"]) * budget["seeds"]).whole


def piece_name(task: str, method: str, seed: int) -> str:
    """Name a search's piece."""
    return f"{task}-{method}-{seed + 1}".replace(" ", "_").replace(",", "")


def by_method(found: Mapping[str, Any], task: str) -> dict[str, list[Any]]:
    """Return method -> what its searches on a task have come to, seed by seed."""
    rows: dict[str, list[Any]] = {method: [] for method in METHODS}
    for method, own in rows.items():
        start = piece_name(task, method, 0)[:-1]
        own += [found[name] for name in sorted(found) if name.startswith(start)]
    return rows


def finals(place: Place, task: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """Try all winners on a task, and its baselines, on fresh seeds and the test set."""
    winners: dict[str, str] = {}
    for method, own in by_method(found, task).items():
        winners |= {f"{method} {seed + 1}": each["best"][0][0] for seed, each in enumerate(own) if each["best"]}
    slot = "classification"
    baselines = {name: zoo[name] for name in SLOTS[slot].baselines}
    formulas = {**baselines, **{name: parse(text, slot) for name, text in winners.items()}}
    ground = Ground(task, TASKS[task]["task"], learning_rates=None)
    crew = Crew(place.processes)
    transfer = transfer_formulas(formulas, [ground], TASKS[task]["trying"], place.folder / "finals", crew, Silent())
    if transfer is None:
        raise StoppedError
    column = transfer.columns[0]
    rows = {row.name: row for row in column.rows}
    values = {name: rows[name].by_seed.get(column.metric, ()) for name in formulas}
    return {
        "metric": column.metric,
        "test": {name: list(each) for name, each in values.items()},
        "rates": {name: rows[name].learning_rate for name in formulas},
        "winners": winners,
    }


def table_of(figures: Mapping[str, Any]) -> list[list[str]]:
    """Lay out what each method came to on each task, and against random search."""
    head = ["task", "method", "seeds", "best on validation", "against random search"]
    rows = [[*head, "winners on test", "against random search", "a search"]]
    for task, own in tasks_of(figures):
        for method, searched in in_order(own):
            seconds = f"{np.median([each['seconds'] for each in searched]):.0f} s"
            cells = [cell for of in (on_validation, on_test) for cell in _beside_random(of, own, method)]
            rows.append([task, method, str(len(searched)), *cells, seconds])
    return rows


def _beside_random(of: Callable[[Any, str], dict[int, float]], own: Any, method: str) -> list[str]:
    values = of(own, method)
    if not values:
        return ["none", ""]
    against = "the reference" if method == RANDOM else difference(values, of(own, RANDOM))
    return [in_words(*mean_interval(list(values.values()))), against]


def overall_table(
    figures: Mapping[str, Any], reference: str = RANDOM, only: Collection[str] = METHODS
) -> list[list[str]]:
    """Lay out how each method stands over all tasks and seeds: its mean rank, and how often it beats another method.

    The probability is Wilcoxon's, of the differences from that method, each in units of its task's spread.

    Args:
        only: methods that are shown; ranks are among all.
    """
    rows = [["method"], *([method] for method in METHODS)]
    for part, of in (("validation", on_validation), ("test", on_test)):
        values = _standard(figures, of)
        ranks = rankdata(-values, axis=1).mean(0)
        other = values[:, list(METHODS).index(reference)]
        rows[0] += [f"mean rank on {part}", f"{part}: better, equal, worse than {reference}", "by chance"]
        for row, rank, own in zip(rows[1:], ranks, values.T, strict=True):
            row += [f"{rank:.1f}", *(("the reference", "") if row[0] == reference else _gains(own - other))]
    return [rows[0], *(row for row in rows[1:] if row[0] in only)]


def _gains(gains: NDArray[np.float64]) -> tuple[str, str]:
    counts = ", ".join(str(int(np.sum(np.sign(gains) == sign))) for sign in (1, 0, -1))
    return counts, p_words(float(wilcoxon(gains).pvalue) if gains.any() else 1.0)


def _standard(figures: Mapping[str, Any], of: Callable[[Any, str], dict[int, float]]) -> NDArray[np.float64]:
    """Return (tasks x seeds, methods) values in units of each task's spread; seeds that a method lacks are left out."""
    rows = list[NDArray[np.float64]]()
    for _, own in tasks_of(figures):
        values = [of(own, method) for method in METHODS]
        seeds = sorted(set[int].intersection(*(set(each) for each in values)))
        block = np.array([[each[seed] for each in values] for seed in seeds])
        rows.append(block / (block - block.mean(1, keepdims=True)).std())
    return np.concatenate(rows)


def baseline_table(figures: Mapping[str, Any]) -> list[list[str]]:
    """Lay out the published losses, tuned alike, and the best winner by its mean on the test set."""
    rows = [["task", "loss", "on test"]]
    for task, own in tasks_of(figures):
        tested = {name: values for name, values in own["test"].items() if values and name not in own["winners"]}
        for name, values in sorted(tested.items(), key=lambda each: -np.mean(each[1])):
            rows.append([task, name, in_words(*mean_interval(values))])
    return rows


def tasks_of(figures: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the tasks of a record of figures, in the study's order."""
    return [(name, figures[name]) for name in TASKS if name in figures]


def in_order(own: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return method and searches, in the study's order."""
    return [(method, own["searches"][method]) for method in METHODS]


def on_validation(own: Mapping[str, Any], method: str) -> dict[int, float]:
    """Return search seed -> the best fitness of a method's search."""
    return {seed: each["curve"][-1][2] for seed, each in enumerate(own["searches"][method], 1) if each["curve"]}


def on_test(own: Mapping[str, Any], method: str) -> dict[int, float]:
    """Return search seed -> the mean on the test set of the winner of a method's search."""
    seeds = range(1, len(own["searches"][method]) + 1)
    tested = {seed: own["test"].get(f"{method} {seed}") for seed in seeds}
    return {seed: float(np.mean(values)) for seed, values in tested.items() if values}


def draw(figures: Mapping[str, Any], folder: Path) -> None:
    """Draw the mean best fitness on validation over training steps, each with a band of its standard error.

    What all searches of a seed have in common is taken out of the band: it tells no method from another.
    """
    from symloss.telling.plot import canvas

    shown = tasks_of(figures)
    with canvas(folder / "methods.png", (4.6 * len(shown), 4.4), len(shown)) as (figure, panels):
        for axes, (task, own) in zip(panels, shown, strict=True):
            end = max(each["steps"] for searched in own["searches"].values() for each in searched)
            grid = np.linspace(end / POINTS, end, POINTS)
            means, errors = _course(own, grid)
            for place, method in enumerate(METHODS):
                style = {"color": "black", "linestyle": "--", "zorder": 3} if method == RANDOM else {}
                (line,) = axes.plot(grid / 1000, means[place], label=method, linewidth=1.5, **style)
                low, high = means[place] - errors[place], means[place] + errors[place]
                axes.fill_between(grid / 1000, low, high, color=line.get_color(), alpha=0.1, linewidth=0)
            last, spread = means[:, -1], np.ptp(means[:, -1])
            # How poor the first few are would hide all that follows.
            axes.set_ylim(last.min() - spread, last.max() + 0.4 * spread)
            axes.set_title(task, fontsize="medium")
            axes.set_xlabel("thousand training steps")
            axes.locator_params(axis="x", nbins=5)
        panels[0].set_ylabel("best fitness on validation")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=6, frameon=False)


def _course(own: Mapping[str, Any], grid: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each method's mean over seeds and its standard error `(methods, grid)`; NaN before all seeds have a value.

    Within seeds, after Cousineau 2005 (doi:10.20982/tqmp.01.1.p042), with Morey's correction.
    """
    curves = [[each["curve"] for each in own["searches"][method]] for method in METHODS]
    values = np.array([[[best_at(curve, steps) for steps in grid] for curve in each] for each in curves], float)
    known = ~np.isnan(values)
    of_seed = np.where(known, values, 0).sum(0) / np.maximum(known.sum(0), 1)
    seeds, methods = values.shape[1], len(METHODS)
    errors = (values - of_seed).std(1, ddof=1) / np.sqrt(seeds) * np.sqrt(methods / (methods - 1))
    return values.mean(1), errors


STUDY = Study(
    "all methods at equal cost",
    run,
    {
        "methods": table_of,
        "methods_overall": overall_table,
        "methods_default": partial(overall_table, reference=DEFAULT),
        "methods_tuning": partial(overall_table, reference=UNTUNED, only=EVOMAL),
        "baselines": baseline_table,
    },
    draw,
    data=("fashion_mnist", "mammography"),
)
