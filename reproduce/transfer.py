"""Transfer: the winners of the method study on other data, other noise rates and other base models.

Against tuned GCE and SCE, the published losses for wrong labels; rates tuned alike, fresh seeds, the test set once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from reproduce.methods import METHODS, by_method, searches
from reproduce.study import Piece, Place, StoppedError, Study, brief, difference, in_words, make_pieces, mean_interval
from symloss.language.formula import parse
from symloss.language.zoo import zoo
from symloss.running.observer import Silent
from symloss.running.proof.comparing import Trying
from symloss.running.proof.transferring import Ground, transfer_formulas
from symloss.running.session import Crew

TASK = "noisy digits"  # of the method study
WINNERS = 3  # formulas that are tried, the best on validation, of different methods
RIVALS, RIVAL = ("gce", "sce", "cross_entropy"), "sce"
TRYING = Trying(seeds=6, steps=600)

GROUNDS: Mapping[str, Mapping[str, Any]] = {
    "digits, 40 % wrong": {"name": "digits", "noise": 0.4},
    "digits, 20 % wrong": {"name": "digits", "noise": 0.2},
    "digits, 60 % wrong": {"name": "digits", "noise": 0.6},
    "digits, a convnet": {"name": "digits", "noise": 0.4, "model": "convnet"},
    "MNIST, 40 % wrong": {"name": "mnist", "noise": 0.4},
    "Fashion-MNIST, 40 % wrong": {"name": "fashion_mnist", "noise": 0.4},
    "letters, 40 % wrong": {"name": "letter_recognition", "noise": 0.4},
    "spambase, 30 % wrong": {"name": "spambase", "noise": 0.3},
}


def run(place: Place) -> dict[str, Any]:
    """Try winners of the searches on noisy digits on every ground."""
    chosen = winners(place)
    return {"formulas": chosen, "grounds": make_pieces(place, _pieces(place, chosen))}


def winners(place: Place) -> dict[str, str]:
    """Return the best formulas that the method study finds on noisy digits, one of each of the best methods."""
    there = replace(place, folder=place.folder.parent / "methods")
    found = by_method(make_pieces(there, searches(there, TASK)), TASK)
    firsts = {method: [each["best"][0][:2] for each in found[method] if each["best"]] for method in METHODS}
    best = {method: max(own, key=lambda first: first[1]) for method, own in firsts.items() if own}
    ranked = sorted(best, key=lambda method: -best[method][1])[:WINNERS]
    return {method: best[method][0] for method in ranked}


def _pieces(place: Place, chosen: Mapping[str, str]) -> list[Piece]:
    return [
        (
            file_of(label),
            try_on,
            {"label": label, "task": task, "chosen": dict(chosen), "folder": str(place.folder / "grounds")},
        )
        for label, task in GROUNDS.items()
    ]


def file_of(label: str) -> str:
    """Return a ground's name as a file may have it."""
    return label.replace(" ", "_").replace(",", "").replace("%", "percent")


def try_on(label: str, task: Mapping[str, Any], chosen: Mapping[str, str], folder: str) -> dict[str, Any]:
    """Try the formulas on one ground."""
    formulas = {**{name: parse(text, "classification") for name, text in chosen.items()}, **{n: zoo[n] for n in RIVALS}}
    path = Path(folder) / file_of(label)
    transfer = transfer_formulas(formulas, [Ground(label, task)], TRYING, path, Crew(0), Silent())
    if transfer is None:
        raise StoppedError
    column = transfer.columns[0]
    return {
        "metric": column.metric,
        "sentence": column.sentence,
        "test": {row.name: list(row.by_seed.get(column.metric, ())) for row in column.rows},
        "rates": {row.name: row.learning_rate for row in column.rows},
    }


def table_of(figures: Mapping[str, Any]) -> list[list[str]]:
    """Lay out the mean on the test set of each formula on each ground."""
    names = [*figures["formulas"], *RIVALS]
    rows = [["task", *names]]
    for label in GROUNDS:
        test = figures["grounds"][file_of(label)]["test"]
        cells = [in_words(*mean_interval(test[name]), 3) if test.get(name) else "-" for name in names]
        rows.append([label, *cells])
    return rows


def rival_table(figures: Mapping[str, Any]) -> list[list[str]]:
    """Lay out the difference of each formula from the best published loss for wrong labels, seed by seed."""
    rows = [["task", *(f"{name} against {RIVAL}" for name in figures["formulas"])]]
    for label in GROUNDS:
        test = {name: dict(enumerate(own)) for name, own in figures["grounds"][file_of(label)]["test"].items()}
        rows.append([label, *(difference(test[name], test[RIVAL]) for name in figures["formulas"])])
    return rows


def formula_table(figures: Mapping[str, Any]) -> list[list[str]]:
    """Lay out the formulas that are tried."""
    return [["found by", "formula"], *([name, f"`{brief(text)}`"] for name, text in figures["formulas"].items())]


STUDY = Study(
    "winners on other tasks",
    run,
    {"transfer_formulas": formula_table, "transfer": table_of, "transfer_rival": rival_table},
    data=("mnist", "fashion_mnist", "letter_recognition", "spambase"),
)
