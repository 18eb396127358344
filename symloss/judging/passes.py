"""Compiled passes over stacks and mini-batches, by what a device has: numba on the processor, Triton on a GPU.

Where there is none, or it is not installed, torch does the same in more passes; the two may round differently.
"""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from symloss.judging.bound import Call
from symloss.judging.optimisers import Update

HOMES = {"cpu": "symloss.judging.fused", "cuda": "symloss.judging.fused_gpu"}  # imported where the device is used


@dataclass(frozen=True)
class Passes:
    """What is compiled for a device, each a function of tensors that returns what works on them, again and again.

    Args:
        updates: name of an optimiser -> its step in one pass.
        add_bias: of activations `(rows, batch)`, biases `(rows,)`, rectify too; in place; NaN stays NaN.
        add_bias_turned: of products `(seeds, batch, rows)`, biases `(seeds, rows)`, activations
            `(seeds, rows, batch)`, rectify too; from one memory to the other; None where turning gains nothing.
        end_unsound: see `soundness.silencing`; None where torch does it.
        pick_rows: of a source `(n, ...)` and room for the rows `(rows, ...)` -> what fills it with the rows whose
            numbers, in [0, n), it is called with; None where torch does it.
    """

    updates: Mapping[str, Update]
    add_bias: Callable[[Tensor, Tensor, bool], Call]
    add_bias_turned: Callable[[Tensor, Tensor, Tensor, bool], Call] | None
    end_unsound: Callable[[Tensor, Tensor, Tensor], Call] | None
    pick_rows: Callable[[Tensor, Tensor], Callable[[Tensor], object]] | None


def passes_for(value: Tensor) -> Passes | None:
    """Return the passes that can work on a tensor where it lies, None where there are none."""
    fits = value.dtype == torch.float32 and value.is_contiguous()
    return passes_on(value.device.type) if fits else None


@cache
def passes_on(kind: str) -> Passes | None:
    """Return the passes of a kind of device, None where there are none."""
    if kind not in HOMES:
        return None
    try:
        home = importlib.import_module(HOMES[kind])
    except ImportError:
        return None
    return Passes(home.UPDATES, home.add_bias, home.add_bias_turned, home.end_unsound, home.pick_rows)
