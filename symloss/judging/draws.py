"""The global random numbers of one training among several that take turns."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from symloss.judging.tasks.task import reseed, stream


class Draws:
    """The global random numbers of one training, for example of dropout: those of no other, and not disturbed by it."""

    def __init__(self, seed: int, device: torch.device) -> None:
        self._devices = [device] if device.type == "cuda" else []
        with torch.random.fork_rng(devices=self._devices):
            reseed(stream(seed, "dropout"), device)
            self._states = self._read()

    def _read(self) -> tuple[Tensor, ...]:
        return (torch.get_rng_state(), *map(torch.cuda.get_rng_state, self._devices))

    @contextmanager
    def used(self) -> Iterator[None]:
        """Draw from them, going on where they were left."""
        with torch.random.fork_rng(devices=self._devices):
            processor, *others = self._states
            torch.set_rng_state(processor)
            for device, state in zip(self._devices, others, strict=True):
                torch.cuda.set_rng_state(state, device)
            yield
            self._states = self._read()
