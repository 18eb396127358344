"""Fitness: the best learning rate's mean over seeds at the last step; failures rank last."""

import math
from dataclasses import replace

import pytest

from symloss.errors import ExperimentError
from symloss.language.candidate import MEASURED, Measurement, Outcome, State
from symloss.searching.fitness import FAILED, NO_PROMISE, Judge

Row = tuple[int, float, int, float]  # step, learning rate, seed, value


def scored(*rows: Row, metric: str = "accuracy") -> Outcome:
    found = tuple(Measurement(step, rate, seed, {metric: value, "other": 99.0}) for step, rate, seed, value in rows)
    return Outcome(0, State.SCORED, measurements=found)


ACCURACY = Judge("accuracy", maximise=True)


def test_the_best_learning_rates_mean_over_seeds_counts() -> None:
    outcome = scored((10, 0.1, 0, 0.5), (10, 0.1, 1, 0.7), (10, 0.2, 0, 0.9), (10, 0.2, 1, 0.1))
    assert ACCURACY.fitness(outcome) == pytest.approx(0.6)
    assert ACCURACY.best_learning_rate(outcome) == 0.1


def test_only_the_last_step_counts() -> None:
    outcome = scored((5, 0.1, 0, 0.99), (10, 0.1, 0, 0.5))
    assert ACCURACY.fitness(outcome) == 0.5


def test_a_learning_rate_that_stopped_earlier_does_not_count() -> None:
    outcome = scored((5, 0.1, 0, 0.99), (5, 0.2, 0, 0.3), (10, 0.2, 0, 0.4))
    assert ACCURACY.fitness(outcome) == 0.4
    assert ACCURACY.best_learning_rate(outcome) == 0.2


def test_a_learning_rate_that_lost_a_seed_does_not_count() -> None:
    outcome = scored((10, 0.1, 0, 0.9), (10, 0.2, 0, 0.5), (10, 0.2, 1, 0.6))
    assert ACCURACY.fitness(outcome) == pytest.approx(0.55)


def test_a_seed_seen_at_an_earlier_step_only_is_a_seed_lost() -> None:
    assert ACCURACY.fitness(scored((5, 0.1, 1, 0.9), (10, 0.1, 0, 0.9))) == FAILED


def test_less_is_better_where_the_metric_is_minimised() -> None:
    judge = Judge("mse", maximise=False)
    outcome = scored((10, 0.1, 0, 3.0), (10, 0.2, 0, 2.0), metric="mse")
    assert judge.fitness(outcome) == -2.0
    assert judge.best_learning_rate(outcome) == 0.2


def test_of_equally_good_learning_rates_the_lowest_is_named() -> None:
    assert ACCURACY.best_learning_rate(scored((1, 0.3, 0, 0.5), (1, 0.1, 0, 0.5), (1, 0.2, 0, 0.5))) == 0.1


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("maximise", [True, False])
def test_what_is_not_finite_ranks_last(value: float, maximise: bool) -> None:
    outcome = scored((10, 0.1, 0, value), (10, 0.1, 1, 0.9))
    assert Judge("accuracy", maximise).fitness(outcome) == FAILED
    assert Judge("accuracy", maximise).best_learning_rate(outcome) is None


@pytest.mark.parametrize("state", [state for state in State if state not in MEASURED])
def test_every_failure_ranks_last(state: State) -> None:
    outcome = Outcome(3, state, "because", twin=1 if state is State.DUPLICATE else None)
    assert ACCURACY.fitness(outcome) == FAILED
    assert ACCURACY.best_learning_rate(outcome) is None
    assert ACCURACY.promise(outcome) == NO_PROMISE


def stopped(*rows: Row, metric: str = "accuracy") -> Outcome:
    return replace(scored(*rows, metric=metric), state=State.STOPPED, reason="below the rung")


def test_half_a_training_is_no_score() -> None:
    outcome = stopped((5, 0.1, 0, 0.99))
    assert ACCURACY.fitness(outcome) == FAILED
    assert ACCURACY.best_learning_rate(outcome) is None


def test_promise_orders_by_how_far_a_candidate_came_then_by_how_it_stood_there() -> None:
    early = stopped((5, 0.1, 0, 0.8), (5, 0.1, 1, 0.6), (5, 0.2, 0, 0.1), (5, 0.2, 1, 0.3))
    better = stopped((5, 0.1, 0, 0.8), (5, 0.1, 1, 0.7), (5, 0.2, 0, 0.1), (5, 0.2, 1, 0.3))
    later = stopped((5, 0.1, 0, 0.8), (5, 0.1, 1, 0.6), (5, 0.2, 0, 0.4), (5, 0.2, 1, 0.4), (9, 0.2, 0, 0.1),
                    (9, 0.2, 1, 0.2))  # fmt: skip
    assert ACCURACY.promise(early) == (5, pytest.approx(0.7))
    assert ACCURACY.promise(later) == (9, pytest.approx(0.15))
    ranked = [ACCURACY.promise(each) for each in (early, better, later)]
    assert [NO_PROMISE, *ranked] == sorted([*ranked, NO_PROMISE])
    assert Judge("mse", maximise=False).promise(stopped((5, 0.1, 0, 3.0), metric="mse")) == (5, -3.0)
    assert ACCURACY.promise(scored((5, 0.1, 0, 0.99))) == NO_PROMISE


def test_an_unmeasured_metric_is_named_with_its_kin() -> None:
    with pytest.raises(ExperimentError, match=r"'accuraci'. Did you mean 'accuracy'\? Known: accuracy, other"):
        Judge("accuraci", maximise=True).fitness(scored((1, 0.1, 0, 0.5)))
