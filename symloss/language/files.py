"""What every file of symloss's own has in common: it is written whole or not at all, read within bounds, plain JSON."""

import math
import os
import secrets
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from symloss.disk import written_badly
from symloss.errors import RunError


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all; a link of its name is replaced, not followed.

    Args:
        content: text is written as UTF-8, with lone surrogates spelled out, as no encoding has them.

    Raises:
        DiskError: its disk is full or gone.
        RunError: it cannot be written for another reason.
    """
    data = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
    # A name that nobody can have laid a link under: what is written goes nowhere else.
    part = path.with_name(f".{path.name[:200]}.{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except (OSError, ValueError) as error:
        with suppress(OSError, ValueError):
            part.unlink(missing_ok=True)
        raise written_badly(path, error) if isinstance(error, OSError) else _unnamable(path, error) from error


def _unnamable(path: Path, error: ValueError) -> RunError:
    return RunError(f"{str(path)!r} is no name that a file can have: {error}.")


def read_bounded(path: Path, most: int, kind: str, links: bool = True) -> bytes:
    """Read a file that a stranger may have made: a regular one, of at most so many bytes, in one bounded read.

    Args:
        kind: what it should be, for the complaint, e.g. `a loss file`.
        links: whether the name may be a link.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no regular file, or too large, in words that follow the file's name.
    """
    # Opened without waiting, and asked what it is before the first read: a pipe would block, a device would never end.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if links else os.O_NOFOLLOW))
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError(f"is no regular file, so it cannot be {kind}")
        data = b"" if status.st_size > most else _read(handle, most + 1)
    finally:
        os.close(handle)
    if max(status.st_size, len(data)) > most:
        raise ValueError(f"has {max(status.st_size, len(data))} bytes; {kind} has at most {most}")
    return data


def _read(handle: int, most: int) -> bytes:
    with os.fdopen(handle, "rb", closefd=False) as file:
        return file.read(most)


def read_text(path: Path, most: int, kind: str, links: bool = True) -> str:
    """Read a text file as `read_bounded` does.

    Raises:
        OSError, ValueError: as there; it is no UTF-8.
    """
    return read_bounded(path, most, kind, links).decode("utf-8")


def names_file(path: Path) -> bool:
    """Whether a path leads to something that is no directory; what no path can be leads nowhere."""
    try:
        return path.exists() and not path.is_dir()
    except (OSError, ValueError):
        return False


def expanded(name: str) -> Path:
    """Return a path with `~` replaced by the home directory; where there is none, `~` stays a name like any other."""
    try:
        return Path(name).expanduser()
    except RuntimeError:
        return Path(name)


def plain(value: Any) -> Any:
    """Return a value as plain JSON: records become objects, tuples lists, keys texts; NaN and infinities null.

    Example:
        >>> plain({1: (0.5, math.nan)})
        {'1': [0.5, None]}
    """
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)
