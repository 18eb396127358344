"""Dropout whose draws are a function of the training's seed and the step, wherever and beside whom it is computed.

torch's own draws from one stream per process: stacked models cannot share it, and a GPU's is another. Here each number
is a hash of a key, the step and its place, by the finaliser of SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable
pseudorandom number generators", OOPSLA).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

GOLDEN = 0x9E3779B97F4A7C15 - 2**64  # as a signed number; products wrap around
FIRST, SECOND = 0xBF58476D1CE4E5B9 - 2**64, 0x94D049BB133111EB - 2**64
BITS = 24  # of each hash that decide, more than the share's own precision in float32


class SeededDropout(nn.Module):
    """Zero a share of the numbers while training, scale the others up; change nothing while judging.

    Args:
        share: of numbers that are zeroed, in [0, 1).

    Attributes:
        key: drawn from torch's global numbers when the layer is made, so from the seed that makes the model.
        draws: masks drawn so far; one a training step.
    """

    key: Tensor
    draws: Tensor

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share
        self.register_buffer("key", torch.randint(2**62, (), dtype=torch.int64))
        self.register_buffer("draws", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        """Map numbers of any shape to as many; each member of a stack has its own key and count."""
        if not self.training:
            return x
        self.draws.add_(1)
        start = scrambled(self.key + self.draws * GOLDEN)
        places = torch.arange(1, x.numel() + 1, device=x.device).view(x.shape)
        chance = shifted(scrambled(start + places * GOLDEN), 64 - BITS)
        return torch.where(chance >= round(self.share * 2**BITS), x / (1 - self.share), 0.0)


def scrambled(x: Tensor) -> Tensor:
    """Return a hash of each int64, all bits of it alike."""
    x = (x ^ shifted(x, 30)) * FIRST
    x = (x ^ shifted(x, 27)) * SECOND
    return x ^ shifted(x, 31)


def shifted(x: Tensor, places: int) -> Tensor:
    """Shift the bits to the right, zeros coming in, as if the numbers had no sign."""
    return (x >> places) & ((1 << (64 - places)) - 1)
