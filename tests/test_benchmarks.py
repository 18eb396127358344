"""The benchmarks run, and the tables of docs/performance.md are made of the figures that are kept."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import benchmarks.__main__ as suite
from benchmarks import fidelity, preselection, searching
from benchmarks.record import rounded
from symloss.running.config import read_experiment
from symloss.running.planning import plan_trainings

ROOT = Path(__file__).parent.parent


def kept() -> dict[str, bytes]:
    files = [*(ROOT / "benchmarks" / "results").iterdir(), suite.DOCUMENT]
    return {path.name: path.read_bytes() for path in files}


@pytest.mark.parametrize("name", suite.SUITE)
def test_each_runs_quickly_and_then_keeps_nothing(name: str) -> None:
    before = kept()
    command = [sys.executable, "-m", f"benchmarks.{name}", "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert any(character.isdigit() for character in done.stdout)
    assert "Traceback" not in done.stderr
    assert kept() == before


def test_the_tables_are_those_of_the_kept_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = tmp_path / "performance.md"
    shutil.copy(suite.DOCUMENT, document)
    monkeypatch.setattr(suite, "DOCUMENT", document)
    suite.write_tables()
    assert document.read_text(encoding="utf-8") == (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    figures = json.loads((suite.RESULTS / "training.json").read_text(encoding="utf-8"))
    assert f"{figures['digits, adam']['ratio']:.1f}" in document.read_text(encoding="utf-8")


@pytest.mark.parametrize(("study", "record"), [(preselection, "preselection"), (fidelity, "fidelity")])
def test_the_tables_of_studies_are_those_of_the_kept_figures(
    study: ModuleType, record: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = study.DOCUMENT.read_text(encoding="utf-8")
    document = tmp_path / study.DOCUMENT.name
    document.write_text(re.sub(r"^\|.*\n", "", kept, flags=re.MULTILINE), encoding="utf-8")
    monkeypatch.setattr(study, "DOCUMENT", document)
    study.write_tables(json.loads((suite.RESULTS / f"{record}.json").read_text(encoding="utf-8")))
    assert document.read_text(encoding="utf-8") == kept


def test_what_is_never_reached_is_null_and_told() -> None:
    assert rounded({"seconds": [float("inf"), 1.23456]}) == {"seconds": [None, 1.235]}
    sides = {"plain": {"seconds": 3.0, "trained": 70}, "symloss": {"seconds": None, "trained": 90}}
    pair = {"fitness": 0.5, "ratio": 0.0, **sides}
    rows = suite.searching_table({"x": {"ratio": 0.0, "pairs": [pair, pair]}})
    assert rows[1:] == [
        ["x", "0.5000", "3 s", "70", "never", "90", "0.0", "**0.0**"],
        ["", "0.5000", "3 s", "70", "never", "90", "0.0", ""],
    ]


def test_both_sides_of_a_pair_train_with_the_same_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, list[int]] = {"plain": [], "symloss": []}

    @contextmanager
    def workers(problems: list[int], count: int) -> Iterator[None]:
        asked["plain"] += problems
        yield

    def curve(*given: Any) -> dict[str, Any]:
        return {"points": [(1.0, 0.3, 4), (8.0, 0.5, 30)], "trained": 70, "seconds": 20.0}

    def search(table: dict[str, Any], **given: Any) -> None:
        asked["symloss"] += plan_trainings(read_experiment(table, "here", ROOT)).seeds
        for evaluated, fitness in ((10, 0.4), (20, 0.6)):
            given["observer"].progressed(SimpleNamespace(evaluated=evaluated, fitness=fitness))

    monkeypatch.setattr(searching.plain, "workers", workers)
    monkeypatch.setattr(searching.plain_search, "curve", curve)
    monkeypatch.setattr(searching, "search", search)
    case = SimpleNamespace(task={"name": "digits"}, steps=300, problems=list)
    found = searching.compare(case, searching.DIGIT_BUDGET, 2, seed=5)
    assert len(asked["plain"]) == 4
    assert asked["plain"] == asked["symloss"]
    assert (found["fitness"], found["plain"]["trained"], found["symloss"]["trained"]) == (0.5, 30, 20)
    assert found["ratio"] == found["plain"]["seconds"] / found["symloss"]["seconds"] > 1


def test_searches_are_on_fashion_mnist_where_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def names(enlarged: bool) -> list[str]:
        return [case.task.get("name", "") for case, _ in searching.chosen(enlarged)]

    for there, task in ((True, {"name": "fashion_mnist"}), (False, {})):
        monkeypatch.setattr(searching, "NOISY_FASHION", SimpleNamespace(task=task))
        assert names(False) == ["digits", "fashion_mnist" if there else "digits28"]
        assert names(True) == ["digits", "digits28", *["fashion_mnist"] * there]
