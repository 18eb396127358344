"""Tunes a formula's numbers before it is judged (EvoMAL: Raymond et al. 2022, arXiv:2209.08907), or by CMA-ES instead.

What comes out is a function of the formula, the task and the plan alone: no cohort and no worker has a part in it.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from symloss.errors import FormulaError
from symloss.judging.drain import LeftUndoneError, Stop, never
from symloss.judging.optimisers import Clock, adam
from symloss.judging.plan import Plan
from symloss.judging.tasks.task import Task
from symloss.judging.unrolled import Unrolled
from symloss.language.formula import Formula, parse
from symloss.language.open_loss import OpenLoss
from symloss.language.probing import prefix
from symloss.language.template import Template, shortened, with_coefficients, written
from symloss.language.tuning import Tuning

HOPELESS = 1e30  # what CMA-ES is told of a loss that is not finite


def tune(formula: Formula, task: Task, plan: Plan, tuning: Tuning, stop: Stop = never) -> Formula:
    """Return the formula with tuned numbers; itself where it has none, or where tuning leads out of all formulas.

    Args:
        plan: its seeds give the initial weights, the mini-batches and the validation data.
        stop: asked at every step.

    Raises:
        LeftUndoneError: `stop` became true.

    Example:
        >>> tune(zoo["cross_entropy"], task, plan, Tuning("gradient", steps=100, inner_rate=0.1)).text
        '-1.09*t*log(1.02*p)'
    """
    try:
        template = with_coefficients(list(prefix(formula.node)), tuning.coefficients)
        if not template.count:
            return formula
        numbers = _TUNERS[tuning.method](formula, template, task, plan, tuning, stop)
        return _brief(parse(written(template.fill(numbers)), formula.slot))
    except FormulaError:
        return formula


def _brief(formula: Formula) -> Formula:
    """Shorten the numbers that algebra has made of products of shorter ones."""
    words = list(prefix(formula.node))
    brief = [word if word.value is None else replace(word, value=shortened(word.value)) for word in words]
    return parse(written(brief), formula.slot)


def by_gradient(
    formula: Formula, template: Template, task: Task, plan: Plan, tuning: Tuning, stop: Stop
) -> list[float]:
    """Take steps of Adam down the validation loss after inner steps; arXiv:2209.08907, section 3.3.

    A number without a finite derivative stays as it is, and all do from where the loss is not finite.
    """
    loss = Unrolled(OpenLoss(template, formula.slot), task, plan, tuning, tuning.steps)
    numbers = torch.ones(1, 1, template.count, device=task.x.device)
    memories, clock = [torch.zeros_like(numbers), torch.zeros_like(numbers)], Clock(numbers.device, there=False)
    descend = adam(numbers, memories, torch.full((1,), tuning.rate, device=numbers.device), clock)
    for step in range(tuning.steps):
        if stop():
            raise LeftUndoneError
        at = numbers[0, 0].clone().requires_grad_()
        value = loss(at, step)
        if not bool(value.isfinite()):
            break
        (slope,) = torch.autograd.grad(value, at, allow_unused=True, materialize_grads=True)
        clock.tick()
        descend(slope.nan_to_num(0.0, 0.0, 0.0)[None, None])
    return list(map(float, numbers[0, 0].tolist()))


def by_cma(formula: Formula, template: Template, task: Task, plan: Plan, tuning: Tuning, stop: Stop) -> list[float]:
    """Let CMA-ES make the same loss small, in as many trials as the steps by gradient would cost.

    Returns:
        The best of the last generation that had a finite loss; its middle may lie where a logarithm is undefined.
    """
    from cmaes import CMA  # here, because it takes scipy's second to import

    digest = hashlib.sha256(f"{plan.seeds[0]}:{formula.slot}:{formula.text}".encode()).digest()
    strategy = CMA(np.ones(template.count), tuning.sigma, seed=int.from_bytes(digest[:4]))
    generations = tuning.trials // strategy.population_size
    loss = Unrolled(OpenLoss(template, formula.slot), task, plan, tuning, max(1, generations))
    best = np.ones(template.count)
    for generation in range(generations):
        # All of a generation on the same mini-batches: their order is what counts.
        drawn = [strategy.ask() for _ in range(strategy.population_size)]
        numbers = torch.tensor(np.stack(drawn), dtype=torch.float32, device=task.x.device)
        points = list(zip(drawn, _values(loss, numbers, generation, plan.stack == "stacked", stop), strict=True))
        first, value = min(points, key=lambda pair: pair[1])
        best = first if value < HOPELESS else best
        with np.errstate(all="ignore"):
            strategy.tell(points)
            if strategy.should_stop():
                break
    return list(map(float, best))


def _values(loss: Unrolled, points: Tensor, trial: int, stacked: bool, stop: Stop) -> list[float]:
    """Return the loss at each point, by models that train stacked or one by one, as the plan has it."""
    found = list[Tensor]()
    for some in [points] if stacked else points[:, None]:
        if stop():
            raise LeftUndoneError
        found.append(loss.abreast(some, trial) if stacked else loss(some[0], trial)[None])
    return torch.cat(found).detach().nan_to_num(HOPELESS, HOPELESS, HOPELESS).tolist()


_TUNERS = {"gradient": by_gradient, "cma": by_cma}
