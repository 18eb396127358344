"""Formula to tape: one straight-line program of elementwise instructions for a loss's value and its derivative.

The derivative is taken backwards, operator by operator with torch's own local rules, so that ties, edges and NaN come
out as autograd has them; what does not depend on the model's output carries no derivative at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from symloss.language.formula import Formula
from symloss.language.reading import Constant, Name, Node, text
from symloss.language.slots import SLOTS, OutputLink

# The kernel's instruction set. An operator that is not here has no tape, and its formulas take the torch walk.
OPCODES = {
    name: number
    for number, name in enumerate(
        (
            "add",
            "sub",
            "mul",
            "div",
            "neg",
            "square",
            "cube",
            "sqrt",
            "log",
            "exp",
            "abs",
            "sign",
            "min",
            "max",
            "tanh",
            "sigmoid",
            "softplus",
            "sin",
            "cos",
            "pow",  # a, and the exponent in two parts, the same in every lane: float32 alone would round it
            "clamp",  # a, low, high
            "gate",  # g, a, b: g where a == b, else 0
            "favour",  # g, a, b: 0 where a < b, g / 2 at ties, else g
            "softplus_slope",  # g, a
            "tanh_slope",  # g, tanh a
            "sigmoid_slope",  # g, sigmoid a
        )
    )
}


@dataclass(frozen=True)
class Instruction:
    """One elementwise operation on registers.

    Args:
        opcode: a value of OPCODES.
        target: register that the result goes to; never one of the sources.
        sources: registers of one to three arguments.
    """

    opcode: int
    target: int
    sources: tuple[int, ...]


@dataclass(frozen=True)
class Tape:
    """A program whose first registers hold its constants, the next ones its inputs; neither is ever overwritten.

    Args:
        constants: the same in every element.
        inputs: names of the output link's variable and of given ones, in the order of their registers.
        code: in order of execution.
        registers: how many the program needs.
        value: register of the loss per element.
        slope: register of its derivative with respect to the output link's variable.
    """

    constants: tuple[float, ...]
    inputs: tuple[str, ...]
    code: tuple[Instruction, ...]
    registers: int
    value: int
    slope: int


def tape_of(formula: Formula) -> Tape | None:
    """Write a formula's value and derivative as a tape.

    Returns:
        None where the slot has no output link, or the formula holds an operator that the kernel does not know.

    Example:
        >>> tape_of(parse("-t*log(p)")).inputs
        ('t', 'log_p')
    """
    link = SLOTS[formula.slot].output_link
    if link is None:
        return None
    program = _Program()
    reader = _Reader(program, link, dict(SLOTS[formula.slot].fused))
    try:
        value = reader.place(formula.node)
    except _NotOnTapeError:
        return None
    return _allocate(program, value, _differentiate(program, value, ("input", link.along)))


class _NotOnTapeError(Exception):
    """An operator that has no opcode."""


# A value is named by what makes it, so that whatever is written twice is computed once.
Leaf = tuple[str, float | str]  # ("constant", number) or ("input", name)


class _Program:
    """Values in order of computation, each a leaf or an operator on earlier ones."""

    def __init__(self) -> None:
        self.values: list[Leaf | tuple[str, tuple[int, ...]]] = []
        self._places: dict[Leaf | tuple[str, tuple[int, ...]], int] = {}

    def add(self, value: Leaf | tuple[str, tuple[int, ...]]) -> int:
        """Return the place of a value, new or not."""
        if value not in self._places:
            self._places[value] = len(self.values)
            self.values.append(value)
        return self._places[value]

    def constant(self, number: float) -> int:
        """Return the place of a number."""
        return self.add(("constant", float(number)))

    def number(self, place: int) -> float | None:
        """Return the number at a place, None where there is none."""
        kind, what = self.values[place]
        return what if kind == "constant" and isinstance(what, float) else None

    def sources(self, place: int) -> tuple[int, ...]:
        """Return the arguments of the operator at a place, none for a leaf."""
        what = self.values[place][1]
        return what if isinstance(what, tuple) else ()

    def call(self, operator: str, *sources: int) -> int:
        """Return the place of an operator's result; products with one, and signs of numbers, are done here."""
        numbers = [self.number(source) for source in sources]
        if operator == "mul" and 1.0 in numbers:
            return sources[1 - numbers.index(1.0)]
        if operator == "neg" and numbers[0] is not None:
            return self.constant(-numbers[0])
        if operator == "mul" and -1.0 in numbers:
            return self.call("neg", sources[1 - numbers.index(-1.0)])
        if operator == "neg" and self.values[sources[0]][0] == "neg":
            return self.sources(sources[0])[0]
        return self.add((operator, sources))

    def power(self, base: int, exponent: float) -> int:
        """Return the place of a power, written as torch computes it at the usual exponents."""
        if exponent in _POWERS:
            return _POWERS[exponent](self, base)
        upper = float(np.float32(exponent))
        return self.call("pow", base, self.constant(upper), self.constant(exponent - upper))


_POWERS: dict[float, Callable[[_Program, int], int]] = {
    -1.0: lambda p, a: p.call("div", p.constant(1), a),
    -0.5: lambda p, a: p.call("div", p.constant(1), p.call("sqrt", a)),
    0.5: lambda p, a: p.call("sqrt", a),
    1.0: lambda p, a: a,
    2.0: lambda p, a: p.call("square", a),
    3.0: lambda p, a: p.call("cube", a),
}


class _Reader:
    """Reads nodes into a program: fused parts first, then the variables that the output link derives."""

    def __init__(self, program: _Program, link: OutputLink, fused: Mapping[str, str]) -> None:
        self.program, self.derived, self.fused = program, link.derived, fused

    def place(self, node: Node) -> int:
        """Return the place of a node's value."""
        if isinstance(node, Constant):
            return self.program.constant(float(node.value))
        name = node.name if isinstance(node, Name) else self.fused.get(text(node))
        if name is None:
            return self._call(node)
        return self.place(self.derived[name]) if name in self.derived else self.program.add(("input", name))

    def _call(self, node: Node) -> int:
        assert not isinstance(node, Name | Constant)
        if node.operator not in OPCODES:
            raise _NotOnTapeError(node.operator)
        sources = [self.place(argument) for argument in node.arguments]
        if node.operator == "pow" and isinstance(exponent := node.arguments[1], Constant):
            return self.program.power(sources[0], float(exponent.value))
        return self.program.add((node.operator, tuple(sources)))


# What torch's autograd does with g, the derivative at an operator's result r: one derivative per argument. None stands
# for an argument that is never differentiated.
Slopes = Sequence[int | None]
Rule = Callable[[_Program, int, Sequence[int], int], Slopes]


def _div_rule(p: _Program, g: int, s: Sequence[int], r: int) -> Slopes:
    return p.call("div", g, s[1]), p.call("mul", p.call("neg", g), p.call("div", r, s[1]))


def _pow_rule(p: _Program, g: int, s: Sequence[int], r: int) -> Slopes:
    upper, lower = p.number(s[1]), p.number(s[2])
    assert upper is not None, "an exponent is a number"
    assert lower is not None, "an exponent is a number"
    exponent = upper + lower
    return p.call("mul", g, p.call("mul", p.constant(exponent), p.power(s[0], exponent - 1))), None, None


def _max_rule(p: _Program, g: int, s: Sequence[int], r: int) -> Slopes:
    return p.call("favour", g, s[0], s[1]), p.call("favour", g, s[1], s[0])


RULES: dict[str, Rule] = {
    "add": lambda p, g, s, r: (g, g),
    "sub": lambda p, g, s, r: (g, p.call("neg", g)),
    "mul": lambda p, g, s, r: (p.call("mul", g, s[1]), p.call("mul", g, s[0])),
    "div": _div_rule,
    "neg": lambda p, g, s, r: (p.call("neg", g),),
    "square": lambda p, g, s, r: (p.call("mul", g, p.call("mul", p.constant(2), s[0])),),
    "cube": lambda p, g, s, r: (p.call("mul", g, p.call("mul", p.constant(3), p.call("square", s[0]))),),
    "sqrt": lambda p, g, s, r: (p.call("div", g, p.call("mul", p.constant(2), r)),),
    "log": lambda p, g, s, r: (p.call("div", g, s[0]),),
    "exp": lambda p, g, s, r: (p.call("mul", g, r),),
    "abs": lambda p, g, s, r: (p.call("mul", g, p.call("sign", s[0])),),
    "sign": lambda p, g, s, r: (p.constant(0),),
    "min": lambda p, g, s, r: tuple(reversed(_max_rule(p, g, s, r))),
    "max": _max_rule,
    "tanh": lambda p, g, s, r: (p.call("tanh_slope", g, r),),
    "sigmoid": lambda p, g, s, r: (p.call("sigmoid_slope", g, r),),
    "softplus": lambda p, g, s, r: (p.call("softplus_slope", g, s[0]),),
    "sin": lambda p, g, s, r: (p.call("mul", g, p.call("cos", s[0])),),
    "cos": lambda p, g, s, r: (p.call("mul", g, p.call("neg", p.call("sin", s[0]))),),
    "pow": _pow_rule,
    "clamp": lambda p, g, s, r: (p.call("gate", g, s[0], r), None, None),
}


def _differentiate(program: _Program, value: int, along: Leaf) -> int:
    """Add the derivative of the value at a place along a leaf; a number where it does not depend on the leaf."""
    active = _depend_on(program, along)
    slopes = {value: program.constant(1)} if value in active else {}
    for place in sorted(active, reverse=True):
        kind = program.values[place][0]
        if place not in slopes or kind not in RULES:
            continue
        parts = RULES[kind](program, slopes[place], program.sources(place), place)
        for source, slope in zip(program.sources(place), parts, strict=True):
            if source in active and slope is not None:
                slopes[source] = program.call("add", slopes[source], slope) if source in slopes else slope
    return slopes.get(program.add(along), program.constant(0))


def _depend_on(program: _Program, leaf: Leaf) -> set[int]:
    active: set[int] = set()
    for place, value in enumerate(program.values):
        if value == leaf or active.intersection(program.sources(place)):
            active.add(place)
    return active


def _allocate(program: _Program, value: int, slope: int) -> Tape:
    """Give registers to the values that value and slope need; one whose value has served is used again."""
    needed = _needed(program, (value, slope))
    constants, inputs = ([at for at in needed if program.values[at][0] == kind] for kind in ("constant", "input"))
    calls = [at for at in needed if program.sources(at)]
    registers = {at: register for register, at in enumerate((*constants, *inputs))}
    pinned = set(registers)
    last_use = {source: at for at in calls for source in program.sources(at)}
    free: list[int] = []
    count = len(registers)
    code = []
    for at in calls:
        registers[at] = free.pop() if free else count
        count = max(count, registers[at] + 1)
        sources = program.sources(at)
        code.append(Instruction(OPCODES[str(program.values[at][0])], registers[at], _through(registers, sources)))
        done = {source for source in sources if last_use[source] == at} - pinned - {value, slope}
        free.extend(registers[source] for source in sorted(done))
    numbers = tuple(float(program.values[at][1]) for at in constants)  # type: ignore[arg-type]
    names = tuple(str(program.values[at][1]) for at in inputs)
    return Tape(numbers, names, tuple(code), count, registers[value], registers[slope])


def _through(registers: Mapping[int, int], places: Iterable[int]) -> tuple[int, ...]:
    return tuple(registers[place] for place in places)


def _needed(program: _Program, results: Sequence[int]) -> list[int]:
    """Return the places that the results are computed from, in order."""
    needed, waiting = set(results), list(results)
    while waiting:
        new = set(program.sources(waiting.pop())) - needed
        needed |= new
        waiting.extend(new)
    return sorted(needed)
