"""The last polish: the numbers of the best formulas are tuned once more before the finals, which both versions enter.

The run store keeps what came out, so that a resume does not tune again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace

from symloss.judging.evaluate import Job
from symloss.judging.plan import Plan
from symloss.judging.pool import Pool
from symloss.language.formula import Formula, parse
from symloss.language.tuning import Tuning
from symloss.running.proof.trials import POLISH, Stop
from symloss.running.storage.store import RunStore, Trial


def polish(
    found: Sequence[Formula],
    tuning: Tuning,
    plan: Plan,
    time_limit: float,
    pool: Pool,
    store: RunStore,
    stop: Stop = lambda: False,
) -> tuple[Formula, ...] | None:
    """Tune the numbers of found formulas, on the data that the search saw.

    Args:
        tuning: how; by `none` nothing is done.
        plan: of the search's trainings.
        time_limit: seconds for each formula.
        stop: asked often; True ends it, to be resumed.

    Returns:
        The tuned ones in the same order, a formula that could not be tuned as it is; none where nothing is to be done.
        None when stopped before the end.
    """
    if tuning.method == "none":
        return ()
    # All that is asked of the training is that it hands the formula back: one step is enough.
    once = replace(plan, steps=1, rungs=(1,), thresholds=(), learning_rates=plan.learning_rates[:1])
    names = [_name(formula, tuning, plan) for formula in found]
    known = {name: trial.formula for name, trial in store.trials().items() if trial.part == POLISH}
    jobs = [
        Job(place, ((place, formula.text, formula.slot),), once, time_limit, tuning=tuning)
        for place, formula in enumerate(found)
        if names[place] not in known
    ]
    for job, (outcome,) in pool.run(jobs, stop):
        text = found[job.number].text if outcome.formula is None else outcome.formula.text
        known[names[job.number]] = text
        store.write_trial(Trial(names[job.number], POLISH, text, outcome))
    if any(name not in known for name in names):
        return None
    return tuple(parse(known[name], formula.slot) for name, formula in zip(names, found, strict=True))


def _name(formula: Formula, tuning: Tuning, plan: Plan) -> str:
    """Name a job by all that decides its result within a run."""
    deciding = [POLISH, formula.slot, formula.text, asdict(tuning), list(plan.seeds)]
    return hashlib.sha256(json.dumps(deciding).encode()).hexdigest()[:32]
