"""Optional libraries: one error that says which extra brings them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from symloss.errors import SymlossError


class MissingLibraryError(SymlossError, ImportError):
    """An adapter's library is not installed."""


@contextmanager
def needed(extra: str, by: str) -> Iterator[None]:
    """Say how to install what a block imports.

    Args:
        extra: of symloss that brings it.
        by: what needs it.

    Raises:
        MissingLibraryError: the import fails.
    """
    try:
        yield
    except ImportError as error:
        raise MissingLibraryError(
            f"{by} needs a library that is not installed ({error}). Install it with: pip install 'symloss[{extra}]'"
        ) from error
