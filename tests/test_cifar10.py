"""CIFAR-10: the published files, and the ones that hold differences; made tiny or of zeros here."""

import hashlib
import io
from dataclasses import replace

import numpy as np
import pytest
import torch

from symloss.errors import ExperimentError
from symloss.judging.tasks import cifar10, make_task
from symloss.judging.tasks.datafiles import VARIABLE

ROWS = 40


def images(seed, rows=ROWS):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (rows, 3, 32, 32), dtype=np.uint8), (np.arange(rows) % 10).astype(np.uint8)


def packed(pixels, labels):
    """Do what `cifar10.undone` undoes: red and blue less green, then differences of columns and of rows."""
    left = pixels.copy()
    left[:, 0] -= left[:, 1]
    left[:, 2] -= left[:, 1]
    left = np.diff(left, axis=3, prepend=np.uint8(0))
    buffer = io.BytesIO()
    np.savez(buffer, d=np.diff(left, axis=2, prepend=np.uint8(0)), y=labels, i=np.arange(len(labels), dtype=np.uint16))
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "cifar10").mkdir()
    known = []
    for seed, file in enumerate((*cifar10.TRAIN, cifar10.TEST)):
        content = packed(*images(seed))
        (tmp_path / "cifar10" / file.name).write_bytes(content)
        known.append(replace(file, sha256=(hashlib.sha256(content).hexdigest(),)))
    monkeypatch.setattr(cifar10, "TRAIN", tuple(known[:2]))
    monkeypatch.setattr(cifar10, "TEST", known[2])
    monkeypatch.delenv(VARIABLE, raising=False)
    return tmp_path


def refusal(folder, **options):
    with pytest.raises(ExperimentError) as caught:
        make_task({"name": "cifar10", "data_dir": str(folder), **options})
    return str(caught.value)


def test_differences_are_undone(folder):
    task = make_task({"name": "cifar10", "data_dir": str(folder), "validation": 30, "model": "convnet"})
    train = np.concatenate([images(0)[0], images(1)[0]])
    assert torch.equal(task.x, torch.tensor(train).reshape(2 * ROWS, -1).float() / 255)
    assert torch.equal(task.test()[0], torch.tensor(images(2)[0]).reshape(ROWS, -1).float() / 255)
    assert task.test()[1].tolist() == images(2)[1].tolist()
    assert task.model(0)[1].in_channels == 3
    assert task.model(0)(task.x[:2]).shape == (2, 10)


def test_the_published_files_come_first(folder, monkeypatch):
    monkeypatch.setattr(cifar10, "BATCH", 20)
    (folder / "cifar-10-batches-bin").mkdir()
    parts = []
    for seed, file in enumerate((*cifar10.PUBLISHED_TRAIN, cifar10.PUBLISHED_TEST), start=5):
        pixels, labels = images(seed, 20)
        parts.append(pixels)
        rows = np.concatenate([labels[:, None], pixels.reshape(20, -1)], axis=1)
        (folder / "cifar-10-batches-bin" / file.name).write_bytes(rows.tobytes())
    task = make_task({"name": "cifar10", "data_dir": str(folder), "validation": 30})
    assert torch.equal(task.x, torch.tensor(np.concatenate(parts[:5])).reshape(100, -1).float() / 255)
    assert torch.equal(task.test()[0], torch.tensor(parts[5]).reshape(20, -1).float() / 255)
    last = folder / "cifar-10-batches-bin" / "test_batch.bin"
    last.write_bytes(last.read_bytes()[:-1])
    assert "test_batch.bin is no batch of CIFAR-10's binary version, or it is cut off: it must hold 20" in refusal(
        folder
    )
    last.write_bytes(b"\x0a" + rows.tobytes()[1:])
    assert "a label below 10" in refusal(folder)


def test_training_images_that_are_also_test_images_are_left_out(folder, monkeypatch):
    content = (folder / "cifar10" / "data_batch_2.npz").read_bytes()
    (folder / "cifar10" / "test_batch.npz").write_bytes(content)
    monkeypatch.setattr(cifar10, "TEST", replace(cifar10.TEST, sha256=(hashlib.sha256(content).hexdigest(),)))
    task = make_task({"name": "cifar10", "data_dir": str(folder), "validation": 10})
    assert torch.equal(task.x, torch.tensor(images(0)[0]).reshape(ROWS, -1).float() / 255)


def test_files_that_are_missing_are_told(folder):
    (folder / "cifar10" / "test_batch.npz").unlink()
    said = refusal(folder)
    assert "task 'cifar10': there is no test_batch.npz or test_batch.npz.gz in" in said
    assert (
        "cifar-10-batches-bin with data_batch_1.bin to data_batch_5.bin and test_batch.bin; or data_batch_1.npz" in said
    )
