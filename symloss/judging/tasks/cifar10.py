"""The files of CIFAR-10: 32 x 32 colour images of 10 classes, all of them, or a part.

Krizhevsky 2009, "Learning multiple layers of features from tiny images", technical report, University of Toronto.
"""

from __future__ import annotations

import numpy as np

from symloss.errors import ExperimentError
from symloss.judging.tasks.datafiles import Bytes, DataFile, DataSet, Images, read_npz

SIDE, PIXELS, CLASSES = 32, 3 * 32 * 32, 10
BATCH = 10_000

# The published files: their form is checked, as no digest of them is known here.
PUBLISHED = DataSet("cifar10", ("cifar-10-batches-bin", "cifar10"), "")
PUBLISHED_TRAIN = tuple(DataFile(f"data_batch_{number}.bin", ()) for number in range(1, 6))
PUBLISHED_TEST = DataFile("test_batch.bin", ())

# Two of the five training batches, without 36 images in all that could not be had.
CIFAR10 = DataSet(
    "cifar10",
    ("cifar10",),
    "It is the binary version of Krizhevsky's CIFAR-10, the folder cifar-10-batches-bin with data_batch_1.bin to "
    "data_batch_5.bin and test_batch.bin; or data_batch_1.npz, data_batch_2.npz and test_batch.npz of docs/tasks.md.",
)
TRAIN = (
    DataFile("data_batch_1.npz", ("a2900711829831a1a594ae8aee28a2ec20c42650496601cf63517c8b1b4d3a44",)),
    DataFile("data_batch_2.npz", ("403914e9a0b55da7eb85ffadda06d2377f59ebb82438769f57e5b9c8bda9a543",)),
)
TEST = DataFile("test_batch.npz", ("7f87601056f23d67f5dbc4ba93e7b83ef6e08fa72dade2434d818c44e7d6aa8d",))


def read_cifar10(data_dir: str | None) -> Images:
    """Read all of CIFAR-10 where the published files are, else its first two training batches and the test batch.

    Raises:
        ExperimentError: a file is missing or not the known one.
    """
    whole = PUBLISHED.has(data_dir, (*PUBLISHED_TRAIN, PUBLISHED_TEST))
    *train, test = [
        (read_published if whole else read_batch)(file, data_dir)
        for file in ((*PUBLISHED_TRAIN, PUBLISHED_TEST) if whole else (*TRAIN, TEST))
    ]
    return Images(np.concatenate([x for x, _ in train]), np.concatenate([y for _, y in train]), *test)


def read_published(file: DataFile, data_dir: str | None) -> tuple[Bytes, Bytes]:
    """Return the images `(10000, 3, 32, 32)` and labels `(10000,)` of a file of the binary version."""
    data = np.frombuffer(PUBLISHED.read(data_dir, file), np.uint8)
    if data.size != BATCH * (1 + PIXELS) or data[:: 1 + PIXELS].max() >= CLASSES:
        raise ExperimentError(
            f"task '{PUBLISHED.name}': {file.name} is no batch of CIFAR-10's binary version, or it is cut off: it must "
            f"hold {BATCH} times a label below {CLASSES} and {PIXELS} bytes. Get it anew."
        )
    rows = data.reshape(BATCH, 1 + PIXELS)
    return rows[:, 1:].reshape(BATCH, 3, SIDE, SIDE), rows[:, 0]


def read_batch(file: DataFile, data_dir: str | None) -> tuple[Bytes, Bytes]:
    """Return images `(rows, 3, 32, 32)`, red, green and blue, and labels `(rows,)`."""
    held = read_npz(f"task '{CIFAR10.name}': {file.name}", CIFAR10.read(data_dir, file), ("d", "y"))
    return undone(held["d"]), held["y"]


def undone(differences: Bytes) -> Bytes:
    """Turn differences into pixels: along rows and columns, and of red and blue from green, all modulo 256."""
    pixels = np.cumsum(np.cumsum(differences, 2, dtype=np.uint8), 3, dtype=np.uint8)
    pixels[:, 0] += pixels[:, 1]
    pixels[:, 2] += pixels[:, 1]
    return pixels
