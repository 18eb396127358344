"""The statistics of the finals: is a winner better than a baseline, by how much, and how sure is that, in one sentence.

Intervals come from a two-way bootstrap (Owen 2007, the pigeonhole bootstrap): training seeds and test examples are
resampled independently, so an interval covers the randomness of training and that of the test sample.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
_CELLS = 4_000_000  # seeds x examples x resamples held at once

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Interval:
    """A mean paired difference with its 95 % confidence interval.

    Args:
        difference: positive when the first of the two is better.
        p: two-sided bootstrap tail probability of no difference, in step with the interval at 0.05.
        seeds: pairs of trainings behind it.

    Fewer than 2 seeds or examples, or a metric that is undefined on a resample, give an interval without bounds.
    """

    difference: float
    low: float
    high: float
    p: float
    seeds: int


@dataclass(frozen=True)
class Verdict:
    """A winner against one baseline.

    Args:
        interval: None when the baseline could not be compared; `reason` then says why.
        metric: by which they are compared.
    """

    baseline: str
    interval: Interval | None
    reason: str = ""
    metric: str = ""

    @property
    def better(self) -> bool:
        """Whether the winner is better beyond chance."""
        return self.interval is not None and self.interval.low > 0

    @property
    def worse(self) -> bool:
        """Whether the winner is worse beyond chance."""
        return self.interval is not None and self.interval.high < 0


@dataclass(frozen=True)
class Unit:
    """How differences of a metric are written: `2.1 points` or `0.034 mse`."""

    name: str
    factor: float = 1.0

    def number(self, value: float, *others: float) -> str:
        """Write a value with as many decimals as keep it and the others from looking like zero."""
        scaled = [each * self.factor for each in (value, *others) if each]
        fewest = 1 if self.factor != 1 else 3
        decimals = fewest
        while decimals < fewest + 2 and any(round(each, decimals) == 0 for each in scaled):
            decimals += 1
        return f"{value * self.factor:.{decimals}f}"


def unit_of(metric: str, scores: Floats | None, maximise: bool) -> Unit:
    """Choose points for accuracy-like metrics (a score in [0, 1] for every example), else the metric's own units.

    Args:
        scores: any formula's scores per example; None when the metric has no such scores.
    """
    shares = scores is not None and scores.size > 0 and scores.min() >= 0 and scores.max() <= 1
    return Unit("points", 100.0) if shares and maximise else Unit(metric)


def interval_of_scores(differences: Floats, resamples: int, seed: int) -> Interval:
    """Bootstrap the mean of paired differences over seeds and examples.

    Args:
        differences: first minus second, larger is better, `(seeds, examples)`; row s holds both formulas' training s.
        resamples: bootstrap resamples.
        seed: of the bootstrap.

    Example:
        >>> interval_of_scores(np.full((10, 50), 0.02), resamples=1000, seed=0).difference
        0.02
    """
    cells = max(differences.size, 1)

    def mean(seeds: Indices, examples: Indices) -> Floats:
        picked = differences[seeds[..., :, None], examples[..., None, :]]
        return np.asarray(picked.mean(axis=(-2, -1)))

    return _bootstrap(mean, differences.shape, resamples, seed, batch=max(1, _CELLS // cells))


def interval_of_metric(
    differences: Callable[[Indices], Floats], shape: tuple[int, int], resamples: int, seed: int
) -> Interval:
    """Bootstrap a metric that is no mean over examples, by computing it anew on every resample.

    Args:
        differences: indices of examples -> each seed's first minus second, larger is better, `(seeds,)`.
        shape: seeds, examples.
        resamples: bootstrap resamples; each computes the metric once.
    """

    def mean(seeds: Indices, examples: Indices) -> Floats:
        if seeds.ndim > 1:
            return np.asarray([mean(*pair) for pair in zip(seeds, examples, strict=True)])
        return np.asarray(differences(examples)[seeds].mean())

    return _bootstrap(mean, shape, resamples, seed, batch=None)


def sentence(verdicts: Sequence[Verdict], unit: Unit) -> str:
    """Say plainly what a winner beats and what it does not; the first verdict is on the reference baseline.

    Example:
        >>> interval = Interval(0.021, 0.016, 0.026, 0.0002, 10)
        >>> sentence([Verdict("cross_entropy", interval)], Unit("points", 100))
        'beats tuned cross_entropy by 2.1 points (95 % CI 1.6 to 2.6, 10 seeds)'
    """
    if not verdicts:
        return "no baseline to compare with"
    first, *others = verdicts
    even = [each for each in others if not (each.better or each.worse) and each.interval]
    parts = [
        _reference(first, unit),
        _listed("beats", [f"{each.baseline} by {_gain(each, unit)}" for each in others if each.better]),
        _listed("not better than", [f"{each.baseline} ({p_words(each.interval.p)})" for each in even if each.interval]),
        _listed("worse than", [f"{each.baseline} by {_gain(each, unit)}" for each in others if each.worse]),
        _listed("not compared with", [f"{each.baseline} ({each.reason})" for each in others if not each.interval]),
    ]
    return "; ".join(part for part in parts if part)


def _bootstrap(
    mean: Callable[..., Floats], shape: tuple[int, ...], resamples: int, seed: int, batch: int | None
) -> Interval:
    seeds, examples = np.arange(shape[0]), np.arange(shape[1])
    observed, undefined = float(mean(seeds, examples)), []

    def statistic(seeds: Indices, examples: Indices, axis: int = -1) -> Floats:
        values = mean(seeds, examples)
        undefined.append(not np.isfinite(values).all())
        return np.nan_to_num(values)

    if min(shape) < 2:
        return Interval(observed, -math.inf, math.inf, 1.0, shape[0])
    from scipy import stats  # here, because it takes a second to import, and whoever shows a verdict needs none of it

    result = stats.bootstrap(
        (seeds, examples), statistic, n_resamples=resamples, batch=batch, vectorized=True, method="percentile", axis=-1,
        confidence_level=LEVEL, rng=np.random.default_rng(seed),
    )  # fmt: skip
    drawn = observed + _stretch(shape[0]) * (np.asarray(result.bootstrap_distribution) - observed)
    if any(undefined):
        return Interval(observed, -math.inf, math.inf, 1.0, shape[0])
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(observed, float(low), float(high), _tail(drawn), shape[0])


def _stretch(seeds: int) -> float:
    # Resampling a few seeds understates their spread: by sqrt(n / (n - 1)), and by the normal's tails where Student's
    # are due (Hesterberg 2015, section 4, "narrowness bias"). Stretching the distribution corrects both at LEVEL.
    if seeds < 2:
        return 1.0
    quantile = (1 + LEVEL) / 2
    from scipy import stats

    return math.sqrt(seeds / (seeds - 1)) * float(stats.t.ppf(quantile, seeds - 1) / stats.norm.ppf(quantile))


def _tail(drawn: Floats) -> float:
    below, above = int((drawn <= 0).sum()), int((drawn >= 0).sum())
    return min(1.0, 2 * (min(below, above) + 1) / (len(drawn) + 1))


def _reference(verdict: Verdict, unit: Unit) -> str:
    name, interval = f"tuned {verdict.baseline}", verdict.interval
    if interval is None:
        return f"not compared with {name}: {verdict.reason}"
    span = f"95 % CI {_bound(interval.low, interval, unit)} to {_bound(interval.high, interval, unit)}"
    if verdict.better:
        return f"beats {name} by {_gain(verdict, unit)} ({span}, {interval.seeds} seeds)"
    if verdict.worse:
        span = f"95 % CI {_bound(-interval.high, interval, unit)} to {_bound(-interval.low, interval, unit)}"
        return f"worse than {name} by {_gain(verdict, unit)} ({span}, {interval.seeds} seeds)"
    if interval.low == interval.high == 0:
        return f"does not beat {name}: no difference in any of {interval.seeds} seeds"
    difference = _bound(interval.difference, interval, unit)
    return f"does not beat {name}: {difference} {unit.name} ({span}, {interval.seeds} seeds, {p_words(interval.p)})"


def _listed(verb: str, names: Sequence[str]) -> str:
    return f"{verb} {', '.join(names)}" if names else ""


def _gain(verdict: Verdict, unit: Unit) -> str:
    assert verdict.interval is not None
    return f"{_bound(abs(verdict.interval.difference), verdict.interval, unit)} {unit.name}"


def _bound(value: float, interval: Interval, unit: Unit) -> str:
    return unit.number(value, interval.difference, interval.low, interval.high)


def p_words(p: float) -> str:
    """Write a tail probability with what it is worth: `p < 0.001`, `p = 0.032`, `p = 0.41`."""
    if p < 0.001:
        return "p < 0.001"
    return f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"
