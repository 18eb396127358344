"""The studies: what they count, what they keep, and how their tables read. Their searches are too long for tests."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from benchmarks.record import rounded
from reproduce.__main__ import DOCUMENT, STUDIES, do
from reproduce.glo_claim import (
    CASES,
    FIRST,
    FULL,
    LOSSES,
    PUBLISHED,
    SEEDS,
    SIZES,
    SMALL_RATES,
    best_small_rate,
    pieces_of,
    size_pieces,
    size_table,
    sizes_of,
)
from reproduce.glo_claim import table_of as claim_table
from reproduce.methods import (
    DEFAULT,
    METHODS,
    RANDOM,
    TASKS,
    baseline_table,
    draw,
    on_test,
    on_validation,
    overall_table,
    searches,
    table_of,
)
from reproduce.searches import best_at, search_piece, told_of
from reproduce.study import DIGITS, Place, difference, digest, make_pieces, mean_interval
from reproduce.xor import alike, direction
from symloss.judging.tasks.datafiles import VARIABLE
from symloss.language.probing import Prober
from symloss.language.zoo import zoo
from symloss.running.config import read_experiment
from symloss.running.costs import Price
from symloss.running.storage.store import RunStore
from symloss.searching.searches import read_settings
from tests.runs import make_run


def test_a_curve_says_the_best_for_a_cost() -> None:
    curve = [[0, 100, 0.5], [3, 300, 0.7]]
    assert [best_at(curve, steps) for steps in (50, 100, 299, 1000)] == [None, 0.5, 0.5, 0.7]


def told_until(path: Path, stop: str) -> dict[str, Any]:
    (path / "experiment.toml").write_text(
        f'name = "made"\n[task]\nname = "digits"\n[stop]\n{stop}\n'
        "[budget]\nsteps = 100\nseeds = 1\nlearning_rates = [0.01, 0.03]\n"
    )
    return told_of(path)


def test_a_run_is_told_as_a_curve_that_rises(tmp_path: Path) -> None:
    path = make_run(tmp_path / "run", 60)
    told = told_until(path, "generations = 1")
    fitness = [row[2] for row in told["curve"]]
    assert fitness == sorted(set(fitness))
    assert fitness[-1] == told["best"][0][1]
    assert told["steps"] == 2 * 100 * told["counts"]["scored"]  # two rates
    with RunStore.read(path / "run.sqlite") as store:
        assert told["seconds"] == sum(batch.seconds for batch in store.batches()) > 0


def test_what_a_search_found_beyond_its_steps_does_not_count(tmp_path: Path) -> None:
    path = make_run(tmp_path / "run", 60)
    whole = told_until(path, "generations = 1")
    assert len(whole["curve"]) > 2
    last = whole["curve"][-2]
    cut = told_until(path, f"steps = {whole['curve'][-1][1] - 1}")
    assert cut["curve"] == whole["curve"][:-1]
    assert cut["best"][0][1] == last[2] < whole["best"][0][1]
    assert last[1] <= cut["steps"] < whole["curve"][-1][1]
    assert cut["counts"] == whole["counts"]
    assert told_until(path, "steps = 1")["best"] == told_until(path, "steps = 1")["curve"] == []


def test_pieces_are_made_once_and_anew_when_something_else_is_asked(tmp_path: Path) -> None:
    place = Place(tmp_path / "study", processes=1)
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / f"old-{digest({'value': 1})}.json").write_text('{"a": 1}')
    found = make_pieces(place, [("old", make_piece, {"value": 1}), ("new", make_piece, {"value": 2})])
    assert found == {"old": {"a": 1}, "new": {"value": 2}}
    assert json.loads((tmp_path / "study" / f"new-{digest({'value': 2})}.json").read_text()) == {"value": 2}
    assert make_pieces(place, [("old", make_piece, {"value": 3})]) == {"old": {"value": 3}}
    folders = {search_piece(place, "one", {"seed": seed})[2]["folder"] for seed in (1, 2)}
    assert len(folders) == 2


def test_a_study_says_what_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert not STUDIES["xor"].missing()
    assert VARIABLE in STUDIES["methods"].missing()
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert str(tmp_path) in STUDIES["methods"].missing()
    monkeypatch.setattr("reproduce.study.make_task", lambda table: None)
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
        assert rows[1][-1] == rows[4][-1] == "the reference"
        assert rows[2][-1] == "+0.0000 (+0.0000 to +0.0000): within noise"


def test_each_size_is_tested_at_the_rate_that_was_best_on_validation() -> None:
    place, good = Place(Path()), SMALL_RATES[2]
    pieces = size_pieces(place, "valid", dict.fromkeys(CASES, SMALL_RATES))
    assert len({name for name, _, _ in pieces}) == len(pieces) == SEEDS * len(CASES) * len(SMALL_RATES)
    # One seed is better at another rate; one diverges at the last.
    accuracy = {
        name: {} if each["rate"] == SMALL_RATES[-1] and each["seed"] == 0 else
        {"2": 0.7 + 0.2 * (each["rate"] == good) + 0.1 * (each["seed"] == 1 and each["rate"] != good)}
        for name, _, each in pieces
    }  # fmt: skip
    valid = {name: {"accuracy": each} for name, each in accuracy.items()}
    assert {best_small_rate(valid, *case) for case in CASES} == {good}
    tested = {name: {"accuracy": {"2": 0.5}} for name, _, _ in size_pieces(place, "test", {(500, "baikal"): [good]})}
    assert sizes_of(tested, 500, "baikal", good) == {"rate": good, "test": [0.5] * SEEDS}
    of_size = {str(size): {"rate": good, "test": [size / 1e5] * SEEDS} for size in SIZES}
    kept = json.loads(json.dumps({"sizes": dict.fromkeys(LOSSES, of_size)}, sort_keys=True))  # as files are kept
    head, *rows = size_table(kept)
    assert [row[0] for row in rows] == list(LOSSES)
    for title, cell in zip(head[1:], rows[0][1:], strict=True):
        assert cell.startswith(f"{int(title.split()[0]) / 1e5:.4f} (")


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
        stages = [each.search for each in asked if each.method == "glo"]
        assert {each["evaluations"] for each in stages} == {spec["evaluations"] // 2}
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


def test_an_interval_is_students() -> None:
    values = [1.0, 2.0, 4.0]
    expected = ttest_1samp(values, 0).confidence_interval(0.95)
    assert np.allclose(mean_interval(values), (np.mean(values), expected.low, expected.high))
    assert mean_interval([0.5]) == (0.5, 0.5, 0.5)
