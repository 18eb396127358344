"""Formulas as Python source: one printer, spelled for torch, sympy, JAX and Keras.

The source is made from a formula's reading, never from anybody's text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import count

import numpy as np

from symloss.errors import FormulaError
from symloss.language.formula import Formula
from symloss.language.operators import OPERATORS, Operator
from symloss.language.reading import Call, Constant, Name, Node, read
from symloss.language.reading import text as node_text
from symloss.language.slots import SLOTS

_SUM, _PRODUCT, _POWER, _ATOM = 1, 2, 3, 4
_INFIX = {"add": ("+", _SUM), "sub": ("-", _SUM), "mul": ("*", _PRODUCT), "div": ("/", _PRODUCT), "pow": ("**", _POWER)}
_EXACT = 2**53  # integers up to here are doubles
_SINGLE = 2**31 - 1  # JAX refuses Python's integers beyond it


@dataclass(frozen=True)
class Spelling:
    """How a library writes what Python has no sign for.

    Args:
        call: operator's record and its arguments' sources -> source of the call; None for one that `plain` spells out.
        fraction: template of numerator and denominator.
        double: template of a double's digits.
        whole: integers beyond it are written as doubles.
        lifted: template of a number `name` as an array like the array `like`.
        filled: template of a number `value` as an array like the array `like`.
    """

    call: Callable[[Operator, Sequence[str]], str | None]
    fraction: str = "{} / {}"
    double: str = "{}"
    whole: int = _EXACT
    lifted: str = ""
    filled: str = ""


def torch_name(operator: Operator) -> str:
    """Return how a file that imports torch, and nn from torch, names an operator's function.

    Raises:
        FormulaError: the function is not torch's own, so a file that needs torch alone cannot call it.
    """
    if operator.torch is None or not operator.torch.startswith("torch."):
        raise FormulaError(
            f"formula: the operator {operator.name} is computed by {operator.torch}, which a file that needs torch "
            "alone cannot call. Export the formula as loss, sympy or latex instead."
        )
    return operator.torch.replace("torch.nn.", "nn.")


def helper_name(operator: Operator) -> str:
    """Return the name of an exported helper that lets a function of two tensors take numbers, too."""
    return "_" + torch_name(operator).rpartition(".")[2]


def _torch_call(operator: Operator, arguments: Sequence[str]) -> str:
    name = torch_name(operator) if operator.arity == 1 else helper_name(operator)
    return f"{name}({', '.join(arguments)})"


def _sympy_call(operator: Operator, arguments: Sequence[str]) -> str | None:
    if operator.plain is not None:
        return None
    name = "sqrt" if operator.name == "sqrt" else operator.head and operator.head.__name__
    return f"sympy.{name}({', '.join(arguments)})"


def array_name(operator: Operator, arrays: str, network: str) -> str:
    """Return how a library that follows numpy names an operator's function.

    Args:
        arrays: prefix of the functions that numpy has, too, under numpy's name.
        network: prefix of the others, under torch's name, e.g. `sigmoid`.

    Raises:
        FormulaError: the function is neither numpy's nor torch's own.
    """
    name = getattr(operator.numpy, "__name__", "")
    if isinstance(operator.numpy, np.ufunc) and getattr(np, name, None) is operator.numpy:
        return f"{arrays}.{name}"
    return f"{network}.{torch_name(operator).rpartition('.')[2]}"


def _jax_call(operator: Operator, arguments: Sequence[str]) -> str:
    return f"{array_name(operator, 'jnp', 'jax.nn')}({', '.join(arguments)})"


def _keras_call(operator: Operator, arguments: Sequence[str]) -> str:
    return f"{array_name(operator, 'ops', 'ops')}({', '.join(arguments)})"


TORCH = Spelling(
    _torch_call,
    lifted="torch.as_tensor({name}, dtype={like}.dtype, device={like}.device)",
    filled="{like}.new_full((), {value})",
)
SYMPY = Spelling(_sympy_call, fraction="sympy.Rational({}, {})", double="sympy.Float({})")
JAX = Spelling(
    _jax_call,
    whole=_SINGLE,
    lifted="jnp.asarray({name}, dtype={like}.dtype)",
    filled="jnp.full((), {value}, dtype={like}.dtype)",
)
KERAS = Spelling(
    _keras_call,
    whole=_SINGLE,
    lifted="ops.cast({name}, {like}.dtype)",
    filled="ops.full((), {value}, dtype={like}.dtype)",
)


def called(node: Node) -> frozenset[str]:
    """Return the names of the operators that a node calls."""
    if not isinstance(node, Call):
        return frozenset()
    return frozenset({node.operator}).union(*map(called, node.arguments))


@dataclass
class _Printer:
    """Prints nodes; what `names` holds is printed as that name."""

    spelling: Spelling
    names: dict[str, str] = field(default_factory=dict)

    def source(self, node: Node, level: int = 0) -> str:
        """Return an expression that binds at least as tightly as `level`."""
        text, own = self._print(node)
        return text if own >= level else f"({text})"

    def _print(self, node: Node) -> tuple[str, int]:
        known = self.names.get(node_text(node))
        if known is not None:
            return known, _ATOM
        if isinstance(node, Call):
            return self._print_call(node)
        return self._print_number(node.value) if isinstance(node, Constant) else (node.name, _ATOM)

    def _print_number(self, value: int | Fraction | float) -> tuple[str, int]:
        level = _ATOM if value >= 0 else _SUM
        if isinstance(value, Fraction):
            return self.spelling.fraction.format(value.numerator, value.denominator), min(level, _PRODUCT)
        if isinstance(value, float) or abs(value) > self.spelling.whole:
            return self.spelling.double.format(repr(float(value))), level
        return str(value), level

    def _print_call(self, node: Call) -> tuple[str, int]:
        first, last = node.arguments[0], node.arguments[-1]
        if node.operator == "neg":
            return "-" + self.source(first, _PRODUCT), _SUM
        if node.operator == "square":
            return self.source(first, _ATOM) + " ** 2", _POWER
        if node.operator in _INFIX:
            sign, level = _INFIX[node.operator]
            left = _ATOM if node.operator == "pow" else level
            right = level if node.operator == "add" else level + 1
            return f"{self.source(first, left)} {sign} {self.source(last, right)}", level
        record = OPERATORS[node.operator]
        text = self.spelling.call(record, [self.source(argument) for argument in node.arguments])
        return self._print(_spelled_out(record, node)) if text is None else (text, _ATOM)


def _spelled_out(record: Operator, node: Call) -> Node:
    """Return a call in the functions that the record's plain form is made of."""
    assert record.plain is not None
    given = {str(symbol): argument for symbol, argument in zip(record.symbols, node.arguments, strict=True)}

    def filled(part: Node) -> Node:
        if isinstance(part, Call):
            return Call(part.operator, tuple(map(filled, part.arguments)))
        return given[part.name] if isinstance(part, Name) else part

    return filled(read(record.plain(*record.symbols)))


def written(node: Node, spelling: Spelling) -> str:
    """Return a node as one Python expression."""
    return _Printer(spelling).source(node)


def body(formula: Formula, spelling: Spelling) -> str:
    """Return the body of a function of the slot's variables: sub-formulas that occur twice are computed once."""
    slot = SLOTS[formula.slot]
    printer, like = _Printer(spelling, dict(slot.fused)), slot.required[0]
    lines = [
        f"{variable.name} = {spelling.lifted.format(name=variable.name, like=like)}"
        for variable in slot.variables
        if variable.integer and variable.name in formula.variables
    ]
    taken = {variable.name for variable in slot.variables}
    fresh = (f"part{number}" for number in count(1) if f"part{number}" not in taken)
    for node in _shared(formula.node, printer.names):
        source = printer.source(node)
        printer.names[node_text(node)] = next(fresh)
        lines.append(f"{printer.names[node_text(node)]} = {source}")
    result = printer.source(formula.node)
    if not formula.variables:
        result = spelling.filled.format(value=result, like=like)
    return "\n".join(f"    {line}" for line in [*lines, f"return {result}"])


def _shared(node: Node, known: Mapping[str, str]) -> list[Call]:
    """Return the calls that occur more than once, inner ones first."""
    seen: Counter[str] = Counter()
    order: dict[str, Call] = {}

    def visit(part: Node) -> None:
        text = node_text(part)
        if not isinstance(part, Call) or text in known:
            return
        seen[text] += 1
        if seen[text] == 1:
            for argument in part.arguments:
                visit(argument)
            order[text] = part

    visit(node)
    return [part for text, part in order.items() if seen[text] > 1 and part.operator != "neg"]
