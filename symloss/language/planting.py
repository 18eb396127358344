"""From a formula to a tree of a grammar: so that a search can start at what is known already.

An operator that the grammar lacks is written by those that it has, where there is such a way: `t/p` as
`mul(t, pow(p, -1))`; else it stays, and so do variables and constants that the grammar would not draw.
"""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

from symloss.errors import GrammarError
from symloss.language.formula import Formula
from symloss.language.grammar import Grammar
from symloss.language.reading import Call, Constant, Name
from symloss.language.reading import Node as Reading
from symloss.language.tree import Exponent, Node, Real, Tree, all_names, constant_node, vocabulary

Parts = tuple[Reading, ...]

# Operator -> how it is written without itself; each way is tried in turn.
WAYS: Mapping[str, tuple[Callable[[Parts], Reading], ...]] = {
    "neg": (lambda a: Call("mul", (Constant(-1), a[0])), lambda a: Call("sub", (Constant(0), a[0]))),
    "sub": (lambda a: Call("add", (a[0], Call("neg", (a[1],)))),),
    "div": (lambda a: Call("mul", (a[0], Call("pow", (a[1], Constant(-1))))),),
    "square": (lambda a: Call("pow", (a[0], Constant(2))), lambda a: Call("mul", (a[0], a[0]))),
    "sqrt": (lambda a: Call("pow", (a[0], Constant(Fraction(1, 2)))),),
    "add": (lambda a: Call("sub", (a[0], Call("neg", (a[1],)))),),
    "abs": (lambda a: Call("max", (a[0], Call("neg", (a[0],)))),),
    "pow": (
        lambda a: Call("square", (a[0],)) if a[1] == Constant(2) else Call("", ()),
        lambda a: Call("sqrt", (a[0],)) if a[1] in (Constant(Fraction(1, 2)), Constant(0.5)) else Call("", ()),
        lambda a: Call("div", (Constant(1), a[0])) if a[1] == Constant(-1) else Call("", ()),
    ),
}
DEEPEST = 4  # ways within ways


def plant(formula: Formula, grammar: Grammar) -> Tree:
    """Write a formula as a tree of a grammar; the tree's formula has the same values and gradients.

    Raises:
        GrammarError: the formula is of another slot.

    Example:
        >>> str(plant(parse("t/p - log(p)"), load_grammar("compact")))
        'sub(mul(t, pow(p, -1.0)), log(p))'
    """
    if formula.slot != grammar.slot:
        raise GrammarError(
            f"'{formula.text}' is of the slot {formula.slot}, and grammar {grammar.name} is for {grammar.slot}."
        )
    return Tree(tuple(_nodes(formula.node, grammar)), grammar)


def _nodes(reading: Reading, grammar: Grammar) -> list[Node]:
    names = all_names(grammar)
    if isinstance(reading, Constant):
        return [_leaf(reading, exponent=False)]
    if isinstance(reading, Name):
        return [names[reading.name]]
    written = _written(reading, grammar, DEEPEST) or reading
    node = names[written.operator]
    found = [node]
    for sort, argument in zip(node.args, written.arguments, strict=True):
        if isinstance(argument, Constant):
            found.append(_leaf(argument, sort is Exponent))
        else:
            found += _nodes(argument, grammar)
    return found


def _written(call: Call, grammar: Grammar, deepest: int) -> Call | None:
    """Return the call by an operator that the grammar has, whose arguments may need others in turn."""
    if call.operator in vocabulary(grammar).names:
        return call
    for way in WAYS.get(call.operator, ()) if deepest else ():
        other = way(call.arguments)
        if isinstance(other, Call) and other.operator:
            found = _written(other, grammar, deepest - 1)
            if found is not None and all(_can(each, grammar, deepest - 1) for each in _new(found, call)):
                return found
    return None


def _new(found: Call, call: Call) -> Sequence[Reading]:
    """Return the arguments that came in by rewriting; the formula's own are written when their turn comes."""
    return [each for each in found.arguments if each not in call.arguments]


def _can(reading: Reading, grammar: Grammar, deepest: int) -> bool:
    return not isinstance(reading, Call) or _written(reading, grammar, deepest) is not None


def _leaf(constant: Constant, exponent: bool) -> Node:
    value = constant.value
    if isinstance(value, int) and not exponent:
        return constant_node(value, Real)
    return constant_node(float(value), Exponent if exponent else Real)
