"""Tuning numbers before judging: it helps, costs what it says, and no company, worker or order has a part in it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

import symloss
from symloss.errors import ExperimentError
from symloss.judging.drain import LeftUndoneError
from symloss.judging.evaluate import Job, evaluate, judge
from symloss.judging.plan import Plan
from symloss.judging.pools import make_pool
from symloss.judging.tasks import make_task
from symloss.judging.tuning import tune
from symloss.judging.unrolled import Unrolled
from symloss.language.candidate import Outcome, State
from symloss.language.formula import parse
from symloss.language.open_loss import OpenLoss
from symloss.language.probing import prefix
from symloss.language.template import with_coefficients
from symloss.language.tuning import UNTUNED, Tuning
from symloss.language.zoo import zoo
from symloss.searching.searches import read_settings

SPEC = {"name": "digits", "noise": 0.4}
TASK = make_task(SPEC)
PLAN = Plan(4, (0.01, 0.03), (5, 9), stack="stacked")
QUICK = Tuning("gradient", steps=12, rate=0.02, inner_rate=0.3)
TEXTS = ("-t*log(p)", "(p - t)**2", "t/p - log(p)", "-t*p**0.3", "-t*log(p) - 0.2*p*t")

pytestmark = pytest.mark.usefixtures("one_thread")


def job(texts: tuple[str, ...], tuning: Tuning = QUICK, **settings: Any) -> Job:
    candidates = tuple((number, text, "classification") for number, text in enumerate(texts))
    return Job(0, candidates, PLAN, 60.0, tuning=tuning, **settings)


def facts(outcome: Outcome) -> tuple[object, ...]:
    return outcome.state, outcome.reason, outcome.measurements, outcome.formula


def planted() -> symloss.SupervisedTask:
    """y = 2x by a line through zero that begins flat: one step of SGD is right if the loss is 1/(2 rate) times r^2."""
    draws = torch.Generator().manual_seed(0)
    x = torch.where(torch.rand(200, 1, generator=draws) < 0.5, -1.0, 1.0) + torch.randn(200, 1, generator=draws) / 50

    def line() -> torch.nn.Module:
        model = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.zeros_(model.weight)
        return model

    return symloss.SupervisedTask("planted", x=x, y=2 * x[:, 0], model=line, optimiser="sgd", batch_size=50)


@pytest.mark.parametrize("method", ["gradient", "cma"])
def test_a_planted_constant_is_found(method: str) -> None:
    tuning = Tuning(method, coefficients="constants", steps=300, rate=0.02, inner_rate=0.1, sigma=0.5)
    tuned = tune(parse("1.5*square(r)", "regression"), planted(), PLAN, tuning)
    assert tuned.text.endswith("*r**2")
    assert tuned.constants[0] == pytest.approx(5.0, rel=0.02)


@pytest.mark.parametrize("method", ["gradient", "cma"])
def test_tuned_numbers_make_the_validation_loss_smaller(method: str) -> None:
    draws = torch.Generator().manual_seed(0)
    x, y = torch.randn(150, 5, generator=draws), torch.arange(150) % 3
    x[torch.arange(150), y] += 2.0
    model = lambda: torch.nn.Linear(5, 3)  # noqa: E731
    task = symloss.SupervisedTask("blobs", x=x, y=y, model=model, optimiser="sgd", metric="accuracy", batch_size=30)
    tuning = Tuning(method, steps=40, rate=0.05, inner_rate=0.3)
    formula = parse("-t*p**0.3")
    tuned = tune(formula, task, PLAN, tuning)
    assert tuned != formula
    losses = []
    for each in (formula, tuned):
        template = with_coefficients(list(prefix(each.node)), "edges")
        unrolled = Unrolled(OpenLoss(template, each.slot), task, PLAN, tuning, 20)
        losses.append(sum(unrolled(torch.ones(template.count), trial).item() for trial in range(20)) / 20)
    assert losses[1] < 0.9 * losses[0]


def test_numbers_are_short_enough_to_read() -> None:
    tuned = tune(zoo["gce"], TASK, PLAN, QUICK)
    assert all(len(repr(constant)) <= 12 for constant in tuned.constants)
    assert parse(tuned.text) == tuned


def test_the_outcome_is_that_of_the_tuned_formula_and_names_it() -> None:
    (outcome,) = evaluate(job(("-t*p**0.3",)), TASK)
    tuned = tune(parse("-t*p**0.3"), TASK, PLAN, QUICK)
    assert outcome.formula == tuned.canonical()
    assert outcome.formula != parse("-t*p**0.3").canonical()
    (plain,) = evaluate(job((tuned.text,), UNTUNED), TASK)
    assert facts(plain) == facts(outcome)


def test_company_and_order_have_no_part_in_it() -> None:
    together = evaluate(job(TEXTS), TASK)
    backwards = evaluate(job(TEXTS[::-1]), TASK)
    alone = [evaluate(job((text,)), TASK)[0] for text in TEXTS]
    assert list(map(facts, together)) == list(map(facts, alone)) == list(map(facts, backwards[::-1]))
    assert {each.state for each in together} == {State.SCORED}


@pytest.mark.usefixtures("cluster")
def test_workers_have_no_part_in_it() -> None:
    jobs = [replace(job((text,)), number=number) for number, text in enumerate(TEXTS[:3])]
    found: list[dict[int, tuple[object, ...]]] = []
    for workers in (0, 2):
        pool = make_pool(workers, SPEC)
        pool.start()
        try:
            found.append({done.number: facts(outcomes[0]) for done, outcomes in pool.run(jobs)})
        finally:
            pool.close()
    assert found[0] == found[1]
    assert len(found[0]) == 3


def test_a_rejected_formula_is_not_tuned() -> None:
    (outcome,) = evaluate(job(("t*log(p)",), free_test=True), TASK)
    assert outcome.state is State.REJECTED
    assert outcome.formula == parse("t*log(p)").canonical()


def test_without_numbers_to_tune_a_formula_is_itself() -> None:
    assert tune(zoo["cross_entropy"], TASK, PLAN, replace(QUICK, coefficients="constants")) == zoo["cross_entropy"]


@pytest.mark.parametrize("method", ["gradient", "cma"])
def test_a_loss_that_is_not_finite_leaves_the_numbers_where_they_are(method: str) -> None:
    formula = parse("log(p - 0.9)*t")  # defined where a model is sure, and at its start it is not
    tuning = replace(QUICK, method=method, coefficients="constants", sigma=0.01)
    assert tune(formula, TASK, PLAN, tuning) == formula


def test_a_formula_that_would_be_too_large_with_coefficients_is_itself() -> None:
    formula = parse("+".join(f"p**{n}*t*{n}.25" for n in range(1, 26)))
    assert tune(formula, TASK, PLAN, QUICK) == formula


@pytest.mark.parametrize("method", ["gradient", "cma"])
def test_it_is_left_undone_when_the_run_is_to_end(method: str) -> None:
    calls = []

    def stop() -> bool:
        calls.append(1)
        return len(calls) > 3

    with pytest.raises(LeftUndoneError):
        tune(zoo["gce"], TASK, PLAN, replace(QUICK, method=method, steps=30), stop)
    assert len(calls) == 4
    calls.clear()
    with pytest.raises(LeftUndoneError):
        judge(job(TEXTS[:2]), TASK, stop)


def test_a_formula_that_fails_at_it_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    import symloss.judging.evaluate as evaluating

    def broken(formula: Any, *rest: Any) -> Any:
        if "t/p" in formula.text:
            raise RuntimeError("no memory")
        return tune(formula, *rest)

    monkeypatch.setattr(evaluating, "tune", broken)
    outcomes = evaluate(job(TEXTS[:3]), TASK)
    assert [each.state for each in outcomes] == [State.SCORED, State.SCORED, State.CRASHED]
    assert outcomes[2].reason == "RuntimeError: no memory"


def test_tuning_that_does_not_end_is_timed_out_and_names_what_did_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    import symloss.judging.evaluate as evaluating

    def slow(formula: Any, *rest: Any) -> Any:
        while "t/p" in formula.text:
            pass
        return tune(formula, *rest)

    evaluate(job(TEXTS[1:2]), TASK)  # what is done once is done before
    monkeypatch.setattr(evaluating, "tune", slow)
    outcomes = evaluate(replace(job(TEXTS[1:3]), time_limit=3.0), TASK)
    assert [each.state for each in outcomes] == [State.SCORED, State.TIMED_OUT]
    assert outcomes[1].reason == "the tuning of its numbers did not end within the time limit"


@pytest.mark.parametrize(
    ("tuning", "cost", "trials"),
    [
        (UNTUNED, 0, 0),
        (Tuning("gradient"), 1000, 750),  # 250 steps of one inner step: four training steps each
        (Tuning("gradient", steps=10, inner_steps=5), 160, 30),
        (Tuning("cma"), 1000, 750),
    ],
)
def test_it_says_what_it_costs_in_training_steps(tuning: Tuning, cost: int, trials: int) -> None:
    assert (tuning.cost, tuning.trials) == (cost, trials)


@pytest.mark.parametrize("stack", ["single", "stacked"])
def test_cma_tries_as_often_as_its_cost_allows(stack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = count_calls(monkeypatch, "abreast" if stack == "stacked" else "__call__")
    tuning = Tuning("cma", steps=30, inner_rate=0.3)
    tune(zoo["gce"], TASK, replace(PLAN, stack=stack), tuning)
    population = 4 + int(3 * torch.log(torch.tensor(float(template_count("gce")))))
    times = 1 if stack == "single" else population  # all of a generation at once
    assert tuning.trials - population < times * len(calls) <= tuning.trials == 90


def test_a_generation_that_trains_stacked_leads_where_one_by_one_does() -> None:
    tuning = Tuning("cma", steps=30, rate=0.02, inner_rate=0.3)
    stacked, single = (tune(zoo["gce"], TASK, replace(PLAN, stack=stack), tuning) for stack in ("stacked", "single"))
    assert stacked.constants == pytest.approx(single.constants, rel=1e-2)


def test_the_gradient_method_takes_its_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = count_calls(monkeypatch)
    tune(zoo["gce"], TASK, PLAN, QUICK)
    assert calls == list(range(12))


def template_count(name: str) -> int:
    return with_coefficients(list(prefix(zoo[name].node)), "edges").count


def count_calls(monkeypatch: pytest.MonkeyPatch, name: str = "__call__") -> list[int]:
    calls: list[int] = []
    usual: Callable[..., Any] = getattr(Unrolled, name)

    def counted(self: Unrolled, numbers: Any, trial: int) -> Any:
        calls.append(trial)
        return usual(self, numbers, trial)

    monkeypatch.setattr(Unrolled, name, counted)
    return calls


def test_settings_are_those_of_the_method_where_nothing_else_is_said() -> None:
    assert read_settings("evolution", {}).tuning == UNTUNED
    assert read_settings("evomal", {}).tuning == Tuning("gradient", steps=250, rate=0.001, inner_rate=0.01)
    assert read_settings("evomal", {"tuning": {"steps": 9}}).tuning == Tuning("gradient", steps=9)
    assert read_settings("random", {"tuning": {"method": "cma"}}).tuning == Tuning("cma")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"method": "gradiant"}, "Did you mean 'gradient'"),
        ({"step": 3}, r"\[search.tuning\] .*Did you mean 'steps'"),
        ({"rate": 0}, "rate is 0; allowed: a finite number above 0"),
        ({"inheritance": "darwinian"}, "baldwinian, lamarckian"),
        (3, "tuning is 3; allowed: a table of settings"),
    ],
)
def test_unfit_settings_are_refused(table: object, words: str) -> None:
    with pytest.raises(ExperimentError, match=words):
        read_settings("evolution", {"tuning": table})


@pytest.mark.parametrize("method", ["coefficients", "taylor", "glo"])
def test_methods_that_read_their_numbers_back_inherit_no_others(method: str) -> None:
    asked = {"method": "gradient", "inheritance": "lamarckian"}
    with pytest.raises(ExperimentError, match=f"inheritance is 'lamarckian'; allowed with {method}, .*: baldwinian"):
        read_settings(method, {"tuning": asked})
    assert read_settings(method, {"tuning": {**asked, "inheritance": "baldwinian"}}).tuning == Tuning("gradient")
