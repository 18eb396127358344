"""GLO's claim: cross-entropy, Baikal and BaikalCMA on MNIST with GLO's own convnet, SGD and learning rate.

After Gonzalez and Miikkulainen 2020, arXiv:1905.11528: batch 100, learning rate 0.01, 20,000 steps. On a processor the
first 2,000 of them, which take minutes each; all of them where there is a GPU. Both with the published rate and with
the rate tuned for each loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from statistics import fmean
from typing import Any

from reproduce.study import Piece, Place, Study, difference, in_words, make_pieces, mean_interval
from symloss.judging.evaluate import Job, judge
from symloss.judging.plan import Plan
from symloss.judging.tasks import make_task
from symloss.language.zoo import zoo
from symloss.running.seeds import finals_seeds

LOSSES = ("cross_entropy", "baikal", "baikal_cma")
PUBLISHED = 0.01
RATES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
SEEDS = 3
TASK = {"name": "mnist", "model": "glo", "optimiser": "sgd"}
SIZES = (500, 2000, 10_000)  # training examples of the data-utilisation study
CASES = tuple(product(SIZES, LOSSES))
PERCEPTRON = {"name": "mnist", "model": "mlp", "optimiser": "sgd"}
SMALL_STEPS = 2000
SMALL_RATES = (PUBLISHED, 0.03, 0.1, 0.3, 1.0, 3.0)


@dataclass(frozen=True)
class Length:
    """How long is trained.

    Args:
        steps: at which the test part is measured.
        tuning: steps of the trainings by which rates are chosen on validation, with one seed.
        device: that trains.
    """

    steps: tuple[int, ...]
    tuning: int
    device: str = "cpu"


FIRST = Length((200, 1000, 2000), 500)
FULL = Length((2000, 5000, 10_000, 20_000), 2000, "cuda")


def run(place: Place) -> dict[str, Any]:
    """Do what two cores can: the first steps, and the data-utilisation study."""
    there = place.below("sizes")
    valid = make_pieces(there, size_pieces(place, "valid", dict.fromkeys(CASES, SMALL_RATES)))
    best = {(size, loss): (best_small_rate(valid, size, loss),) for size, loss in CASES}
    tested = make_pieces(there, size_pieces(place, "test", best))
    sizes = {loss: {str(size): sizes_of(tested, size, loss, best[size, loss][0]) for size in SIZES} for loss in LOSSES}
    return {**run_claim(FIRST, place), "sizes": sizes}


def run_claim(length: Length, place: Place) -> dict[str, Any]:
    """Tune the rate on validation with one seed; test each loss at the published rate and at its own."""
    tuning = make_pieces(place.below("tuning"), tuning_pieces(length, place))
    best = {loss: best_rate(tuning, loss) for loss in LOSSES}
    tested = make_pieces(place.below("tested"), pieces_of(length, place, best))
    return {"tuning": tuning, "best_rates": best, "tested": tested}


def pieces_of(length: Length, place: Place, best: Mapping[str, float]) -> list[Piece]:
    """Return trainings that are measured on the test part, each loss at the published rate and at its best one."""
    steps = [place.scaled(step) for step in length.steps]
    spec = {"task": {**TASK, "device": length.device}, "steps": steps, "measure": "test"}
    return [
        (name_of(loss, rate, seed), train, {**spec, "loss": loss, "rate": rate, "seed": seed})
        for loss, seed in product(LOSSES, range(place.scaled(SEEDS)))
        for rate in sorted({PUBLISHED, best[loss]})
    ]


def tuning_pieces(length: Length, place: Place) -> list[Piece]:
    """Return trainings that are measured on validation, shorter, with one seed."""
    task = {**TASK, "device": length.device}
    spec = {"task": task, "steps": [place.scaled(length.tuning)], "measure": "valid", "seed": 0}
    return [
        (name_of(loss, rate, 0), train, {**spec, "loss": loss, "rate": rate}) for loss, rate in product(LOSSES, RATES)
    ]


def size_pieces(place: Place, measure: str, rates: Mapping[tuple[int, str], Sequence[float]]) -> list[Piece]:
    """Return the trainings of the data-utilisation study: a perceptron, few examples.

    Args:
        measure: the part that is measured.
        rates: number of examples and loss -> the rates that it trains at.
    """
    steps = [place.scaled(SMALL_STEPS)]
    return [
        (
            f"{name_of(loss, rate, seed)}-{size}-{measure}",
            train,
            {
                "loss": loss, "task": {**PERCEPTRON, "examples": size}, "rate": rate, "seed": seed, "steps": steps,
                "measure": measure,
            },
        )
        for (size, loss), own in rates.items()
        for rate, seed in product(own, range(place.scaled(SEEDS)))
    ]  # fmt: skip


def best_small_rate(valid: Mapping[str, Any], size: int, loss: str) -> float:
    """Return the rate with the best mean on validation; a training that diverged is at the bottom."""
    return max(SMALL_RATES, key=lambda rate: fmean(each or 0.0 for each in _ends(valid, size, loss, rate, "valid")))


def sizes_of(tested: Mapping[str, Any], size: int, loss: str, rate: float) -> dict[str, Any]:
    """Return the rate and the accuracies on the test part."""
    return {"rate": rate, "test": _ends(tested, size, loss, rate, "test")}


def _ends(trained: Mapping[str, Any], size: int, loss: str, rate: float, measure: str) -> list[float | None]:
    start, end = f"{loss}-{rate:g}-", f"-{size}-{measure}"
    own = [each["accuracy"] for name, each in trained.items() if name.startswith(start) and name.endswith(end)]
    return [next(iter(values.values()), None) for values in own]


def name_of(loss: str, rate: float, seed: int) -> str:
    """Name a training's piece."""
    return f"{loss}-{rate:g}-{seed}"


def train(
    loss: str, task: Mapping[str, Any], rate: float, seed: int, steps: Sequence[int], measure: str
) -> dict[str, Any]:
    """Train once, and measure accuracy at each of the steps; a training that diverges has none."""
    formula = zoo[loss]
    plan = Plan(steps[-1], (rate,), finals_seeds(seed, 1), tuple(steps), (measure,), "single")
    job = Job(0, ((0, formula.text, formula.slot),), plan, float("inf"))
    (judged,) = judge(job, make_task(task)).judged
    own = {str(each.step): each.values["accuracy"] for each in judged.outcome.measurements}
    return {"state": judged.outcome.state.value, "accuracy": own}


def best_rate(trained: Mapping[str, Any], loss: str) -> float:
    """Return the rate that is best on validation."""
    found = {rate: list(trained[name_of(loss, rate, 0)]["accuracy"].values()) for rate in RATES}
    last = {rate: values[-1] for rate, values in found.items() if values}
    return max(last, key=last.__getitem__)


def table_of(figures: Mapping[str, Any]) -> list[list[str]]:
    """Lay out test accuracy over steps, at the published rate and at each loss's own; at the end seed by seed."""
    rows: list[list[str]] = []
    tested = figures["tested"]
    steps = sorted({step for each in tested.values() for step in each["accuracy"]}, key=int)
    for said, rates in (("published", dict.fromkeys(LOSSES, PUBLISHED)), ("tuned", figures["best_rates"])):
        ends = list[Sequence[float | None]]()
        for loss in LOSSES:
            start = f"{loss}-{rates[loss]:g}-"
            ours = [each["accuracy"] for name, each in sorted(tested.items()) if name.startswith(start)]
            ends.append([each.get(steps[-1]) for each in ours])
            cells = [_accuracy([each.get(step) for each in ours]) for step in steps]
            rows.append([f"{said}, {rates[loss]:g}", loss, *cells, _against(ends[-1], ends[0], loss)])
    ends_at = f"against {LOSSES[0]}, seed by seed"
    return [["learning rate", "loss", *(f"after {step} steps" for step in steps), ends_at], *rows]


def _against(values: Sequence[float | None], reference: Sequence[float | None], loss: str) -> str:
    known, others = ({i: value for i, value in enumerate(own) if value is not None} for own in (values, reference))
    return "the reference" if loss == LOSSES[0] else difference(known, others)


def tuning_table(figures: Mapping[str, Any]) -> list[list[str]]:
    """Lay out the accuracy on validation by which each loss's rate was chosen."""
    rows = [["loss", *(f"rate {rate:g}" for rate in RATES)]]
    for loss in LOSSES:
        own = [figures["tuning"][name_of(loss, rate, 0)]["accuracy"] for rate in RATES]
        rows.append([loss, *(_accuracy(list(values.values())) for values in own)])
    return rows


def size_table(figures: Mapping[str, Any]) -> list[list[str]]:
    """Lay out test accuracy over the number of training examples, each loss at its best rate on validation."""
    rows = [["loss", *(f"{size} examples" for size in SIZES)]]
    for loss in LOSSES:
        own = [figures["sizes"][loss][str(size)] for size in SIZES]
        rows.append([loss, *(f"{_accuracy(each['test'])} at rate {each['rate']:g}" for each in own)])
    return rows


def _accuracy(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    if len(known) < len(values) or not known:
        return "diverged"
    return f"{known[0]:.4f}" if len(known) == 1 else in_words(*mean_interval(known))


STUDY = Study(
    "GLO's losses on MNIST with GLO's convnet",
    run,
    {"glo_claim": table_of, "glo_rates": tuning_table, "glo_sizes": size_table},
    data=("mnist",),
)
WHOLE = Study(
    "GLO's losses on MNIST with GLO's convnet, at full length",
    partial(run_claim, FULL),
    {"glo_full": table_of},
    data=("mnist",),
    needs_gpu=True,
)
