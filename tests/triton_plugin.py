"""A pytest plugin that lets tests of the kernel run it by Triton: `-p tests.triton_plugin`.

SYMLOSS_TRITON says where: `cuda`, or by default `cpu`, where TRITON_INTERPRET=1 must be set and blocks are large, as
Triton's interpreter takes its time for each instruction and not for each element.
"""

import os
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from symloss.judging import gpu_interpreter, kernel, passes, steppers
from symloss.judging.optimisers import Clock
from symloss.judging.packing import Packed

DEVICE = torch.device(os.environ.get("SYMLOSS_TRITON", "cpu"))


class ByTriton:
    """Runs tapes by Triton on numbers that are brought from the processor and back."""

    widest = gpu_interpreter.WIDEST

    def __init__(self, packed: Packed, device: torch.device) -> None:
        self.interpreter = gpu_interpreter.GpuInterpreter(packed, DEVICE)

    def bind(self, output: Tensor, softmax: bool, losses: Tensor, gradients: Tensor) -> kernel.Run:
        def run(given: Tensor) -> None:
            there = [tensor.to(DEVICE) for tensor in (output, losses, gradients)]
            self.interpreter.bind(there[0], softmax, *there[1:])(given.to(DEVICE))
            losses.copy_(there[1])
            gradients.copy_(there[2])

        return run


@pytest.fixture(autouse=True)
def by_triton(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let what is computed on the processor be computed by Triton."""
    monkeypatch.setitem(kernel.INTERPRETERS, "cpu", ByTriton)
    if DEVICE.type == "cpu":
        # Optimisers and biases too: what Triton interprets works where the parameters of these tests are.
        monkeypatch.setitem(passes.HOMES, "cpu", passes.HOMES["cuda"])
        monkeypatch.setattr(steppers, "Clock", lambda device: Clock(device, there=True))
        passes.passes_on.cache_clear()
        monkeypatch.setattr(gpu_interpreter, "BLOCK", 2048)
        monkeypatch.setattr(gpu_interpreter, "MEMBERS", 1024)
    with np.errstate(all="ignore"):
        yield
    passes.passes_on.cache_clear()
