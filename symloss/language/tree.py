"""The genotype: a typed expression tree, grown from a grammar, printed to and parsed from text.

DEAP holds, cuts and swaps trees; its generators know no weights and fail on a sort of leaves only, so growing is ours.
"""

import math
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import Any, NoReturn

from deap import gp

from symloss.errors import FormulaError, GrammarError, unknown
from symloss.language.algebra import apply, constant
from symloss.language.extent import MAX_DEPTH, MAX_NODES
from symloss.language.formula import Formula, canonical
from symloss.language.grammar import Constants, Grammar, Number
from symloss.language.operators import OPERATORS
from symloss.language.slots import SLOTS

GROWTH_TRIES = 20
LONGEST_NUMBER = 40
"""Characters of a number in a tree's text; the longest double takes 24."""


class _Sort(type):
    # DEAP's crossover draws from a set of sorts: with the default hash, an address, the same seed would give different
    # children in different processes.
    number: int

    def __hash__(cls) -> int:
        return cls.number


class Real(metaclass=_Sort):
    """The sort of everything but exponents."""

    number = 1


class Exponent(metaclass=_Sort):
    """The sort of `pow`'s second argument: a constant."""

    number = 2


@dataclass(frozen=True)
class Node:
    """One node of a tree, with the faces that DEAP asks of a primitive or terminal (`arity`, `args`, `ret`, `format`).

    Args:
        name: of the operator or variable; a constant's text.
        value: of a constant; None for others.
        ret: the node's own sort.
        args: the sorts of its arguments.
    """

    name: str
    value: Number | None = None
    ret: _Sort = Real
    args: tuple[_Sort, ...] = ()

    @property
    def arity(self) -> int:
        """Number of arguments."""
        return len(self.args)

    def format(self, *arguments: str) -> str:
        """Return the text of the subtree below, given its arguments' texts."""
        return f"{self.name}({', '.join(arguments)})" if arguments else self.name


def constant_node(value: Number, sort: _Sort = Real) -> Node:
    """Return a leaf that holds a number; its text gives the number back to the last bit."""
    return Node(repr(value), value, sort)


def readable(value: float) -> float:
    """Round a drawn constant to three significant digits, which people can read and evolution still can tune."""
    return float(f"{value:.3g}") + 0.0  # -0.0 becomes 0.0


@dataclass(frozen=True)
class Urn:
    """Weighted drawing of nodes."""

    makers: tuple[Callable[[random.Random], Node], ...]
    cumulated: tuple[float, ...]

    def __bool__(self) -> bool:
        return bool(self.makers)

    @classmethod
    def of(cls, entries: Sequence[tuple[float, Callable[[random.Random], Node]]]) -> "Urn":
        """Make an urn from weights and what each draws."""
        return cls(tuple(make for _, make in entries), tuple(accumulate(weight for weight, _ in entries)))

    def draw(self, rng: random.Random) -> Node:
        """Draw one node."""
        return rng.choices(self.makers, cum_weights=self.cumulated)[0](rng)

    def draw_other(self, node: Node, rng: random.Random) -> Node:
        """Draw one node that differs from another, or that one where the urn seems to hold nothing else."""
        drawn = self.draw(rng)
        for _ in range(GROWTH_TRIES):
            if drawn != node:
                break
            drawn = self.draw(rng)
        return drawn


@dataclass(frozen=True)
class Vocabulary:
    """A grammar's nodes, ready to be drawn.

    Args:
        names: operators and variables by name.
        pools: the constants of each sort.
        leaves: variables and constants of each sort.
        operators: all of sort Real.
        everything: operators and leaves together.
        alike: operators by the sorts of their arguments.
    """

    names: Mapping[str, Node]
    pools: Mapping[_Sort, Constants]
    leaves: Mapping[_Sort, Urn]
    operators: Urn
    everything: Urn
    alike: Mapping[tuple[_Sort, ...], Urn]


_Entries = list[tuple[float, Callable[[random.Random], Node]]]


@lru_cache(maxsize=64)
def vocabulary(grammar: Grammar) -> Vocabulary:
    """Return the grammar's nodes; the same object for an equal grammar."""
    operators = {name: _operator_node(name) for name in grammar.operators}
    variables = {name: Node(name) for name in grammar.variables}
    weighted: _Entries = [(weight, _always(operators[name])) for name, weight in grammar.operators.items()]
    leaves: _Entries = [(weight, _always(variables[name])) for name, weight in grammar.variables.items()]
    leaves += _constant_entries(grammar.constants, Real)
    signatures = {node.args for node in operators.values()}
    return Vocabulary(
        names=operators | variables,
        pools={Real: grammar.constants, Exponent: grammar.exponents},
        leaves={Real: Urn.of(leaves), Exponent: Urn.of(_constant_entries(grammar.exponents, Exponent))},
        operators=Urn.of(weighted),
        everything=Urn.of(weighted + leaves),
        alike={
            args: Urn.of([entry for entry, node in zip(weighted, operators.values(), strict=True) if node.args == args])
            for args in signatures
        },
    )


@lru_cache(maxsize=8)
def all_names(grammar: Grammar) -> Mapping[str, Node]:
    """Return the nodes of all operators and of all variables of the grammar's slot, by name."""
    operators = {name: _operator_node(name) for name in OPERATORS}
    variables = {each.name: Node(each.name) for each in SLOTS[grammar.slot].variables}
    return {**operators, **variables, **vocabulary(grammar).names}


def _operator_node(name: str) -> Node:
    operator = OPERATORS[name]
    return Node(name, args=(Real, Exponent) if operator.exponent else (Real,) * operator.arity)


def _always(node: Node) -> Callable[[random.Random], Node]:
    return lambda rng: node


def _constant_entries(pool: Constants, sort: _Sort) -> _Entries:
    entries: _Entries = [(pool.weight, _always(constant_node(value, sort))) for value in pool.fixed]
    integers, ephemeral = pool.integers, pool.ephemeral
    if integers and integers.weight:
        entries.append((integers.weight, lambda rng: constant_node(rng.randint(integers.low, integers.high), sort)))
    if ephemeral:
        draw = lambda rng: constant_node(readable(rng.uniform(ephemeral.low, ephemeral.high)), sort)  # noqa: E731
        entries.append((ephemeral.weight, draw))
    return entries


class Tree:
    """An expression tree of a grammar; equal to another when both have the same text and grammar.

    Args:
        nodes: depth first, each operator before its arguments.

    Example:
        >>> str(grow(load_grammar("glo"), random.Random(7)))
        'log(sub(p, t))'
    """

    def __init__(self, nodes: tuple[Node, ...], grammar: Grammar) -> None:
        self.nodes = nodes
        self.grammar = grammar

    def __repr__(self) -> str:
        return f"Tree({self.text!r})"

    def __str__(self) -> str:
        return self.text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tree) and self.text == other.text and self.grammar == other.grammar

    def __hash__(self) -> int:
        return hash(self.text)

    @cached_property
    def text(self) -> str:
        """The prefix form, e.g. `add(mul(t, log(p)), 0.31)`; `parse_tree` reads it back to the last bit."""
        texts: list[str] = []
        for node in reversed(self.nodes):
            texts.append(node.format(*[texts.pop() for _ in node.args]) if node.args else node.name)
        return texts[0]

    def to_deap(self) -> gp.PrimitiveTree:
        """Return a copy that DEAP's operators may change in place."""
        return gp.PrimitiveTree(self.nodes)

    @cached_property
    def depth(self) -> int:
        """Edges from the root to the deepest leaf; 0 for a leaf alone."""
        depths: list[int] = []
        for node in reversed(self.nodes):
            depths.append(1 + max([depths.pop() for _ in node.args]) if node.args else 0)
        return depths[0]

    @property
    def size(self) -> int:
        """Number of nodes."""
        return len(self.nodes)

    @cached_property
    def variables(self) -> frozenset[str]:
        """Names of the variables in the tree; its formula may have lost some, as in p - p."""
        return frozenset(node.name for node in self.nodes if not node.args and node.value is None)

    @property
    def fits(self) -> bool:
        """Whether the tree keeps its grammar's limits."""
        limits = self.grammar.limits
        return self.size <= limits.max_nodes and self.depth <= limits.max_depth

    def span(self, index: int) -> slice:
        """Return where the subtree rooted at a node lies in `nodes`."""
        open_arguments, stop = 1, index
        while open_arguments:
            open_arguments += len(self.nodes[stop].args) - 1
            stop += 1
        return slice(index, stop)

    def replaced(self, index: int, subtree: Sequence[Node]) -> "Tree":
        """Return the tree with another subtree at a node."""
        span = self.span(index)
        return Tree((*self.nodes[: span.start], *subtree, *self.nodes[span.stop :]), self.grammar)

    def formula(self) -> Formula:
        """Return the tree's formula; it is computed once.

        Raises:
            FormulaError: the formula is undefined everywhere, e.g. log(-1).
        """
        found = self._formula
        if isinstance(found, FormulaError):
            raise found
        return found

    @cached_property
    def _formula(self) -> Formula | FormulaError:
        symbols = SLOTS[self.grammar.slot].symbols()
        stack: list[Any] = []  # sympy expressions
        try:
            for node in reversed(self.nodes):
                if node.args:
                    stack.append(apply(node.name, [stack.pop() for _ in node.args]))
                else:
                    stack.append(symbols[node.name] if node.value is None else constant(node.value))
            return canonical(stack.pop(), self.grammar.slot)
        except FormulaError as error:
            return error.with_traceback(None)


class StoredTree(Tree):
    """A tree that a search has proposed before, as its run keeps it; its text is read when its nodes are asked for.

    A run's own trees are taken as they are: a warm start or fitted coefficients may lie beyond the grammar's limits.

    Raises:
        GrammarError: when its nodes are asked for, and the text is no tree.
    """

    def __init__(self, text: str, grammar: Grammar) -> None:
        self.text = text
        self.grammar = grammar

    def read(self) -> Tree:
        """Return the tree with its nodes, now.

        Raises:
            GrammarError: the text is no tree.
        """
        return Tree(self.nodes, self.grammar)

    @cached_property
    def nodes(self) -> tuple[Node, ...]:  # type: ignore[override]
        """Depth first, each operator before its arguments."""
        return _read(self.text, self.grammar, _AnyTree)


def grow(grammar: Grammar, rng: random.Random) -> Tree:
    """Grow a new tree within the grammar's limits, the way its `initialisation` says."""
    return INITIALISATIONS[grammar.initialisation](grammar, rng)


def grow_glo(grammar: Grammar, rng: random.Random) -> Tree:
    """Draw operators and leaves together down to the greatest initial depth (GLO, arXiv:1905.11528, section 3)."""
    least, greatest = grammar.limits.initial_depth
    return _first_fitting(grammar, greatest, lambda height: sprout(grammar, rng, min(least, height), height))


def grow_ramped(grammar: Grammar, rng: random.Random) -> Tree:
    """Draw a depth, then a full tree of it or one with leaves at any depth (ramped half-and-half, Koza 1992)."""
    least, greatest = grammar.limits.initial_depth
    full = rng.random() < 0.5
    height = rng.randint(least, greatest)
    return _first_fitting(grammar, height, lambda top: sprout(grammar, rng, top if full else min(least, top), top))


INITIALISATIONS: dict[str, Callable[[Grammar, random.Random], Tree]] = {"glo": grow_glo, "ramped": grow_ramped}


def _first_fitting(grammar: Grammar, height: int, make: Callable[[int], list[Node]]) -> Tree:
    # max_nodes may be too small for the drawn height; a tree of height 0 always fits
    for top in range(height, -1, -1):
        for _ in range(GROWTH_TRIES):
            tree = Tree(tuple(make(top)), grammar)
            if tree.fits:
                return tree
    raise AssertionError("a single leaf fits every grammar")


def sprout(grammar: Grammar, rng: random.Random, least: int, greatest: int, sort: _Sort = Real) -> list[Node]:
    """Grow a subtree whose leaves lie between two depths, leaves of sort Exponent apart.

    Returns:
        Its nodes, depth first.
    """
    words = vocabulary(grammar)
    if sort is Exponent or greatest <= 0:
        return [words.leaves[sort].draw(rng)]
    node = (words.operators if least > 0 else words.everything).draw(rng)
    return [node, *(leaf for arg in node.args for leaf in sprout(grammar, rng, least - 1, greatest - 1, arg))]


class _Global:
    """Python's global generator: whether someone around has kept its state."""

    kept = False


@contextmanager
def undisturbed() -> Iterator[None]:
    """Leave Python's global generator as if nothing had been drawn, also after an exception.

    Keeping its state takes longer than a draw: around many that are `seeded`, keep it once.
    """
    outside, before = random.getstate(), _Global.kept
    _Global.kept = True
    try:
        yield
    finally:
        _Global.kept = before
        random.setstate(outside)


@contextmanager
def seeded(rng: random.Random) -> Iterator[None]:
    """Seed Python's global generator, which DEAP draws from, by one draw from another; outside it is undisturbed."""
    with nullcontext() if _Global.kept else undisturbed():
        random.seed(rng.getrandbits(64))
        yield


def parse_tree(text: str, grammar: Grammar) -> Tree:
    """Read a tree from its prefix form.

    Raises:
        GrammarError: the text is no tree of this grammar, or one beyond its limits.

    Example:
        >>> parse_tree("neg(mul(t, log(p)))", load_grammar("compact")).size
        5
    """
    return Tree(_read(text, grammar, _Reader), grammar)


def _read(text: str, grammar: Grammar, kind: "type[_Reader]") -> tuple[Node, ...]:
    reader = kind(text, grammar)
    nodes = reader.subtree(Real, 0)
    if reader.token:
        reader.fail(f"'{reader.token}' after the tree's end")
    return tuple(nodes)


_TOKEN = re.compile(r"\s*(-?\d[\w.+-]*|\w+|\S|$)", re.ASCII)
_NUMBER = re.compile(r"-?\d+(?P<real>(\.\d+)?(e[+-]?\d+)?)", re.ASCII)


class _Reader:
    # recursive descent; limits are checked on the way, so that text of any size costs no more than an allowed tree
    def __init__(self, text: str, grammar: Grammar) -> None:
        self.text = text
        self.grammar = grammar
        self.names = self.known_names()
        self.size = 0
        self.column = self.next_column = 0
        self.token = ""
        self.advance()

    def known_names(self) -> Mapping[str, Node]:
        return vocabulary(self.grammar).names

    def limits(self) -> tuple[int, int]:
        return self.grammar.limits.max_depth, self.grammar.limits.max_nodes

    def allows(self, value: Number, sort: _Sort) -> bool:
        return _allowed(value, vocabulary(self.grammar).pools[sort])

    def advance(self) -> str:
        taken = self.token
        match = _TOKEN.match(self.text, self.next_column)
        assert match is not None  # the pattern ends with "or the end of the text"
        self.token, self.column, self.next_column = match[1], match.start(1), match.end()
        return taken

    def fail(self, complaint: str) -> NoReturn:
        raise GrammarError(f"tree text, column {self.column + 1}: {complaint[:200]}")

    def expect(self, sign: str) -> None:
        if self.token != sign:
            got = f"'{self.token[:40]}'" if self.token else "the end"
            self.fail(f"expected '{sign}', got {got}")
        self.advance()

    def subtree(self, sort: _Sort, depth: int) -> list[Node]:
        self.size += 1
        max_depth, max_nodes = self.limits()
        if depth > max_depth or self.size > max_nodes:
            allowed = f"max_depth = {max_depth} and max_nodes = {max_nodes}"
            self.fail(f"the tree is beyond the limits of grammar {self.grammar.name}, {allowed}")
        node = self.leaf_or_operator(sort)
        nodes = [node]
        for position, arg in enumerate(node.args):
            self.expect("," if position else "(")
            nodes += self.subtree(arg, depth + 1)
        if node.args:
            self.expect(")")
        return nodes

    def leaf_or_operator(self, sort: _Sort) -> Node:
        if self.token[:1].isdigit() or self.token[:1] == "-":
            return self.number(sort)
        if sort is Exponent:
            self.fail(f"an exponent is a number, got '{self.token[:40]}'")
        if self.token not in self.names:
            kind = f"operator or variable of grammar {self.grammar.name}"
            place = f"tree text, column {self.column + 1},"
            raise GrammarError(unknown(place, kind, self.token[:40], self.names))
        return self.names[self.advance()]

    def number(self, sort: _Sort) -> Node:
        match = _NUMBER.fullmatch(self.token)
        if match is None or len(self.token) > LONGEST_NUMBER:
            self.fail(f"'{self.token[:40]}' is not a number")
        value: Number = float(self.token) if match["real"] else int(self.token)
        if not self.allows(value, sort):
            kind = "exponent" if sort is Exponent else "constant"
            self.fail(f"{self.token} is no {kind} of grammar {self.grammar.name}")
        self.advance()
        return constant_node(value, sort)


class _AnyTree(_Reader):
    # what no grammar limits: all operators, the slot's variables, any constant, the size that a formula may have

    def known_names(self) -> Mapping[str, Node]:
        return all_names(self.grammar)

    def limits(self) -> tuple[int, int]:
        return MAX_DEPTH, MAX_NODES

    def allows(self, value: Number, sort: _Sort) -> bool:
        return math.isfinite(value)


def _allowed(value: Number, pool: Constants) -> bool:
    if any(value == fixed and type(value) is type(fixed) for fixed in pool.fixed):
        return True
    if isinstance(value, int):
        return pool.integers is not None and pool.integers.low <= value <= pool.integers.high
    return pool.ephemeral is not None and pool.ephemeral.low <= value <= pool.ephemeral.high
