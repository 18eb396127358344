"""Rungs: who does not reach a threshold is stopped, alone or in company, stacked or one by one, and costs no more."""

import math
from collections import defaultdict
from dataclasses import replace
from statistics import fmean

import pytest
import torch
from torch import nn

from symloss.errors import ExperimentError
from symloss.judging.plan import Leg, Plan
from symloss.judging.rungs import Cut, cut_in_words, cuts
from symloss.judging.tasks import make_task
from symloss.judging.tasks.base import SupervisedTask
from symloss.judging.tasks.metrics import read_metric
from symloss.judging.threads import one_thread
from symloss.judging.train import train_cohort
from symloss.language.candidate import State
from symloss.language.formula import parse
from symloss.language.loss import compile_loss

pytestmark = pytest.mark.usefixtures("one_thread")

TEXTS = ("-t*log(p)", "(t - p)**2", "t*(1 - p**0.7)/0.7", "p - t*p*2 - t", "-t*log(p)*(1 - p)**2")
FREE = Plan(30, (0.0003, 0.01), (0, 5), rungs=(10, 20, 30), stack="stacked")
WAYS = ("stacked", "single")


def compiled(*texts, slot="classification"):
    return [compile_loss(parse(text, slot)) for text in texts]


@pytest.fixture(scope="module")
def digits():
    return make_task({"name": "digits", "noise": 0.4, "hidden": [16]})


@pytest.fixture(scope="module", params=WAYS)
def free(request, digits):
    """Trainings that nobody stops, and the plan of them."""
    plan = replace(FREE, stack=request.param)
    with one_thread():
        return plan, train_cohort(compiled(*TEXTS), digits, plan)


def values(trained):
    return {(m.step, m.learning_rate, m.seed): dict(m.values) for m in trained.measurements}


def means(trained, metric="accuracy"):
    """Return (step, learning rate) -> mean over the seeds."""
    found = defaultdict(list)
    for each in trained.measurements:
        found[each.step, each.learning_rate].append(each.values[metric])
    return {key: fmean(each) for key, each in found.items()}


def expected(trained, plan, thresholds, maximise=True, metric="accuracy"):
    """Work out by hand what rungs leave of a whole training: state, and the steps and rates that are measured."""
    kept, done = {}, False
    for rate in plan.learning_rates:
        for step, threshold in zip(plan.rungs, (*thresholds, None), strict=True):
            score = means(trained, metric).get((step, rate))
            if score is None:
                break
            kept |= {key: value for key, value in values(trained).items() if key[:2] == (step, rate)}
            if threshold is not None and (score < threshold if maximise else score > threshold):
                break
            done |= step == plan.steps
    return State.SCORED if done else State.STOPPED, kept


def harsh_thresholds(every, plan, metric="accuracy", maximise=True):
    """Return thresholds that a quarter of the trainings reach at each rung."""
    found = []
    for step in plan.rungs[:-1]:
        scores = [means(one, metric)[step, rate] for one in every for rate in plan.learning_rates]
        found.append(sorted(scores, reverse=maximise)[len(scores) // 4])
    return tuple(found)


def test_rungs_stop_exactly_who_does_not_reach_them(digits, free):
    plan, whole = free
    thresholds = harsh_thresholds(whole, plan)
    trained = train_cohort(compiled(*TEXTS), digits, replace(plan, thresholds=thresholds))
    states = []
    for one, full in zip(trained, whole, strict=True):
        state, kept = expected(full, plan, thresholds)
        assert (one.state, values(one)) == (state, kept)
        assert bool(one.reason) == (state is State.STOPPED)
        states.append(state)
    assert set(states) == {State.SCORED, State.STOPPED}
    partly = [one for one in trained if one.state is State.SCORED and len(values(one)) < len(FREE.rungs) * 4]
    assert partly  # a learning rate was stopped, and its candidate was not


def test_who_is_stopped_does_not_depend_on_company(digits, free):
    plan, whole = free
    plan = replace(plan, thresholds=harsh_thresholds(whole, plan))
    together = train_cohort(compiled(*TEXTS), digits, plan)
    for text, one in zip(TEXTS, together, strict=True):
        (alone,) = train_cohort(compiled(text), digits, plan)
        assert (alone.state, alone.reason, values(alone)) == (one.state, one.reason, values(one))


@pytest.mark.parametrize("way", WAYS)
def test_less_is_better_where_the_metric_is_minimised(way):
    task, plan = make_task({"name": "diabetes"}), replace(FREE, stack=way)
    texts = ("r**2", "abs(r)", "log(1 + r**2)", "r**4")
    whole = train_cohort(compiled(*texts, slot="regression"), task, plan)
    thresholds = harsh_thresholds(whole, plan, "mse", maximise=False)
    trained = train_cohort(compiled(*texts, slot="regression"), task, replace(plan, thresholds=thresholds))
    for one, full in zip(trained, whole, strict=True):
        assert (one.state, values(one)) == expected(full, plan, thresholds, maximise=False, metric="mse")
    assert State.STOPPED in {one.state for one in trained}


def test_formulas_inside_the_model_are_stopped_too():
    task = make_task({"name": "digits_activation", "hidden": [16]})
    texts = ("tanh(x)", "x*sigmoid(x)", "sin(x)", "0.001*x")
    whole = train_cohort(compiled(*texts, slot="activation"), task, FREE)
    thresholds = harsh_thresholds(whole, FREE)
    trained = train_cohort(compiled(*texts, slot="activation"), task, replace(FREE, thresholds=thresholds))
    for one, full in zip(trained, whole, strict=True):
        state, kept = expected(full, FREE, thresholds)
        assert (one.state, set(values(one))) == (state, set(kept))
    assert State.STOPPED in {one.state for one in trained}


@pytest.mark.parametrize("way", WAYS)
def test_the_reason_names_the_rung_that_the_best_learning_rate_did_not_reach(digits, way):
    (trained,) = train_cohort(compiled("-t*log(p)"), digits, replace(FREE, stack=way, thresholds=(1.5, None)))
    assert trained.state is State.STOPPED
    best = max(means(trained).values())
    assert trained.reason == f"its accuracy of {best:.4g} at step 10 did not reach that rung's 1.5"
    assert {step for step, _, _ in values(trained)} == {10}


@pytest.mark.parametrize("way", WAYS)
def test_who_is_stopped_costs_no_more(digits, way):
    calls = []

    def counted(*, p, t, **rest):
        calls.append(p.shape[1])
        return (t - p) ** 2

    train_cohort([counted, *compiled("-t*log(p)")], digits, replace(FREE, stack=way, thresholds=(None, 1.5)))
    assert sum(calls) == 20 * 2 * (1 if way == "stacked" else 2)  # 20 steps of two rates, seeds together or in turn


def test_a_threshold_that_is_just_reached_stops_nobody(digits, free):
    plan, (full, *_) = free
    worst = min(score for (step, _), score in means(full).items() if step == 10)
    (reached,) = train_cohort(compiled(TEXTS[0]), digits, replace(plan, thresholds=(worst, None)))
    (missed,) = train_cohort(compiled(TEXTS[0]), digits, replace(plan, thresholds=(math.nextafter(worst, 1), None)))
    assert values(reached) == values(full)
    assert len(values(missed)) == len(values(full)) - 4


class LaterNaN:
    """A loss that is no number from some call on."""

    def __init__(self, calls):
        self.left = calls

    def __call__(self, *, p, t, **rest):
        self.left -= 1
        return (t - p) ** 2 * (1.0 if self.left >= 0 else math.nan)


def test_what_was_stopped_is_still_told_when_the_other_learning_rate_diverges(digits):
    (full,) = train_cohort([LaterNaN(10**9)], digits, FREE)
    low, high = sorted(score for (step, _), score in means(full).items() if step == 10)
    assert low < high
    (trained,) = train_cohort([LaterNaN(15)], digits, replace(FREE, thresholds=(high, None)))
    assert trained.state is State.STOPPED
    assert {key[:2] for key in values(trained)} == {(10, 0.0003)}


@pytest.mark.parametrize("way", WAYS)
def test_who_diverges_is_not_called_stopped(digits, way):
    plan = replace(FREE, stack=way, seeds=(0,), learning_rates=(0.01,), thresholds=(1.5, 1.5))
    (trained,) = train_cohort([LaterNaN(3)], digits, plan)
    assert trained.state is State.DIVERGED
    assert not trained.measurements


def test_seeds_that_take_turns_keep_their_own_random_numbers():
    x = torch.randn(120, 6, generator=torch.Generator().manual_seed(0))

    def model():
        return nn.Sequential(nn.Linear(6, 12), nn.Dropout(0.5), nn.ReLU(), nn.Linear(12, 3))

    task = SupervisedTask("drop", x=x, y=(x[:, 0] > 0).long() + (x[:, 1] > 1).long(), batch_size=16, model=model)
    plan = Plan(20, (0.01,), (0, 1, 2), rungs=(5, 10, 20), stack="single")
    (turns,) = train_cohort(compiled("-t*log(p)"), task, plan)
    alone = [train_cohort(compiled("-t*log(p)"), task, replace(plan, seeds=(seed,)))[0] for seed in plan.seeds]
    assert values(turns) == {key: value for one in alone for key, value in values(one).items()}


def test_a_plan_takes_a_threshold_for_each_rung_but_the_last():
    assert replace(FREE, thresholds=(0.5, None)).legs() == [Leg(10, 0.5), Leg(20, None), Leg(30, None)]
    assert FREE.legs() == [Leg(10), Leg(20), Leg(30)]
    assert replace(FREE, rate_factor=2.0).legs() == [Leg(10, None, 2.0), Leg(20, None, 2.0), Leg(30)]
    with pytest.raises(ExperimentError, match=r"A plan with 3 rungs takes a threshold for each but the last"):
        replace(FREE, thresholds=(0.5,))


def test_cuts_follow_the_metrics_direction():
    more, less = read_metric("here", "accuracy"), read_metric("here", "nll")
    assert (more.maximise, less.maximise) == (True, False)
    leg = Leg(5, 0.5)
    assert cuts({0: 0.4, 1: 0.5, 2: 0.6}, leg, more) == {0: Cut(5, 0.4, 0.5)}
    assert cuts({0: 0.4, 1: 0.5, 2: 0.6}, leg, less) == {2: Cut(5, 0.6, 0.5)}
    assert not cuts({0: 0.4, 1: -9.0}, Leg(5), more)
    ended = [Cut(5, 0.1, 0.05), Cut(9, 0.8, 0.7), Cut(9, 0.9, 0.7)]
    assert cut_in_words(ended, less) == "its nll of 0.8 at step 9 did not reach that rung's 0.7"
    assert cut_in_words(ended, more) == "its accuracy of 0.9 at step 9 did not reach that rung's 0.7"


def test_of_its_own_learning_rates_a_candidate_keeps_the_best_ones():
    more, less, half = read_metric("here", "accuracy"), read_metric("here", "nll"), Leg(5, None, 2.0)
    assert cuts({0: 0.4, 3: 0.6}, half, more) == {0: Cut(5, 0.4, 0.6)}
    assert cuts({0: 0.4, 3: 0.6}, half, less) == {3: Cut(5, 0.6, 0.4)}
    assert cuts({0: 0.5, 1: 0.5}, half, more) == {1: Cut(5, 0.5, 0.5)}  # of equal ones the first goes on
    assert set(cuts({0: 0.1, 1: 0.2, 2: 0.3}, half, more)) == {0}  # two of three
    assert set(cuts({0: 0.1, 1: 0.2, 2: 0.3}, Leg(5, None, 3.0), more)) == {0, 1}
    assert not cuts({7: 0.1}, half, more)  # the last one always goes on
    assert not cuts({}, half, more)
    stopped = cuts({0: 0.1, 1: 0.2, 2: 0.3}, Leg(5, 0.15, 2.0), more)
    assert stopped == {0: Cut(5, 0.1, 0.15), 1: Cut(5, 0.2, 0.3)}  # the threshold first: one of two that reach it
    assert cuts({0: 0.1}, Leg(5, 0.15, 2.0), more) == {0: Cut(5, 0.1, 0.15)}


def raced(trained, plan):
    """Work out by hand what is left of a whole training whose worse learning rate stops at the first rung."""
    first = {rate: score for (step, rate), score in means(trained).items() if step == plan.rungs[0]}
    best = max(first, key=first.get)
    return {key: value for key, value in values(trained).items() if key[1] == best or key[0] == plan.rungs[0]}


@pytest.mark.parametrize("way", WAYS)
def test_the_worse_learning_rate_of_each_candidate_stops_at_the_first_rung(digits, way):
    plan = replace(FREE, stack=way, learning_rates=(0.03, 0.1))
    whole = train_cohort(compiled(*TEXTS), digits, plan)
    race = replace(plan, rate_factor=2.0)
    together = train_cohort(compiled(*TEXTS), digits, race)
    winners = set()
    for text, one, full in zip(TEXTS, together, whole, strict=True):
        (alone,) = train_cohort(compiled(text), digits, race)
        assert one.state is alone.state is State.SCORED
        assert values(one) == values(alone) == raced(full, plan)
        winners |= {rate for step, rate, _ in values(one) if step == plan.steps}
    assert winners == {0.03, 0.1}


@pytest.mark.parametrize("way", WAYS)
def test_a_race_spares_the_loser_the_rest(digits, way):
    calls = []

    def counted(*, p, t, **rest):
        calls.append(p.shape[1])
        return (t - p) ** 2

    train_cohort([counted, *compiled("-t*log(p)")], digits, replace(FREE, stack=way, rate_factor=2.0))
    assert sum(calls) == (10 * 2 + 20) * (1 if way == "stacked" else 2)


@pytest.mark.parametrize("way", WAYS)
def test_a_race_comes_after_the_threshold(digits, free, way):
    plan, (full, *_) = free
    best = max(score for (step, _), score in means(full).items() if step == 10)
    plan = replace(plan, stack=way, rate_factor=2.0, thresholds=(math.nextafter(best, 1), None))
    (missed,) = train_cohort(compiled(TEXTS[0]), digits, plan)
    assert missed.state is State.STOPPED
    assert {step for step, _, _ in values(missed)} == {10}


def test_a_plan_takes_no_factor_below_one():
    for wrong in (0.5, math.inf, math.nan):
        with pytest.raises(ExperimentError, match=r"rate_factor must be at least 1, got"):
            replace(FREE, rate_factor=wrong)
