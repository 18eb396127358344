"""The studies: what they count, what they keep, and how their tables read. Their searches are too long for tests."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.record import rounded
from reproduce.__main__ import DOCUMENT, STUDIES, do
from reproduce.glo_claim import FIRST, FULL, LOSSES, PUBLISHED, SEEDS, pieces_of
from reproduce.glo_claim import table_of as claim_table
from reproduce.methods import (
    DEFAULT,
    METHODS,
    RANDOM,
    TASKS,
    baseline_table,
    difference,
    draw,
    on_test,
    on_validation,
    overall_table,
    searches,
    table_of,
)
from reproduce.searches import best_at, told_of
from reproduce.study import DIGITS, Place, make_pieces, mean_interval
from reproduce.xor import alike, direction
from symloss.judging.tasks.datafiles import VARIABLE
from symloss.language.probing import Prober
from symloss.language.zoo import zoo
from symloss.running.config import read_experiment
from symloss.running.costs import Price
from symloss.searching.searches import read_settings
from tests.runs import make_run


def test_a_curve_says_the_best_for_a_cost() -> None:
    curve = [[0, 100, 0.5], [3, 300, 0.7]]
    assert [best_at(curve, steps) for steps in (50, 100, 299, 1000)] == [None, 0.5, 0.5, 0.7]


def test_a_run_is_told_as_a_curve_that_rises(tmp_path: Path) -> None:
    path = make_run(tmp_path / "run", 60)
    (path / "experiment.toml").write_text(
        'name = "made"\n[task]\nname = "digits"\n[stop]\ngenerations = 1\n'
        "[budget]\nsteps = 100\nseeds = 1\nlearning_rates = [0.01, 0.03]\n"
    )
    told = told_of(path)
    fitness = [row[2] for row in told["curve"]]
    assert fitness == sorted(set(fitness))
    assert fitness[-1] == told["best"][0][1]
    assert told["steps"] == 2 * 100 * told["counts"]["scored"]  # two rates


def test_pieces_are_made_once(tmp_path: Path) -> None:
    place = Place(tmp_path / "study", processes=1)
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "old.json").write_text('{"a": 1}')
    found = make_pieces(place, [("old", mean_interval, {"values": [9.0]}), ("new", make_piece, {"value": 2})])
    assert found == {"old": {"a": 1}, "new": {"value": 2}}
    assert json.loads((tmp_path / "study" / "new.json").read_text()) == {"value": 2}


def test_a_study_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert not STUDIES["xor"].missing()
    assert VARIABLE in STUDIES["methods"].missing()
    monkeypatch.setenv(VARIABLE, ".")
    assert not STUDIES["methods"].missing()
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    do("glo_full", Place(Path("nowhere")))
    assert "left out: it needs a GPU" in capsys.readouterr().out
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert not STUDIES["glo_full"].missing()


def test_the_claim_is_trained_alike_at_both_lengths() -> None:
    best = dict.fromkeys(LOSSES, PUBLISHED) | {LOSSES[0]: 0.1}
    for length in (FIRST, FULL):
        pieces = pieces_of(length, Place(Path()), best)
        assert len({name for name, _, _ in pieces}) == len(pieces) == SEEDS * (len(LOSSES) + 1)
        assert all(each["steps"] == list(length.steps) for _, _, each in pieces)
        assert {each["task"]["device"] for _, _, each in pieces} == {length.device}
        figures = {"best_rates": best, "tested": {name: {"accuracy": {"2": 0.5}} for name, _, _ in pieces}}
        rows = claim_table(figures)
        assert [row[:2] for row in rows[1:]] == [
            *(["published, 0.01", loss] for loss in LOSSES), *([f"tuned, {best[loss]:g}", loss] for loss in LOSSES)
        ]  # fmt: skip


def make_piece(value: int) -> dict[str, int]:
    return {"value": value}


def test_every_method_and_task_of_the_study_is_one_that_can_be_asked_for() -> None:
    assert next(iter(METHODS)) == RANDOM
    for settings in METHODS.values():
        read_settings(settings["method"], {key: value for key, value in settings.items() if key != "method"})
    for task, spec in TASKS.items():
        asked = [read_experiment(piece["table"], "study", Path()) for _, _, piece in searches(Place(Path()), task)]
        assert {each.budget.seeds for each in asked} == {spec["budget"]["seeds"]}
        assert len(asked) == len(METHODS) * spec["seeds"]
        # Whoever does not tune trains as many as the table says; whoever does pays for it with candidates.
        wholes = {each.stop.steps / Price.of(each).whole for each in asked}
        assert max(wholes) == spec["evaluations"]
        assert len(wholes) == 2


def made_figures() -> dict[str, Any]:
    """Return a study's figures in which evolution is better, nsga2 equal, and all else worse than random search."""
    gains = dict.fromkeys(METHODS, -0.05) | {RANDOM: 0.0, "evolution": 0.1, "nsga2": 0.0}
    searches, test = {}, {"gce": [0.85, 0.86]}
    for method, gain in gains.items():
        best = [0.8 + gain * (1 + seed / 100) for seed in (1, 2, 3)]
        searches[method] = [{"curve": [[0, 10, each]], "steps": 20, "seconds": 3.0} for each in best]
        test |= {f"{method} {seed}": [each - 0.01, each + 0.01] for seed, each in enumerate(best, 1)}
    winners = {name: "-t*p" for name in test if name != "gce"}
    return {"noisy digits": {"searches": searches, "winners": winners, "test": test}}


def test_methods_are_laid_out_against_random_search(tmp_path: Path) -> None:
    figures = made_figures()
    head, *rows = table_of(figures)
    said = {row[1]: row for row in rows}
    assert {len(row) for row in rows} == {len(head)}
    for column in (4, 6):
        assert said[RANDOM][column] == "the reference"
        assert said["evolution"][column].startswith("+0.1020 (")
        assert said["evolution"][column].endswith("better")
        assert said["nsga2"][column] == "+0.0000 (+0.0000 to +0.0000): within noise"
        assert said["taylor"][column].endswith("worse")
    assert baseline_table(figures)[1][:2] == ["noisy digits", "gce"]
    draw(figures, tmp_path)
    assert (tmp_path / "methods.png").stat().st_size > 10_000


def test_methods_stand_over_all_tasks_by_rank() -> None:
    said = {row[0]: row[1:] for row in overall_table(made_figures())[1:]}
    assert said["evolution"] == ["1.0", "3, 0, 0", "p = 0.25"] * 2
    assert said[RANDOM] == ["2.5", "the reference", ""] * 2
    assert said["nsga2"] == ["2.5", "0, 3, 0", "p = 1.00"] * 2
    assert said["taylor"][1] == said["taylor"][4] == "0, 0, 3"
    said = {row[0]: row[1:] for row in overall_table(made_figures(), DEFAULT)[1:]}
    assert said["evolution"][1] == "the reference"
    assert said[RANDOM][1] == "0, 0, 3"


def test_a_search_without_a_winner_is_left_out() -> None:
    figures = made_figures()
    own = figures["noisy digits"]
    own["searches"]["evolution"][0]["curve"], own["test"]["evolution 1"] = [], []
    assert on_validation(own, "evolution").keys() == on_test(own, "evolution").keys() == {2, 3}
    assert next(row for row in table_of(figures) if row[1] == "evolution")[4] == "too few seeds"
    assert next(row for row in overall_table(figures) if row[0] == "evolution")[5] == "2, 0, 0"


def test_two_seeds_say_nothing_and_noise_is_called_noise() -> None:
    assert difference({1: 0.9, 2: 0.9}, {1: 0.1, 2: 0.1}) == "too few seeds"
    assert difference({1: 0.9, 2: 0.7, 3: 0.8}, {1: 0.75, 2: 0.8, 3: 0.85}).endswith("within noise")
    assert difference({1: 0.1, 2: 0.11, 3: 0.12}, {3: 0.9, 2: 0.91, 1: 0.92}).endswith("worse")


@pytest.mark.parametrize(
    ("text", "same"), [("(f - y)**2", True), ("3*f*(f - 2*y)", True), ("y*f - 0.5*f**2", False), ("abs(f - y)", False)]
)
def test_the_squared_error_is_recognised_in_disguise(text: str, same: bool) -> None:
    prober = Prober("regression", 1)
    assert alike(prober, text, direction(prober, zoo["mse"])) is same


def test_every_table_has_its_place_in_the_document() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for name, study in STUDIES.items():
        assert f"python -m reproduce {name}" in text
        for table in study.tables:
            assert text.count(f"<!-- {table}: written by reproduce -->") == text.count(f"<!-- {table}: end -->") == 1


def test_figures_are_rounded() -> None:
    assert rounded({"a": [0.123456789, (1, "x")]}, DIGITS) == {"a": [0.123457, [1, "x"]]}
    mean, low, high = mean_interval([1.0, 2.0, 3.0])
    assert low <= mean <= high
    assert np.isclose(mean, 2.0)
