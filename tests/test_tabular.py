"""Tables: read, encoded without looking at rows, and made tasks; tiny ones here, the known files where they are."""

import gzip
import hashlib
import os
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from symloss.errors import ExperimentError
from symloss.judging.plan import Plan
from symloss.judging.tasks import TASKS, make_task, tabular
from symloss.judging.tasks.csvfile import encode, read_classes, read_csv
from symloss.judging.tasks.datafiles import VARIABLE
from symloss.judging.tasks.tables import TABLES, Table, one
from symloss.judging.train import train_cohort
from symloss.language.candidate import State
from symloss.language.formula import parse
from symloss.language.loss import compile_loss

TEXT = b"size,colour,code,flag,count\n1.5,red,2,0,0\n?,blue, 1 ,1,4\n-3e2,?,2,0,2\n"


def encoded(text=TEXT, words=("colour", "code"), zeros=("count",)):
    return encode("here", read_csv("here", text), words, zeros)


def refusal(call):
    with pytest.raises(ExperimentError) as caught:
        call()
    return str(caught.value)


def test_columns_become_numbers():
    table = encoded()
    assert table.names == (
        "size", "size?", "colour=?", "colour=blue", "colour=red", "code=1", "code=2", "flag", "count", "count?",
    )  # fmt: skip
    expected = [
        [1.5, 0, 0, 0, 1, 0, 1, 0, np.nan, 1],
        [np.nan, 1, 0, 1, 0, 1, 0, 1, 4, 0],
        [-300, 0, 1, 0, 0, 0, 1, 0, 2, 0],
    ]
    assert np.array_equal(table.x, np.array(expected, np.float32), equal_nan=True)
    assert table.scaled == (True, False, False, False, False, False, False, False, True, False)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"a,b\n1,2\n3\n", "here: line 3 has 1 values, and the header 2."),
        (b"a,a\n1,2\n", "must have a header of distinct names and at least one row"),
        (b"a,b\n", "must have a header of distinct names and at least one row"),
        (b"", "is no table of comma-separated values"),
        (b"a\n\xff\n", "is no table of comma-separated values"),
        (b'a\n"x\n', "here: line 2 of the column 'a' is 'x', no number."),
        (b"a\n1\ntall\n", "here: line 3 of the column 'a' is 'tall', no number."),
        (b"a\n1\ninf\n", "here: line 3 of the column 'a' is 'inf', no number."),
        (b"a\nNaN\n1\n", "here: line 2 of the column 'a' is 'NaN', no number."),
    ],
)
def test_what_is_no_table_of_numbers(text, words):
    assert words in refusal(lambda: encode("here", read_csv("here", text), ()))


def test_columns_that_are_not_there():
    assert "here names an unknown column 'color'. Did you mean 'colour'?" in refusal(lambda: encoded(words=("color",)))
    assert "unknown column 'counts'. Did you mean 'count'?" in refusal(lambda: encoded(zeros=("counts",)))


def test_classes_keep_their_order():
    assert read_classes("here", "y", ["b", "a", "b"], ("b", "a")).tolist() == [0, 1, 0]
    said = refusal(lambda: read_classes("here", "y", ["b", "c"], ("b", "a")))
    assert "here: line 3 of 'y' names an unknown class 'c'. " in said


def rows(count, seed=0, target="ab"):
    rng = np.random.default_rng(seed)
    size = rng.normal(size=count).round(4)
    lines = [
        f"{i},{'' if i % 7 == 0 else value},{'red' if i % 3 else 'blue'},{target[int(value > 0)]}"
        for i, value in enumerate(size)
    ]
    return ("\n".join(["id,size,colour,y", *lines]) + "\n").encode()


@pytest.fixture
def known(tmp_path, monkeypatch):
    """Make tables known, whose files lie in a directory."""
    monkeypatch.delenv(VARIABLE, raising=False)

    def write(**contents):
        files = []
        (tmp_path / "tiny").mkdir(exist_ok=True)
        for name, content in contents.items():
            (tmp_path / "tiny" / f"{name}.csv.gz").write_bytes(gzip.compress(content))
            files += one(f"{name}.csv", hashlib.sha256(content).hexdigest())
        table = Table("tiny", "", tuple(files), "y", ("a", "b"), drop=("id",), words=("colour",), batch_size=10)
        return lambda **changes: make(replace(table, **changes.pop("table", {})), **changes)

    def make(table, **options):
        monkeypatch.setitem(TABLES, "tiny", table)
        return tabular.tabular("tiny", data_dir=str(tmp_path), **options)

    return write


def test_a_table_is_a_task(known, one_thread):
    task = known(tiny=rows(200))()
    assert (task.slot, task.width, task.batch_size, task.metric.name) == ("classification", 2, 10, "accuracy")
    assert task.x.shape[1] == 4  # size, size?, blue, red
    assert len(task.x) + len(task.test()[1]) == 200
    assert int(task.x.isnan().sum()) > 10
    plan = Plan(60, (0.01,), (0, 1), stack="stacked")
    (trained,) = train_cohort([compile_loss(parse("-t*log(p)"))], task, plan)
    assert trained.state is State.SCORED
    assert min(each.values["accuracy"] for each in trained.measurements) > 0.75  # a seventh is unknown


def test_a_published_test_part_stays_and_shares_no_row(known):
    train, test = rows(120), rows(60, seed=1)
    shared = b"1000," + train.split(b"\n")[2].partition(b",")[2]
    task = known(train=train, test=test + shared + b"\n")()
    assert len(task.test()[1]) == 61
    left = {row.numpy().tobytes() for row in task.x}
    assert not any(row.numpy().tobytes() in left for row in task.test()[0])
    assert 0 < len(task.x) < 120
    assert [round(float(value), 4) for value in task.test()[0][1:3, 0]] == [
        float(line.split(b",")[1]) for line in test.split(b"\n")[2:4]
    ]


def test_parts_of_a_table_need_the_same_header(known):
    make = known(train=rows(50), test=rows(50).replace(b"size", b"length", 1))
    assert "train.csv and test.csv must have the same header." in refusal(make)


def test_options_reach_the_task(known):
    make = known(tiny=rows(200))
    task = make(metric="auprc", hidden=[5], batch_size=7, optimiser="sgd")
    assert [metric.name for metric in task.metrics] == ["auprc", "nll", "ece"]
    assert (task.batch_size, task.optimiser, len(list(task.model(0).parameters()))) == (7, "sgd", 4)
    assert "hidden must be a list" in refusal(lambda: make(hidden=5))


def test_a_target_of_numbers_has_the_tables_unit(known):
    lines = [b"size,y"] + [b"%d,%d" % (i, 100 + i) for i in range(40)]
    changes = {"classes": (), "drop": (), "words": (), "centre": 100.0, "unit": 10.0, "metric": "mse"}
    task = known(tiny=b"\n".join(lines))(table=changes)
    assert (task.slot, task.width, task.metric.name) == ("regression", 1, "mse")
    assert torch.allclose(task._parts.y, task.x[:, 0] / 10)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"target": "z"}, "unknown column 'z'"),
        ({"drop": ("idd",)}, "task 'tiny': tiny.csv names an unknown column 'idd'. Did you mean 'id'?"),
        ({"classes": ("a", "c")}, "names an unknown class 'b'"),
        ({"words": ()}, "line 2 of the column 'colour' is 'blue', no number"),
    ],
)
def test_a_file_that_is_not_what_the_table_says(known, changes, words):
    make = known(tiny=rows(50))
    assert words in refusal(lambda: make(table=changes))


def test_a_file_that_is_missing_is_told(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    said = refusal(lambda: make_task({"name": "adult"}))
    assert said.startswith("task 'adult': symloss brings no copy of its data. Set the option data_dir in [task]")
    said = refusal(lambda: make_task({"name": "sonar", "data_dir": str(tmp_path)}))
    assert f"task 'sonar': there is no sonar.csv or sonar.csv.gz in {tmp_path / 'sonar'}." in said
    assert "docs/tasks.md says where it comes from" in said
    (tmp_path / "sonar").mkdir()
    (tmp_path / "sonar" / "sonar.csv").write_bytes(TEXT)
    assert "is not the file that was published" in refusal(
        lambda: make_task({"name": "sonar", "data_dir": str(tmp_path)})
    )


@pytest.mark.parametrize("name", TABLES)
def test_records_are_whole(name):
    table = TABLES[name]
    assert re.fullmatch(r"[a-z0-9_]+", name)
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for file in table.files for digest in file.sha256)
    assert TASKS[name].slot == ("classification" if table.classes else "regression")
    assert table.metric in (("accuracy", "auprc") if table.classes else ("mse",))
    assert table.unit > 0


@pytest.mark.skipif(not os.environ.get(VARIABLE), reason=f"needs its data: {VARIABLE} is not set")
@pytest.mark.parametrize(
    ("name", "rows", "positive"),
    [("adult", 48814, 0.24), ("credit_default", 30000, 0.22), ("mammography", 11183, 0.023), ("oil_spill", 937, 0.044),
     ("phoneme", 5404, 0.29), ("pima_diabetes", 768, 0.35), ("sonar", 208, 0.53), ("spambase", 4601, 0.39)],
)  # fmt: skip
def test_known_files_are_what_they_are_said_to_be(name, rows, positive):
    task = make_task({"name": name})
    y = torch.cat([task._parts.y, task.test()[1]])
    assert len(y) == rows
    assert float(y.float().mean()) == pytest.approx(positive, abs=0.006)
