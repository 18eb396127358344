"""What every file of symloss's own has in common: it is written whole or not at all, and it holds plain JSON."""

import math
import os
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from symloss.errors import RunError


def write_whole(path: Path, text: str) -> None:
    """Write a file whole or not at all.

    Raises:
        RunError: it cannot be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise RunError(f"{path} cannot be written: {error}.") from error


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
