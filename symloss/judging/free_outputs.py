"""The last free test: a loss must bring free outputs, of no model at all, nearer to their targets.

All candidates of a cohort are tried in one tensor program. What cannot do this cannot train a model either.

Source: AutoLoss-Zero, Li et al. 2021, arXiv:2103.14026, section 3.3, which optimises the predictions of 5 samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial

import torch
from torch import Tensor

from symloss.judging.failures import Failures, blamed
from symloss.judging.kernel import CohortLoss, Function, lay_out
from symloss.language.slots import SLOTS, FreeOutputs

STEPS = 100
LOOKS = (10, 25, 50, STEPS)  # a loss that has brought them near enough at a look is tried no longer
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
    began = float(free.score(output, target))
    failures: Failures = {}
    scores = dict.fromkeys(range(len(functions)), began)
    for at, score in _ended(functions, slot, (output, target), began + free.least, failures):
        scores[at] = score
    return [
        ""
        if at in failures or score >= began + free.least
        else f"{free.about} goes from {began:.3g} to {score:.3g} in {STEPS} steps"
        for at, score in scores.items()
    ]


def _ended(
    functions: Sequence[Function], slot: str, start: tuple[Tensor, Tensor], enough: float, failures: Failures
) -> Iterator[tuple[int, float]]:
    """Yield each function's place and score: of those that have enough at a look, and of the rest at the end."""
    free, (output, target) = SLOTS[slot].free_outputs, start
    assert free is not None
    trying, losses = list(range(len(functions))), CohortLoss(functions, slot)
    moving, link = _Moving(output, len(functions)), SLOTS[slot].output_link
    given = None if link is None else lay_out(link, target[:, 0], output.shape[-1])
    for step in range(1, STEPS + 1):
        guard = partial(_blamed, trying, failures)
        moving.move(losses.values_and_gradients(moving.output, target, guard, given)[1], step)
        if step not in LOOKS:
            continue
        scores = free.score(moving.output, target)[0].tolist()
        through = [step == STEPS or score >= enough for score in scores]
        yield from ((at, score) for at, score, over in zip(trying, scores, through, strict=True) if over)
        trying = [at for at, over in zip(trying, through, strict=True) if not over]
        if not trying:
            return
        losses.keep([int(not over) for over in through])
        moving.keep(torch.tensor([not over for over in through]))


def _blamed(trying: Sequence[int], failures: Failures, place: int) -> AbstractContextManager[None]:
    return blamed(trying[place], failures)


class _Moving:
    """Outputs `(1, candidates, samples, width)` that Adam moves by every candidate's own gradient.

    They lie class by class, as losses read them.
    """

    def __init__(self, start: Tensor, candidates: int) -> None:
        self.output = start.transpose(2, 3).repeat(1, candidates, 1, 1).transpose(2, 3)
        self._mean, self._square = torch.zeros_like(self.output), torch.zeros_like(self.output)

    def move(self, gradient: Tensor, step: int) -> None:
        gradient = unit(gradient)
        self._mean.lerp_(gradient, 0.1)
        self._square.lerp_(gradient.square(), 0.01)
        size = (self._square / (1 - 0.99**step)).sqrt_().add_(1e-12)
        self.output.addcdiv_(self._mean / (1 - 0.9**step), size, value=-RATE)

    def keep(self, kept: Tensor) -> None:
        self.output, self._mean, self._square = (
            each.transpose(2, 3)[:, kept].transpose(2, 3) for each in (self.output, self._mean, self._square)
        )


def unit(gradient: Tensor) -> Tensor:
    """Scale each candidate's gradient to a largest entry of 1, and drop what is not finite."""
    finite = gradient.nan_to_num(0.0, 0.0, 0.0)
    return finite / finite.abs().amax((0, 2, 3), keepdim=True).clamp_min(1e-38)


__all__ = ["FreeOutputs", "stuck", "unit"]
