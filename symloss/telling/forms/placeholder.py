"""Stands for the formula that an exported file defines above its form; for type checkers alone."""

from typing import Any


def formula(**variables: Any) -> Any:
    """Compute a formula of its slot's variables elementwise."""
    raise NotImplementedError
