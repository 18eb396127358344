"""The thresholds of rungs: successive halving over what was told, whatever the order, duplicates once."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symloss.language.candidate import Measurement, Outcome, State
from symloss.running.halving import LEAST, MEMORY, Halving

RATES = (0.1, 0.2)


def outcome(number, *trainings, state=State.SCORED):
    """Make an outcome; each training is its means at the rungs 10, 20, ... of one learning rate, two seeds each."""
    measured = tuple(
        Measurement(10 * (place + 1), rate, seed, {"accuracy": score + offset, "other": 5.0})
        for rate, scores in zip(RATES, trainings, strict=False)
        for place, score in enumerate(scores)
        for seed, offset in ((0, 0.0), (1, 0.0))
    )
    return Outcome(number, state, "" if state is State.SCORED else "because", measurements=measured)


def told(*outcomes, rungs=(10, 20), factor=3.0, maximise=True):
    halving = Halving(rungs, factor, "accuracy", maximise)
    halving.tell(outcomes)
    return halving.thresholds()


def straight(count, last=3):
    """Return outcomes of one learning rate each, the score of the i-th is i at every rung."""
    return [outcome(i, (float(i),) * last) for i in range(count)]


def test_nobody_is_stopped_before_enough_is_known():
    assert told() == (None, None)
    assert told(*straight(LEAST - 1)) == (None, None)
    assert told(*straight(LEAST))[0] is not None


def test_the_best_share_goes_on_at_each_rung_in_turn():
    assert told(*straight(90)) == (60.0, 80.0)  # the best 30 of 90, then the best 10 of those 30
    assert told(*straight(90), factor=2) == (45.0, 67.0)
    assert told(*straight(91)) == (60.0, 80.0)  # 31 of 91 and 11 of 31: shares are rounded up, in favour of going on
    assert told(*straight(45)) == (30.0, None)  # only 15 are left for the second rung: too few


def test_the_second_rung_counts_only_who_would_pass_the_first_now():
    early = [outcome(i, (float(i), 1000.0 - i, 0.0)) for i in range(90)]  # nobody was stopped yet
    first, second = told(*early)
    assert (first, second) == (60.0, 931.0)  # of 60 to 89, the best ten at the second rung are 60 to 69


def test_learning_rates_count_each_for_itself():
    pairs = [outcome(i, (float(i),) * 3, (100.0 + i,) * 3) for i in range(30)]
    assert told(*pairs, rungs=(10,)) == (110.0,)  # the best 20 of 60 are all of the second rate


def test_only_what_was_measured_counts():
    stopped = [outcome(i, (float(i),), state=State.STOPPED) for i in range(60)]
    went_on = [outcome(i, (float(i),) * 3) for i in range(60, 90)]
    failed = [Outcome(200 + i, State.DIVERGED, "because") for i in range(50)]
    doubles = [Outcome(300 + i, State.DUPLICATE, "because", twin=89) for i in range(50)]
    assert told(*stopped, *went_on, *failed, *doubles) == told(*straight(90))


def test_less_is_better_where_the_metric_is_minimised():
    assert told(*straight(90), maximise=False) == (29.0, 9.0)


def test_a_factor_of_one_stops_nobody():
    assert told(*straight(90), factor=1.0) == ()


def test_no_rungs_need_no_thresholds():
    assert told(*straight(90), rungs=()) == ()


@given(st.lists(st.lists(st.floats(-1, 1), min_size=3, max_size=3), min_size=LEAST, max_size=60),
       st.floats(1.1, 9.0), st.randoms(use_true_random=False))  # fmt: skip
def test_shares_hold_for_any_scores_in_any_order(scores, factor, rng):
    every = [outcome(i, one) for i, one in enumerate(scores)]
    first, second = told(*every, factor=factor)
    passing = [one for one in scores if one[0] >= first]
    assert len(passing) >= math.ceil(len(scores) / factor)
    assert sum(one[0] > first for one in scores) < math.ceil(len(scores) / factor)
    if len(passing) >= LEAST:
        assert sum(one[1] > second for one in passing) < math.ceil(len(passing) / factor)
    assert told(*rng.sample(every, len(every)), factor=factor) == (first, second)


def test_batches_add_up():
    halving = Halving((10, 20), 3.0, "accuracy", True)
    for each in straight(90):
        halving.tell([each])
    assert halving.thresholds() == told(*straight(90))


def test_only_the_last_trainings_count():
    """A long search's later candidates are better than its first, by which fewer of them would be stopped."""
    halving = Halving((10,), 2.0, "accuracy", True)
    first, later = [outcome(i, (-1.0,)) for i in range(MEMORY)], straight(MEMORY)
    halving.tell(first)
    halving.tell(later[: MEMORY // 2])
    assert halving.thresholds() == (-1.0,)  # a third of what it remembers is better
    halving.tell(later[MEMORY // 2 :])
    assert halving.thresholds() == (MEMORY / 2,)


def test_a_batch_is_remembered_whole():
    """However many it holds: which of its trainings came last may depend on timing."""
    halving, batch = Halving((10,), 2.0, "accuracy", True), straight(3 * MEMORY)
    halving.tell(batch)
    halving.tell(reversed(batch))
    assert halving.thresholds() == told(*batch, rungs=(10,), factor=2)


def test_its_memory_does_not_grow():
    halving = Halving((10,), 2.0, "accuracy", True)
    for each in straight(3 * MEMORY):
        halving.tell([each])
    assert sum(map(len, halving._batches)) == MEMORY
    assert halving.thresholds() == (2.5 * MEMORY,)


def test_trainings_told_are_counted_by_learning_rate():
    halving = Halving((10,), 3.0, "accuracy", True)
    halving.tell([outcome(0, (0.1,), (0.2,)), outcome(1, (0.3,)), Outcome(2, State.DIVERGED, "because")])
    assert [len(batch) for batch in halving._batches] == [3]


def test_the_mean_over_seeds_is_what_counts():
    mixed = [
        Outcome(i, State.SCORED, measurements=(Measurement(10, 0.1, 0, {"accuracy": float(i)}),
                                               Measurement(10, 0.1, 1, {"accuracy": 0.0})))
        for i in range(90)
    ]  # fmt: skip
    assert told(*mixed, rungs=(10,)) == (pytest.approx(30.0),)
