"""Data sets that symloss does not bring: their files are found on this machine, checked by sha256, and read.

Nothing is fetched, and nothing is unpickled: IDX is bytes with a header, and npz is read without objects.
"""

import gzip
import hashlib
import io
import lzma
import math
import os
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple
from zipfile import BadZipFile, ZipFile, ZipInfo

import numpy as np
from numpy.typing import NDArray

from symloss.errors import ExperimentError
from symloss.language.files import expanded

LARGEST = 2**28  # bytes that a file, or an archive's arrays, may unpack to
MOST_SIDES = 32  # of an array
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
            if path.stat().st_size > LARGEST:
                raise OSError(f"it is larger than {LARGEST} bytes")
            found = [digest for digest in _digests(path) if digest]
            if file.sha256 and not set(found) & set(file.sha256):
                raise ExperimentError(
                    f"task '{self.name}': {path} is not the file that was published: its sha256 is {found[0]}, and it "
                    f"must be {' or '.join(file.sha256)}. Get it anew."
                )
            if len(found) < (path.suffix == ".gz") + 1 and not file.sha256:
                raise OSError(f"it unpacks to more than {LARGEST} bytes")
            packed = path.read_bytes()
            return gzip.decompress(packed) if path.suffix == ".gz" else packed
        except (OSError, EOFError, zlib.error) as error:
            raise ExperimentError(f"task '{self.name}': {path} cannot be read: {error}. Get it anew.") from error

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
                f"task '{self.name}': symloss brings no copy of its data. Set the option data_dir in [task], "
                f"--data-dir, or the environment variable {VARIABLE}, to a directory with "
                f"{self.folders[0]}/{file.name}. {self.about}"
            )
        places = " or ".join(str(named / folder) for folder in self.folders)
        return f"task '{self.name}': there is no {file.name} or {file.name}.gz in {places}. {self.about}"


def _digests(path: Path) -> Iterator[str]:
    """Give the sha256 of a file, and of what it unpacks to, piece by piece: a stranger's may unpack to terabytes."""
    with path.open("rb") as file:
        yield hashlib.file_digest(file, "sha256").hexdigest()
    if path.suffix != ".gz":
        return
    digest, size = hashlib.sha256(), 0
    with gzip.open(path) as unpacked:
        while size <= LARGEST and (piece := unpacked.read(2**16)):
            digest.update(piece)
            size += len(piece)
    yield "" if size > LARGEST else digest.hexdigest()


def directory(data_dir: str | None) -> Path | None:
    """Return the directory of data sets; None where nobody names one."""
    named = data_dir or os.environ.get(VARIABLE)
    return expanded(named) if named else None


def read_idx(place: str, data: bytes) -> Bytes:
    """Read an IDX file of bytes: two zeros, 8 for bytes, the number of sides, the sides, the numbers.

    Raises:
        ExperimentError: it is no such file, or its length is not what its sides say.
    """
    sides = data[3] if len(data) > 4 and data[:3] == b"\0\0\x08" else 0
    header = 4 + 4 * sides
    shape = tuple(int(side) for side in np.frombuffer(data[4:header], ">u4")) if sides and len(data) >= header else ()
    if not 0 < len(shape) <= MOST_SIDES or len(data) - header != math.prod(shape):
        raise ExperimentError(f"{place} is no IDX file of bytes, or it is cut off.")
    try:
        return np.frombuffer(data, np.uint8, offset=header).reshape(shape)
    except ValueError as error:  # sides beyond all measure around one of length 0
        raise ExperimentError(f"{place} is no IDX file of bytes: {error}.") from error


def read_npz(place: str, data: bytes, names: Sequence[str], largest: int | None = None) -> dict[str, NDArray[Any]]:
    """Read the named arrays of numbers of an npz file; no object in it is unpickled.

    Args:
        largest: bytes that all of them may unpack to; None for LARGEST.

    Raises:
        ExperimentError: it is no such file, it lacks an array, or an array is not as large as its member says.
    """
    try:
        with ZipFile(io.BytesIO(data)) as archive:
            members = {name: archive.getinfo(f"{name}.npy") for name in names}
            bound = LARGEST if largest is None else largest
            if sum(each.file_size for each in members.values()) > bound:
                raise ValueError(f"it unpacks to more than {bound} bytes")
            return {name: _array(archive, member) for name, member in members.items()}
    except _UNREADABLE as error:
        raise ExperimentError(f"{place} is no npz file with the arrays {', '.join(names)} ({error}).") from error


# What zipfile and numpy raise of damaged files: of a cut one, of an unknown packing, of a checksum that does not fit.
_UNREADABLE = (
    OSError, ValueError, KeyError, EOFError, MemoryError, OverflowError, NotImplementedError, RuntimeError, TypeError,
    BadZipFile, zlib.error, lzma.LZMAError, struct.error,
)  # fmt: skip


def _array(archive: ZipFile, member: ZipInfo) -> NDArray[Any]:
    """Read one array by its header, which numpy's own reader hands to Python's parser, and makes room for unseen."""
    with archive.open(member) as file:
        head = file.read(len(_NPY) + 2)
        if head[:-2] != _NPY:
            raise ValueError(f"{member.filename[:40]} is no array in numpy's format 1.0")
        header = _HEADER.fullmatch(file.read(int.from_bytes(head[-2:], "little")).decode("latin-1"))
        if header is None:
            raise ValueError(f"{member.filename[:40]} has a header of another form, or no numbers")
        shape = [int(side) for side in header["shape"].split(",") if side.strip()]
        kind = np.dtype(header["kind"])
        if len(shape) > MOST_SIDES or math.prod(shape) * kind.itemsize != member.file_size - file.tell():
            raise ValueError(f"{member.filename[:40]} is not as large as its header says")
        order: Literal["F", "C"] = "F" if header["fortran"] == "True" else "C"
        return np.frombuffer(file.read(), kind).reshape(shape, order=order)


_NPY = b"\x93NUMPY\x01\x00"  # numpy's format, version 1.0; then the header's length in two bytes
_HEADER = re.compile(
    r"\{'descr': '(?P<kind>[|<>][biuf][1248])', 'fortran_order': (?P<fortran>True|False), "
    r"'shape': \((?P<shape>(?:\d{1,18}, ?)*\d{0,18})\), ?\} *\n"
)
