"""The statistics: intervals that cover as often as they say, and sentences that say what the numbers say."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from symloss.running.proof.verdict import (
    Interval,
    Unit,
    Verdict,
    interval_of_metric,
    interval_of_scores,
    sentence,
    unit_of,
)

POINTS = Unit("points", 100.0)


def crossed(rng: np.random.Generator, seeds: int, examples: int, spreads: tuple[float, float, float]) -> np.ndarray:
    """Draw differences with mean zero: a part of the seed, a part of the example, a part of both."""
    by_seed, by_example, by_both = spreads
    rows = rng.normal(0, by_seed, (seeds, 1)) + rng.normal(0, by_example, (1, examples))
    return rows + rng.normal(0, by_both, (seeds, examples))


@pytest.mark.parametrize("seeds", [4, 12])
@pytest.mark.parametrize("spreads", [(0.3, 0.01, 0.01), (0.1, 0.9, 0.1), (0.1, 0.8, 0.8)])
def test_intervals_cover_the_true_difference_about_as_often_as_they_say(
    seeds: int, spreads: tuple[float, float, float]
) -> None:
    rng = np.random.default_rng(1)
    draws = [interval_of_scores(crossed(rng, seeds, 60, spreads), 400, seed) for seed in range(300)]
    covered = np.mean([each.low <= 0 <= each.high for each in draws])
    assert 0.92 <= covered <= 1.0
    assert np.mean([each.p < 0.05 for each in draws]) <= 0.08


def test_intervals_are_not_wide_for_nothing() -> None:
    rng = np.random.default_rng(2)
    draws = [interval_of_scores(crossed(rng, 12, 60, (0.3, 0.3, 0.1)), 400, seed) for seed in range(200)]
    truth = math.sqrt(0.3**2 / 12 + 0.3**2 / 60)
    assert np.mean([each.high - each.low for each in draws]) < 1.35 * 2 * 1.96 * truth
    found = [interval_of_scores(0.5 + crossed(rng, 12, 60, (0.3, 0.3, 0.1)), 400, seed) for seed in range(50)]
    assert np.mean([each.low > 0 and each.p < 0.05 for each in found]) > 0.95


def test_both_sources_of_chance_count() -> None:
    rng = np.random.default_rng(3)
    same_seeds = interval_of_scores(np.repeat(rng.normal(0, 1, (1, 50)), 10, axis=0), 1000, 0)
    same_examples = interval_of_scores(np.repeat(rng.normal(0, 1, (10, 1)), 50, axis=1), 1000, 0)
    assert same_seeds.high - same_seeds.low > 0.3
    assert same_examples.high - same_examples.low > 0.5


@pytest.mark.parametrize("value", [0.0, 0.25, -0.25])
def test_differences_that_are_all_equal_give_a_point(value: float) -> None:
    interval = interval_of_scores(np.full((10, 30), value), 500, 0)
    assert (interval.difference, interval.low, interval.high) == (value, value, value)
    assert interval.p == (1.0 if value == 0 else pytest.approx(2 / 501))


@settings(max_examples=40, deadline=None)
@given(arrays(np.float64, array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=6), elements=st.floats(-1e6, 1e6)))
def test_any_differences_give_a_finite_interval_around_them(differences: np.ndarray) -> None:
    interval = interval_of_scores(differences, 100, 0)
    assert interval.low <= interval.high
    assert all(math.isfinite(each) for each in (interval.low, interval.high, interval.p))
    assert 0 < interval.p <= 1
    assert interval.difference == pytest.approx(differences.mean(), abs=1e-6)


def test_an_interval_is_a_function_of_its_seed() -> None:
    scores = crossed(np.random.default_rng(4), 10, 40, (1, 1, 1))
    assert interval_of_scores(scores, 500, 7) == interval_of_scores(scores, 500, 7)
    assert interval_of_scores(scores, 500, 7) != interval_of_scores(scores, 500, 8)


def test_swapping_the_two_formulas_mirrors_the_interval() -> None:
    scores = crossed(np.random.default_rng(5), 10, 40, (1, 1, 1))
    one, other = interval_of_scores(scores, 500, 7), interval_of_scores(-scores, 500, 7)
    assert (one.low, one.high, one.p) == pytest.approx((-other.high, -other.low, other.p))


def test_a_metric_computed_anew_agrees_with_its_scores_where_it_is_their_mean() -> None:
    scores = crossed(np.random.default_rng(6), 8, 30, (1, 1, 1))
    anew = interval_of_metric(lambda examples: scores[:, examples].mean(axis=1), scores.shape, 300, 3)
    direct = interval_of_scores(scores, 300, 3)
    assert (anew.low, anew.high, anew.p) == pytest.approx((direct.low, direct.high, direct.p))


def test_a_metric_that_is_undefined_on_a_resample_claims_nothing() -> None:
    interval = interval_of_metric(
        lambda examples: np.full(3, math.nan if len(set(examples)) < 4 else 1.0), (3, 4), 200, 0
    )
    assert (interval.low, interval.high, interval.p) == (-math.inf, math.inf, 1.0)


@pytest.mark.parametrize("shape", [(1, 9), (9, 1)])
def test_one_seed_or_one_example_claims_nothing(shape: tuple[int, int]) -> None:
    interval = interval_of_scores(np.ones(shape), 100, 0)
    assert (interval.difference, interval.low, interval.p) == (1.0, -math.inf, 1.0)


def test_units() -> None:
    assert unit_of("accuracy", np.asarray([[0.0, 1.0]]), True) == POINTS
    assert unit_of("mse", np.asarray([[0.0, 0.5]]), False) == Unit("mse")
    assert unit_of("score", np.asarray([[0.0, 1.5]]), True) == Unit("score")
    assert unit_of("f1", None, True) == Unit("f1")
    assert POINTS.number(0.0214) == "2.1"
    assert POINTS.number(0.0214, 0.0004) == "2.14"
    assert Unit("mse").number(0.25) == "0.250"
    assert POINTS.number(0.0) == "0.0"


def test_a_sentence_for_a_winner() -> None:
    verdicts = [
        Verdict("cross_entropy", Interval(0.021, 0.016, 0.026, 0.0002, 10)),
        Verdict("sce", Interval(0.003, -0.004, 0.01, 0.41, 10)),
        Verdict("focal", Interval(0.019, 0.01, 0.028, 0.0004, 10)),
        Verdict("gce", Interval(-0.015, -0.02, -0.01, 0.0004, 10)),
        Verdict("brier", None, "diverged"),
    ]
    assert sentence(verdicts, POINTS) == (
        "beats tuned cross_entropy by 2.1 points (95 % CI 1.6 to 2.6, 10 seeds); beats focal by 1.9 points; "
        "not better than sce (p = 0.41); worse than gce by 1.5 points; not compared with brier (diverged)"
    )


@pytest.mark.parametrize(
    ("interval", "said"),
    [
        (
            Interval(0.003, -0.004, 0.01, 0.41, 12),
            "does not beat tuned ce: 0.3 points (95 % CI -0.4 to 1.0, 12 seeds, p = 0.41)",
        ),
        (
            Interval(-0.021, -0.026, -0.016, 0.0002, 9),
            "worse than tuned ce by 2.1 points (95 % CI 1.6 to 2.6, 9 seeds)",
        ),
        (Interval(0.0, 0.0, 0.0, 1.0, 5), "does not beat tuned ce: no difference in any of 5 seeds"),
        (None, "not compared with tuned ce: it diverged"),
    ],
)
def test_sentences_when_nothing_is_won(interval: Interval | None, said: str) -> None:
    assert sentence([Verdict("ce", interval, "" if interval else "it diverged")], POINTS) == said


def test_a_sentence_without_baselines() -> None:
    assert sentence([], POINTS) == "no baseline to compare with"
