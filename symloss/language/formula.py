"""Formula: a canonical sympy expression with a stable key, a complexity and a text form. It is the truth of the engine.

What is shown is what is trained is what is exported: text and expression give each other back, to the last bit.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass, field

import numpy as np
import sympy
from numpy.typing import NDArray

from symloss.errors import FormulaError, unknown
from symloss.language import reading
from symloss.language.algebra import settle
from symloss.language.extremes import replaced
from symloss.language.parser import parse_expression
from symloss.language.reading import Node
from symloss.language.slots import SLOTS, Variable, adopt_slot

MAX_NODES = 256
MAX_DEPTH = 32
_MAX_ROUNDS = 8
_TINY = 1e-7  # the smallest size of a number that formulas are tried at


@dataclass(frozen=True)
class Canonical:
    """A formula as it travels and is stored: without its algebra.

    Args:
        key: `Formula.key`.
        text: `Formula.text`.
        complexity: `Formula.complexity`.
    """

    key: str
    text: str
    complexity: int


@dataclass(frozen=True)
class Formula:
    """A formula over the variables of its slot; equal to another exactly when slot and canonical text are.

    Make one with `parse` or `canonical`.

    Args:
        slot: a name in SLOTS.
        text: canonical, e.g. `-t*log(p)`.
        expr: the sympy expression that the text reads as.
        node: the expression as operator calls.
    """

    slot: str
    text: str
    expr: sympy.Expr = field(repr=False, compare=False)
    node: Node = field(repr=False, compare=False)

    @property
    def key(self) -> str:
        """A stable name of 16 hexadecimal digits for slot and text."""
        return hashlib.sha256(f"{self.slot}:{self.text}".encode()).hexdigest()[:16]

    @property
    def complexity(self) -> int:
        """Operators, variables and constants, counted as they are read."""
        return reading.complexity(self.node)

    @property
    def variables(self) -> frozenset[str]:
        """Names of the variables that it sees."""
        return frozenset(symbol.name for symbol in self.expr.free_symbols)

    @property
    def constants(self) -> tuple[float, ...]:
        """Its numbers from left to right."""
        return tuple(reading.constants(self.node))

    def canonical(self) -> Canonical:
        """Return what travels of it."""
        return Canonical(self.key, self.text, self.complexity)

    def latex(self) -> str:
        """Return LaTeX with constants at four significant digits, for reading; the text is exact."""
        return str(sympy.latex(replaced(self.expr, lambda leaf: sympy.Float(leaf, 4) if leaf.is_Float else leaf)))

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"

    def __str__(self) -> str:
        return self.text


def parse(text: str, slot: str = "classification") -> Formula:
    """Read a formula that a person or a file wrote.

    Args:
        text: e.g. `-t*log(p)`.
        slot: a name in SLOTS; fixes the variables.

    Raises:
        FormulaError: the text is hostile, too large, not a formula of this slot, or undefined everywhere.

    Example:
        >>> parse("t*(0 - log(p))").text
        '-t*log(p)'
    """
    return canonical(parse_expression(text, _symbols(slot)), slot)


def canonical(expr: sympy.Expr, slot: str) -> Formula:
    """Bring an expression to its canonical form, the one that its own text reads back as.

    Raises:
        FormulaError: it is undefined everywhere, holds a function that no operator declares, or is too large.
    """
    symbols, normalise = _symbols(slot), SLOTS[slot].normalise
    for _ in range(_MAX_ROUNDS):
        expr = settle(normalise(settle(expr)))
        node = reading.read(expr)
        _check_size(node)
        text = reading.text(node)
        again = parse_expression(text, symbols)
        if again == expr:
            formula = Formula(slot, text, expr, node)
            _check_defined(formula)
            return formula
        expr = again
    raise FormulaError(
        f"formula: '{text[:80]}' has no stable form: sympy rewrites it anew each time it is read. Write it another way."
    )


def infer_slot(text: str) -> str:
    """Return the first slot whose variables can read the text, or `classification` when none can."""
    for name in SLOTS:
        try:
            parse(text, name)
        except FormulaError:
            continue
        return name
    return "classification"


@functools.cache
def _symbols(slot: str) -> dict[str, sympy.Symbol]:
    adopt_slot(slot)
    if slot not in SLOTS:
        raise FormulaError(unknown("formula", "slot", slot, SLOTS))
    return SLOTS[slot].symbols()


def _check_defined(formula: Formula) -> None:
    variables = SLOTS[formula.slot].variables
    draws = np.random.default_rng(0).random((len(variables), 128))
    values = {variable.name: _spread(variable, draw) for variable, draw in zip(variables, draws, strict=True)}
    if not np.isfinite(reading.evaluate(formula.node, values)).any():
        ranges = ", ".join(f"{v.name} in [{v.low:g}, {v.high:g}]" for v in variables)
        raise FormulaError(
            f"formula: '{formula.text[:80]}' is undefined everywhere on {ranges}. "
            "Keep roots and logarithms away from negative numbers, and values in range."
        )


def _spread(variable: Variable, draw: NDArray[np.float64]) -> NDArray[np.float64]:
    """Place draws from [0, 1] in a variable's range: half of them evenly near 0, half over its powers of ten."""
    low, high = variable.low, variable.high
    near_low, near_high = max(low, -10.0), min(high, 10.0)
    near = near_low + (near_high - near_low) * draw
    far = _signed_power(draw, low, high)
    values = np.where(np.arange(len(draw)) % 2, far, near)
    return np.asarray(np.round(values) if variable.integer else values, dtype=np.float64)


def _signed_power(draw: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    if low < 0 < high:
        return np.where(draw < 0.5, -_power(1 - 2 * draw, _TINY, -low), _power(2 * draw - 1, _TINY, high))
    return _power(draw, max(low, _TINY), high)


def _power(draw: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """Place draws log-uniformly."""
    return np.asarray(low * (high / low) ** np.clip(draw, 0.0, 1.0))


def _check_size(node: Node) -> None:
    nodes, depth = reading.complexity(node), reading.depth(node)
    if nodes > MAX_NODES or depth > MAX_DEPTH:
        raise FormulaError(
            f"formula: {nodes} nodes and depth {depth} are too many. Allowed: {MAX_NODES} nodes, depth {MAX_DEPTH}."
        )
