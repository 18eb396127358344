"""Training a cohort: equal to plain torch, the same alone or in company, unharmed by neighbours, repeatable."""

import math
from dataclasses import replace
from itertools import chain, repeat

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from symloss.errors import ExperimentError
from symloss.judging.batches import batches
from symloss.judging.failures import OutOfTimeError
from symloss.judging.memory import candidates_per_stack
from symloss.judging.plan import Plan
from symloss.judging.stacking import choose_stacking
from symloss.judging.tasks import make_task
from symloss.judging.tasks.base import SupervisedTask
from symloss.judging.tasks.task import generator
from symloss.judging.train import train_cohort
from symloss.language.candidate import State
from symloss.language.formula import parse
from symloss.language.loss import compile_loss

pytestmark = pytest.mark.usefixtures("one_thread")

TEXTS = ("-t*log(p)", "(t - p)**2", "t*(1 - p**0.7)/0.7", "t*(1 - p - log(p))", "-t*log(p)*(1 - p)**2")
PLAN = Plan(12, (0.003, 0.01), (0, 5), rungs=(6, 12), stack="stacked")


def compiled(*texts, slot="classification"):
    return [compile_loss(parse(text, slot)) for text in texts]


@pytest.fixture(scope="module")
def digits():
    return make_task({"name": "digits", "noise": 0.4, "hidden": [16]})


def blobs(**changes):
    x = torch.randn(120, 6, generator=torch.Generator().manual_seed(0))
    given = {"x": x, "y": (x[:, 0] > 0).long() + (x[:, 1] > 1).long(), "batch_size": 16} | changes
    return SupervisedTask("blobs", **given)


def values(trained):
    assert trained.state is State.SCORED, trained.reason
    return {(m.step, m.learning_rate, m.seed): dict(m.values) for m in trained.measurements}


@pytest.mark.parametrize("way", ["stacked", "single"])
def test_equals_a_plain_torch_loop(digits, way):
    (trained,) = train_cohort(compiled("-t*log(p)"), digits, Plan(20, (0.01,), (3,), stack=way))
    model, split = digits.model(3), digits.split(3)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    for rows in batches(len(split.train_y), 64, 20, generator(3, "order")):
        optimiser.zero_grad()
        F.cross_entropy(model(digits.x[split.train_index[rows]]), split.train_y[rows]).backward()
        optimiser.step()
    with torch.no_grad():
        logits = model(digits.x[split.valid_index])
    (measured,) = trained.measurements
    assert measured.values["nll"] == pytest.approx(float(F.cross_entropy(logits, split.valid_y)), rel=1e-4)
    hits = (logits.argmax(-1) == split.valid_y).double().mean()
    assert measured.values["accuracy"] == pytest.approx(float(hits), abs=0.007)


def test_measures_every_learning_rate_and_seed_at_every_rung(digits):
    (trained,) = train_cohort(compiled("-t*log(p)"), digits, PLAN)
    assert [*values(trained)] == [(step, rate, seed) for rate in (0.003, 0.01) for seed in (0, 5) for step in (6, 12)]
    assert set(trained.measurements[0].values) == {"accuracy", "nll", "ece"}
    assert trained.outputs is None


@pytest.mark.parametrize("plan", [PLAN, Plan(12, (0.01,), (0,), stack="stacked")], ids=["several", "one each"])
@pytest.mark.parametrize("task", ["digits", "diabetes", "digits_activation"])
def test_numbers_are_the_same_alone_and_in_company(task, plan):
    texts, slot = {
        "digits": (TEXTS, "classification"),
        "diabetes": (("r**2", "abs(r)", "log(1 + r**2)"), "regression"),
        "digits_activation": (("tanh(x)", "x*sigmoid(x)", "sin(x)"), "activation"),
    }[task]
    base, functions = make_task({"name": task}), compiled(*texts, slot=slot)
    together = train_cohort(functions, base, plan)
    alone = [train_cohort([function], base, plan)[0] for function in functions]
    for one, other in zip(together, alone, strict=True):
        assert values(one) == values(other)


def test_numbers_do_not_depend_on_the_size_of_a_stack(digits, monkeypatch):
    whole = train_cohort(compiled(*TEXTS), digits, PLAN)
    plan = replace(PLAN, members=1)
    assert candidates_per_stack(digits, plan) == 1
    assert [values(one) for one in train_cohort(compiled(*TEXTS), digits, plan)] == [values(one) for one in whole]


def test_numbers_are_those_of_single_training(digits):
    stacked = train_cohort(compiled(*TEXTS), digits, PLAN)
    single = train_cohort(compiled(*TEXTS), digits, Plan(12, (0.003, 0.01), (0, 5), rungs=(6, 12), stack="single"))
    for one, other in zip(stacked, single, strict=True):
        assert list(values(one)) == list(values(other))
        for key, measured in values(one).items():
            assert measured["nll"] == pytest.approx(values(other)[key]["nll"], rel=1e-3)


def test_the_global_draws_change_nothing(digits):
    torch.manual_seed(0)
    first = train_cohort(compiled("-t*log(p)"), digits, PLAN)
    torch.manual_seed(99)
    state = torch.get_rng_state()
    again = train_cohort(compiled("-t*log(p)"), digits, PLAN)
    assert values(first[0]) == values(again[0])
    assert torch.equal(torch.get_rng_state(), state)


class Wild:
    """A loss whose value is not finite from a step on."""

    def __init__(self, function, step, rates=(0, 1), seeds=(0, 1)):
        self.function, self.step, self.left, self.members = function, step, step, (seeds, rates)
        self.whole = 0

    def __call__(self, *, p, **rest):
        self.left -= 1
        result = self.function(p=p, **rest)
        if self.left >= 0:
            return result
        factor = torch.ones(p.shape[:2])
        self.whole = self.whole or p.shape[1]
        if p.shape[1] == self.whole:  # until a learning rate has left
            for seed in self.members[0]:
                factor[seed, list(self.members[1])] = math.nan
        return result * factor[..., None, None]


@pytest.mark.parametrize("step", [0, 7])
def test_a_candidate_that_diverges_does_not_disturb_its_neighbours(digits, step):
    quiet = train_cohort(compiled(*TEXTS), digits, PLAN)
    functions = compiled(*TEXTS)
    functions[2] = Wild(functions[2], step)
    disturbed = train_cohort(functions, digits, PLAN)
    assert disturbed[2].state is State.DIVERGED
    assert "not finite at any learning rate" in disturbed[2].reason
    assert not disturbed[2].measurements
    for i in (0, 1, 3, 4):
        assert values(disturbed[i]) == values(quiet[i])


def test_a_learning_rate_with_a_dead_seed_is_left_out(digits):
    (function,) = compiled("-t*log(p)")
    (quiet,) = train_cohort([Wild(function, 10**9)], digits, PLAN)  # never strikes, on the same path
    (trained,) = train_cohort([Wild(function, 4, rates=(1,), seeds=(0,))], digits, PLAN)
    assert values(trained) == {key: value for key, value in values(quiet).items() if key[1] == 0.003}


def test_a_candidate_is_diverged_when_every_rate_lost_a_seed(digits):
    (function,) = compiled("-t*log(p)")
    (trained,) = train_cohort([Wild(function, 4, seeds=(1,))], digits, PLAN)
    assert trained.state is State.DIVERGED


def test_a_candidate_that_diverged_stops_costing(digits, monkeypatch):
    monkeypatch.setattr("symloss.judging.train.SWEEP", 2)
    wild = Wild(*compiled("-t*log(p)"), 1)
    train_cohort([wild, *compiled("-t*log(p)")], digits, PLAN)
    assert wild.left == -1  # one step at which it diverged, and no further one


def test_a_learning_rate_that_diverged_stops_costing(digits, monkeypatch):
    monkeypatch.setattr("symloss.judging.train.SWEEP", 2)
    seen = []

    def watched(*, p, **rest):
        seen.append(p.shape[1])
        return wild(p=p, **rest)

    wild = Wild(*compiled("-t*log(p)"), 2, rates=(1,), seeds=(0,))
    train_cohort([watched, *compiled("-t*log(p)")], digits, PLAN)
    assert seen == [2, 2, 2, 2, *[1] * 8]  # it strikes at step 3 and is swept out after step 4


def test_a_learning_rate_that_leaves_does_not_disturb_the_others(digits, monkeypatch):
    quiet = train_cohort(compiled(*TEXTS), digits, PLAN)
    monkeypatch.setattr("symloss.judging.train.SWEEP", 2)
    functions = compiled(*TEXTS)
    functions[1] = Wild(functions[1], 2, rates=(0,), seeds=(1,))
    functions[3] = Wild(functions[3], 5, rates=(1,), seeds=(0,))
    disturbed = train_cohort(functions, digits, PLAN)
    assert {rate for _, rate, _ in values(disturbed[1])} == {0.01}
    assert {rate for _, rate, _ in values(disturbed[3])} == {0.003}
    for i in (0, 2, 4):
        assert values(disturbed[i]) == values(quiet[i])


def test_weights_that_overflow_are_a_divergence(digits):
    plan = Plan(12, (1e30,), (0,), stack="stacked")
    (trained,) = train_cohort(compiled("-t*log(p)"), digits, plan)
    assert trained.state is State.DIVERGED


@pytest.mark.parametrize("way", ["stacked", "single"])
@pytest.mark.parametrize("step", [0, 7])
def test_a_function_that_raises_fails_alone(digits, way, step):
    calls = []

    def broken(*, p, t, **rest):
        calls.append(1)
        if len(calls) > step:
            raise ValueError("no\nsuch loss")
        return (t - p) ** 2

    plan = Plan(12, (0.003, 0.01), (0, 5), stack=way)
    good = compiled(*TEXTS[:2])
    first, failed, second = train_cohort([good[0], broken, good[1]], digits, plan)
    assert (failed.state, failed.reason) == (State.CRASHED, "ValueError: no such loss")
    assert [values(first), values(second)] == [values(one) for one in train_cohort(good, digits, plan)]


@pytest.mark.parametrize("error", [ValueError("no number"), SystemExit("no number")])
@pytest.mark.parametrize("also", [(), ("accuracy",)])
def test_a_metric_that_raises_is_named(error, also):
    def f1(outputs, targets):
        raise error

    task = blobs(model=lambda: nn.Linear(6, 3), metric=(f1, "maximise"), also=also)
    words = rf"task 'blobs': its metric 'f1' raised {type(error).__name__}: no number\."
    with pytest.raises(ExperimentError, match=words):
        train_cohort(compiled("-t*log(p)"), task, PLAN)


def test_a_time_limit_within_a_metric_is_no_fault_of_it():
    def slow(outputs, targets):
        raise OutOfTimeError(patience=0.0)

    task = blobs(model=lambda: nn.Linear(6, 3), metric=(slow, "maximise"))
    with pytest.raises(OutOfTimeError):
        train_cohort(compiled("-t*log(p)"), task, PLAN)


def test_a_model_that_exits_fails_alone():
    class Leaver(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(6, 3)

        def forward(self, x, nonlinearity):
            if float(nonlinearity(torch.tensor(1.0))) == 0.125:
                raise SystemExit(3)
            return nonlinearity(self.layer(x))

    functions = compiled("tanh(x)", "0.125*x", slot="activation")
    task = blobs(model=Leaver, slot="activation")
    sound, left = train_cohort(functions, task, replace(PLAN, stack="single"))
    assert sound.state is State.SCORED
    assert (left.state, left.reason) == (State.CRASHED, "SystemExit: 3")


def test_only_the_candidate_that_took_the_time_is_blamed(digits):
    def late(*, p, t, **rest):
        raise OutOfTimeError(patience=patience)

    patience = 0.0
    trained = train_cohort([late, *compiled("-t*log(p)")], digits, PLAN)
    assert [one.state for one in trained] == [State.TIMED_OUT, State.SCORED]
    patience = 60.0
    with pytest.raises(OutOfTimeError):
        train_cohort([late, *compiled("-t*log(p)")], digits, PLAN)


@pytest.mark.parametrize("way", ["stacked", "single"])
def test_the_test_part_is_measured_once_and_its_outputs_are_kept(digits, way):
    plan = Plan(8, (0.01,), (0, 5), measure=("test",), stack=way)
    (trained,) = train_cohort(compiled("-t*log(p)"), digits, plan)
    _, y = digits.test()
    assert trained.outputs.shape == (2, 539, 10)
    assert trained.outputs.dtype == "float32"
    for measured, outputs in zip(trained.measurements, trained.outputs, strict=True):
        hits = (torch.tensor(outputs).argmax(-1) == y).double().mean()
        assert measured.values["accuracy"] == pytest.approx(float(hits))


def test_an_epoch_shows_each_row_once():
    order = batches(50, 16, 7, generator(0, "order"))
    assert order.shape == (7, 16)
    assert len(set(order[:3].flatten().tolist())) == 48
    assert len(set(order[3:6].flatten().tolist())) == 48
    assert not torch.equal(order[:3], order[3:6])
    assert batches(5, 16, 2, generator(0, "order")).shape == (2, 5)


NORM = {"model": lambda: nn.Sequential(nn.Linear(6, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Linear(12, 3))}
DROPOUT = {"model": lambda: nn.Sequential(nn.Linear(6, 12), nn.Dropout(0.5), nn.ReLU(), nn.Linear(12, 3))}
FACTORY = {"model": lambda: nn.Linear(6, 3), "optimiser": lambda p, rate: torch.optim.AdamW(p, rate, weight_decay=0.1)}


@pytest.mark.parametrize("changes", [NORM, DROPOUT, FACTORY], ids=["batch norm", "dropout", "factory"])
def test_what_cannot_be_stacked_trains_one_by_one(changes):
    task = blobs(**changes)
    plan = Plan(10, (0.01, 0.03), (0, 1), stack="single")
    first = train_cohort(compiled(*TEXTS[:2]), task, plan)
    torch.rand(5)
    again = train_cohort(compiled(*TEXTS[:2]), task, plan)
    assert [values(one) for one in first] == [values(one) for one in again]


def test_draws_of_a_users_own_are_the_same_for_each_candidate_that_trains_alone():
    def alter(x, y, generator):
        return x, torch.where(torch.rand(len(y)) < 0.2, 0, y)

    task = blobs(**DROPOUT, alter=alter)
    one, other = train_cohort(compiled(*TEXTS[:1] * 2), task, Plan(10, (0.01,), (3,), stack="single"))
    assert values(one) == values(other)


class Follower(nn.Module):
    """A linear model of inputs shifted by their running mean: its buffers change what it computes."""

    def __init__(self):
        super().__init__()
        self.norm, self.layer = nn.BatchNorm1d(6, affine=False, momentum=0.3), nn.Linear(6, 3)

    def forward(self, x):
        self.norm(x)
        return self.layer(x - self.norm.running_mean)


class Tempered(nn.Module):
    """A model with a parameter that is a single number."""

    def __init__(self):
        super().__init__()
        self.layer, self.heat = nn.Linear(6, 3), nn.Parameter(torch.tensor(1.0))

    def forward(self, x):
        return self.layer(x) * self.heat


def test_a_parameter_may_be_a_single_number():
    task, plan = blobs(model=Tempered), Plan(60, (0.01,), (0, 1), stack="stacked")
    (stacked,) = train_cohort(compiled("-t*log(p)"), task, plan)
    (single,) = train_cohort(compiled("-t*log(p)"), task, replace(plan, stack="single"))
    for key, measured in values(stacked).items():
        assert measured["nll"] == pytest.approx(values(single)[key]["nll"], rel=1e-4)


def test_buffers_are_the_same_alone_and_in_company():
    task = blobs(model=Follower)
    plan = Plan(12, (0.01,), (0,), rungs=(6, 12), stack="stacked")
    together = train_cohort(compiled(*TEXTS), task, plan)
    for function, trained in zip(compiled(*TEXTS), together, strict=True):
        (alone,) = train_cohort([function], task, plan)
        assert values(alone) == values(trained)


def test_buffers_stay_once_all_neighbours_have_left():
    task = blobs(model=Follower)
    plan = Plan(12, (0.01,), (0,), rungs=(6, 12), stack="stacked")
    (quiet,) = train_cohort(compiled(TEXTS[0]), task, plan)
    left, _ = train_cohort([*compiled(TEXTS[0]), Wild(*compiled(TEXTS[1]), 3, rates=(0,), seeds=(0,))], task, plan)
    assert values(left) == values(quiet)


@pytest.mark.parametrize(("model", "tolerance"), [(Follower, 1e-4), (NORM["model"], 1e-2)], ids=["own", "batch norm"])
def test_stacked_running_statistics_are_those_of_plain_torch(model, tolerance):
    task = blobs(model=model)
    for plan in (Plan(12, (0.01,), (0,), stack="stacked"), Plan(12, (0.01, 0.02), (0, 3), stack="stacked")):
        (stacked,) = train_cohort(compiled("-t*log(p)"), task, plan)
        (single,) = train_cohort(compiled("-t*log(p)"), task, replace(plan, stack="single"))
        for key, measured in values(stacked).items():
            assert measured["nll"] == pytest.approx(values(single)[key]["nll"], rel=tolerance)


def test_batch_norm_trains_as_in_plain_torch():
    task = blobs(**NORM)
    (trained,) = train_cohort(compiled("-t*log(p)"), task, Plan(10, (0.01,), (0,), stack="single"))
    model, split = task.model(0).train(), task.split(0)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    for rows in batches(len(split.train_y), 16, 10, generator(0, "order")):
        optimiser.zero_grad()
        F.cross_entropy(model(task.x[split.train_index[rows]]), split.train_y[rows]).backward()
        optimiser.step()
    with torch.no_grad():
        expected = F.cross_entropy(model.eval()(task.x[split.valid_index]), split.valid_y)
    # A bias before a batch norm has no gradient but rounding, of which Adam makes whole steps: no closer than this.
    assert trained.measurements[0].values["nll"] == pytest.approx(float(expected), rel=2e-3)


@pytest.mark.parametrize("changes", [DROPOUT, FACTORY], ids=["dropout", "factory"])
def test_what_cannot_be_stacked_is_recognised(changes):
    task = blobs(**changes)
    decision = choose_stacking(task, Plan(10, (0.01,), (0, 1)))
    assert decision.stack == "single"
    assert "cannot be stacked" in decision.reason
    with pytest.raises(ExperimentError, match="cannot be stacked"):
        choose_stacking(task, Plan(10, (0.01,), (0, 1), stack="stacked"))


def test_a_small_model_is_stacked_where_that_pays(digits, monkeypatch):
    monkeypatch.setattr("symloss.judging.stacking.SLOWER", 1e9)
    decision = choose_stacking(digits, Plan(10, (0.01,), (0, 1)))
    assert decision.stack == "stacked"
    assert "ms per training" in decision.reason
    monkeypatch.setattr("symloss.judging.stacking.SLOWER", 0.0)
    assert choose_stacking(digits, Plan(10, (0.01,), (0, 1))).stack == "single"


def test_the_choice_is_measured_on_one_thread_as_workers_train(digits, monkeypatch):
    threads = []

    def seconds_of(call):
        threads.append(torch.get_num_threads())
        return 1.0

    monkeypatch.setattr("symloss.judging.stacking.seconds_of", seconds_of)
    torch.set_num_threads(2)
    choose_stacking(digits, Plan(10, (0.01,), (0, 1)))
    assert set(threads) == {1}
    assert len(threads) > 2
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize(("seconds", "choice"), [((1.0, 7.0), "stacked"), ((1.0, 9.0), "single")])
def test_stacking_is_left_only_where_it_is_clearly_slower(digits, monkeypatch, seconds, choice):
    taken = chain(seconds, repeat(1.0))  # one training alone, then four stacked, then the size of stacks
    monkeypatch.setattr("symloss.judging.stacking.seconds_of", lambda call: next(taken))
    assert choose_stacking(digits, Plan(10, (0.01,), (0, 1))).stack == choice


def test_a_model_that_cannot_be_trained_is_refused():
    class Stubborn(nn.Linear):
        def forward(self, x):
            if self.training:
                raise RuntimeError("I do not learn")
            return super().forward(x)

    with pytest.raises(ExperimentError, match="task 'blobs' cannot be trained: RuntimeError: I do not learn"):
        choose_stacking(blobs(model=lambda: Stubborn(6, 3)), Plan(10, (0.01,), (0,)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"rungs": (5, 3, 10)}, "rungs must increase from at least 1 to steps = 10, got [5, 3, 10]"),
        ({"rungs": (5,)}, "rungs must increase"),
        ({"learning_rates": (0.1, -1.0)}, "learning_rates must be positive"),
        ({"seeds": (1, 1)}, "seeds must differ"),
        ({"stack": "staked"}, "unknown way to train 'staked'. Did you mean 'stacked'?"),
        ({"measure": ("train",)}, "measure must be ('valid',) or ('test',)"),
        ({"measure": ("test",)}, "The test part is measured at one learning rate"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(changes, words):
    with pytest.raises(ExperimentError) as caught:
        Plan(**({"steps": 10, "learning_rates": (0.1, 0.2), "seeds": (0, 1)} | changes))
    assert words in str(caught.value)
