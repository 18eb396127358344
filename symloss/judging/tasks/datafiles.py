"""Data sets that symloss does not bring: their files are found on this machine, checked by sha256, and read.

Nothing is fetched, and nothing is unpickled: IDX is bytes with a header, and npz is read without objects.
"""

import gzip
import hashlib
import io
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from symloss.errors import ExperimentError

VARIABLE = "SYMLOSS_DATA"  # environment variable: where data sets lie unless the option data_dir says so

Bytes = NDArray[np.uint8]


class Images(NamedTuple):
    """Bytes: images `(rows, ...)` and labels `(rows,)`, of training and test."""

    train_x: Bytes
    train_y: Bytes
    test_x: Bytes
    test_y: Bytes


@dataclass(frozen=True)
class DataFile:
    """A file of a data set.

    Args:
        name: without `.gz`; the file may be compressed or not.
        sha256: of the file as it is published, or of what it unpacks to; several where there are several editions, and
            none where no digest is known, so that whoever reads it checks its form.
    """

    name: str
    sha256: tuple[str, ...]


@dataclass(frozen=True)
class DataSet:
    """A data set as a folder of files.

    Args:
        name: as complaints name it.
        folders: below the data directory, where its files may lie.
        about: where people get it, in words.
    """

    name: str
    folders: tuple[str, ...]
    about: str

    def has(self, data_dir: str | None, files: Sequence[DataFile]) -> bool:
        """Whether all of these files are there, whatever they hold."""
        return all(self._find(data_dir, each) is not None for each in files)

    def read(self, data_dir: str | None, file: DataFile) -> bytes:
        """Return what a file holds, unpacked.

        Args:
            data_dir: where data sets lie; None for the environment variable SYMLOSS_DATA.

        Raises:
            ExperimentError: no directory is named, the file is not there, or it is not the file that was published.
        """
        path = self._find(data_dir, file)
        if path is None:
            raise ExperimentError(self._missing(data_dir, file))
        try:
            packed = path.read_bytes()
            plain = gzip.decompress(packed) if path.suffix == ".gz" else packed
        except (OSError, EOFError, zlib.error) as error:
            raise ExperimentError(f"task '{self.name}': {path} cannot be read: {error}. Get it anew.") from error
        found = [hashlib.sha256(each).hexdigest() for each in (packed, plain)]
        if file.sha256 and not set(found) & set(file.sha256):
            raise ExperimentError(
                f"task '{self.name}': {path} is not the file that was published: its sha256 is {found[0]}, and it must "
                f"be {' or '.join(file.sha256)}. Get it anew."
            )
        return plain

    def _find(self, data_dir: str | None, file: DataFile) -> Path | None:
        named = directory(data_dir)
        if named is None:
            return None
        tried = [named / folder / f"{file.name}{suffix}" for folder in self.folders for suffix in ("", ".gz")]
        return next((path for path in tried if path.is_file()), None)

    def _missing(self, data_dir: str | None, file: DataFile) -> str:
        named = directory(data_dir)
        if named is None:
            return (
                f"task '{self.name}': symloss brings no copy of its data. Set the option data_dir in [task], or the "
                f"environment variable {VARIABLE}, to a directory with {self.folders[0]}/{file.name}. {self.about}"
            )
        places = " or ".join(str(named / folder) for folder in self.folders)
        return f"task '{self.name}': there is no {file.name} or {file.name}.gz in {places}. {self.about}"


def directory(data_dir: str | None) -> Path | None:
    """Return the directory of data sets; None where nobody names one."""
    named = data_dir or os.environ.get(VARIABLE)
    return Path(named).expanduser() if named else None


def read_idx(place: str, data: bytes) -> Bytes:
    """Read an IDX file of bytes: two zeros, 8 for bytes, the number of sides, the sides, the numbers.

    Raises:
        ExperimentError: it is no such file, or its length is not what its sides say.
    """
    sides = data[3] if len(data) > 4 and data[:3] == b"\0\0\x08" else 0
    header = 4 + 4 * sides
    shape = tuple(int(side) for side in np.frombuffer(data[4:header], ">u4")) if sides and len(data) >= header else ()
    if not shape or len(data) - header != np.prod(shape, dtype=np.int64):
        raise ExperimentError(f"{place} is no IDX file of bytes, or it is cut off.")
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


def read_npz(place: str, data: bytes, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Read the named arrays of an npz file; no object in it is unpickled.

    Raises:
        ExperimentError: it is no such file, or it lacks an array.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as held:
            return {name: held[name] for name in names}
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise ExperimentError(f"{place} is no npz file with the arrays {', '.join(names)} ({error}).") from error
