"""The last free test: a loss must bring free outputs, of no model at all, nearer to their targets.

All candidates of a cohort are tried in one tensor program. What cannot do this cannot train a model either.

Source: AutoLoss-Zero, Li et al. 2021, arXiv:2103.14026, section 3.3, which optimises the predictions of 5 samples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from symloss.judging.failures import Failures, blamed
from symloss.judging.kernel import CohortLoss, Function
from symloss.language.slots import SLOTS, FreeOutputs

STEPS = 100
RATE = 0.1  # of Adam; its steps do not depend on the size of a gradient, so that no factor of a loss decides
SAMPLES = 100


def stuck(functions: Sequence[Function], slot: str, width: int) -> list[str]:
    """Say of each loss whether free outputs stay away from their targets.

    A candidate's answer is the same alone and in company. One that raises is left to training, which says so.

    Args:
        functions: formulas of the slot, or their compiled losses.
        width: number of the model's outputs.

    Returns:
        One text each, in order: why it is not worth training, or nothing.

    Example:
        >>> stuck([parse("-t*log(p)"), parse("t*log(p)")], "classification", 10)
        ['', 'the share of free outputs that meet their target goes from 0.1 to 0 in 100 steps']
    """
    free = SLOTS[slot].free_outputs
    if free is None or not functions:
        return [""] * len(functions)
    output, target = free.start(torch.Generator().manual_seed(0), SAMPLES, width)
    failures: Failures = {}
    began = float(free.score(output, target))
    ended = free.score(_optimised(CohortLoss(functions, slot), output, target, failures), target)[0]
    return [
        ""
        if i in failures or score >= began + free.least
        else f"{free.about} goes from {began:.3g} to {score:.3g} in {STEPS} steps"
        for i, score in enumerate(ended.tolist())
    ]


def _optimised(losses: CohortLoss, start: Tensor, target: Tensor, failures: Failures) -> Tensor:
    """Move outputs `(1, 1, samples, width)` by every candidate's gradient; returns `(1, candidates, ...)`."""
    output = start.repeat(1, len(losses), 1, 1)
    mean, square = torch.zeros_like(output), torch.zeros_like(output)
    guard: Callable[[int], object] = lambda at: blamed(at, failures)  # noqa: E731
    for step in range(1, STEPS + 1):
        _, gradient = losses.values_and_gradients(output, target, guard)  # type: ignore[arg-type]
        gradient = unit(gradient)
        mean.lerp_(gradient, 0.1)
        square.lerp_(gradient.square(), 0.01)
        size = (square / (1 - 0.99**step)).sqrt_().add_(1e-12)
        output.addcdiv_(mean / (1 - 0.9**step), size, value=-RATE)
    return output


def unit(gradient: Tensor) -> Tensor:
    """Scale each candidate's gradient to a largest entry of 1, and drop what is not finite."""
    finite = gradient.nan_to_num(0.0, 0.0, 0.0)
    return finite / finite.abs().amax((0, 2, 3), keepdim=True).clamp_min(1e-38)


__all__ = ["FreeOutputs", "stuck", "unit"]
