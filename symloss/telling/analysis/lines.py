"""Formulas along one line: every other variable fixed, so that calculus and interval proofs have one variable left.

A classification loss has three lines: its true class's term, a wrong class's term, and the whole loss of one example
while the wrong classes share the rest evenly.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import sympy

from symloss.language.formula import Formula
from symloss.language.reading import Node, read
from symloss.language.slots import SLOTS
from symloss.language.slots.classification import EPSILON
from symloss.telling.analysis.evaluation import Array, derivative, evaluate, filled, fixed

_NEAR = (EPSILON, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.03)
_OUT = (1e-3, 1e-2, 0.1, 0.5, 1.0, 2.0, 5.0)

P_CUTS = (*_NEAR, 0.1, 0.25, 0.5, 0.75, 0.9, *(1 - each for each in reversed(_NEAR)))
X_CUTS = (*(-each for each in reversed(_OUT)), 0.0, *_OUT)
R_CUTS = (-20.0, *X_CUTS, 20.0)


@dataclass(frozen=True)
class Line:
    """A function of one variable with its derivatives.

    Args:
        axis: name of the variable.
        expr: over that variable alone.
        cuts: ends of the boxes that proofs begin with; the first and the last are the range.
    """

    axis: str
    expr: sympy.Expr
    cuts: tuple[float, ...]

    @property
    def symbol(self) -> sympy.Symbol:
        """The variable, with the assumptions that it has in the expression."""
        return next(iter(self.expr.free_symbols), sympy.Symbol(self.axis, real=True))

    @functools.cached_property
    def node(self) -> Node:
        """The function, ready to evaluate."""
        return read(self.expr)

    @functools.cached_property
    def slope(self) -> Line:
        """The derivative, over the same range.

        Raises:
            FormulaError: it has no reading in the engine's operators.
        """
        return Line(self.axis, fixed(derivative(self.expr, self.symbol), {}), self.cuts)

    def at(self, x: Array) -> Array:
        """Return the values at points, NaN where the function is undefined."""
        return filled(evaluate(self.node, {self.axis: x}), x)


@functools.lru_cache(maxsize=64)
def class_line(formula: Formula, true: bool, classes: int) -> Line:
    """Return the term of the true class, or of a wrong one, over its probability.

    Raises:
        FormulaError: the term is undefined everywhere.
    """
    return Line("p", fixed(formula.expr, {"t": float(true), "C": float(classes)}), P_CUTS)


@functools.lru_cache(maxsize=64)
def even_line(formula: Formula, classes: int) -> Line:
    """Return one example's loss over the true class's probability, the other classes sharing the rest evenly.

    Raises:
        FormulaError: it is undefined everywhere.
    """
    return Line("p", fixed(even_expression(formula, sympy.Integer(classes)), {}), P_CUTS)


def even_expression(formula: Formula, classes: sympy.Expr) -> sympy.Expr:
    """Return the loss of `even_line` for a number of classes that may be a symbol."""
    p = SLOTS["classification"].symbols()["p"]
    true = fixed(formula.expr, {"t": 1.0, "C": classes})
    wrong = fixed(formula.expr, {"t": 0.0, "C": classes})
    return true + (classes - 1) * fixed(wrong, {"p": (1 - p) / (classes - 1)})


@functools.lru_cache(maxsize=64)
def logit_line(formula: Formula, classes: int) -> Line:
    """Return the gradient on the true class's logit over its probability, along `even_line`.

    Raises:
        FormulaError: it is undefined everywhere, or has no reading.
    """
    even = even_line(formula, classes)
    p = SLOTS["classification"].symbols()["p"]
    return Line("p", fixed(p * (1 - p) * even.slope.expr, {}), P_CUTS)


@functools.lru_cache(maxsize=64)
def residual_line(formula: Formula, target: float) -> Line:
    """Return a regression loss over the residual r = f - y for one target.

    Raises:
        FormulaError: it is undefined everywhere.
    """
    symbols = SLOTS["regression"].symbols()
    return Line("r", fixed(formula.expr, {"f": symbols["r"] + target, "y": target}), R_CUTS)


@functools.lru_cache(maxsize=64)
def input_line(formula: Formula) -> Line:
    """Return an activation over its input."""
    return Line("x", formula.expr, X_CUTS)
