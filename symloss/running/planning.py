"""From an experiment to what a session works by: the search, the plans of its trainings, and jobs.

All of it is a function of the experiment and its task, never of the machine.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from symloss.judging.evaluate import Job
from symloss.judging.plan import Plan
from symloss.judging.stacking import Decision
from symloss.judging.tasks.task import Task
from symloss.language.candidate import Candidate
from symloss.language.grammar import Grammar
from symloss.language.tuning import UNTUNED, Tuning
from symloss.running.config import Experiment
from symloss.running.halving import Halving
from symloss.running.proof.trials import Trials
from symloss.running.seeds import finals_seeds, search_seeds
from symloss.searching.fitness import Judge
from symloss.searching.searches import Search, make_search, read_settings


@dataclass(frozen=True)
class Cutter:
    """Cuts candidates into jobs, in asked order.

    Args:
        cohort: candidates of one job at most.
    """

    plan: Plan
    cohort: int
    timeout: float
    tuning: Tuning = UNTUNED

    def __call__(self, candidates: Sequence[Candidate]) -> list[Job]:
        """Return the jobs, numbered by their first candidate."""
        named = [(each.number, each.text, each.slot) for each in candidates]
        parts = [tuple(named[start : start + self.cohort]) for start in range(0, len(named), self.cohort)]
        return [Job(part[0][0], part, self.plan, self.timeout, True, self.tuning) for part in parts]


def plan_jobs(experiment: Experiment, stacking: Decision) -> Cutter:
    """Return what cuts a resolved experiment's candidates into jobs: a cohort each, or as many of one as make a stack.

    Who does not train together need not wait for each other: small jobs end sooner, and leave no worker idle.
    """
    plan, budget = plan_trainings(experiment, stacking), experiment.budget
    stack = max(1, stacking.members // (len(plan.learning_rates) * len(plan.seeds)))
    return Cutter(plan, min(budget.cohort, stack), budget.timeout, experiment.tuning)


def plan_search(experiment: Experiment, grammar: Grammar, task: Task) -> Search:
    """Make the search of a resolved experiment.

    Raises:
        ExperimentError: its settings are not allowed.
    """
    judge = Judge.by(task.metric)
    return make_search(experiment.method, grammar, judge, experiment.seed, experiment.search_settings, task.width)


def is_asynchronous(experiment: Experiment) -> bool:
    """Whether the experiment's search proposes while candidates are still in training."""
    return read_settings(experiment.method, experiment.search_settings).asynchronous


def plan_trainings(experiment: Experiment, stacking: Decision | None = None) -> Plan:
    """Return how a resolved experiment's search trains a candidate; before anything is decided, as it is asked for."""
    budget = experiment.budget
    assert budget.learning_rates is not None, "the experiment is resolved"
    seeds = search_seeds(experiment.seed, budget.seeds)
    rungs = (*sorted(budget.rungs), budget.steps)
    plan = Plan(budget.steps, budget.learning_rates, seeds, rungs, ("valid",), budget.stack, None, budget.memory)
    plan = replace(plan, rate_factor=budget.rate_factor)
    return plan if stacking is None else replace(plan, stack=stacking.stack, members=stacking.members)


def plan_halving(experiment: Experiment, task: Task) -> Halving:
    """Return what decides the thresholds of a resolved experiment's rungs; it knows of no training yet."""
    budget = experiment.budget
    return Halving(sorted(budget.rungs), budget.reduction_factor or 1.0, task.metric.name, task.metric.maximise)


def plan_finals(experiment: Experiment, stacking: Decision) -> Trials:
    """Return how a resolved experiment's finals train an entrant."""
    budget, finals = experiment.budget, experiment.finals
    assert finals.steps is not None, "the experiment is resolved"
    assert finals.learning_rates is not None
    assert budget.learning_rates is not None
    seeds = finals_seeds(experiment.seed, finals.seeds)
    plan = Plan(finals.steps, finals.learning_rates, seeds, (finals.steps,), ("valid",), stacking.stack)
    plan = replace(plan, members=stacking.members, memory=budget.memory)
    trainings = len(finals.learning_rates) * finals.seeds * finals.steps
    usual = plan_jobs(experiment, stacking).cohort * len(budget.learning_rates) * budget.seeds * budget.steps
    # Twice a job's share, because a formula alone shares its forward pass with fewer.
    return Trials(plan, experiment.seed, finals.resamples, budget.timeout * max(1.0, 2 * trainings / usual))
