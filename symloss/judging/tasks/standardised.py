"""Inputs on one scale: shifted and scaled by what the training part shows, and filled in where a value is missing."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

FLAT = 1e-6  # deviation below which a column has one value, and nothing to be divided by


class Standardised(nn.Module):
    """A model behind inputs shifted and scaled by the training part's mean and deviation.

    A missing value, NaN, becomes the mean, and takes no part in it.

    Args:
        model: takes the inputs so changed.
        x: `(rows, ...)` the training part.
        scaled: of each input, whether it is shifted and scaled; None for all. The others stay as they are.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, model: nn.Module, x: Tensor, scaled: Tensor | None = None) -> None:
        super().__init__()
        self.model = model
        mean, deviation = mean_and_deviation(x)
        if scaled is not None:
            mean, deviation = torch.where(scaled, mean, 0.0), torch.where(scaled, deviation, 1.0)
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)

    def forward(self, x: Tensor, *rest: Any) -> Tensor:
        """Shift, scale, fill in, and hand on."""
        result: Tensor = self.model(standardise(x, self.mean, self.deviation), *rest)
        return result


def standardise(x: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """Shift and scale inputs, and put the mean where a value is missing."""
    return ((x - mean) / deviation).nan_to_num(0.0)


def mean_and_deviation(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return both of each input over the rows `(rows, ...)` where it is known; 0 and 1 of one that never is."""
    if not bool(x.isnan().any()):
        mean, deviation = x.mean(0), x.std(0)
    else:
        known = (~x.isnan()).sum(0)
        mean = x.nansum(0) / known.clamp_min(1)
        deviation = ((x - mean).square().nansum(0) / (known - 1).clamp_min(1)).sqrt()
    return mean, torch.where(deviation > FLAT, deviation, 1.0)
