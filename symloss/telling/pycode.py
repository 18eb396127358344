"""Formulas as Python source: one printer, spelled for torch and for sympy.

The source is made from a formula's reading, never from anybody's text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import count

from symloss.language.formula import Formula
from symloss.language.reading import Call, Constant, Node
from symloss.language.reading import text as node_text
from symloss.language.slots import SLOTS

_SUM, _PRODUCT, _POWER, _ATOM = 1, 2, 3, 4
_INFIX = {"add": ("+", _SUM), "sub": ("-", _SUM), "mul": ("*", _PRODUCT), "div": ("/", _PRODUCT), "pow": ("**", _POWER)}
_EXACT = 2**53  # integers up to here are doubles


@dataclass(frozen=True)
class Spelling:
    """How a library writes what Python has no sign for.

    Args:
        functions: operator -> template of its arguments.
        fraction: template of numerator and denominator.
        double: template of a double's digits.
    """

    functions: Mapping[str, str]
    fraction: str = "{} / {}"
    double: str = "{}"


def _calls(prefix: str, **names: str) -> dict[str, str]:
    return {operator: f"{prefix}{name}({{}})" for operator, name in names.items()}


_SAME = {name: name for name in ("sqrt", "log", "exp", "sign", "tanh", "sin", "cos")}
TORCH = Spelling(
    _calls("torch.", **_SAME, abs="abs", sigmoid="sigmoid", softplus="nn.functional.softplus")
    | {"min": "_minimum({}, {})", "max": "_maximum({}, {})"}
)
SYMPY = Spelling(
    _calls("sympy.", **_SAME, abs="Abs")
    | {
        "min": "sympy.Min({}, {})",
        "max": "sympy.Max({}, {})",
        "sigmoid": "1 / (1 + sympy.exp(-({})))",
        "softplus": "sympy.log(1 + sympy.exp({}))",
    },
    fraction="sympy.Rational({}, {})",
    double="sympy.Float({})",
)


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
        if isinstance(value, float) or abs(value) > _EXACT:
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
        arguments = [self.source(argument) for argument in node.arguments]
        text = self.spelling.functions[node.operator].format(*arguments)
        return text, _ATOM if text.endswith(")") and not text.startswith("1 /") else _PRODUCT


def written(node: Node, spelling: Spelling) -> str:
    """Return a node as one Python expression."""
    return _Printer(spelling).source(node)


def torch_body(formula: Formula) -> str:
    """Return the body of a torch function of the slot's variables: sub-formulas that occur twice are computed once."""
    slot = SLOTS[formula.slot]
    printer = _Printer(TORCH, dict(slot.fused))
    lines = []
    for variable in slot.variables:
        if variable.integer and variable.name in formula.variables:
            like = slot.required[0]
            lines.append(
                f"{variable.name} = torch.as_tensor({variable.name}, dtype={like}.dtype, device={like}.device)"
            )
    taken = {variable.name for variable in slot.variables}
    fresh = (f"part{number}" for number in count(1) if f"part{number}" not in taken)
    for node in _shared(formula.node, printer.names):
        source = printer.source(node)
        printer.names[node_text(node)] = next(fresh)
        lines.append(f"{printer.names[node_text(node)]} = {source}")
    result = printer.source(formula.node)
    if not formula.variables:
        result = f"{slot.required[0]}.new_full((), {result})"
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
