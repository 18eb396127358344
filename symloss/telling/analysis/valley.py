"""Convexity along one line: proven by the second derivative where the slope does not jump, else tried on its slope."""

from __future__ import annotations

import numpy as np

from symloss.errors import FormulaError
from symloss.language.reading import Node
from symloss.telling.analysis.findings import Finding
from symloss.telling.analysis.intervals import Stretch, narrow, signs
from symloss.telling.analysis.lines import Line
from symloss.telling.analysis.shape import grid, kinks

_ROUNDING = 1e-9  # of the slope's size: a smaller fall is rounding


def tell_valley(line: Line, of: str, where: str) -> Finding:
    """Tell whether a function of one variable is convex, concave, or neither.

    Args:
        of: what it is convex in, for the sentence.
        where: its range, for the explanation.
    """
    if kinks(line):
        return _by_slopes(line, of, where)
    try:
        inner: Node | None = line.slope.slope.slope.node
    except FormulaError:
        inner = None
    found = signs(line.slope.slope.node, line.axis, line.cuts, inner)
    how = f"sign of the second derivative over {where}, by interval arithmetic"
    if all(each.sign == 0 for each in found):
        return Finding(0.0, f"a straight line in {of}", "proven", how)
    if all(each.sign in (0, 1) for each in found):
        return Finding(1.0, f"convex in {of}", "proven", how)
    if all(each.sign in (0, -1) for each in found):
        return Finding(-1.0, f"concave in {of}", "proven", how)
    return _mixed(found, of, how) or _by_slopes(line, of, where)


def _mixed(found: tuple[Stretch, ...], of: str, how: str) -> Finding | None:
    """Tell what bends both ways, once both ways are proven."""
    if not {1, -1} <= {each.sign for each in found}:
        return None
    first = next(each for each in found if each.sign == -1)
    words = f"neither convex nor concave in {of}: it bends down from {first.low:.3g} to {first.high:.3g}"
    details = {"bends": [[each.low, each.high, each.sign] for each in found if each.sign]}
    return Finding(0.0, words, "proven" if narrow(found) else "refined", how, details=details)


def _by_slopes(line: Line, of: str, where: str) -> Finding:
    """Look whether the slope never falls from point to point, over kinks too."""
    x = grid(line.cuts)
    slopes = line.slope.at(x)
    slopes = slopes[np.isfinite(slopes)]
    how = f"slopes at {len(slopes)} points over {where}"
    steps = np.diff(slopes)
    rounding = _ROUNDING * float(np.abs(slopes).max(initial=0.0))
    rises, falls = bool((steps > rounding).any()), bool((steps < -rounding).any())
    if rises and falls:
        return Finding(0.0, f"neither convex nor concave in {of}", "sampled", how)
    if rises or falls:
        return Finding(1.0 if rises else -1.0, f"{'convex' if rises else 'concave'} in {of}", "sampled", how)
    return Finding(0.0, f"a straight line in {of}", "sampled", how)
