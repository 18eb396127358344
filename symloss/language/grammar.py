"""What trees a search may grow: one TOML file becomes one frozen `Grammar`.

Operators, variables and constants carry weights; limits, required variables and the first trees stand beside.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import symloss
from symloss.errors import ExperimentError, GrammarError, shortened, unknown
from symloss.language.files import read_text
from symloss.language.operators import OPERATORS, adopt_operator
from symloss.language.slots import SLOTS, adopt_slot
from symloss.settings import LONGEST, Rule, choice, read_record, read_toml, setting

DEEPEST = 32
LARGEST_TREE = 256
"""Ceilings on `max_depth` and `max_nodes`: what a loss file can hold."""

BOUND = 1e6
"""Ceiling on the size of constants and weights."""

INITIALISATION_NAMES = ("glo", "ramped")

Number = int | float


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -BOUND <= value <= BOUND


def _checked(allowed: str, fits: Callable[[Any], object], kept: Callable[[Any], Any] = lambda value: value) -> Rule:
    def read(value: Any) -> Any:
        if not fits(value):
            raise ValueError(value)
        return kept(value)

    return Rule(allowed, read)


def _distinct(values: object, fits: Callable[[Any], bool]) -> bool:
    return isinstance(values, list) and all(map(fits, values)) and len(set(values)) == len(values)


def _integer(low: float, high: float) -> Rule:
    return _checked(f"an integer from {low:g} to {high:g}", lambda value: type(value) is int and low <= value <= high)


_REAL = _checked(f"a finite number from {-BOUND:g} to {BOUND:g}", _is_number, float)
_WEIGHT = _checked(
    f"a weight above 0, at most {BOUND:g}, relative to its neighbours' (leave out what may not occur)",
    lambda value: _is_number(value) and value > 0,
    float,
)
_WEIGHT_OR_NONE = _checked(f"a weight from 0 to {BOUND:g}", lambda value: _is_number(value) and value >= 0, float)
_FIXED = _checked(
    "a list of distinct numbers such as [1, -1, 0.5]",
    lambda value: _distinct(value, _is_number) and value,
    # -0.0 would print as another constant than the 0 that it is
    lambda value: tuple(number or 0 for number in value),
)
_DEPTHS = _checked(
    "[least, greatest], such as [1, 3]",
    lambda value: isinstance(value, list) and len(value) == 2 and all(type(each) is int for each in value),
    tuple,
)
_NAMES = _checked(
    'a list of distinct names such as ["t", "p"]',
    lambda value: _distinct(value, lambda name: isinstance(name, str)),
    tuple,
)
_TEXT = _checked("a text in quotes", lambda value: isinstance(value, str))
_NAME = _checked("a name in quotes, not empty", lambda value: isinstance(value, str) and value.strip())
_TABLE = _checked("a table", lambda value: isinstance(value, Mapping))


def _slot(value: Any) -> str:
    if isinstance(value, str):
        adopt_slot(value)
    if value not in tuple(SLOTS):
        raise ValueError(value)
    return str(value)


_SLOT = Rule(f"one of {', '.join(SLOTS)}", _slot, tuple(SLOTS))


@dataclass(frozen=True)
class Integers:
    """Integer constants from `low` to `high`; with weight 0 only the mutation that steps an integer leads to them."""

    low: int = setting(_integer(-BOUND, BOUND))
    high: int = setting(_integer(-BOUND, BOUND))
    weight: float = setting(_WEIGHT_OR_NONE, 1.0)


@dataclass(frozen=True)
class Ephemeral:
    """Real constants, drawn evenly from [low, high] when a leaf is grown, mutated by normal steps of width `sigma`."""

    low: float = setting(_REAL)
    high: float = setting(_REAL)
    sigma: float = setting(_WEIGHT)
    weight: float = setting(_WEIGHT, 1.0)


@dataclass(frozen=True)
class Constants:
    """The constants that one kind of leaf may hold.

    Args:
        fixed: each as likely as `weight` says.
    """

    fixed: tuple[Number, ...] = ()
    weight: float = 1.0
    integers: Integers | None = None
    ephemeral: Ephemeral | None = None

    @property
    def distinct(self) -> int:
        """How many constants there are, where all ephemeral ones count as one."""
        whole = range(self.integers.low, self.integers.high + 1) if self.integers else range(0)
        return len(whole) + sum(value not in whole for value in self.fixed) + (self.ephemeral is not None)


@dataclass(frozen=True)
class Limits:
    """How deep (a leaf alone has depth 0) and how large trees may be.

    Args:
        initial_depth: least and greatest depth of newly grown trees.
    """

    initial_depth: tuple[int, int] = setting(_DEPTHS)
    max_depth: int = setting(_integer(0, DEEPEST))
    max_nodes: int = setting(_integer(1, LARGEST_TREE))


@dataclass(frozen=True)
class Grammar:
    """The space of trees that a search walks.

    Args:
        slot: where the formulas plug in; its variables are those that `variables` may name.
        source: the publication that this space comes from, if any.
        operators: operator name -> weight.
        variables: variable name -> weight.
        constants: real leaves that are no variable.
        exponents: what the second argument of `pow` may be.
        initialisation: `glo` (operators and leaves drawn together) or `ramped` (ramped half-and-half).
        required: variables that every formula must see.
        when_missing: what becomes of a tree that lacks one: `reject` it, or `repair` it.
        text: the TOML it was read from, kept with a run.
    """

    name: str
    slot: str
    about: str
    source: str
    operators: Mapping[str, float] = field(hash=False)
    variables: Mapping[str, float] = field(hash=False)
    constants: Constants
    exponents: Constants
    limits: Limits
    initialisation: str
    required: tuple[str, ...]
    when_missing: str
    text: str = field(repr=False)

    def __hash__(self) -> int:  # asked for at every node that is drawn
        return hash(self.text)

    def lacks(self, seen: Iterable[str]) -> tuple[str, ...]:
        """Return the required variables that a formula over `seen` does not see, directly or through a stand-in."""
        names = set(seen)
        for variable in SLOTS[self.slot].variables:
            if variable.name in names:
                names |= set(variable.stands_for)
        return tuple(name for name in self.required if name not in names)


@dataclass(frozen=True)
class _File:
    # the keys of a grammar file, before the tables are read
    name: str = setting(_NAME)
    slot: str = setting(_SLOT)
    limits: Mapping[str, object] = setting(_TABLE)
    operators: Mapping[str, object] = setting(_TABLE)
    variables: Mapping[str, object] = setting(_TABLE)
    constants: Mapping[str, object] | None = setting(_TABLE, None)
    exponents: Mapping[str, object] | None = setting(_TABLE, None)
    about: str = setting(_TEXT, "")
    source: str = setting(_TEXT, "")
    initialisation: str = setting(choice(*INITIALISATION_NAMES), "ramped")
    required: tuple[str, ...] | None = setting(_NAMES, None)
    when_missing: str = setting(choice("reject", "repair"), "reject")


@dataclass(frozen=True)
class _ConstantsTable:
    fixed: tuple[Number, ...] = setting(_FIXED, ())
    weight: float = setting(_WEIGHT, 1.0)
    integers: Mapping[str, object] | None = setting(_TABLE, None)
    ephemeral: Mapping[str, object] | None = setting(_TABLE, None)


def load_grammar(name_or_path: str | Path, folder: Path | None = None) -> Grammar:
    """Read a grammar that comes with symloss by its name, or any other by its path.

    Args:
        name_or_path: `compact`, or `my/grammar.toml`.
        folder: what a relative path starts from; the current directory when None.

    Raises:
        GrammarError: there is no such grammar, or its file does not make one.

    Example:
        >>> load_grammar("compact").slot
        'classification'
    """
    known = _built_in()
    if isinstance(name_or_path, str) and re.fullmatch(r"[\w-]+", name_or_path):
        if name_or_path not in known:
            complaint = unknown("the experiment", "grammar", name_or_path, known)
            raise GrammarError(f"{complaint} A file's name ends in .toml.")
        path = known[name_or_path]
    else:
        path = (folder or Path()) / name_or_path
    try:
        text = read_text(path, 4 * LONGEST, "a grammar")
    except (OSError, ValueError) as error:
        raise GrammarError(f"the grammar {path} cannot be read: {error}. Known by name: {', '.join(known)}.") from error
    return read_grammar(text, str(path))


def list_grammars() -> list[str]:
    """Return the names of the grammars that come with symloss."""
    return list(_built_in())


def _built_in() -> dict[str, Path]:
    package = Path(symloss.__file__).parent
    for folder in (package / "grammars", package.parent / "grammars"):  # of a wheel, then of a checkout
        if folder.is_dir():
            return {path.stem: path for path in sorted(folder.glob("*.toml"))}
    return {}


def read_grammar(text: str, place: str) -> Grammar:
    """Read a grammar from TOML.

    Args:
        place: where the text came from; every complaint starts with it.

    Raises:
        GrammarError: the text is no TOML; a key is unknown, missing or holds what is not allowed; an operator, a slot
            or a variable is unknown; limits contradict each other; the required variables cannot meet in one tree.
    """
    try:
        grammar = _read(text, place)
    except ExperimentError as error:
        raise GrammarError(str(error)) from error
    except ValueError as error:  # an integer of more than 4300 digits
        raise GrammarError(f"{place} is not valid TOML: {error}.") from error
    _check_exponents(grammar, place)
    _check_required(grammar, place)
    return grammar


def _read(text: str, place: str) -> Grammar:
    file = read_record(_File, read_toml(text, place), f"{place}:")
    slot = SLOTS[file.slot]
    for name in file.operators:
        adopt_operator(name)
    return Grammar(
        name=file.name,
        slot=slot.name,
        about=file.about,
        source=file.source,
        operators=_weights(file.operators, f"{place}: [operators]", "operator", OPERATORS),
        variables=_weights(file.variables, f"{place}: [variables]", f"variable of slot {slot.name}", slot.symbols()),
        constants=_constants(file.constants, f"{place}: [constants]"),
        exponents=_constants(file.exponents, f"{place}: [exponents]"),
        limits=_limits(file.limits, f"{place}: [limits]"),
        initialisation=file.initialisation,
        required=slot.required if file.required is None else file.required,
        when_missing=file.when_missing,
        text=text,
    )


def _weights(table: Mapping[str, object], place: str, kind: str, known: Iterable[str]) -> Mapping[str, float]:
    if not table:
        raise GrammarError(f"{place} is empty: give at least one {kind} with its weight. Known: {', '.join(known)}.")
    for name in table:
        if name not in known:
            raise GrammarError(unknown(place, kind, name, known))
    return MappingProxyType({name: _weight(value, f"{place} {name}") for name, value in table.items()})


def _weight(value: object, place: str) -> float:
    try:
        return float(_WEIGHT.read(value))
    except ValueError as error:
        raise GrammarError(f"{place} is {shortened(repr(value))}; allowed: {_WEIGHT.allowed}.") from error


def _constants(table: Mapping[str, object] | None, place: str) -> Constants:
    if table is None:
        return Constants()
    read = read_record(_ConstantsTable, table, place)
    integers = None if read.integers is None else read_record(Integers, read.integers, f"{place} integers")
    ephemeral = None if read.ephemeral is None else read_record(Ephemeral, read.ephemeral, f"{place} ephemeral")
    if not read.fixed and not ephemeral and not (integers and integers.weight):
        raise GrammarError(f"{place} holds no constant that could be drawn; leave it out, or write e.g. fixed = [1].")
    for each in (integers, ephemeral):
        if each is not None and each.low >= each.high:
            words = f"low is {each.low} and high is {each.high}; allowed: low < high"
            raise GrammarError(f"{place} {words}. One value alone belongs into fixed.")
    return Constants(read.fixed, read.weight, integers, ephemeral)


def _limits(table: Mapping[str, object], place: str) -> Limits:
    limits = read_record(Limits, table, place)
    least, greatest = limits.initial_depth
    if not 0 <= least <= greatest <= limits.max_depth:
        raise GrammarError(
            f"{place} initial_depth is [{least}, {greatest}]; allowed: [least, greatest] with "
            f"0 <= least <= greatest <= max_depth = {limits.max_depth}."
        )
    return limits


def _check_exponents(grammar: Grammar, place: str) -> None:
    powers = [name for name in grammar.operators if OPERATORS[name].exponent]
    if powers and not grammar.exponents.distinct:
        words = f"[operators] names '{powers[0]}', which needs a table [exponents], e.g. fixed = [2, 0.5]"
        raise GrammarError(f"{place}: {words}.")
    if grammar.exponents.distinct and not powers:
        words = "[exponents] serves 'pow', which [operators] does not name; add the one or drop the other"
        raise GrammarError(f"{place}: {words}.")


def _check_required(grammar: Grammar, place: str) -> None:
    known = SLOTS[grammar.slot].symbols()
    for name in grammar.required:
        if name not in known:
            raise GrammarError(unknown(f"{place}: required", f"variable of slot {grammar.slot}", name, known))
    missing = grammar.lacks(grammar.variables)
    if missing:
        words = f"[variables] lacks {' and '.join(missing)}, which every formula must see; add it, or change required"
        raise GrammarError(f"{place}: {words}.")
    joins = any(OPERATORS[name].arity > 1 and not OPERATORS[name].exponent for name in grammar.operators)
    room = joins and grammar.limits.max_depth > 0 and grammar.limits.max_nodes >= 3
    if not room and all(grammar.lacks([name]) for name in grammar.variables):
        both = " and ".join(grammar.required)
        words = f"no tree can hold {both} together; name an operator of two arguments, or raise [limits]"
        raise GrammarError(f"{place}: {words}.")


def count_space(grammar: Grammar, max_depth: int | None = None) -> int:
    """Count the distinct trees of a grammar, where all ephemeral constants count as one.

    Args:
        max_depth: count trees up to this depth; up to the grammar's own when None. `max_nodes` holds in either case.

    Example:
        >>> count_space(load_grammar("glo"), 0)  # t, p and the integers from -9 to 9
        21
    """
    limits = grammar.limits
    deepest = limits.max_depth if max_depth is None else min(max_depth, limits.max_depth)
    leaves = [0, len(grammar.variables) + grammar.constants.distinct]
    counts = leaves  # counts[n]: trees of n nodes, so that joining arguments is a product of polynomials
    for _ in range(deepest):
        counts = _sum([leaves, *_grown(grammar, counts, limits.max_nodes)])
    return sum(counts)


def _grown(grammar: Grammar, counts: list[int], size: int) -> Iterator[list[int]]:
    pairs = _product(counts, counts, size)
    powers = _product(counts, [0, grammar.exponents.distinct], size)
    for operator in map(OPERATORS.__getitem__, grammar.operators):
        arguments = counts if operator.arity == 1 else powers if operator.exponent else pairs
        yield [0, *arguments][: size + 1]  # the operator is a node itself


def _product(left: list[int], right: list[int], size: int) -> list[int]:
    out = [0] * min(len(left) + len(right) - 1, size + 1)
    for i, a in enumerate(left):
        for j, b in enumerate(right[: size + 1 - i]):
            out[i + j] += a * b
    return out


def _sum(lists: Iterable[list[int]]) -> list[int]:
    total: list[int] = []
    for counts in lists:
        padded = counts + [0] * (len(total) - len(counts))
        total += [0] * (len(counts) - len(total))
        total = [a + b for a, b in zip(total, padded, strict=True)]
    return total
