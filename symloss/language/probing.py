"""What a tree does on its slot's probe points, by numbers alone: whether it is worth training, and its fingerprint.

No algebra is done here: sympy takes milliseconds a formula, and most proposals are not worth one. Values and slopes are
carried through the tree together (forward differentiation), in float64.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from symloss.errors import FormulaError
from symloss.language.duals import DUALS, Dual
from symloss.language.formula import Formula, parse
from symloss.language.reading import Call, Name
from symloss.language.reading import Node as Reading
from symloss.language.slots import SLOTS, Probes, Response

DIGITS = 5  # after the point in a fingerprint's norm; as many, relative to the norm, in its entries
DIGEST = 16  # bytes of a fingerprint: among a million, two that differ share one with probability 2e-27

MISSING, UNDEFINED, NOT_FINITE, NO_GRADIENT = "missing variable", "undefined", "not finite", "no gradient"
VOID = (MISSING, UNDEFINED, NO_GRADIENT)
"""Tests that only what is no loss at all fails."""


class Word(Protocol):
    """One node of a tree in prefix order."""

    @property
    def name(self) -> str: ...
    @property
    def value(self) -> float | None: ...
    @property
    def arity(self) -> int: ...


@dataclass(frozen=True)
class Finding:
    """What the probe points say of a tree.

    Args:
        digest: 16 bytes; equal for two trees whose gradients training cannot tell apart. Of a tree without a finite
            gradient, a digest of its text.
        failed: name of the first free test that it does not pass; empty for one that is worth training.
        reason: why, in words.
    """

    digest: bytes
    failed: str = ""
    reason: str = ""

    @property
    def is_void(self) -> bool:
        """Whether it is no loss at all: a variable is missing, it is undefined everywhere, or nothing moves it."""
        return self.failed in VOID


class Prober:
    """Looks at trees of one slot on its probe points.

    Args:
        slot: a name in SLOTS.
        width: number of the base model's outputs.
        lacks: names in a tree -> what it does not see but must; the slot's own rule by default.

    Example:
        >>> Prober("classification", 10).look_at(parse("-t*log(p)")).failed
        ''
    """

    def __init__(self, slot: str, width: int, lacks: Callable[[Iterable[str]], tuple[str, ...]] | None = None) -> None:
        self._slot = SLOTS[slot]
        self._width = width
        self._lacks = lacks or self._slot.lacks
        self._probes = self._slot.probes(width)

    def look(self, words: Sequence[Word], text: str) -> Finding:
        """Put a tree through every free test that needs no training, cheapest first.

        Args:
            words: its nodes, each operator before its arguments.
            text: which the formula parser can read, e.g. `neg(mul(t, log(p)))`.
        """
        try:
            fault = self._missing(words) or self._fault(response := self.respond(words, text))
        except FormulaError as error:
            fault = UNDEFINED, str(error)
        if fault:
            return Finding(_digest(text.encode()), *fault)
        digest = fingerprint(self._probes.trace(response))
        for test in self._slot.tests:
            reason = test.check(response, self._width)
            if reason:
                return Finding(digest, test.name, reason)
        return Finding(digest)

    def look_at(self, formula: Formula) -> Finding:
        """Look at a formula."""
        return self.look(list(prefix(formula.node)), formula.text)

    def respond(self, words: Sequence[Word], text: str) -> Response:
        """Return values and gradients at the model's output, `(points,)` each.

        Raises:
            FormulaError: an operator has no rule in DUALS, and sympy finds the formula undefined.
        """
        known = all(word.name in DUALS for word in words if word.arity)
        with np.errstate(all="ignore"):
            value, slope = _walk(words, self._probes) if known else by_torch(parse(text, self._slot.name), self._probes)
            values, slopes = self._spread(value), self._spread(0.0 if slope is None else slope)
            return Response(values, self._probes.pull_back(slopes))

    def trace(self, words: Sequence[Word], text: str) -> NDArray[np.float64]:
        """Return what training can tell of a tree: its gradient at the slot's usual probe points, 1-d.

        Raises:
            FormulaError: as `respond`.
        """
        return self._probes.trace(self.respond(words, text))

    def _spread(self, value: Any) -> NDArray[np.float64]:
        whole = np.shape(value) == (self._probes.points,)
        return value if whole else np.full(self._probes.points, value, dtype=np.float64)

    def _missing(self, words: Sequence[Word]) -> tuple[str, str] | None:
        missing = self._lacks({word.name for word in words if not word.arity and word.value is None})
        return (MISSING, f"it does not see {' and '.join(missing)}") if missing else None

    def _fault(self, response: Response) -> tuple[str, str] | None:
        values, gradients = (part[: self._probes.proper] for part in (response.values, response.gradients))
        sound = np.isfinite(values)
        if not sound.all():
            if not sound.any():
                return UNDEFINED, "it is undefined everywhere on the variables' real range"
            return NOT_FINITE, _not_finite(values, "value")
        if not np.isfinite(gradients).all():
            return NOT_FINITE, _not_finite(gradients, "gradient")
        if not gradients.any():
            return NO_GRADIENT, "its gradient is zero everywhere, so nothing is learnt"
        return None


@dataclass(frozen=True)
class PlainWord:
    """A word of a formula; a number's name is empty."""

    name: str
    value: float | None = None
    arity: int = 0


def prefix(node: Reading) -> Iterator[PlainWord]:
    """Walk through a formula's reading, each operator before its arguments."""
    if isinstance(node, Call):
        yield PlainWord(node.operator, arity=len(node.arguments))
        for argument in node.arguments:
            yield from prefix(argument)
    else:
        yield PlainWord(node.name) if isinstance(node, Name) else PlainWord("", float(node.value))


def _walk(words: Sequence[Word], probes: Probes) -> Dual:
    stack: list[Dual] = []
    inputs, moving, fused = probes.inputs, probes.moving, probes.fused
    above = ""  # the name of the word before this one in the backward walk: the argument, where that is a leaf
    for word in reversed(words):
        name = word.name
        if word.value is not None:
            stack.append((np.float64(word.value), None))
        elif not word.arity:
            stack.append((inputs[name], moving.get(name)))
        elif (name, above) in fused:
            variable = fused[name, above]
            stack[-1] = (inputs[variable], moving.get(variable))
        elif word.arity == 1:
            stack.append(DUALS[name](stack.pop()))
        else:
            stack.append(DUALS[name](stack.pop(), stack.pop()))
        above = "" if word.arity else name
    return stack[-1]


def by_torch(formula: Formula, probes: Probes) -> Dual:
    """Take values and slopes from torch, for a formula with an operator that has no rule here."""
    import torch

    from symloss.language.loss import compile_loss

    variables = {name: torch.tensor(value, dtype=torch.float64) for name, value in probes.inputs.items()}
    leaves = {name: variables[name].requires_grad_() for name in probes.moving}
    values = compile_loss(formula)(**variables).expand(probes.points)
    if not values.requires_grad:
        return values.numpy(), None
    slopes = torch.autograd.grad(values.sum(), list(leaves.values()), allow_unused=True, materialize_grads=True)
    along = [slope.numpy() * probes.moving[name] for name, slope in zip(leaves, slopes, strict=True)]
    return values.detach().numpy(), sum(along)


def _not_finite(numbers: NDArray[np.float64], what: str) -> str:
    wrong = np.flatnonzero(~np.isfinite(numbers))
    return (
        f"its {what} is not finite at {len(wrong)} of {len(numbers)} probe points of the variables' range: "
        f"{float(numbers[wrong[0]])} at point {int(wrong[0])}"
    )


def fingerprint(trace: NDArray[np.float64]) -> bytes:
    """Digest a gradient rounded to about six digits relative to its norm, the norm included."""
    largest = float(np.abs(trace).max())
    scaled = trace / (largest or 1.0)  # the squares of numbers beyond 1e154 would overflow
    norm = math.sqrt(float(scaled @ scaled))
    places = np.rint(scaled * (10 ** (DIGITS + 1) / (norm or 1.0))).astype(np.int64)
    size = round(math.log(norm) + math.log(largest), DIGITS) + 0.0 if largest else 0.0  # -0.0 becomes 0.0
    return _digest(repr(size).encode() + places.tobytes())


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=DIGEST).digest()


__all__ = ["DIGEST", "Finding", "PlainWord", "Prober", "Word", "fingerprint", "prefix"]
