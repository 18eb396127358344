"""What a variation changed: two genotypes side by side, as one text with what was taken out and what was put in.

Trees are compared as trees, so that a swapped subtree is one change; texts that are no trees, word by word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

_TOKEN = re.compile(r"\s*([A-Za-z_]\w*|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|\*\*|\S)")
_WORD = re.compile(r"[A-Za-z_]\w*|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|\*\*|\s+|.", re.DOTALL)
_LARGEST = 4000  # characters; longer texts are not compared

Change = Literal["same", "out", "in"]


@dataclass(frozen=True)
class Piece:
    """A part of the joined text."""

    change: Change
    text: str


@dataclass(frozen=True)
class _Term:
    """A subtree: an operator with its arguments, or a leaf."""

    name: str
    arguments: tuple[_Term, ...]

    def __str__(self) -> str:
        return f"{self.name}({', '.join(map(str, self.arguments))})" if self.arguments else self.name


def difference(before: str, after: str) -> list[Piece]:
    """Return one text out of two: what both have, what only the first has, what only the second has.

    Example:
        >>> difference("mul(t, p)", "mul(t, log(p))")
        [Piece('same', 'mul(t, '), Piece('out', 'p'), Piece('in', 'log(p)'), Piece('same', ')')]
    """
    if max(len(before), len(after)) > _LARGEST:
        return [Piece("out", before), Piece("in", after)]
    one, other = read_term(before), read_term(after)
    if one is None or other is None:
        return _joined(_by_words(before, after))
    return _joined(_by_terms(one, other))


def borrowed(first: str, donor: str, child: str) -> list[str]:
    """Return the largest subtrees of a child that only its second parent has: what a crossover took from there.

    Where there are none, because what was taken is in the first parent too: what was put in and is a subtree.

    Example:
        >>> borrowed("mul(t, p)", "add(log(p), t)", "mul(t, log(p))")
        ['log(p)']
    """
    one, other, made = read_term(first), read_term(donor), read_term(child)
    if one is None or other is None or made is None:
        return []
    known, lent = set(_subtrees(one)), set(_subtrees(other))
    found = list(dict.fromkeys(map(str, _largest(made, lent - known))))
    put_in = [piece.text for piece in difference(first, child) if piece.change == "in"]
    return found or [text for text in put_in if read_term(text) in lent]


def _subtrees(term: _Term) -> Iterator[_Term]:
    yield term
    for argument in term.arguments:
        yield from _subtrees(argument)


def _largest(term: _Term, wanted: set[_Term]) -> Iterator[_Term]:
    if term in wanted:
        yield term
        return
    for argument in term.arguments:
        yield from _largest(argument, wanted)


def _by_terms(one: _Term, other: _Term) -> Iterator[Piece]:
    if one == other:
        yield Piece("same", str(one))
    elif one.name == other.name and len(one.arguments) == len(other.arguments) > 0:
        yield Piece("same", f"{one.name}(")
        for place, (first, second) in enumerate(zip(one.arguments, other.arguments, strict=True)):
            if place:
                yield Piece("same", ", ")
            yield from _by_terms(first, second)
        yield Piece("same", ")")
    elif one.arguments and one.arguments == other.arguments:
        yield Piece("out", one.name)
        yield Piece("in", other.name)
        yield Piece("same", f"({', '.join(map(str, one.arguments))})")
    elif one in other.arguments:
        yield from _around(other, one, "in")
    elif other in one.arguments:
        yield from _around(one, other, "out")
    else:
        yield Piece("out", str(one))
        yield Piece("in", str(other))


def _around(whole: _Term, kept: _Term, change: Change) -> Iterator[Piece]:
    """An operator was put around a subtree, or taken from around it."""
    place = whole.arguments.index(kept)
    before = "".join(f"{each}, " for each in whole.arguments[:place])
    after = "".join(f", {each}" for each in whole.arguments[place + 1 :])
    yield Piece(change, f"{whole.name}({before}")
    yield Piece("same", str(kept))
    yield Piece(change, f"{after})")


def _by_words(before: str, after: str) -> Iterator[Piece]:
    one, other = _WORD.findall(before), _WORD.findall(after)
    for tag, a, b, c, d in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if tag == "equal":
            yield Piece("same", "".join(one[a:b]))
            continue
        yield Piece("out", "".join(one[a:b]))
        yield Piece("in", "".join(other[c:d]))


def _joined(pieces: Iterator[Piece]) -> list[Piece]:
    found: list[Piece] = []
    for piece in pieces:
        if found and found[-1].change == piece.change:
            found[-1] = Piece(piece.change, found[-1].text + piece.text)
        elif piece.text:
            found.append(piece)
    return found


def read_term(text: str) -> _Term | None:
    """Read a tree's prefix text such as `mul(t, log(p))`; None when it is something else."""
    tokens = [match.group(1) for match in _TOKEN.finditer(text)]
    try:
        term, end = _read(tokens, 0)
    except (IndexError, RecursionError):
        return None
    return term if term is not None and end == len(tokens) else None


def _read(tokens: list[str], start: int) -> tuple[_Term | None, int]:
    name, place = tokens[start], start + 1
    if not re.match(r"[A-Za-z_]|[-+]?\.?\d", name):
        return None, place
    if place == len(tokens) or tokens[place] != "(":
        return _Term(name, ()), place
    arguments: list[_Term] = []
    while tokens[place] in ("(", ","):
        argument, place = _read(tokens, place + 1)
        if argument is None:
            return None, place
        arguments.append(argument)
    return (_Term(name, tuple(arguments)), place + 1) if tokens[place] == ")" else (None, place)
