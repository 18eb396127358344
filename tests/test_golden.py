"""Old files load for ever: what earlier versions wrote is read, shown, exported and reported, and is gone on with.

New golden files are added by tests/golden/make.py when a format changes; the old ones stay.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from symloss.errors import RunError
from symloss.language.lossfile import read_loss
from symloss.running.proof.evidence import read_recorded
from symloss.running.run import resume
from symloss.running.storage.integrity import check_integrity
from symloss.running.storage.storefile import VERSION
from symloss.telling.export import EXPORTS, FOLDERS
from symloss.telling.loading import load
from symloss.telling.report.report import write_report
from symloss.telling.runtable import TABLES, table_columns
from symloss.telling.summary import run_text, summarise_run
from symloss.telling.target import find_target
from tests.golden.make import TOLD

GOLDEN = Path(__file__).parent / "golden"
RUNS = {path.parent.name: path for path in sorted(GOLDEN.glob("*/run"))}


def expected(name: str) -> dict[str, Any]:
    return dict(json.loads((GOLDEN / name / "expected.json").read_text()))


@pytest.fixture(params=RUNS)
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """A copy of a golden run, and what it must say."""
    run = shutil.copytree(RUNS[request.param], tmp_path / "run")
    return run, expected(request.param)


def test_there_is_one_of_every_version_of_the_store() -> None:
    assert [expected(name)["version"] for name in RUNS] == list(range(1, VERSION + 1))
    assert sum(path.stat().st_size for path in GOLDEN.rglob("*.*")) < 100_000 * len(RUNS)


def test_it_is_read_and_shown_as_it_was(golden: tuple[Path, dict[str, Any]]) -> None:
    run, told = golden
    summary = summarise_run(run)
    for key in TOLD:
        assert json.loads(json.dumps(summary[key])) == told[key], key
    assert summary["winner"]["formula"] == told["winner"]
    assert told["finals"]["sentence"] in run_text(summary)
    assert check_integrity(run).faults == ()


def test_its_winner_is_loaded_and_exported(golden: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    run, told = golden
    assert read_loss(run / "winner.loss.json").formula.text == told["winner"]
    assert load(run).formula.text == told["winner"]
    for kind, export in {**EXPORTS, **FOLDERS}.items():
        assert export.write(find_target(str(run))), kind


def test_its_tables_and_its_report_are_written(golden: tuple[Path, dict[str, Any]]) -> None:
    run, told = golden
    for table in TABLES:
        assert table_columns(run, table)
    assert write_report(run).candidates == told["candidates"]
    assert told["finals"]["sentence"] in (run / "report.html").read_text()


def test_its_evidence_can_be_made_again_or_says_why_not(golden: tuple[Path, dict[str, Any]]) -> None:
    run, told = golden
    loss = read_loss(run / "winner.loss.json")
    if "trial" in loss.evidence:
        assert read_recorded(loss, "golden").sentence == told["finals"]["sentence"]
    else:
        with pytest.raises(RunError, match="carries no trial to re-run"):
            read_recorded(loss, "golden")


def test_it_goes_on_or_says_why_not(golden: tuple[Path, dict[str, Any]]) -> None:
    run, told = golden
    try:
        resume(run, ["stop.generations=3"], workers=0)
    except RunError as error:
        said, batches = str(error), told["batches"]
    else:
        said, batches = "", 3
    assert said == "" or "was written by another version of symloss" in said
    assert summarise_run(run)["batches"] == batches
