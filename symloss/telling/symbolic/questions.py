"""What computer algebra is asked of a formula: answers are texts, which whoever asked checks against numbers.

These functions may take for ever: `child.py` runs them in a process that is stopped.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import Any

import sympy

from symloss.errors import FormulaError
from symloss.language import reading
from symloss.language.algebra import constant, settle
from symloss.language.extremes import rebuilt, replaced
from symloss.language.formula import Formula, canonical
from symloss.language.slots import SLOTS

_DIGITS = 6  # of constants in a closed form
_LARGEST_DIVISOR = 64  # fractions with larger ones are told as decimals
_MOST = 12  # candidates of one answer

Answer = Any  # plain JSON


class TooLongError(Exception):
    """A question took its share of the time."""


def exact(expr: sympy.Expr) -> sympy.Expr:
    """Return an expression with decimals as exact fractions, which solvers need: 0.1 becomes 1/10."""
    return replaced(expr, lambda leaf: sympy.Rational(repr(float(leaf))) if leaf.is_Float else leaf)


def readable(expr: sympy.Expr, digits: int | None = None) -> sympy.Expr:
    """Return an expression with fractions as people write them: 1/3, but 0.683.

    Args:
        digits: of the decimals; None keeps all.
    """

    def change(leaf: sympy.Expr) -> sympy.Expr:
        if not leaf.is_Number or leaf.is_Integer:
            return leaf
        value = float(leaf) if digits is None else float(f"{float(leaf):.{digits}g}")
        if leaf.is_Rational and leaf.q <= _LARGEST_DIVISOR and float(f"{float(leaf):.6g}") != float(leaf):
            return leaf
        return constant(value)

    return replaced(expr, change)


def _text(expr: sympy.Expr, digits: int | None = None) -> str:
    return reading.text(reading.read(settle(readable(settle(expr, limited=False), digits), limited=False)))


def _texts(found: Iterable[sympy.Expr]) -> list[str]:
    """Return what can be written in the engine's operators."""
    texts = []
    for each in found:
        try:
            texts.append(_text(each, _DIGITS))
        except (FormulaError, TypeError, ValueError):
            continue
    return texts[:_MOST]


def _terms(formula: Formula) -> tuple[sympy.Expr, sympy.Expr]:
    """Return the term of the true class and of a wrong one."""
    t = SLOTS["classification"].symbols()["t"]
    return exact(formula.expr.subs(t, 1)), exact(formula.expr.subs(t, 0))


def _unswitched(expr: sympy.Expr) -> sympy.Expr:
    """Resolve abs and sign where they do not switch: sympy does not know that p < 1, nor that C - 1 > 0.

    Looked up at a few points, which is enough for an answer that is checked against numbers.
    """

    def side(a: sympy.Expr) -> sympy.Expr | None:
        found = {int(sympy.sign(a.subs(dict(zip(symbols, point, strict=True))).evalf())) for point in points}
        return sympy.Integer(found.pop()) if len(found) == 1 else None

    variables = SLOTS["classification"].symbols()
    symbols = [variables["p"], variables["C"]]
    points = [(sympy.Rational(p, 100), classes) for p in (1, 20, 60, 99) for classes in (2, 7, 300)]
    return expr.replace(sympy.Abs, lambda a: sympy.Abs(a) if side(a) is None else side(a) * a).replace(
        sympy.sign, lambda a: sympy.sign(a) if side(a) is None else side(a)
    )


def _even_loss(formula: Formula) -> sympy.Expr:
    symbols = SLOTS["classification"].symbols()
    p, classes = symbols["p"], symbols["C"]
    true, wrong = _terms(formula)
    return _unswitched(true + (classes - 1) * wrong.subs(p, (1 - p) / (classes - 1)))


def ask_optimum(formula: Formula, classes: int) -> Answer:
    """Solve for the true class's probability where the loss along even outputs is stationary, for any C.

    Decimals stand as symbols while it is solved, so that the solution has a few of them and no huge fractions.
    """
    p = SLOTS["classification"].symbols()["p"]
    loss, decimals = _named(_even_loss(formula))
    steep = sympy.together(loss.diff(p))
    return _texts(each.subs(decimals) for each in sympy.solve(sympy.fraction(steep)[0], p))


def _named(expr: sympy.Expr) -> tuple[sympy.Expr, dict[sympy.Symbol, sympy.Rational]]:
    """Put a symbol in the place of each fraction that is a factor, a divisor or a term; exponents stay numbers."""
    names: dict[sympy.Rational, sympy.Symbol] = {}

    def change(part: sympy.Expr) -> sympy.Expr:
        if part.is_Rational and not part.is_Integer and part.q > 2:
            symbol = names.setdefault(abs(part), sympy.Symbol(f"k{len(names)}", positive=True))
            return symbol if part > 0 else -symbol
        if part.is_Pow:
            return change(part.base) ** part.exp
        return rebuilt(part, [change(each) for each in part.args]) if part.args else part

    changed = change(expr)
    return changed, {symbol: value for value, symbol in names.items()}


def ask_first_step(formula: Formula, classes: int) -> Answer:
    """Simplify the first step's gradient as a function of C."""
    symbols = SLOTS["classification"].symbols()
    p, classes_symbol = symbols["p"], symbols["C"]
    true, wrong = (_unswitched(each.diff(p)).subs(p, 1 / classes_symbol) for each in _terms(formula))
    plain = (wrong - true) / classes_symbol
    return _texts(sorted({sympy.simplify(plain), sympy.expand(plain), plain}, key=sympy.count_ops))


def ask_ends(formula: Formula, classes: int) -> Answer:
    """Find the limits of both terms and of the gradient at p = 0 and p = 1."""
    symbols = SLOTS["classification"].symbols()
    p = symbols["p"]
    true, wrong = (each.subs(symbols["C"], classes) for each in _terms(formula))
    pull = (p * (1 - p) * _even_loss(formula).diff(p)).subs(symbols["C"], classes)
    parts = {"true class": true, "wrong class": wrong, "gradient": pull}
    return {name: [_limit(part, p, 0, "+"), _limit(part, p, 1, "-")] for name, part in parts.items()}


def ask_tails(formula: Formula, classes: int) -> Answer:
    """Find the limits of value and slope of a function of one variable at both infinities."""
    (symbol,) = formula.expr.free_symbols
    parts = {"value": exact(formula.expr), "gradient": exact(formula.expr).diff(symbol)}
    ends = (-sympy.oo, sympy.oo)
    return {name: [_limit(part.rewrite(sympy.exp), symbol, end, "+") for end in ends] for name, part in parts.items()}


def _limit(expr: sympy.Expr, symbol: sympy.Symbol, end: Any, side: str) -> str:
    found = sympy.limit(expr, symbol, end, side)
    if found in (sympy.oo, -sympy.oo):
        return str(found)
    return _text(found) if found.is_number else ""


_STUMBLES = (FormulaError, ArithmeticError, TypeError, ValueError, AttributeError, NotImplementedError, KeyError)

TRANSFORMATIONS: tuple[Callable[[sympy.Expr], sympy.Expr], ...] = (
    lambda expr: expr,
    sympy.factor_terms,
    sympy.factor,
    sympy.expand,
    sympy.together,
    sympy.cancel,
    sympy.powsimp,
    lambda expr: sympy.logcombine(expr, force=False),
    sympy.simplify,
)


def ask_simplest(formula: Formula, classes: int) -> Answer:
    """Rewrite a formula in all ways that computer algebra knows."""
    return _rewritten(exact(formula.expr), formula.slot)


def ask_one_hot(formula: Formula, classes: int) -> Answer:
    """Rewrite what one-hot labels leave of a formula."""
    return _rewritten(_one_hot(formula), formula.slot)


def _one_hot(formula: Formula) -> sympy.Expr:
    """Return a formula that trains alike where labels are 0 or 1: t**2 is t, and what lacks p goes."""
    symbols = SLOTS["classification"].symbols()
    true, wrong = (_moving(each, symbols["p"]) for each in _terms(formula))
    return sympy.expand(symbols["t"] * _moving(sympy.expand(true - wrong), symbols["p"]) + wrong)


def _moving(expr: sympy.Expr, p: sympy.Symbol) -> sympy.Expr:
    return sympy.Add(*(term for term in sympy.Add.make_args(sympy.expand(expr)) if term.has(p)))


def _rewritten(expr: sympy.Expr, slot: str) -> list[str]:
    """Return what the transformations make, simplest first; what is there when the time is over counts."""
    found: dict[str, int] = {}
    with contextlib.suppress(TooLongError):
        for transformation in TRANSFORMATIONS:
            with contextlib.suppress(*_STUMBLES):
                made = canonical(readable(transformation(expr)), slot)
                found[made.text] = made.complexity
    return sorted(found, key=lambda text: (found[text], len(text)))[:_MOST]


# From quick to slow: what comes late may not be answered.
QUESTIONS: dict[str, Callable[[Formula, int], Answer]] = {
    "first_step": ask_first_step,
    "one_hot": ask_one_hot,
    "simplest": ask_simplest,
    "ends": ask_ends,
    "tails": ask_tails,
    "optimum": ask_optimum,
}
