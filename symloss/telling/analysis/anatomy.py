"""A formula taken apart: its parts by their place, and sympy expressions with parts or constants exchanged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import sympy

from symloss.language.algebra import constant
from symloss.language.extremes import replaced
from symloss.language.formula import Formula, canonical
from symloss.language.operators import OPERATORS
from symloss.language.reading import Call, Constant, Name, Node, text

Place = tuple[int, ...]  # which argument to take, from the root on
Change = Callable[[Place, Node], sympy.Expr | None]


def parts(node: Node, place: Place = ()) -> Iterator[tuple[Place, Node]]:
    """Yield every part with its place, the whole first."""
    yield place, node
    if isinstance(node, Call):
        for number, argument in enumerate(node.arguments):
            yield from parts(argument, (*place, number))


def rebuild(node: Node, symbols: Mapping[str, sympy.Symbol], change: Change, place: Place = ()) -> sympy.Expr:
    """Return a node as a sympy expression, with what `change` gives in the place of the parts that it names."""
    exchanged = change(place, node)
    if exchanged is not None:
        return exchanged
    if isinstance(node, Name):
        return symbols[node.name]
    if isinstance(node, Constant):
        return _number(node)
    arguments = [rebuild(each, symbols, change, (*place, number)) for number, each in enumerate(node.arguments)]
    return OPERATORS[node.operator].sympy(*arguments)


def _number(node: Constant) -> sympy.Number:
    if isinstance(node.value, int | float):
        return constant(node.value)
    return sympy.Rational(node.value.numerator, node.value.denominator)


def brief(node: Node) -> str:
    """Write a part for a sentence, its constants at four digits; `reading.text` is exact."""
    return text(_rounded(node))


def _rounded(node: Node, digits: int = 4) -> Node:
    if isinstance(node, Call):
        return Call(node.operator, tuple(_rounded(each, digits) for each in node.arguments))
    if isinstance(node, Constant) and isinstance(node.value, float):
        return Constant(float(f"{node.value:.{digits}g}"))
    return node


def rounded(formula: Formula, digits: int) -> Formula:
    """Return a formula with its decimals rounded, as LaTeX shows it.

    Raises:
        FormulaError: the rounded formula is undefined.
    """
    return canonical(rounded_expression(formula.expr, digits), formula.slot)


def rounded_expression(expr: sympy.Expr, digits: int) -> sympy.Expr:
    """Return an expression with its decimals rounded."""
    return replaced(expr, lambda leaf: constant(float(f"{float(leaf):.{digits}g}")) if leaf.is_Float else leaf)


@dataclass(frozen=True)
class Knob:
    """A constant of a formula that can be turned.

    Args:
        place: of the constant, or of the root or square whose exponent it is.
        value: what it is now.
        inside: text of the part that it stands in.
    """

    place: Place
    value: float
    inside: str


_EXPONENTS = {"square": 2.0, "sqrt": 0.5}


def knobs(node: Node) -> list[Knob]:
    """Return a formula's constants from left to right, the exponents of squares and roots among them."""
    found = dict(parts(node))
    turned = []
    for place, each in found.items():
        if isinstance(each, Constant):
            turned.append(Knob(place, float(each.value), brief(found[place[:-1]] if place else each)))
        elif isinstance(each, Call) and each.operator in _EXPONENTS:
            turned.append(Knob(place, _EXPONENTS[each.operator], brief(each)))
    return turned


def with_knobs(node: Node, symbols: Mapping[str, sympy.Symbol]) -> tuple[sympy.Expr, dict[str, Knob]]:
    """Return a formula's expression with a symbol in the place of every constant, and what each symbol stands for."""
    turned = {knob.place: knob for knob in knobs(node)}
    names = {place: f"c{number}" for number, place in enumerate(turned)}

    def change(place: Place, part: Node) -> sympy.Expr | None:
        if place not in turned:
            return None
        sign = {"positive": True} if turned[place].value > 0 else {"real": True}
        symbol = sympy.Symbol(names[place], **sign)
        if isinstance(part, Constant):
            return symbol
        base = part.arguments[0] if isinstance(part, Call) else part
        return rebuild(base, symbols, change, (*place, 0)) ** symbol

    return rebuild(node, symbols, change), {names[place]: knob for place, knob in turned.items()}
