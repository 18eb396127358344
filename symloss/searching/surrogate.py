"""A surrogate of training: foretells by its gradient alone how a candidate would rank among those that were trained.

Losses whose gradients are alike on the slot's probe points train alike. A Gaussian process over these gradients says
how a new one is likely to rank, and how sure that is; by its upper bound, what is unlike all that was trained counts
for more than what is known to be middling.

Source: Hildebrandt and Branke 2015, On Using Surrogates with Genetic Programming, who compare by behaviour; Srinivas,
Krause, Kakade and Seeger 2010, arXiv:0912.3995, for the bound.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from symloss.language.candidate import State
from symloss.language.grammar import Grammar
from symloss.language.tree import StoredTree, Tree
from symloss.searching.fitness import Promise
from symloss.searching.told import Told

Array = NDArray[np.float64]
Trace = Callable[[Tree], Array]  # a tree's gradient on the probe points, 1-d

LEAST = 8  # candidates, trained or refused by a worker, that say anything
MEMORY = 512  # of the last trained candidates; time and memory grow with its square and more
SIZE = 0.2  # what a power of ten of a gradient's length counts for, beside a direction of length one
WIDTH = 0.25  # of the kernel, squared, in medians of the squared distances between examples
TINY = 1e-9  # a squared distance below which it is but rounding
NOISE = 0.05  # variance of a rank that the gradient does not explain, in variances of ranks
CAUTION = 1.5  # standard deviations from the mean to the upper bound
DECIMALS = 6  # of a bound: beyond them processors differ
INNOCENT = (State.TIMED_OUT, State.CRASHED)
"""Ends for which the machine may be to blame, and which say nothing of a gradient."""


class Surrogate:
    """Learns from what was told, and bounds how proposals would rank.

    Its state is a function of the last `MEMORY` trained candidates.

    Args:
        trace: tree -> its gradient on the probe points, `(points,)`.
        grammar: of the trees.
    """

    def __init__(self, trace: Trace, grammar: Grammar) -> None:
        self._trace = trace
        self._grammar = grammar
        self._examples: deque[_Example] = deque(maxlen=MEMORY)
        self._process: Process | None = None

    @property
    def is_ready(self) -> bool:
        """Whether enough was trained to go by."""
        return len(self._examples) >= LEAST

    def learn(self, told: Sequence[Told]) -> None:
        """Learn how candidates ended; those that failed on the probe points, and twins, teach nothing."""
        for each in told:
            if each.worth_training and each.state not in INNOCENT:
                self._examples.append(_Example(each.text, (each.fitness, each.promise)))
                self._process = None

    def bounds(self, trees: Sequence[Tree]) -> list[float]:
        """Say of each tree how it may well rank among the trained ones; 1 is as good as the best of them."""
        assert self.is_ready, "it has learnt enough"
        # Several threads would wait for each other where workers are busy, and round otherwise than one does.
        with _libraries().limit(limits=1, user_api="blas"):
            if self._process is None:
                seen = np.array([self._of(example) for example in self._examples])
                self._process = Process.of(seen, ranks([example.merit for example in self._examples]))
            means, deviations = self._process.foretell(np.array([features(self._trace(tree)) for tree in trees]))
        return [round(float(each), DECIMALS) for each in means + CAUTION * deviations]

    def _of(self, example: _Example) -> Array:
        if example.features is None:
            example.features = features(self._trace(StoredTree(example.text, self._grammar)))
        return example.features


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()


@dataclass
class _Example:
    """A trained candidate; its features are found when they are first asked for, as most of a long run's never are."""

    text: str
    merit: tuple[float, Promise]
    features: Array | None = None


def features(trace: Array) -> Array:
    """Return what two gradients are compared by: direction, and size for optimisers that it matters to.

    The direction's entries are replaced by their square roots, so that large ones count for less.

    Args:
        trace: `(points,)`, finite.

    Returns:
        `(points + 1,)`: a vector of length one, and `SIZE` for each power of ten of the gradient's length; zeros for a
        gradient of zero.
    """
    largest = float(np.abs(trace).max())
    if not largest:
        return np.zeros(len(trace) + 1)
    scaled = trace / largest  # the squares of numbers beyond 1e154 would overflow
    rooted = np.sign(scaled) * np.sqrt(np.abs(scaled))
    size = np.log10(largest) + np.log10(np.linalg.norm(scaled))
    return np.append(rooted / np.linalg.norm(rooted), SIZE * size)


def ranks(merits: Sequence[Any]) -> Array:
    """Return which share of all is worse than each, ties counting half: more than 0 and less than 1."""
    places = {merit: place for place, merit in enumerate(sorted(set(merits)))}
    own = np.array([places[merit] for merit in merits])
    alike = np.bincount(own)
    return np.asarray((alike.cumsum() - alike / 2)[own] / len(merits))


@dataclass(frozen=True)
class Process:
    """A Gaussian process that has seen examples, with a squared exponential kernel.

    Args:
        seen: features of the examples, `(examples, points)`.
        inverse: of their covariance with noise, in variances of the target, `(examples, examples)`.
        weights: `(examples,)`, by which a mean is made of covariances.
        mean: of the target.
        spread: its standard deviation.
        width: of the kernel, squared.
    """

    seen: Array
    inverse: Array
    weights: Array
    mean: float
    spread: float
    width: float

    @classmethod
    def of(cls, seen: Array, target: Array) -> Process:
        """Return the process that has seen a target, `(examples,)`, at these features (Rasmussen and Williams 2.25)."""
        apart = distances(seen, seen)
        between = apart[np.triu_indices(len(seen), 1)]
        width = WIDTH * max(float(np.median(between)), TINY)
        covariance = np.exp(-apart / (2 * width)) + NOISE * np.eye(len(seen))
        inverse = np.asarray(np.linalg.inv(covariance), dtype=np.float64)
        mean = float(target.mean())
        return cls(seen, inverse, inverse @ (target - mean), mean, float(target.std()), width)

    def foretell(self, new: Array) -> tuple[Array, Array]:
        """Return the mean and standard deviation of the target, `(new, points)` -> `(new,)` each (2.25, 2.26)."""
        near = np.exp(-distances(new, self.seen) / (2 * self.width))
        variance = 1 - np.einsum("ij,ij->i", near @ self.inverse, near)
        return self.mean + near @ self.weights, self.spread * np.sqrt(variance.clip(0))


def distances(left: Array, right: Array) -> Array:
    """Return squared distances, `(n, points)` and `(m, points)` -> `(n, m)`."""
    squares = (left**2).sum(1)[:, None] + (right**2).sum(1)[None]
    return np.asarray((squares - 2 * left @ right.T).clip(0))
