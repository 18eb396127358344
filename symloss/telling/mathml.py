"""A formula as MathML Core, which browsers draw by themselves: readable mathematics in a page without any library.

It follows the one reading that text and exports follow; constants are shortened to four significant digits for the eye.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from markupsafe import Markup

from symloss.language.reading import Call, Constant, Name, Node

Printed = tuple[Markup, int]  # the markup, and how tightly it binds

_SUM, _PRODUCT, _POWER, _ATOM = 1, 2, 3, 4
_APPLY = Markup("<mo>&#x2061;</mo>")  # invisible: function application
_TIMES = Markup("<mo>&#x22C5;</mo>")  # a dot
_THIN = Markup("<mo>&#x2062;</mo>")  # invisible: times
_MINUS = Markup("<mo>&#x2212;</mo>")


def mathml(node: Node, label: str = "") -> Markup:
    """Print a node as a `<math>` element.

    Args:
        node: e.g. `formula.node`.
        label: what a screen reader without MathML says; the formula's text, usually.

    Example:
        >>> mathml(parse("-t*log(p)").node)
        Markup('<math><mrow><mo>−</mo>...</mrow></math>')
    """
    attribute = Markup(' aria-label="{}"').format(label) if label else ""
    return Markup("<math{}>{}</math>").format(attribute, _printed(node)[0])


def _printed(node: Node) -> Printed:
    if isinstance(node, Name):
        return Markup("<mi>{}</mi>").format(node.name), _ATOM
    if isinstance(node, Constant):
        return _number(node.value)
    return SHAPES.get(node.operator, _function)(node)


def _number(value: int | Fraction | float) -> Printed:
    if value < 0:
        return _row(_MINUS, _number(-value)[0]), _SUM
    if isinstance(value, Fraction):
        return _fraction(_leaf(str(value.numerator)), _leaf(str(value.denominator)))
    mantissa, _, exponent = (str(value) if isinstance(value, int) and value < 10**6 else f"{value:.4g}").partition("e")
    if not exponent:
        return _leaf(mantissa), _ATOM
    power = Markup("<msup><mn>10</mn>{}</msup>").format(_number(int(exponent))[0])
    return _row(_leaf(mantissa), Markup("<mo>&#x00D7;</mo>"), power), _PRODUCT


def _leaf(digits: str) -> Markup:
    return Markup("<mn>{}</mn>").format(digits)


def _row(*parts: Markup) -> Markup:
    return Markup("<mrow>{}</mrow>").format(Markup("").join(parts))


def _fraction(over: Markup, under: Markup) -> Printed:
    return Markup("<mfrac>{}{}</mfrac>").format(over, under), _PRODUCT


def _inside(node: Node, level: int) -> Markup:
    markup, binds = _printed(node)
    return markup if binds >= level else _fenced(markup)


def _fenced(markup: Markup) -> Markup:
    # Brackets grow for fractions alone: around plain text, browsers without a mathematics font make them too large.
    stretch = "" if "<mfrac>" in markup else Markup(' stretchy="false"')
    return _row(Markup("<mo{}>(</mo>").format(stretch), markup, Markup("<mo{}>)</mo>").format(stretch))


def _add(call: Call) -> Printed:
    first, last = call.arguments
    return _row(_printed(first)[0], Markup("<mo>+</mo>"), _inside(last, _SUM)), _SUM


def _sub(call: Call) -> Printed:
    first, last = call.arguments
    return _row(_printed(first)[0], _MINUS, _inside(last, _PRODUCT)), _SUM


def _neg(call: Call) -> Printed:
    return _row(_MINUS, _inside(call.arguments[0], _PRODUCT)), _SUM


def _mul(call: Call) -> Printed:
    first, last = call.arguments
    # Two numbers side by side would read as one; everything else reads better without a sign.
    sign = _TIMES if isinstance(last, Constant) or _starts_with_digit(last) else _THIN
    return _row(_inside(first, _PRODUCT), sign, _inside(last, _PRODUCT)), _PRODUCT


def _starts_with_digit(node: Node) -> bool:
    while isinstance(node, Call) and node.operator in ("mul", "pow", "square"):
        node = node.arguments[0]
    return isinstance(node, Constant)


def _div(call: Call) -> Printed:
    over, under = call.arguments
    return _fraction(_printed(over)[0], _printed(under)[0])


def _power(base: Node, exponent: Markup) -> Printed:
    return Markup("<msup>{}{}</msup>").format(_inside(base, _ATOM), exponent), _POWER


def _square(call: Call) -> Printed:
    return _power(call.arguments[0], _leaf("2"))


def _pow(call: Call) -> Printed:
    return _power(call.arguments[0], _printed(call.arguments[1])[0])


def _exp(call: Call) -> Printed:
    return Markup("<msup><mi>e</mi>{}</msup>").format(_printed(call.arguments[0])[0]), _POWER


def _sqrt(call: Call) -> Printed:
    return Markup("<msqrt>{}</msqrt>").format(_printed(call.arguments[0])[0]), _ATOM


def _abs(call: Call) -> Printed:
    inner = _printed(call.arguments[0])[0]
    bar = Markup("<mo>|</mo>") if "<mfrac>" in inner else Markup('<mo stretchy="false">|</mo>')
    return _row(bar, inner, bar), _ATOM


def _function(call: Call) -> Printed:
    comma = Markup("<mo>,</mo>")
    name = Markup("<mi>{}</mi>").format(call.operator)
    arguments = comma.join(_printed(argument)[0] for argument in call.arguments)
    return _row(name, _APPLY, _fenced(arguments)), _ATOM


# Operators that have a notation of their own; all others are written as functions.
SHAPES: dict[str, Callable[[Call], Printed]] = {
    "add": _add,
    "sub": _sub,
    "neg": _neg,
    "mul": _mul,
    "div": _div,
    "square": _square,
    "pow": _pow,
    "exp": _exp,
    "sqrt": _sqrt,
    "abs": _abs,
}
