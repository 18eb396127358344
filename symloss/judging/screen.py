"""Every free test before training, cheapest first; each rejection has a reason in words.

A candidate whose gradient equals a seen one's on the slot's probe points is a duplicate and shares its twin's outcome.
"""

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal

import torch
from torch import Tensor

from symloss.errors import FormulaError
from symloss.judging.failures import in_words
from symloss.language.candidate import Candidate, Outcome, State
from symloss.language.formula import Formula
from symloss.language.loss import TorchFunction, compile_loss
from symloss.language.slots import SLOTS

DIGITS = 5  # after the point in a fingerprint's norm; as many, relative to the norm, in its entries

Fingerprint = tuple[str, bytes]


class Screen:
    """Tells candidates that are worth training from those that are not, in the order in which they were asked.

    Its state is a function of the candidates it has checked: to resume, feed it the same ones again.

    Args:
        slot: name of the candidates' slot.
        width: number of the base model's outputs.

    Attributes:
        counts: kind of end -> number of candidates, e.g. `{"trainable": 31, "missing variable": 4, "duplicate": 9}`.
    """

    def __init__(self, slot: str, width: int) -> None:
        self.counts: Counter[str] = Counter()
        self._slot = SLOTS[slot]
        self._width = width
        self._seen: dict[Fingerprint, int] = {}
        self._texts: dict[str, int] = {}

    def check(self, candidates: Iterable[Candidate]) -> list[Outcome | None]:
        """Return each candidate's outcome, in order: None when it is worth training."""
        return [self._check_one(candidate) for candidate in candidates]

    def _check_one(self, candidate: Candidate) -> Outcome | None:
        if candidate.formula is None:
            return self._reject(candidate, "no formula", candidate.fault)
        twin = self._texts.get(candidate.formula.text)
        if twin is not None:
            return self._duplicate(candidate, twin)
        missing = self._slot.lacks(candidate.formula.variables)
        if missing:
            return self._reject(candidate, "missing variable", f"it does not see {' and '.join(missing)}")
        try:
            function = compile_loss(candidate.formula)
        except FormulaError as error:
            return self._reject(candidate, "not compiled", str(error))
        return self._check_function(candidate, candidate.formula, function)

    def _check_function(self, candidate: Candidate, formula: Formula, function: TorchFunction) -> Outcome | None:
        try:
            response = self._slot.respond(function, self._width)
            fault = not_finite(response.values, "value") or not_finite(response.gradients, "gradient")
            if fault:
                return self._reject(candidate, "not finite", fault)
            if not bool(response.gradients.count_nonzero()):
                return self._reject(candidate, "no gradient", "its gradient is zero everywhere, so nothing is learnt")
            for test in self._slot.tests:
                reason = test.check(function, self._width)
                if reason:
                    return self._reject(candidate, test.name, reason)
        except Exception as error:
            return self._reject(candidate, "not computed", in_words(error))
        return self._remember(candidate, formula, fingerprint(response.fingerprint))

    def _remember(self, candidate: Candidate, formula: Formula, found: Fingerprint) -> Outcome | None:
        twin = self._seen.setdefault(found, candidate.number)
        self._texts[formula.text] = twin
        if twin != candidate.number:
            return self._duplicate(candidate, twin)
        self.counts["trainable"] += 1
        return None

    def _duplicate(self, candidate: Candidate, twin: int) -> Outcome:
        self.counts["duplicate"] += 1
        return Outcome(candidate.number, State.DUPLICATE, f"its gradient equals that of candidate {twin}", twin=twin)

    def _reject(self, candidate: Candidate, kind: str, reason: str) -> Outcome:
        self.counts[kind] += 1
        return Outcome(candidate.number, State.REJECTED, reason)


def not_finite(numbers: Tensor, what: str) -> str:
    """Say where numbers on the probe points are not finite; nothing when all are."""
    wrong = torch.nonzero(~numbers.isfinite()).flatten()
    if not len(wrong):
        return ""
    first = int(wrong[0])
    return (
        f"its {what} is not finite at {len(wrong)} of {len(numbers)} probe points of the variables' range: "
        f"{float(numbers[first])} at point {first}"
    )


def fingerprint(gradient: Tensor) -> Fingerprint:
    """Round a gradient to about six digits relative to its norm, the norm included: equal only for equal gradients."""
    largest = float(gradient.abs().max())
    scaled = gradient / (largest or 1.0)  # the squares of numbers beyond 1e154 would overflow
    norm = float(scaled.norm())
    places = (scaled / (norm or 1.0) * 10 ** (DIGITS + 1)).round().to(torch.int64)
    return f"{Decimal(norm) * Decimal(largest):.{DIGITS}e}", places.numpy().tobytes()
