"""How numba compiles the kernels of judging: with which liberties, and where the result is kept.

Numba looks at a kernel's own file alone to see whether what it keeps on disk is stale: after a change here, touch them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

F = TypeVar("F", bound=Callable[..., Any])

# Products and sums may be fused, nothing else: the same code runs for a member wherever it stands in a cohort.
_OPTIONS: dict[str, Any] = {"fastmath": {"contract"}, "error_model": "numpy"}


def part(function: F) -> F:
    """Compile what only other kernels call."""
    compiled: F = numba.njit(**_OPTIONS)(function)
    return compiled


def inline(function: F) -> F:
    """Compile a function of one element into the loops that call it; a call would keep them from vectorising."""
    compiled: F = numba.njit(forceinline=True, **_OPTIONS)(function)
    return compiled


def cached(function: F) -> F:
    """Compile at the first call and keep the result on disk; where no directory can be written, for this process."""
    try:
        compiled: F = numba.njit(cache=True, nogil=True, **_OPTIONS)(function)
    except RuntimeError:  # numba found no place for its cache: read-only installation and no home
        compiled = numba.njit(nogil=True, **_OPTIONS)(function)
    return compiled
