"""Files from strangers run no code: readers under an audit hook, damaged files, hostile stores, users' own Python."""

import json
import os
import shutil
import sqlite3
import struct
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from symloss.errors import ExperimentError, GrammarError, RunError, SymlossError
from symloss.judging.tasks import make_task, own
from symloss.judging.tasks.datafiles import DataFile, DataSet, read_idx, read_npz
from symloss.language.grammar import read_grammar
from symloss.language.lossfile import read_loss
from symloss.running.run import resume
from symloss.running.storage.rundir import find_run
from symloss.running.storage.store import RunStore
from symloss.settings import DOTS, LONGEST, read_toml
from symloss.telling.report.report import write_report
from symloss.telling.summary import run_text, summarise_run
from symloss.telling.verification import verify_file
from tests.runs import finals, make_run

ROOT = Path(__file__).parent.parent
GOLDEN = ROOT / "tests" / "golden" / "v2" / "run"
LATEST = ROOT / "tests" / "golden" / "v3" / "run"


def in_a_process(*arguments: str) -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_a_sample_of_damaged_files_and_planted_faults(tmp_path: Path) -> None:
    found = in_a_process("tests.fuzz.sample", str(tmp_path), "60")
    assert {name: each["failures"] for name, each in found["kinds"].items()} == {name: {} for name in found["kinds"]}
    assert all(" loaded" in each["line"] and " refused" in each["line"] for each in found["kinds"].values()), found
    planted = found["planted"]
    seen = {"eval": "exec (", "exec": "exec (", "import": "import ('tests.packages'", "open": "open /etc/hostname",
            "subprocess": "subprocess.Popen", "system": "os.system", "socket": "socket.", "delete": "os.remove",
            "error": "KeyError", "memory": "MemoryError", "slow": "s; allowed: 0.1 s",
            "wordy": "5000 characters"}  # fmt: skip
    for name, words in seen.items():
        assert words in planted[name], (name, planted[name])
    assert planted["harmless"] == ""


def test_what_everybody_does_with_a_strangers_run_does_nothing_else(tmp_path: Path) -> None:
    heard = in_a_process("tests.stranger_run", str(tmp_path), str(GOLDEN))
    assert list(heard) == ["load", "load file", "show", "export", "report", "verify", "resume"]
    assert {name: each["deeds"] for name, each in heard.items()} == {name: [] for name in heard}
    for name in ("load", "load file", "show"):
        assert heard[name]["bytes"] < 20 * 2**20, heard[name]


# Stores that act.

ACTS = {
    "view": "ALTER TABLE meta RENAME TO old; CREATE VIEW meta AS SELECT * FROM old;",
    "trigger": "CREATE TRIGGER act AFTER INSERT ON outcomes BEGIN DELETE FROM meta; END;",
    "virtual table": "CREATE VIRTUAL TABLE act USING fts5(x);",
    "generated column": "ALTER TABLE meta ADD COLUMN act GENERATED ALWAYS AS (zeroblob(1000000000));",
    "expression": "CREATE INDEX act ON candidates (abs(number));",
    "partial index": "CREATE INDEX act ON candidates (number) WHERE number > 5;",
    "default": "ALTER TABLE meta ADD COLUMN act DEFAULT 'x';",
    "check": "CREATE TABLE act (x CHECK (x > 0));",
}


@pytest.mark.parametrize("name", ACTS)
@pytest.mark.parametrize("way", [RunStore.read, RunStore.open])
def test_a_store_with_more_than_plain_tables_is_refused(
    tmp_path: Path, name: str, way: Callable[[Path], RunStore]
) -> None:
    path = make_run(tmp_path / "run", 10) / "run.sqlite"
    with sqlite3.connect(path) as connection:
        connection.executescript(ACTS[name])
    connection.close()
    with pytest.raises(RunError, match=r"which no run store has|cannot be used|is damaged"):
        way(path)


def test_stores_of_our_own_are_plain(tmp_path: Path) -> None:
    path = tmp_path / "run.sqlite"
    RunStore.create(path, {"name": "x"}).close()
    RunStore.read(path).close()
    RunStore.open(path).close()


def test_a_giant_value_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = make_run(tmp_path / "run", 10) / "run.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE candidates SET text = ? WHERE number = 3", ("x" * 5_000_000,))
    connection.close()
    with pytest.raises(RunError, match="too big"), RunStore.read(path) as store:
        list(store.candidates())


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("UPDATE measurements SET value = 'much'", "the column value of measurements holds 'much'"),
        ("UPDATE measurements SET step = 0", "the column step of measurements holds 0"),
        ("UPDATE candidates SET text = x'00'", r"the column text of candidates holds b'\\x00'"),
        ("UPDATE batches SET seconds = 9e999", "the column seconds of batches holds inf"),
        ("UPDATE outcomes SET reason = NULL, seconds = 'x'", "outcomes"),
        ("UPDATE meta SET value = '[1]' WHERE key = 'sessions'", "the fact 'sessions'"),
        ("UPDATE meta SET value = '[{\"seconds\": \"x\"}]' WHERE key = 'sessions'", "the fact 'sessions'"),
        ("UPDATE meta SET value = '" + "[" * 100_000 + "' WHERE key = 'finals'", "is damaged"),
    ],
)
def test_values_of_another_kind_than_their_column_are_damage(tmp_path: Path, sql: str, said: str) -> None:
    run = make_run(tmp_path / "run", 20, finals=finals("-t*log(p)"))
    with sqlite3.connect(run / "run.sqlite") as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        try:
            connection.execute(sql)
        except sqlite3.IntegrityError:
            connection.execute(sql.replace("reason = NULL, ", ""))
    connection.close()
    with pytest.raises(RunError, match=said):
        summarise_run(run)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("UPDATE candidates SET complexity = -5", "the column complexity of candidates holds -5"),
        ("UPDATE candidates SET complexity = 9223372036854775807", "the column complexity of candidates holds 9223"),
        ("UPDATE batches SET candidates = 9223372036854775807", "the column candidates of batches holds 9223"),
        ("UPDATE trial_outputs SET shape = '-1 2'", "outputs of the finals cannot be read"),
        ("UPDATE meta SET value = '\"\\ud800\"' WHERE key = 'metric'", "surrogates not allowed"),
    ],
)
def test_numbers_that_no_run_has_are_damage_to_a_resume(tmp_path: Path, sql: str, said: str) -> None:
    run = Path(shutil.copytree(LATEST, tmp_path / "run"))
    with sqlite3.connect(run / "run.sqlite") as connection:
        connection.execute(sql)
    connection.close()
    with pytest.raises(RunError, match=said):
        resume(run, workers=0)


def test_a_first_number_that_no_batch_has_is_damage(tmp_path: Path) -> None:
    run = Path(shutil.copytree(LATEST, tmp_path / "run"))
    with sqlite3.connect(run / "run.sqlite") as connection:
        connection.execute("UPDATE told SET first = 9223372036854775807")
    connection.close()
    with RunStore.read(run / "run.sqlite") as store:
        for deed in (lambda: store.told(0), store.standings):
            with pytest.raises(RunError, match="what was told of candidate 9223"):
                deed()


LAST = "WHERE batch = (SELECT MAX(batch) FROM told)"


def test_a_batch_that_claims_to_come_after_a_thousand_million_takes_no_memory(tmp_path: Path) -> None:
    run = Path(shutil.copytree(LATEST, tmp_path / "run"))
    with sqlite3.connect(run / "run.sqlite") as connection:
        connection.execute(f"UPDATE told SET first = 1000000000000 {LAST}")
    connection.close()
    tracemalloc.start()
    try:
        summarise_run(run)  # the candidates are there, and are ranked by what was measured
        assert tracemalloc.get_traced_memory()[1] < 50 * 2**20
    finally:
        tracemalloc.stop()


def test_candidates_of_two_batches_are_damage(tmp_path: Path) -> None:
    run = Path(shutil.copytree(LATEST, tmp_path / "run"))
    with sqlite3.connect(run / "run.sqlite") as connection:
        connection.execute(f"UPDATE told SET first = first - 1 {LAST}")
    connection.close()
    with RunStore.read(run / "run.sqlite") as store, pytest.raises(RunError, match="what was told of candidate"):
        store.standings()


@pytest.mark.parametrize("sql", ["DELETE FROM trial_outputs", "UPDATE trial_outputs SET shape = '19 7'"])
def test_finals_whose_outputs_are_lost_are_trained_again(tmp_path: Path, sql: str) -> None:
    run = Path(shutil.copytree(LATEST, tmp_path / "run"))
    before = resume(run, workers=0).finals
    with sqlite3.connect(run / "run.sqlite") as connection:
        connection.execute(sql)
    connection.close()
    assert resume(run, workers=0).finals == before


HOT = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 1")
connection.execute("BEGIN IMMEDIATE")
connection.execute("UPDATE candidates SET text = text || printf('%.*c', 3000, 'x')")
os._exit(9)
"""


def with_a_journal_that_names(victim: Path, path: Path) -> None:
    """Leave a transaction undone, as a crash would, and let its journal name a file as transactions over several do."""
    assert subprocess.run([sys.executable, "-c", HOT, str(path)], check=False).returncode == 9
    journal, name = path.with_name("run.sqlite-journal"), os.fsencode(victim)
    assert journal.stat().st_size > 512
    tail = struct.pack(">I", 2**30 // 4096 + 1) + name + struct.pack(">II", len(name), sum(name))
    journal.write_bytes(journal.read_bytes() + tail + bytes.fromhex("d9d505f920a163d7"))


def test_a_journal_that_would_delete_another_file_is_refused(tmp_path: Path) -> None:
    victim = tmp_path / "thesis.txt"
    for name in ("ours", "sqlites"):
        shutil.copytree(GOLDEN, tmp_path / name)
    victim.write_text("precious")
    with_a_journal_that_names(victim, tmp_path / "ours" / "run.sqlite")
    for deed in (summarise_run, write_report, resume):
        with pytest.raises(RunError, match="it names another file, which would be removed"):
            deed(tmp_path / "ours")
    assert victim.read_text() == "precious"
    # What SQLite itself does with such a file, so that this test is about something:
    with_a_journal_that_names(victim, tmp_path / "sqlites" / "run.sqlite")
    connection = sqlite3.connect(tmp_path / "sqlites" / "run.sqlite")
    connection.execute("SELECT COUNT(*) FROM meta").fetchone()
    connection.close()
    assert not victim.exists()


# Links in run directories.


@pytest.mark.parametrize("name", ["run.sqlite", "experiment.toml", "grammar.toml", "run.lock"])
def test_a_run_that_is_made_of_links_is_not_gone_on_with(tmp_path: Path, name: str) -> None:
    run = Path(shutil.copytree(GOLDEN, tmp_path / "run"))
    target = tmp_path / "elsewhere"
    if (run / name).exists():
        shutil.move(run / name, target)
    else:
        target.write_text("precious")
    before = target.read_bytes()
    (run / name).symlink_to(target)
    with pytest.raises(RunError, match=rf"{name}.*(is a link|symbolic links)|cannot be used as a run directory"):
        resume(run, workers=0)
    assert target.read_bytes() == before


def test_a_report_over_a_link_leaves_what_lies_behind_it(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", 20)
    (tmp_path / "victim").write_text("precious")
    (run / "report.html").symlink_to(tmp_path / "victim")
    write_report(run)
    assert (tmp_path / "victim").read_text() == "precious"


# Documents within bounds.


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a." * 20_000 + "a = 1", f"line 1 has more than {DOTS} dots"),
        ("x = " + "9" * 5000, "is not valid TOML"),
        ("x = " + "[" * 20_000, "is not valid TOML"),
        ("x = 1\nx = 2", "is not valid TOML"),
        ("x = \x00", "is not valid TOML"),
        ("#" * (LONGEST + 1), f"allowed: {LONGEST}"),
    ],
)
def test_toml_within_bounds(text: str, said: str) -> None:
    with pytest.raises(ExperimentError, match=said):
        read_toml(text, "x.toml")
    with pytest.raises(GrammarError, match=said):
        read_grammar(text, "x.toml")


def test_idx_files_whose_sides_overflow_are_refused() -> None:
    for sides in ([2**31, 2**31, 4], [0, 2**32 - 1, 2**32 - 1, 2**32 - 1], [1] * 33, [2**32 - 1] * 32):
        data = b"\0\0\x08" + bytes([len(sides)]) + b"".join(side.to_bytes(4, "big") for side in sides)
        with pytest.raises(ExperimentError, match="is no IDX file"):
            read_idx("x", data)


def test_archives_that_unpack_to_more_than_they_may_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import gzip
    import io
    import zipfile

    import numpy as np

    file = io.BytesIO()
    np.savez_compressed(file, x=np.zeros(2_000_000, np.uint8))
    assert read_npz("x", file.getvalue(), ["x"])["x"].shape == (2_000_000,)
    monkeypatch.setattr("symloss.judging.tasks.datafiles.LARGEST", 1_000_000)
    with pytest.raises(ExperimentError, match="unpacks to more than 1000000 bytes"):
        read_npz("x", file.getvalue(), ["x"])
    data = DataSet("bomb", ("d",), "")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "x.gz").write_bytes(gzip.compress(bytes(5_000_000)))
    with pytest.raises(ExperimentError, match="is not the file that was published"):
        data.read(str(tmp_path), DataFile("x", ("0" * 64,)))
    objects = io.BytesIO()
    np.savez(objects, x=np.array([{}], dtype=object))
    with pytest.raises(ExperimentError, match="no numbers"):
        read_npz("x", objects.getvalue(), ["x"])
    lie = io.BytesIO()
    with zipfile.ZipFile(lie, "w") as archive:
        head = b"{'descr': '<f8', 'fortran_order': False, 'shape': (999999999999,), }\n"
        archive.writestr("x.npy", b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head)
    with pytest.raises(ExperimentError, match="is not as large as its header says"):
        read_npz("x", lie.getvalue(), ["x"])


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("told") / "run", 12, finals=finals("-t*log(p)"))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(["finals", "sessions", "free_tests", "stack_reason", "ended", "metric"]), value=_JSON)
def test_facts_of_any_form_are_told_or_refused_in_words(told: Path, name: str, value: Any) -> None:
    from tests.runs import set_fact

    with sqlite3.connect(told / "run.sqlite") as connection:
        before = connection.execute("SELECT key, value FROM meta WHERE key = ?", (name,)).fetchall()
    connection.close()
    set_fact(told, name, value)
    words = str(told)
    try:
        run_text(summarise_run(told))
    except SymlossError as error:
        words = str(error)
    finally:
        with sqlite3.connect(told / "run.sqlite") as connection:
            connection.execute("DELETE FROM meta WHERE key = ?", (name,))
            connection.executemany("INSERT INTO meta VALUES (?, ?)", before)
        connection.close()
    assert str(told) in words or "the judge" in words


# A user's own Python.

OWN = """
import torch
from torch import nn
import symloss

def task():
    x = torch.randn(60, 4, generator=torch.Generator().manual_seed(0))
    y = torch.arange(60) % 2
    return symloss.SupervisedTask("mine", x=x, y=y, model=lambda: nn.Linear(4, 2), batch_size=10)
"""
EXPERIMENT = """
grammar = "compact"
[task]
factory = "mine.py:task"
[search]
population = 6
elites = 2
[budget]
steps = 3
seeds = 1
stack = "stacked"
[stop]
generations = 1
[finals]
seeds = 2
top = 1
resamples = 100
baselines = ["cross_entropy"]
"""


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What the user was told; each file is new to this process again."""

    def told() -> list[str]:
        own._tell.cache_clear()
        lines = [record.getMessage() for record in caplog.records if record.name == "symloss"]
        caplog.clear()
        return lines

    told()
    return told


def test_an_experiment_that_runs_python_says_so_before_it_does(
    tmp_path: Path, said: Callable[[], list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    from symloss.cli import main

    (tmp_path / "mine.py").write_text(OWN)
    (tmp_path / "mine.toml").write_text(EXPERIMENT)
    line = f"symloss: this experiment runs your Python file {tmp_path / 'mine.py'}, which may do whatever you may do"
    named, run = f"{tmp_path / 'mine.py'}:task", str(tmp_path / "run")
    quietly, few = ["--workers", "0", "--quiet"], ["--seeds", "2", "--set", "steps=3"]
    for arguments in (
        ["search", str(tmp_path / "mine.toml"), "--out", run, *quietly, "--no-report"],
        ["resume", run, *quietly, "--no-report"],
        ["check", str(tmp_path / "mine.toml")],
        ["transfer", "gce", "--tasks", named, "--out", str(tmp_path / "t"), *few, *quietly],
        ["compare", "gce", "cross_entropy", "--task", named, *few, *quietly],
    ):
        with pytest.raises(SystemExit):
            main(arguments)
        assert said() == [line], arguments
    loss = Path(run) / "winner.loss.json"
    if loss.exists():
        with pytest.raises(SystemExit):
            main(["verify", str(loss), "--task", named, "--quick", *quietly])
        assert said() == [line]
        with pytest.raises(ExperimentError, match="no file runs code here unasked"):
            verify_file(loss)
        assert said() == []
    assert "Traceback" not in capsys.readouterr().err


def test_it_is_said_before_the_file_runs(tmp_path: Path, said: Callable[[], list[str]]) -> None:
    (tmp_path / "bad.py").write_text("raise SystemExit(3)")
    with pytest.raises(ExperimentError, match="importing"):
        make_task({"factory": "bad.py:task", "folder": str(tmp_path)})
    assert len(said()) == 1


def test_a_built_in_task_says_nothing(said: Callable[[], list[str]]) -> None:
    make_task({"name": "digits"})
    assert said() == []


def test_a_winner_that_is_a_device_or_a_pipe_is_refused(tmp_path: Path) -> None:
    run = Path(shutil.copytree(GOLDEN, tmp_path / "run"))
    (run / "winner.loss.json").unlink()
    (run / "winner.loss.json").symlink_to("/dev/zero")
    with pytest.raises(RunError, match="no regular file"):
        read_loss(find_run(run).winner)
