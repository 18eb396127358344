"""Hypothesis strategies for the language: random formulas over a slot, grown through the guarded algebra."""

import hypothesis.strategies as st
import sympy

from symloss.errors import FormulaError
from symloss.language.algebra import apply, constant
from symloss.language.formula import Formula, canonical
from symloss.language.operators import OPERATORS
from symloss.language.slots import SLOTS

EXPONENTS = (2, 3, 0.5, -1, 1.5, -0.5, 0.7, -2)
NUMBERS = st.one_of(
    st.sampled_from([1, -1, 2, 0.5, 0.25, 1e-7]),
    st.floats(-1e3, 1e3, allow_nan=False, allow_infinity=False, allow_subnormal=False).filter(
        lambda x: x == 0 or abs(x) > 1e-30
    ),
)


def _extend(children: st.SearchStrategy[sympy.Expr]) -> st.SearchStrategy[sympy.Expr]:
    def call(name: str) -> st.SearchStrategy[tuple[str, list[sympy.Expr]]]:
        operator = OPERATORS[name]
        second = st.sampled_from(EXPONENTS).map(constant) if operator.exponent else children
        return st.tuples(st.just(name), st.tuples(*[children, second][: operator.arity]).map(list))

    return st.sampled_from(sorted(OPERATORS)).flatmap(call).map(_applied).filter(lambda expr: expr is not None)


def _applied(call: tuple[str, list[sympy.Expr]]) -> sympy.Expr | None:
    try:
        return apply(*call)
    except FormulaError:
        return None


def expressions(slot: str) -> st.SearchStrategy[sympy.Expr]:
    """Draw settled expressions over the slot's variables, up to about 12 leaves."""
    symbols = list(SLOTS[slot].symbols().values())
    return st.recursive(st.one_of(st.sampled_from(symbols), NUMBERS.map(constant)), _extend, max_leaves=12)


def formulas(slot: str) -> st.SearchStrategy[Formula]:
    """Draw canonical formulas; those that sympy finds undefined are left out."""

    def made(expr: sympy.Expr) -> Formula | None:
        try:
            return canonical(expr, slot)
        except FormulaError:
            return None

    return expressions(slot).map(made).filter(lambda formula: formula is not None)
