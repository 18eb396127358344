"""Convexity in the logits: whether one example's loss has a single valley, whatever the model says now.

With g_k the slope of class k's term in its probability, a_k = p_k g_k and u_k = da_k/dp_k, the Hessian in the logits is
sum_k p_k d_k w_k^2 in a direction v, where d_k = u_k - sum_j a_j and w_k = v_k - sum_j p_j v_j. So it has no negative
direction exactly when no d_k is negative, or one is and sum_k p_k/d_k <= 0; one number at a time is to be bounded.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import mpmath
import numpy as np
import sympy
from mpmath import iv

from symloss.errors import FormulaError
from symloss.language.formula import Formula
from symloss.language.reading import Node
from symloss.language.slots import SLOTS
from symloss.telling.analysis.evaluation import Array, derivative, fixed
from symloss.telling.analysis.findings import Finding, unknown
from symloss.telling.analysis.intervals import bounds_over, enclose, signs
from symloss.telling.analysis.lines import P_CUTS, Line, class_line
from symloss.telling.analysis.shape import kinks

_OUTPUTS = 4000  # softmax outputs that a negative direction is looked for at
_BEND = 1e-9  # of the Hessian's size: what is less negative is rounding
_READABLE = 0.01  # an example of an output that is not convex has at least this p, where there is one


@dataclass(frozen=True)
class _Term:
    """One class's term as the Hessian needs it.

    Args:
        pull: p times its slope, a function of p.
        turn: the derivative of the pull.
    """

    pull: Line
    turn: Line


@functools.lru_cache(maxsize=64)
def _term(formula: Formula, true: bool, classes: int) -> _Term:
    line = class_line(formula, true, classes)
    p = SLOTS["classification"].symbols()["p"]
    pull = Line("p", fixed(sympy.expand(p * derivative(line.expr, p)), {}), line.cuts)
    return _Term(pull, pull.slope)


def tell_convexity(formula: Formula, classes: int) -> Finding:
    """Prove that the loss is convex in the logits, or show an output and a direction in which it is not."""
    terms = _term(formula, True, classes), _term(formula, False, classes)
    lines = [class_line(formula, true, classes) for true in (True, False)]
    if any(kinks(line) for line in lines):
        return unknown("its slope jumps inside the range, where no second derivative tells")
    witness = _witness(terms, classes)
    if witness is not None:
        return _not_convex(witness, terms)
    reason = _proof(classes, terms)
    if reason:
        return Finding(1.0, "convex: one valley for every example", "proven", f"{reason}, by interval arithmetic")
    how = f"no negative direction at {_OUTPUTS} outputs, uniform to certain"
    return Finding(1.0, "convex as far as was looked", "sampled", how)


def _proof(classes: int, terms: tuple[_Term, _Term]) -> str:
    """Return why the loss is convex, or nothing where none of the three proofs works."""
    true, wrong = terms
    if classes == 2:
        return "its second derivative in the logit is not negative" if _never_negative(_between_two(terms)) else ""
    if wrong.pull.expr.is_zero and _true_class_alone(true):
        return "it is a convex function that does not fall of the true class's cross-entropy"
    return "every class's part of the Hessian is positive" if _all_parts(terms, classes) else ""


def _between_two(terms: tuple[_Term, _Term]) -> Line:
    """Return what the second derivative in the one logit of two classes has the sign of: (1 - p) d_0 + p d_1."""
    p = SLOTS["classification"].symbols()["p"]
    (turn, pull), (wrong_turn, wrong_pull) = ((term.turn.expr, term.pull.expr) for term in terms)
    wrong_turn, wrong_pull = (fixed(each, {"p": 1 - p}) for each in (wrong_turn, wrong_pull))
    return Line("p", fixed(sympy.expand((1 - p) * turn + p * wrong_turn - pull - wrong_pull), {}), P_CUTS)


def _true_class_alone(true: _Term) -> bool:
    """Check -a >= 0 and (1 - p) u - a >= 0: with one term, both are needed and enough."""
    p = SLOTS["classification"].symbols()["p"]
    bend = Line("p", fixed(sympy.expand((1 - p) * true.turn.expr - true.pull.expr), {}), P_CUTS)
    falls = Line("p", fixed(-true.pull.expr, {}), P_CUTS)
    return all(_never_negative(line) for line in (falls, bend))


def _never_negative(line: Line) -> bool:
    try:
        inner: Node | None = line.slope.node
    except FormulaError:
        inner = None
    return all(each.sign in (0, 1) for each in signs(line.node, "p", line.cuts, inner))


def _all_parts(terms: tuple[_Term, _Term], classes: int) -> bool:
    """Bound every d_k from below, each class's probability on its own."""
    true, wrong = terms
    own = [bounds_over(_less(term).node, "p", P_CUTS)[0] for term in terms]
    most_true, most_wrong = (bounds_over(term.pull.node, "p", P_CUTS)[1] for term in (true, wrong))
    rest_of_true = (classes - 1) * most_wrong
    rest_of_wrong = most_true + (classes - 2) * most_wrong
    return own[0] - rest_of_true >= 0 and own[1] - rest_of_wrong >= 0


def _less(term: _Term) -> Line:
    return Line("p", fixed(sympy.expand(term.turn.expr - term.pull.expr), {}), P_CUTS)


@dataclass(frozen=True)
class _Witness:
    """An output and a direction of the logits in which the loss bends down.

    Args:
        p: probabilities, the true class first.
        direction: of the logits.
    """

    p: Array
    direction: Array


def _witness(terms: tuple[_Term, _Term], classes: int) -> _Witness | None:
    p = _outputs(classes)
    parts = _parts(terms, p)
    kept = np.isfinite(parts).all(1) & (np.abs(parts).max(1) > 0)
    p, parts = p[kept], parts[kept] / np.abs(parts[kept]).max(1, keepdims=True)
    bent = np.flatnonzero(_bends(p, parts))
    if not bent.size:
        return None
    middling = bent[p[bent, 0] >= _READABLE]
    bent = middling if middling.size else bent
    worst = bent[int((p[bent] * parts[bent]).min(1).argmin())]
    return _Witness(p[worst], _steepest(p[worst], parts[worst]))


def _bends(p: Array, parts: Array) -> Array:
    """Say at which outputs the Hessian has a negative direction."""
    negative = (parts < -_BEND).sum(1)
    with np.errstate(all="ignore"):
        balance = (p / parts).sum(1)
    return np.asarray((negative > 1) | ((negative == 1) & (balance > _BEND)))


def _steepest(p: Array, parts: Array) -> Array:
    """Return the direction in which the loss bends down most; only directions with sum(p w) = 0 come from logits."""
    unit = p / np.linalg.norm(p)
    onto = np.eye(len(p)) - np.outer(unit, unit)
    return np.asarray(np.linalg.eigh(onto @ np.diag(p * parts) @ onto)[1][:, 0])


def _parts(terms: tuple[_Term, _Term], p: Array) -> Array:
    pulls = np.concatenate([terms[0].pull.at(p[:, :1]), terms[1].pull.at(p[:, 1:])], 1)
    turns = np.concatenate([terms[0].turn.at(p[:, :1]), terms[1].turn.at(p[:, 1:])], 1)
    return np.asarray(turns - pulls.sum(1, keepdims=True))


def _outputs(classes: int) -> Array:
    """Draw softmax outputs from uniform to almost certain, of the right class and of wrong ones."""
    logits = np.random.default_rng(0).standard_normal((_OUTPUTS, classes))
    logits *= np.linspace(0.1, 4, _OUTPUTS)[:, None]
    logits[::2, 1:] = 0  # every second one is even
    logits[::2, 0] = np.linspace(-6, 9, len(logits[::2]))
    shares = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(shares / shares.sum(1, keepdims=True))


def _not_convex(witness: _Witness, terms: tuple[_Term, _Term]) -> Finding:
    proven = _bends_down(witness, terms)
    words = f"not convex: it bends down at an output with p = {witness.p[0]:.2g} of the true class"
    how = "the second derivative in one direction of the logits there, by interval arithmetic"
    details = {"p": [float(each) for each in witness.p], "direction": [float(each) for each in witness.direction]}
    return Finding(0.0, words, "proven" if proven else "refined", how, details=details)


def _bends_down(witness: _Witness, terms: tuple[_Term, _Term]) -> bool:
    """Prove that the second derivative in the witness's direction is negative, with all rounding counted."""
    p = [iv.mpf(float(each)) for each in witness.p]
    w = [iv.mpf(float(each)) for each in witness.direction]
    total = sum(a * b for a, b in zip(p, w, strict=True)) / sum(p)
    spread = [each - total for each in w]  # sum(p w) = 0
    pulls, turns = [], []
    for place, value in enumerate(witness.p):
        term = terms[0] if place == 0 else terms[1]
        box = {"p": (float(value), float(value))}
        pulls.append(iv.mpf(list(enclose(term.pull.node, box))))
        turns.append(iv.mpf(list(enclose(term.turn.node, box))))
    rest = sum(pulls)
    bend = sum(a * (u - rest) * each**2 for a, u, each in zip(p, turns, spread, strict=True))
    return bool(mpmath.mpf(bend.b.b) < 0)
