"""What a grammar or an experiment holds and what it would cost, told before anybody pays.

The cost comes from training the search's own first candidates for a few steps.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from symloss.errors import ExperimentError
from symloss.judging.plan import Plan
from symloss.judging.screen import Screen
from symloss.judging.stacking import choose_stacking
from symloss.judging.tasks import make_task
from symloss.judging.tasks.task import Task
from symloss.judging.threads import one_thread
from symloss.judging.train import train_cohort
from symloss.judging.tuning import tune
from symloss.language.candidate import Candidate
from symloss.language.files import names_file, read_text
from symloss.language.formula import parse
from symloss.language.grammar import Grammar, count_space, list_grammars, load_grammar
from symloss.language.loss import compile_loss
from symloss.language.slots import SLOTS
from symloss.language.tuning import Tuning
from symloss.running.config import Experiment, check_fit, list_experiments, load_experiment, resolved
from symloss.running.costs import Price
from symloss.running.machine import count_workers
from symloss.running.planning import plan_search, plan_trainings
from symloss.searching.searches import read_settings
from symloss.settings import LONGEST, read_toml
from symloss.telling.progress import duration
from symloss.telling.show import fields

SHORT, LONGER = 10, 30  # steps of the two trainings whose difference is the cost of a step
SAMPLE = 8  # candidates trained for the measurement
BATCHES = 5  # asked for at most until candidates are found that can be trained


@dataclass(frozen=True)
class Cost:
    """What an experiment would cost, in seconds.

    Args:
        batch: candidates that were proposed for the measurement.
        trainable: how many of them pass the free tests; where none does, nothing could be measured.
        per_candidate: one worker's seconds for judging one candidate; None where unknown.
        candidates: expected to be trained; None where the stops do not tell.
        search, finals: of the run with these workers; None where unknown.
    """

    batch: int
    trainable: int
    stack: str
    per_candidate: float | None
    candidates: int | None
    search: float | None
    finals: float | None
    workers: int


def preview(name: str, overrides: Iterable[str] = (), workers: int | None = None) -> dict[str, Any]:
    """Validate a grammar or an experiment, count its space, and estimate an experiment's cost.

    Args:
        name: a TOML file, or the name of a built-in experiment or grammar.
        overrides: changes to an experiment.
        workers: that the experiment would run with; None for one per core.

    Raises:
        GrammarError, ExperimentError: what is wrong, in words.
    """
    changes = list(overrides)
    if _is_grammar(name):
        if changes:
            raise ExperimentError(f"{name} is a grammar; --set changes experiments only.")
        return {"kind": "grammar", **describe_grammar(load_grammar(name))}
    return preview_experiment(load_experiment(name, changes), count_workers(workers))


def _is_grammar(name: str) -> bool:
    path = Path(name)
    if not names_file(path):
        return name in list_grammars() and name not in list_experiments()
    try:
        return "operators" in read_toml(read_text(path, 4 * LONGEST, "an experiment or a grammar"), name)
    except (OSError, ValueError) as error:
        raise ExperimentError(f"{name} cannot be read: {error}.") from error


def describe_grammar(grammar: Grammar) -> dict[str, Any]:
    """Return a grammar's facts, and how many distinct trees there are up to each depth."""
    return {
        "name": grammar.name,
        "slot": grammar.slot,
        "about": grammar.about,
        "operators": list(grammar.operators),
        "variables": list(grammar.variables),
        "required": list(grammar.required),
        "max_nodes": grammar.limits.max_nodes,
        "trees": {depth: count_space(grammar, depth) for depth in range(grammar.limits.max_depth + 1)},
    }


def preview_experiment(experiment: Experiment, workers: int) -> dict[str, Any]:
    """Return an experiment's facts and its estimated cost; its task and a few candidates are really trained."""
    grammar, task = load_grammar(experiment.grammar), make_task(experiment.task)
    check_fit(experiment, grammar, task)
    settled = resolved(experiment, task.learning_rates)
    cost = estimate(settled, grammar, task, workers)
    return {
        "kind": "experiment",
        "name": experiment.name,
        "task": dict(experiment.task),
        "metric": task.metric.name,
        "method": experiment.method,
        "grammar": describe_grammar(grammar),
        "budget": asdict(settled.budget),
        "stop": asdict(settled.stop),
        "finals": asdict(settled.finals),
        "cost": asdict(cost),
    }


def estimate(experiment: Experiment, grammar: Grammar, task: Task, workers: int) -> Cost:
    """Estimate what a resolved experiment would cost, by a short measurement."""
    proposed, passed = first_trainable(experiment, grammar, task)
    stacking = choose_stacking(task, plan_trainings(experiment), experiment.budget.cohort)
    plan = plan_trainings(experiment, stacking)
    if not passed:
        return Cost(proposed, 0, plan.stack, None, None, None, None, workers)
    training = seconds_per_candidate(passed[: min(SAMPLE, experiment.budget.cohort)], task, plan)
    each = training + seconds_of_tuning(passed[0], task, plan, experiment.tuning)
    each_here = each / max(1, workers)
    preselects = read_settings(experiment.method, experiment.search_settings).preselect > 1
    share = 1.0 if preselects else len(passed) / proposed  # after the first generation nearly all pass
    number = _expected(experiment, proposed, share, each_here)
    polish = experiment.finals.top * seconds_of_tuning(passed[0], task, plan, experiment.finals.polish)
    finals = (training * _finals_trainings(experiment, task.slot) + polish) / max(1, workers)
    search_time = None if number is None else number * each_here
    return Cost(proposed, len(passed), plan.stack, each, number, search_time, finals, workers)


def first_trainable(experiment: Experiment, grammar: Grammar, task: Task) -> tuple[int, list[Candidate]]:
    """Ask the search until some candidates pass the free tests, a few batches at most.

    Returns:
        How many candidates were proposed, and those of them that pass.
    """
    search, screen = plan_search(experiment, grammar, task), Screen()
    proposed = 0
    for _ in range(BATCHES):
        candidates = search.ask()
        if not candidates:
            break
        outcomes = screen.check(candidates)
        proposed += len(candidates)
        failed = [outcome for outcome in outcomes if outcome is not None]
        if len(failed) < len(candidates):
            pairs = zip(candidates, outcomes, strict=True)
            return proposed, [candidate for candidate, outcome in pairs if outcome is None]
        search.tell(failed)
    return proposed, []


def seconds_per_candidate(candidates: Sequence[Candidate], task: Task, plan: Plan) -> float:
    """Return one worker's seconds for judging one candidate, drawn out from two short trainings."""
    functions = [compile_loss(parse(each.text, each.slot)) for each in candidates]
    taken = []
    with one_thread():
        for steps in (SHORT, LONGER):
            began = time.perf_counter()
            train_cohort(functions, task, replace(plan, steps=steps, rungs=(steps,)))
            taken.append(time.perf_counter() - began)
    step = max((taken[1] - taken[0]) / (LONGER - SHORT), taken[1] / LONGER / 10)
    return (taken[0] + step * max(0, plan.steps - SHORT)) / len(functions)


def seconds_of_tuning(candidate: Candidate, task: Task, plan: Plan, tuning: Tuning) -> float:
    """Return one worker's seconds for tuning a formula's numbers, drawn out from a few steps."""
    if tuning.method == "none":
        return 0.0
    short = replace(tuning, steps=min(tuning.steps, LONGER))
    with one_thread():
        began = time.perf_counter()
        tune(parse(candidate.text, candidate.slot), task, plan, short)
        return (time.perf_counter() - began) * tuning.steps / short.steps


def _expected(experiment: Experiment, batch: int, share: float, each: float) -> int | None:
    stop = experiment.stop
    ends = [
        None if stop.generations is None else stop.generations * batch * share,
        stop.evaluations,
        None if stop.steps is None else stop.steps / Price.of(experiment).whole,
        None if stop.time is None else stop.time / each,
    ]
    return min((round(end) for end in ends if end is not None), default=None)


def _finals_trainings(experiment: Experiment, slot: str) -> float:
    """Return the finals' trainings, in candidates of the search."""
    budget, finals = experiment.budget, experiment.finals
    assert budget.learning_rates is not None
    assert finals.learning_rates is not None
    baselines = len(finals.baselines if finals.baselines is not None else SLOTS[slot].baselines)
    runs = (finals.top + baselines) * len(finals.learning_rates) + 1 + baselines
    per_candidate = len(budget.learning_rates) * budget.seeds * budget.steps
    return runs * finals.seeds * (finals.steps or budget.steps) / per_candidate


def preview_text(document: Mapping[str, Any]) -> str:
    """Lay out what `preview` returned."""
    if document["kind"] == "grammar":
        return fields(_grammar_rows(document))
    cost = document["cost"]
    rows = [("experiment", document["name"]), ("task", ", ".join(f"{k} = {v}" for k, v in document["task"].items()))]
    rows += [("search", f"{document['method']}, judged by {document['metric']}")]
    rows += [(f"grammar {label}", text) for label, text in _grammar_rows(document["grammar"])]
    rows += _cost_rows(cost, document["budget"])
    return fields(rows)


def _grammar_rows(grammar: Mapping[str, Any]) -> list[tuple[str, str]]:
    trees = ", ".join(f"depth {depth}: {_large(count)}" for depth, count in grammar["trees"].items())
    return [
        ("name", f"{grammar['name']} (slot {grammar['slot']})"),
        ("operators", ", ".join(grammar["operators"])),
        ("variables", ", ".join(grammar["variables"])),
        ("trees", f"{trees} (up to {grammar['max_nodes']} nodes)"),
    ]


def _cost_rows(cost: Mapping[str, Any], budget: Mapping[str, Any]) -> list[tuple[str, str]]:
    trainings = f"{len(budget['learning_rates'])} learning rates x {budget['seeds']} seeds x {budget['steps']} steps"
    passing = f"{cost['trainable']} of {cost['batch']} candidates pass the free tests"
    if cost["per_candidate"] is None:
        return [("first batches", passing), ("cost", "unknown, because nothing could be trained")]
    search = "until it is stopped" if cost["search"] is None else f"about {duration(cost['search'])}"
    number = "" if cost["candidates"] is None else f" for about {cost['candidates']} trained candidates"
    workers = f"{cost['workers']} workers" if cost["workers"] else "this process alone"
    return [
        ("first batch", passing),
        ("a candidate", f"{cost['per_candidate']:.2g} s of one worker ({trainings}, {cost['stack']})"),
        ("cost of search", f"{search}{number}, {workers}"),
        ("cost of finals", f"about {duration(cost['finals'])}"),
    ]


def _large(count: int) -> str:
    return (
        str(count) if count < 10**6 else f"{float(count):.2g}" if count < 10**300 else f"about 10^{len(str(count)) - 1}"
    )
