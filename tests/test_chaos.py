"""Kill anything, resume, same answer: a short run of the harness, and its eyes for the stage of a kill."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from symloss.running.run import search
from symloss.running.storage.rundir import RunDirectory
from symloss.running.storage.store import RunStore
from tests.chaos.__main__ import OPTIONS, Fate, Harness, table_of
from tests.chaos.launch import Sitting
from tests.chaos.result import digest_of, parts_of
from tests.chaos.stages import known_to, stage_of

ROOT = Path(__file__).parent.parent


def test_killed_drivers_come_to_the_same_result() -> None:
    command = [sys.executable, "-m", "tests.chaos", "--seed", "5", "--kills", "6", "--ray", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    assert (summary["broken"], summary["left"]) == (0, [])
    assert summary["killed"] >= 6


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chaos") / "run"
    search("noisy_digits", folder, 0, OPTIONS)
    return folder


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> RunDirectory:
    return RunDirectory(shutil.copytree(whole, tmp_path / "run"))


@pytest.mark.parametrize(("killed", "before", "fault"), [(True, 2.0, True), (True, 0.1, False), (False, 0.1, True)])
def test_what_was_stored_well_before_a_kill_must_be_there(
    run: RunDirectory, killed: bool, before: float, fault: bool
) -> None:
    (run.path.parent / "ledger").write_text(f"stored {1000.0 - before} 0\nstored {1000.0 - before} 99999\n")
    fate = Fate()
    sitting = Sitting(killed, -9 if killed else 0, 1.0, 1000.0, {})
    Harness(run.path.parent)._audit(run.path.parent, set(), 0, sitting, fate)
    assert fate.lost == 1
    assert fate.faults == ["evaluation 99999 was stored, and is lost"] * fault


def forget(run: RunDirectory, *statements: str) -> str:
    """Take back what a driver had written; return the stage that the rest shows."""
    with RunStore.open(run.store) as store, store._transaction() as connection:
        for statement in statements:
            connection.execute(statement)
    return stage_of(run.path)


UNTOLD = "DELETE FROM batches WHERE number = (SELECT MAX(number) FROM batches)"
UNFINISHED = "UPDATE meta SET value = 'null' WHERE key = 'finals'"


def test_the_stage_of_a_kill_is_seen_in_what_it_left(run: RunDirectory) -> None:
    run.report.write_text("written after the winner")
    assert stage_of(run.path) == "over"
    run.report.unlink()
    assert stage_of(run.path) == "report"
    run.winner.unlink()
    assert stage_of(run.path) == "winner"
    assert forget(run, UNFINISHED) == "finals"
    assert forget(run, "UPDATE meta SET value = '\"\"' WHERE key = 'ended'") == "screening"
    assert forget(run, UNTOLD) == "telling"
    assert forget(run, "DELETE FROM outcomes WHERE candidate = (SELECT MAX(number) FROM candidates)") == "training"
    run.store.with_name("run.sqlite-journal").write_bytes(b"")
    assert stage_of(run.path) == "commit"
    run.store.unlink()
    assert stage_of(run.path) == "start-up"
    assert known_to(run.path) == set()


@pytest.mark.parametrize(
    ("statement", "part"),
    [
        ("UPDATE measurements SET value = value + 1e-12", "store"),
        ("UPDATE trial_measurements SET value = 0.5 WHERE job = (SELECT MIN(job) FROM trial_measurements)", "store"),
        ("UPDATE meta SET value = json_set(value, '$.sentence', 'it won') WHERE key = 'finals'", "facts"),
        ("UPDATE told SET fitness = zeroblob(LENGTH(fitness)) WHERE batch = 0", "hall of fame"),
        ("UPDATE batches SET best = 2.0 WHERE number = 1", "batches"),
    ],
)  # fmt: skip
def test_the_hash_covers_all_that_a_run_comes_to(run: RunDirectory, whole: Path, statement: str, part: str) -> None:
    assert digest_of(run.path) == digest_of(whole)
    forget(run, statement)
    assert parts_of(run.path)[part] != parts_of(whole)[part]
    assert digest_of(run.path) != digest_of(whole)


def test_the_hash_covers_the_winners_file_and_no_timings(run: RunDirectory, whole: Path) -> None:
    forget(run, "UPDATE outcomes SET seconds = 9", "UPDATE batches SET seconds = 9",
           "UPDATE meta SET value = '[]' WHERE key = 'sessions'")  # fmt: skip
    text = run.winner.read_text()
    run.winner.write_text(text.replace('"mixed": false', '"mixed": true'))
    assert digest_of(run.path) == digest_of(whole)
    run.winner.write_text(text.replace('"seeds": 2', '"seeds": 3'))
    assert parts_of(run.path)["winner"] != parts_of(whole)["winner"]


def test_the_table_counts_drivers_and_faults_by_stage() -> None:
    table = table_of([Fate(["training", "finals"]), Fate(["training"], ["store differs"]), Fate(["none"])])
    rows = {line.split()[0]: line.split()[1:] for line in table.splitlines()[1:]}
    assert rows["training"] == ["2", "1", "1"]
    assert rows["finals"] == ["1", "1", "0"]
    assert rows["none"] == ["1", "1", "0"]
