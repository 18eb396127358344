"""MNIST and Fashion-MNIST: files found, checked and read; made tiny here, because symloss brings none."""

import gzip
import hashlib
import io
import os
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from symloss.errors import ExperimentError
from symloss.judging.plan import Plan
from symloss.judging.tasks import make_task, mnist
from symloss.judging.tasks.datafiles import VARIABLE, DataFile, read_idx, read_npz
from symloss.judging.train import train_cohort
from symloss.language.candidate import State
from symloss.language.formula import parse
from symloss.language.loss import compile_loss
from symloss.running.config import read_experiment

ROWS, TEST = 200, 40


def idx(array):
    return struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def digest(data):
    return hashlib.sha256(data).hexdigest()


def arrays(rows, test, seed=0):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 60, (rows + test, 28, 28), dtype=np.uint8)
    labels = (np.arange(rows + test) % 10).astype(np.uint8)
    pixels[np.arange(rows + test), labels] = 255  # a line that says the class
    return pixels[:rows], labels[:rows], pixels[rows:], labels[rows:]


def known(files, contents):
    return tuple(replace(each, sha256=(digest(content),)) for each, content in zip(files, contents, strict=True))


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A directory with MNIST, some of it compressed, and Fashion-MNIST as npz: tiny, and known by their sha256."""
    contents = [idx(array) for array in arrays(ROWS, TEST)]
    for folder in ("mnist", "fashion_mnist"):
        (tmp_path / folder).mkdir()
    for each, content, suffix in zip(mnist.MNIST_FILES, contents, ("", ".gz", ".gz", ""), strict=True):
        packed = gzip.compress(content) if suffix else content
        (tmp_path / "mnist" / f"{each.name}{suffix}").write_bytes(packed)
    monkeypatch.setattr(mnist, "MNIST_FILES", known(mnist.MNIST_FILES, contents))
    buffer = io.BytesIO()
    np.savez(buffer, **dict(zip(mnist.ARRAYS, (*arrays(ROWS, TEST, seed=1), np.int64(ROWS - 20)), strict=True)))
    (tmp_path / "fashion_mnist" / "fashion_mnist.npz").write_bytes(buffer.getvalue())
    npz = replace(mnist.FASHION_MNIST_NPZ, sha256=(digest(buffer.getvalue()),))
    monkeypatch.setattr(mnist, "FASHION_MNIST_NPZ", npz)
    monkeypatch.delenv(VARIABLE, raising=False)
    return tmp_path


def refusal(call):
    with pytest.raises(ExperimentError) as caught:
        call()
    return str(caught.value)


def test_the_parts_are_the_files_parts(data):
    task = make_task({"name": "mnist", "data_dir": str(data), "validation": 50})
    x, y, test_x, test_y = arrays(ROWS, TEST)
    assert torch.equal(task.x, torch.tensor(x).reshape(ROWS, 784).float() / 255)
    assert torch.equal(task.test()[0], torch.tensor(test_x).reshape(TEST, 784).float() / 255)
    assert task.test()[1].tolist() == test_y.tolist()
    split = task.split(3)
    assert (len(split.train_y), len(split.valid_y)) == (ROWS - 50, 50)
    assert split.valid_y.tolist() == y[split.valid_index].tolist()
    assert (task.batch_size, task.width, task.optimiser) == (100, 10, "adam")
    assert [tuple(value.shape) for value in task.model(0).parameters()] == [(128, 784), (128,), (10, 128), (10,)]


def test_the_command_line_says_where_data_lie(data, call, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "")  # and is as it was after the test
    (tmp_path / "one.toml").write_text(
        'task = {name = "mnist", validation = 50, hidden = [8]}\nstop = {generations = 1}\n'
        "budget = {steps = 8, seeds = 1, learning_rates = [0.01]}\n"
    )
    asked = ["check", tmp_path / "one.toml", "--workers", 0]
    assert "--data-dir" in call(*asked)[2]
    monkeypatch.chdir(data.parent)
    status, out, err = call(*asked, "--data-dir", data.name)
    assert (status, err) == (0, "")
    assert "mnist" in out
    assert Path(os.environ[VARIABLE]) == data  # of workers, too
    for command in ("search", "resume", "compare", "transfer", "verify"):
        assert "is a file" in call(command, "--data-dir", tmp_path / "one.toml")[2]


def test_options_reach_the_task(data):
    task = make_task(
        {"name": "mnist", "data_dir": str(data), "validation": 40, "examples": 60, "noise": 0.5, "hidden": [8, 4],
         "batch_size": 20, "optimiser": "sgd"}
    )  # fmt: skip
    split = task.split(0)
    assert len(split.train_y) == 60
    assert int((split.train_y != torch.tensor(arrays(ROWS, TEST)[1])[split.train_index]).sum()) == 30
    assert len(list(task.model(0).parameters())) == 6
    assert (task.batch_size, task.optimiser) == (20, "sgd")


def test_fashion_leaves_out_rows_of_which_nobody_knows_the_part(data):
    task = make_task({"name": "fashion_mnist", "data_dir": str(data), "validation": 50})
    assert len(task.x) == ROWS - 20
    assert torch.equal(task.x, torch.tensor(arrays(ROWS, TEST, seed=1)[0][: ROWS - 20]).reshape(-1, 784).float() / 255)


def test_fashion_prefers_the_published_files(data, monkeypatch):
    contents = [idx(array) for array in arrays(ROWS, TEST, seed=2)]
    packed = [gzip.compress(content, mtime=0) for content in contents]  # known by what lies there, not by its content
    (data / "FashionMNIST" / "raw").mkdir(parents=True)
    for each, content in zip(mnist.FASHION_MNIST_FILES, packed, strict=True):
        (data / "FashionMNIST" / "raw" / f"{each.name}.gz").write_bytes(content)
    monkeypatch.setattr(mnist, "FASHION_MNIST_FILES", known(mnist.FASHION_MNIST_FILES, packed))
    task = make_task({"name": "fashion_mnist", "data_dir": str(data), "validation": 50})
    assert len(task.x) == ROWS
    assert torch.equal(task.test()[0][0], torch.tensor(arrays(ROWS, TEST, seed=2)[2][0]).flatten().float() / 255)


def test_the_environment_names_the_directory(data, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(data))
    assert len(make_task({"name": "mnist", "validation": 50}).x) == ROWS
    monkeypatch.setenv(VARIABLE, str(data / "elsewhere"))
    assert len(make_task({"name": "mnist", "validation": 50, "data_dir": str(data)}).x) == ROWS


def test_a_stack_of_it_trains(data, one_thread):
    task = make_task({"name": "mnist", "data_dir": str(data), "validation": 50})
    plan = Plan(60, (0.003,), (0, 1), stack="stacked")
    (trained,) = train_cohort([compile_loss(parse("-t*log(p)"))], task, plan)
    assert trained.state is State.SCORED
    assert min(each.values["accuracy"] for each in trained.measurements) > 0.9


def test_a_directory_that_nobody_names(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    for name in ("mnist", "fashion_mnist"):
        said = refusal(lambda name=name: make_task({"name": name}))
        assert said.startswith(f"task '{name}': symloss brings no copy of its data. Set the option data_dir in [task]")
        assert "SYMLOSS_DATA" in said
        assert "torchvision" in said


def test_a_file_that_is_missing(data):
    (data / "mnist" / "t10k-images-idx3-ubyte.gz").unlink()
    said = refusal(lambda: make_task({"name": "mnist", "data_dir": str(data)}))
    places = f"{data / 'mnist'} or {data / 'MNIST/raw'}"
    assert f"there is no t10k-images-idx3-ubyte or t10k-images-idx3-ubyte.gz in {places}." in said


def test_a_file_that_is_another(data):
    path = data / "mnist" / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    said = refusal(lambda: make_task({"name": "mnist", "data_dir": str(data)}))
    assert f"{path} is not the file that was published: its sha256 is {digest(path.read_bytes())}" in said
    assert said.endswith("Get it anew.")


def test_a_file_that_is_cut_off(data):
    path = data / "mnist" / "train-labels-idx1-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-9])
    assert f"{path} cannot be read" in refusal(lambda: make_task({"name": "mnist", "data_dir": str(data)}))


@pytest.mark.parametrize("validation", [0, ROWS, 1.5, True])
def test_a_validation_part_that_cannot_be(data, validation):
    said = refusal(lambda: make_task({"name": "mnist", "data_dir": str(data), "validation": validation}))
    assert f"validation must be a whole number of rows from 1 to {ROWS - 1}, got {validation!r}." in said


@pytest.mark.parametrize(
    "content",
    [b"", b"\0\0\x08", b"\0\0\x08\x00", b"\0\0\x0d\x01\0\0\0\x01\0\0\0\0", b"\0\0\x08\x03\0\0\0\x01",
     idx(np.zeros((2, 3), np.uint8))[:-1], idx(np.zeros((2, 3), np.uint8)) + b"\0",
     b"\0\0\x08\x03" + b"\xff" * 12],
    ids=["empty", "short", "no sides", "floats", "cut header", "cut", "long", "huge"],
)  # fmt: skip
def test_what_is_no_idx_file(content):
    assert refusal(lambda: read_idx("here", content)) == "here is no IDX file of bytes, or it is cut off."


def test_idx_files_of_any_sides_are_read():
    for shape in ((5,), (0, 3), (2, 3, 4)):
        array = np.arange(int(np.prod(shape)), dtype=np.uint8).reshape(shape)
        assert np.array_equal(read_idx("here", idx(array)), array)


def test_objects_in_an_npz_file_are_not_unpickled():
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    buffer = io.BytesIO()
    np.savez(buffer, x_train=np.array([Bomb()], dtype=object))
    assert "is no npz file with the arrays x_train" in refusal(lambda: read_npz("here", buffer.getvalue(), ["x_train"]))
    assert "is no npz file with the arrays y" in refusal(lambda: read_npz("here", b"PK\3\4nonsense", ["y"]))
    buffer = io.BytesIO()
    np.savez(buffer, x=np.zeros(3))
    assert "is no npz file with the arrays y" in refusal(lambda: read_npz("here", buffer.getvalue(), ["y"]))


def test_a_relative_directory_starts_from_the_experiments_folder(tmp_path):
    table = {"name": "e", "task": {"name": "mnist", "data_dir": "data"}, "stop": {"generations": 1}}
    assert read_experiment(table, "e.toml", tmp_path).task["data_dir"] == str(tmp_path.resolve() / "data")
    own = {"factory": "my.py:task", "data_dir": "data"}  # a user's own option is the user's own
    assert read_experiment({**table, "task": own}, "e.toml", tmp_path).task["data_dir"] == "data"


def test_published_digests_are_sha256():
    files = (*mnist.MNIST_FILES, *mnist.FASHION_MNIST_FILES, mnist.FASHION_MNIST_NPZ)
    assert len({each for file in files for each in file.sha256}) == 9
    assert all(isinstance(file, DataFile) and len(each) == 64 for file in files for each in file.sha256)
    assert all(set(each) <= set("0123456789abcdef") for file in files for each in file.sha256)
    assert Path(mnist.FASHION_MNIST_NPZ.name).suffix == ".npz"
