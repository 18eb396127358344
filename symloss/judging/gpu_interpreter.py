"""A cohort's tapes on a GPU: where they lie, what memory they run in, and the launch of the kernel that runs them.

One launch runs all tapes over all rows; a second one adds up each member's rows, in an order that its company does not
change.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from symloss.judging.packing import TAPE, Packed
from symloss.judging.triton_kernel import add_rows, run_tapes

BLOCK = 512  # elements that an instruction works on at once, classes padded to a power of two
THREAD = 4  # of them in one thread: more, and the processor's registers serve too few threads
WIDEST = 8192  # outputs; beyond, one row does not fit a program's registers
PER_PROCESSOR = 4  # programs in flight on each multiprocessor, each with its scratch memory
MEMBERS, AT_ONCE = 16, 64  # whose rows are added by one program, and how many rows at once

# The first bits of 2 / pi, and windows of 64 of them: quarter turns modulo 4 in units of 2**-62, by exponent.
TWO_OVER_PI = 0xA2F9836E4E441529FC2757D1F534DDC0DB6295993C439041FE5163
WINDOWS = tuple((TWO_OVER_PI >> (216 - 62 - exponent)) % 2**64 for exponent in range(-3, 105))


class GpuInterpreter:
    """Runs packed tapes on one GPU; see `kernel.Interpreter`.

    Args:
        packed: the tapes.
        device: a GPU; or the processor, where Triton interprets.
    """

    widest = WIDEST

    def __init__(self, packed: Packed, device: torch.device) -> None:
        self._device = device
        tapes = np.stack([packed.tapes[name] for name in TAPE.names or ()], 1).astype(np.int32)
        windows = np.array(WINDOWS, dtype=np.uint64).view(np.int64)
        arrays = (tapes, packed.code, packed.sources, packed.constants, windows)
        self._program = [torch.from_numpy(array.copy()).to(device) for array in arrays]
        self._widths = [int(width) for width in packed.tapes["columns"]]
        self._registers = packed.registers
        on_gpu = device.type == "cuda"
        processors = torch.cuda.get_device_properties(device).multi_processor_count if on_gpu else 1
        self._programs = PER_PROCESSOR * processors
        self._rooms: dict[tuple[str, tuple[int, ...]], Tensor] = {}

    def bind(self, output: Tensor, softmax: bool, losses: Tensor, gradients: Tensor) -> Callable[[Tensor], None]:
        """See `kernel.Interpreter`."""
        return lambda given: self._run(output, given, softmax, losses, gradients)

    def _run(self, output: Tensor, given: Tensor, softmax: bool, losses: Tensor, gradients: Tensor) -> None:
        seeds, columns, classes, batch = output.shape
        padded = 1 << (classes - 1).bit_length()
        rows = max(1, BLOCK // padded)
        work = self._work(seeds, batch, rows)
        programs = min(len(work), self._programs)
        values = self._room("values", (seeds, columns, batch), torch.float64)
        scratch = self._room("scratch", (programs, self._registers, rows * padded), torch.float32)
        counts = len(work), seeds, columns, batch, classes, given.shape[1], self._registers
        run_tapes[(programs,)](
            work,
            *self._program,
            output,
            given,
            scratch,
            values,
            gradients,
            *counts,
            ROWS=rows,
            PADDED=padded,
            SOFTMAX=softmax,
            num_warps=warps(rows * padded),
            num_stages=1,
        )
        members = seeds * columns
        grid = (-(-members // MEMBERS),)
        add_rows[grid](values, losses, members, batch, MEMBERS=MEMBERS, AT_ONCE=AT_ONCE, num_warps=4)

    def _work(self, seeds: int, batch: int, rows: int) -> Tensor:
        """Return `(items, 2)`: a tape and the first of its rows, for blocks of some rows."""
        key = ("work", (seeds, batch, rows))
        if key not in self._rooms:
            blocks = [(t, row) for t, width in enumerate(self._widths) for row in range(0, seeds * width * batch, rows)]
            self._rooms[key] = torch.tensor(blocks, dtype=torch.int32).to(self._device)
        return self._rooms[key]

    def _room(self, what: str, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Return memory that the next step writes into again; zeros at first."""
        if (what, shape) not in self._rooms:
            self._rooms[what, shape] = torch.zeros(shape, dtype=dtype, device=self._device)
        return self._rooms[what, shape]


def warps(elements: int) -> int:
    """Return how many warps of 32 threads work on a block."""
    return max(4, min(16, elements // (32 * THREAD)))
