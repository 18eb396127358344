"""Published losses with a free parameter, for the question which one a formula comes nearest to.

At the published coefficient each is the zoo's formula, up to a positive factor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import sympy

from symloss.language.extremes import larger, smaller
from symloss.language.operators import sigmoid, softplus
from symloss.language.slots import SLOTS
from symloss.telling.analysis.evaluation import Array


@dataclass(frozen=True)
class Family:
    """A published loss over its parameter.

    Args:
        name: of the zoo's entry.
        parameter: its name there.
        expr: over the slot's symbols and the parameter's.
        low, high: the range that is searched.
        even: whether the range is searched in even steps; else in even ratios.
    """

    name: str
    parameter: str
    expr: sympy.Expr
    low: float
    high: float
    even: bool = True

    def steps(self, count: int) -> Array:
        """Return values of the parameter over its range."""
        return np.asarray((np.linspace if self.even else np.geomspace)(self.low, self.high, count), dtype=np.float64)


def _symbols(slot: str, parameter: str) -> tuple[Mapping[str, sympy.Symbol], sympy.Symbol]:
    return SLOTS[slot].symbols(), sympy.Symbol(parameter, positive=True)


def _classification() -> tuple[Family, ...]:
    v = SLOTS["classification"].symbols()
    t, p, classes = v["t"], v["p"], v["C"]
    a, b, e, g, k, q, s = sympy.symbols("a b e g k q s", positive=True)
    log = sympy.log
    return (
        Family("label_smoothing", "a", -((1 - a) * t + a / classes) * log(p), 1e-3, 0.95),
        Family("focal", "g", -t * (1 - p) ** g * log(p), 0.02, 8.0),
        Family("poly1", "e", t * (e * (1 - p) - log(p)), 0.01, 100.0, even=False),
        Family("gce", "q", t * (1 - p**q) / q, 0.02, 4.0),
        Family("sce", "a", -a * t * log(p) - p * log(larger(t, sympy.Float(1e-4))), 1e-3, 100.0, even=False),
        Family("bootstrap", "b", -(b * t + (1 - b) * p) * log(p), 0.02, 0.999),
        Family("baikal", "k", k * t / p - log(p), 0.01, 100.0, even=False),
        Family("ngl", "a", (sympy.exp(a - p * (1 + t)) - sympy.cos(sympy.cos(sympy.sin(p)))) / classes, 0.0, 6.0),
        Family(
            "sparse_lsr",
            "s",
            -t * ((1 - s + s / classes) * log(p) + s * (classes - 1) / classes * log((1 - p) / (classes - 1))),
            1e-3,
            0.95,
        ),
    )


def _regression() -> tuple[Family, ...]:
    r = SLOTS["regression"].symbols()["r"]
    delta, k = sympy.symbols("delta k", positive=True)
    near = smaller(sympy.Abs(r), delta)
    return (
        Family("huber", "delta", near * (sympy.Abs(r) - near / 2), 0.03, 4.0, even=False),
        Family("log_cosh", "k", softplus(2 * k * r) - k * r, 0.05, 20.0, even=False),
    )


def _activation() -> tuple[Family, ...]:
    x = SLOTS["activation"].symbols()["x"]
    beta, k = sympy.symbols("beta k", positive=True)
    return (
        Family("swish", "beta", x * sigmoid(beta * x), 0.05, 20.0, even=False),
        Family("tanh", "k", sympy.tanh(k * x), 0.05, 20.0, even=False),
    )


FAMILIES: dict[str, Family] = {family.name: family for family in (*_classification(), *_regression(), *_activation())}
