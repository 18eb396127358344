"""A cohort's losses in one call: value and gradient at the output of all candidates, by a compiled interpreter.

Numba runs the tapes on the processor, Triton on a GPU; each is imported where its device is used. What has no tape, is
not float32, or finds its interpreter not installed, takes the torch walk, candidate by candidate, in the same object;
torch is the reference for all.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Protocol, TypeGuard

import numpy as np
import torch
from torch import Tensor

from symloss.judging.packing import Packed, pack
from symloss.language.formula import Formula
from symloss.language.loss import compile_loss
from symloss.language.slots import SLOTS, OutputLink
from symloss.language.tape import Tape, tape_of

Function = Callable[..., Any]
Guard = Callable[[int], AbstractContextManager[object]]
Run = Callable[[Tensor], None]


class Interpreter(Protocol):
    """Runs a cohort's tapes on one device, for models of at most `widest` outputs."""

    widest: int

    def bind(self, output: Tensor, softmax: bool, losses: Tensor, gradients: Tensor) -> Run:
        """Return what computes every taped candidate's mean losses and their gradients at the output.

        It takes what is given, `(seeds, variables, outputs, batch)`, contiguous float32.

        Args:
            output: `(seeds, columns, outputs, batch)`, contiguous float32.
            softmax: whether log-softmax over the outputs comes first.
            losses: `(seeds, columns)`; written where there is a tape.
            gradients: like `output`; written where there is a tape.
        """
        ...


class OnProcessor:
    """Runs tapes by `interpreter.py`."""

    widest = sys.maxsize

    def __init__(self, packed: Packed, device: torch.device) -> None:
        from symloss.judging.interpreter import STRIDE, run_cohort

        self._call, self._packed = run_cohort, packed
        self._registers = np.zeros((packed.registers, STRIDE), dtype=np.float32)

    def bind(self, output: Tensor, softmax: bool, losses: Tensor, gradients: Tensor) -> Run:
        """See Interpreter.bind."""
        call, packed = self._call, self._packed
        before = packed.tapes, packed.code, packed.sources, packed.constants, output.numpy()
        after = softmax, self._registers, losses.numpy(), gradients.numpy()
        return lambda given: call(*before, given.flatten(2).numpy(), *after)


def on_gpu(packed: Packed, device: torch.device) -> Interpreter:
    """Put tapes on a GPU."""
    from symloss.judging.gpu_interpreter import GpuInterpreter

    return GpuInterpreter(packed, device)


# Type of a device -> what makes its interpreter; ImportError where it is not installed.
INTERPRETERS: dict[str, Callable[[Packed, torch.device], Interpreter]] = {"cpu": OnProcessor, "cuda": on_gpu}


@dataclass(frozen=True)
class Place:
    """Where a cohort's losses are computed, as long as the same output comes: one that is written into again.

    Args:
        output: that it was made for.
        laid: the same numbers, lying class by class.
        losses: `(seeds, columns)`.
        gradients: like `output`.
        run: runs the tapes there; None where nothing can.
        walked: positions of the functions that torch walks.
    """

    output: weakref.ref[Tensor]
    laid: Tensor
    losses: Tensor
    gradients: Tensor
    run: Run | None
    walked: Sequence[int]

    def is_of(self, output: Tensor) -> bool:
        """Whether it is that of an output, over its own memory."""
        return self.output() is output and self.laid.data_ptr() == output.data_ptr()

    def fits(self, output: Tensor) -> bool:
        """Whether the losses and gradients of an output have room in its memory."""
        own = self.gradients
        return (own.shape, own.dtype, own.device) == (output.shape, output.dtype, output.device)


class CohortLoss:
    """The losses of a cohort's candidates as one function of their outputs.

    A candidate's numbers are the same to the last bit alone, in any company, and after others were dropped.

    Args:
        functions: formulas, or their compiled losses; any other callable of the slot's variables is walked by torch.
        slot: a name in SLOTS.
        columns: how many columns each function has, side by side; one each by default.

    Example:
        >>> losses, gradients = CohortLoss([parse("-t*log(p)")], "classification").values_and_gradients(
        ...     torch.zeros(1, 1, 4, 10), torch.tensor([[[1, 2, 3, 4]]]))
        >>> losses
        tensor([[2.3026]])
    """

    def __init__(
        self, functions: Sequence[Function | Formula], slot: str, columns: Sequence[int] | None = None
    ) -> None:
        self.slot = SLOTS[slot]
        self.functions = [compile_loss(f) if isinstance(f, Formula) else f for f in functions]
        self.tapes = [_tape_of_function(function, slot) for function in self.functions]
        self.spans = _side_by_side([1] * len(functions) if columns is None else columns)
        self._made: tuple[torch.device | None, Interpreter | None] = (None, None)
        self._place: Place | None = None

    def __len__(self) -> int:
        return len(self.functions)

    def keep(self, columns: Sequence[int]) -> None:
        """Leave each function so many columns; a function without any is dropped.

        Args:
            columns: one number a function, at most what it has; which of them they are is for the caller to know.
        """
        kept = [position for position, count in enumerate(columns) if count]
        self.functions = [self.functions[position] for position in kept]
        self.tapes = [self.tapes[position] for position in kept]
        self.spans = _side_by_side([columns[position] for position in kept])
        self._made = (None, None)
        self._place = None

    def values_and_gradients(
        self,
        output: Tensor,
        target: Tensor,
        guard: Guard = lambda position: nullcontext(),
        given: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Compute each member's mean loss over its mini-batch and the gradient of it at the member's output.

        Args:
            output: `(seeds, columns, batch, outputs)`, each function's columns side by side, in order.
            target: `(seeds or 1, 1, batch)`.
            guard: position of a candidate -> the context that its torch walk runs in. A context that swallows the
                candidate's exception leaves it with zeros; the others are not touched.
            given: the target as `lay_out` gives it, `(seeds, variables, outputs, batch)`; else it is laid out here.

        Returns:
            Losses `(seeds, columns)` and gradients like `output`, without a graph, in memory that the next call writes
            into again. NaN and infinity stay within their member. Both lie class by class in memory, as the output best
            does: then nothing is copied.
        """
        place = self._place
        if place is None or not place.is_of(output):
            place = self._place = self._placed(output)
        losses, gradients = place.losses, place.gradients
        if place.run is not None:
            place.run(self._laid_out(output, target, given))
        for position in place.walked:
            columns, function = self.spans[position], self.functions[position]
            losses[:, columns], gradients[:, columns] = 0.0, 0.0
            with guard(position):
                losses[:, columns], gradients[:, columns] = self._walk(function, place.laid[:, columns], target)
        return losses, gradients

    def bound(self, output: Tensor, given: Tensor | None) -> Run | None:
        """Return what computes the losses of an output, whatever it says at each step, of targets laid out like this.

        It does what `values_and_gradients` did with them last, in the same memory. None where that was not all: where
        torch walked a function, or the output or the target had to be laid out.
        """
        place = self._place
        if place is None or place.walked or not place.is_of(output) or not is_laid_out(given, output):
            return None
        return place.run

    def _placed(self, output: Tensor) -> Place:
        """Look at an output; the memory of the one before it is taken again where it fits."""
        assert output.shape[1] == sum(span.stop - span.start for span in self.spans), "compiled code checks no bounds"
        laid, before, link = output.detach().transpose(2, 3).contiguous(), self._place, self.slot.output_link
        if before is not None and before.fits(output):
            losses, gradients = before.losses, before.gradients
        else:
            losses, gradients = laid.new_zeros(output.shape[:2]), torch.zeros_like(laid).transpose(2, 3)
        interpreter, run = self._interpreter(output), None
        if interpreter is not None and link is not None:
            run = interpreter.bind(laid, link.log_softmax, losses, gradients.transpose(2, 3))
        walked = [position for position, tape in enumerate(self.tapes) if run is None or tape is None]
        return Place(weakref.ref(output), laid.transpose(2, 3), losses, gradients, run, walked)

    def _source_names(self) -> list[str]:
        """Return the variables that tapes read: the output's first, then the given ones."""
        link = self.slot.output_link
        if link is None:
            return []
        given = link.given(torch.zeros(1, 1, 1), torch.zeros(1, 1, 1, 2))
        return [link.along, *given]

    def _runs_taped(self, output: Tensor) -> bool:
        link = self.slot.output_link
        if link is None or output.dtype != torch.float32 or not output.numel() or not any(self.tapes):
            return False
        return link.log_softmax or output.shape[-1] == 1

    def _interpreter(self, output: Tensor) -> Interpreter | None:
        """Return what runs the tapes where the output is, made once; None where nothing can."""
        if not self._runs_taped(output):
            return None
        if self._made[0] != output.device:
            packed = pack(self.tapes, self.spans, self._source_names())
            self._made = output.device, interpreter_on(output.device, packed)
        made = self._made[1]
        return made if made is not None and output.shape[-1] <= made.widest else None

    def _laid_out(self, output: Tensor, target: Tensor, given: Tensor | None) -> Tensor:
        """Return the target as the interpreter reads it, which may have been laid out ahead."""
        if is_laid_out(given, output):
            return given
        assert self.slot.output_link is not None
        return lay_out(self.slot.output_link, target.expand(output.shape[0], 1, -1)[:, 0], output.shape[-1])

    def _walk(self, function: Function, output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        # A contiguous copy has the same layout alone and in company, so elementwise code rounds the same.
        own = output.contiguous().requires_grad_()
        with torch.enable_grad():
            loss = self.slot.objective(function, own, target)
            (gradient,) = torch.autograd.grad(loss.sum(), own)
        return loss.detach(), gradient


def _tape_of_function(function: Function, slot: str) -> Tape | None:
    formula = getattr(function, "formula", None)
    return tape_of(formula) if isinstance(formula, Formula) and formula.slot == slot else None


def interpreter_on(device: torch.device, packed: Packed) -> Interpreter | None:
    """Make the interpreter of a device, or None where there is none or it is not installed."""
    make = INTERPRETERS.get(device.type)
    if make is None:
        return None
    try:
        return make(packed, device)
    except ImportError:
        return None


def _side_by_side(counts: Sequence[int]) -> list[slice]:
    """Return where each function's columns lie."""
    ends = list(accumulate(counts))
    return [slice(end - count, end) for end, count in zip(ends, counts, strict=True)]


def is_laid_out(given: Tensor | None, output: Tensor) -> TypeGuard[Tensor]:
    """Whether a target is laid out as the interpreter reads it beside an output."""
    return given is not None and given.shape[2:] == (output.shape[3], output.shape[2])


def lay_out(link: OutputLink, target: Tensor, width: int) -> Tensor:
    """Lay out the variables that the output does not move, as an interpreter reads them.

    Args:
        target: `(..., batch)`.
        width: outputs of the model.

    Returns:
        `(..., variables, width, batch)`, contiguous float32.
    """
    like = torch.zeros((), dtype=torch.float32, device=target.device).expand(*target.shape, width)
    given = [value.expand(like.shape).transpose(-1, -2) for value in link.given(target, like).values()]
    return torch.stack(given, -3)
