"""How large an expression is while it is made: what is far too large is refused before sympy spends minutes on it.

The limits of a finished formula are counted on its reading, in `formula.py`; these ones leave room for what cancels.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import sympy

from symloss.errors import FormulaError

MAX_NODES = 1024
MAX_DEPTH = 40


class Extent(NamedTuple):
    """Nodes of an expression's tree, and the longest chain of parts inside each other."""

    nodes: int
    depth: int


@functools.lru_cache(maxsize=16384)
def extent(expr: sympy.Basic) -> Extent:
    """Return how large an expression is."""
    inside = [extent(part) for part in expr.args]
    return Extent(1 + sum(each.nodes for each in inside), 1 + max((each.depth for each in inside), default=-1))


def check_extent(expr: sympy.Expr) -> None:
    """Refuse an expression that no formula can hold.

    Raises:
        FormulaError: it has more than 1,024 nodes, or more than 40 parts inside each other.
    """
    nodes, depth = extent(expr)
    if nodes > MAX_NODES or depth > MAX_DEPTH:
        raise FormulaError(
            f"formula: a part of it grows to {nodes} nodes and depth {depth} while it is read. "
            f"Allowed: {MAX_NODES} nodes, depth {MAX_DEPTH}. Write it shorter."
        )
