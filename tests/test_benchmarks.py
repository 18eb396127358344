"""The benchmarks run, and the tables of docs/performance.md are made of the figures that are kept."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import benchmarks.__main__ as suite
from benchmarks import fidelity, preselection
from benchmarks.record import rounded
from benchmarks.searching import reached_at

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
    runs = [{"seconds": 2.0}, {"seconds": None}]
    found = {"x": {"ratio": 0.0, "fitness": 0.5, "plain_seconds": [3.0, None], "symloss": runs, "medians": [3.0, None]}}
    assert suite.searching_table(found)[1] == ["x", "0.5000", "3 s, never", "2 s, never", "3 s and never", "**0.0**"]


def test_a_curve_reaches_a_fitness_where_it_first_has_as_much() -> None:
    points = [(1.0, 0.3), (4.0, 0.5), (9.0, 0.8)]
    assert [reached_at(points, target) for target in (0.1, 0.5, 0.6, 0.9)] == [1.0, 4.0, 9.0, float("inf")]
