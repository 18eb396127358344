"""Training the entrants of the finals: on validation at every learning rate, then on the test set at the chosen one.

The run store keeps every job, so that finals go on where they were interrupted.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from symloss.judging.evaluate import Job, Judged
from symloss.judging.plan import SIZES, Plan
from symloss.judging.pool import Pool
from symloss.judging.tasks.task import Task
from symloss.language.candidate import Outcome, State
from symloss.language.formula import Formula
from symloss.running.proof.entrants import Entrant
from symloss.running.storage.store import RunStore, Trial
from symloss.searching.fitness import Judge

POLISH = "polish"  # the part of trials that tuned the numbers of an entrant, see `polishing`

Stop = Callable[[], bool]
Watch = Callable[[int, int], None]


def _unwatched(done: int, total: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Watcher:
    """Whoever is told how far finals are.

    Args:
        trained: told the number of formulas trained on a part, and of all.
        compared: told the number of comparisons worked out, and of all; with a slow metric each takes its time.
    """

    trained: Watch = _unwatched
    compared: Watch = _unwatched


NOBODY = Watcher()


@dataclass(frozen=True)
class Trials:
    """How entrants are trained.

    Args:
        plan: on validation, at all learning rates and all seeds.
        seed: of the bootstrap.
        resamples: of the bootstrap.
        time_limit: seconds that one job may take.
    """

    plan: Plan
    seed: int
    resamples: int
    time_limit: float


class Ring:
    """Where entrants are trained: jobs that the store knows are not trained again.

    Args:
        store: keeps every trained job; None keeps nothing.
        stop: asked often; True ends the trials, to be resumed.
        watch: told the number of formulas tried on a part, and of all.
    """

    def __init__(
        self, task: Task, trials: Trials, pool: Pool, store: RunStore | None, stop: Stop, watch: Watch
    ) -> None:
        self._trials = trials
        self._pool = pool
        self._store = store
        self._stop = stop
        self._watch = watch
        self._judge = Judge.by(task.metric)
        known = {} if store is None else store.trials()
        self._known = {name: trial for name, trial in known.items() if _is_whole(trial, task, trials.plan)}
        # What was polished stays, too, so that a resume does not polish again.
        self._used = {name for name, trial in self._known.items() if trial.part == POLISH}

    def validate(self, field: Sequence[Entrant]) -> dict[str, Outcome] | None:
        """Train at all learning rates; formula key -> outcome, None when stopped."""
        done = self._train({each.formula.key: (each.formula, self._trials.plan) for each in field})
        return None if done is None else {key: trial.outcome for key, trial in done.items()}

    def test(self, field: Sequence[Entrant], chosen: Mapping[str, Outcome]) -> dict[str, Trial] | None:
        """Train those that did not fail again, each at its chosen learning rate, and measure them on the test set."""
        jobs = {}
        for each in field:
            rate = self._judge.best_learning_rate(chosen[each.formula.key])
            if rate is not None:
                plan = replace(self._trials.plan, learning_rates=(rate,), measure=("test",))
                jobs[each.formula.key] = (each.formula, plan)
        done = self._train(jobs)
        if done is not None and self._store is not None:
            self._store.keep_trials(self._used)
        return done

    def _train(self, wanted: Mapping[str, tuple[Formula, Plan]]) -> dict[str, Trial] | None:
        names = {key: job_name(formula, plan) for key, (formula, plan) in wanted.items()}
        self._used |= set(names.values())
        missing = [key for key, name in names.items() if name not in self._known]
        jobs = [self._job(place, *wanted[key]) for place, key in enumerate(missing)]
        self._watch(len(names) - len(jobs), len(names))
        for job, (judged,) in self._pool.run_with_outputs(jobs, self._stop):
            key = missing[job.number]
            self._keep(names[key], *wanted[key], judged)
            self._watch(sum(name in self._known for name in names.values()), len(names))
        if any(name not in self._known for name in names.values()):
            return None
        return {key: self._known[name] for key, name in names.items()}

    def _job(self, place: int, formula: Formula, plan: Plan) -> Job:
        return Job(place, ((place, formula.text, formula.slot),), plan, self._trials.time_limit)

    def _keep(self, name: str, formula: Formula, plan: Plan, judged: Judged) -> None:
        outputs = {} if judged.outputs is None else dict(zip(plan.seeds, judged.outputs, strict=True))
        trial = Trial(name, plan.measure[0], formula.text, judged.outcome, outputs)
        self._known[name] = trial
        if self._store is not None:
            self._store.write_trial(trial)


def _is_whole(trial: Trial, task: Task, plan: Plan) -> bool:
    """Whether a trial holds what comparing it takes; a damaged file's may not, and is trained again."""
    if trial.part != "test" or trial.outcome.state is not State.SCORED:
        return True
    shapes = {outputs.shape for outputs in trial.outputs.values()}
    examples = len(task.test()[1])
    return set(trial.outputs) == set(plan.seeds) and len(shapes) == 1 and shapes.pop()[:1] == (examples,)


def job_name(formula: Formula, plan: Plan) -> str:
    """Name a job by all that decides its result within a run."""
    idle = (*SIZES, "thresholds", "rate_factor")  # nobody is stopped
    deciding = {key: value for key, value in asdict(plan).items() if key not in idle}
    return hashlib.sha256(json.dumps([formula.slot, formula.text, deciding]).encode()).hexdigest()[:32]
