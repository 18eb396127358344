"""Min and Max with bounded effort: what sympy decides about few small arguments is kept, more is only flattened.

Sympy compares all arguments with each other, which takes minutes for a text of a kilobyte from a stranger.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import sympy
from sympy.core.exprtools import factor_terms

from symloss.language.extent import extent

COMPARED = 6  # so many arguments are compared with each other; of more, numbers alone are
COMPARED_NODES = 30  # in both arguments of one comparison together

Kind = Any  # sympy.Min or sympy.Max


def smaller(a: sympy.Expr, b: sympy.Expr) -> sympy.Expr:
    """Return Min(a, b)."""
    return extreme(sympy.Min, (a, b))


def larger(a: sympy.Expr, b: sympy.Expr) -> sympy.Expr:
    """Return Max(a, b)."""
    return extreme(sympy.Max, (a, b))


def rebuilt(expr: sympy.Expr, arguments: Iterable[sympy.Expr]) -> sympy.Expr:
    """Return an expression with other arguments, in bounded time."""
    kind = expr.func
    return extreme(kind, arguments) if kind in (sympy.Min, sympy.Max) else kind(*arguments)


def replaced(expr: sympy.Expr, change: Callable[[sympy.Expr], sympy.Expr]) -> sympy.Expr:
    """Return an expression with every leaf changed, in bounded time."""
    return rebuilt(expr, [replaced(part, change) for part in expr.args]) if expr.args else change(expr)


def extreme(kind: Kind, arguments: Iterable[sympy.Expr]) -> sympy.Expr:
    """Return the smallest or largest of several arguments, nested ones flattened.

    Raises:
        ValueError: an argument is no real number.
    """
    flat = _with_one_number(kind, {part for argument in arguments for part in _parts(kind, argument)})
    if 1 < len(flat) <= COMPARED:
        return _few(kind, frozenset(flat))
    return flat.pop() if len(flat) == 1 else kind(*flat, evaluate=False)


def _parts(kind: Kind, argument: sympy.Expr) -> tuple[sympy.Expr, ...]:
    if argument.is_extended_real is False or (argument.is_number and not argument.is_comparable):
        raise ValueError(f"'{argument}' cannot be compared")
    return argument.args if argument.func is kind else (argument,)


def _with_one_number(kind: Kind, parts: set[sympy.Expr]) -> set[sympy.Expr]:
    numbers = [part for part in parts if part.is_Number]
    if len(numbers) < 2:
        return parts
    return parts.difference(numbers) | {(min if kind is sympy.Min else max)(numbers)}


@functools.lru_cache(maxsize=4096)
def _few(kind: Kind, parts: frozenset[sympy.Expr]) -> sympy.Expr:
    kept: list[sympy.Expr] = []
    for part in kind._collapse_arguments(parts):
        _keep(kind, part, kept)
    return kept[0] if len(kept) == 1 else kind(*kept, evaluate=False)


def _keep(kind: Kind, part: sympy.Expr, kept: list[sympy.Expr]) -> None:
    for other in list(kept):
        order = compared(part, other) if kind is sympy.Max else -compared(part, other)
        if order < 0 or part == other:
            return
        if order > 0:
            kept.remove(other)
    kept.append(part)


@functools.lru_cache(maxsize=8192)
def compared(a: sympy.Expr, b: sympy.Expr) -> int:
    """Return 1 where sympy knows at once that a >= b, -1 where it knows that a <= b, 0 where it does not."""
    if extent(a).nodes + extent(b).nodes > COMPARED_NODES:
        return 0
    known = _order(a, b)
    if known or a.has(sympy.Min, sympy.Max) or b.has(sympy.Min, sympy.Max):
        return known  # sympy's next attempt would compare the arguments inside of them anew
    return _order(factor_terms(a - b), sympy.Integer(0))


def _order(a: sympy.Expr, b: sympy.Expr) -> int:
    try:
        at_least, at_most = a >= b, a <= b
    except TypeError:  # sympy's words for what is not real
        return 0
    if at_least in (sympy.true, sympy.false):
        return 1 if at_least else -1
    if at_most in (sympy.true, sympy.false):
        return -1 if at_most else 1
    return 0
