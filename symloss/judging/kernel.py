"""A cohort's losses in one call: value and gradient at the output of all candidates, by the compiled interpreter.

What has no tape, or does not run in float32 on the processor, takes the torch walk, candidate by candidate, in the
same object; torch is the reference for both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from symloss.judging.interpreter import STRIDE, run_cohort
from symloss.language.formula import Formula
from symloss.language.loss import compile_loss
from symloss.language.slots import SLOTS, OutputLink
from symloss.language.tape import Tape, tape_of

Function = Callable[..., Any]
Guard = Callable[[int], AbstractContextManager[object]]

TAPE = np.dtype(
    [
        (name, np.int64)
        for name in (
            "first_column",
            "columns",  # how many, side by side
            "first",  # instruction
            "last",  # instruction, not run any more
            "first_constant",
            "constants",  # how many, in registers from 0
            "first_input",
            "inputs",  # how many, in registers after the constants
            "value",  # register
            "slope",  # register
        )
    ]
)


@dataclass(frozen=True)
class _Program:
    """Tapes laid end to end, in the arrays that `run_cohort` names."""

    tapes: NDArray[Any]
    code: NDArray[np.int32]
    sources: NDArray[np.int32]
    constants: NDArray[np.float32]
    registers: NDArray[np.float32]


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
        self._program = _pack(self.tapes, self.spans, self._source_names())

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
        self._program = _pack(self.tapes, self.spans, self._source_names())

    def values_and_gradients(
        self, output: Tensor, target: Tensor, guard: Guard = lambda position: nullcontext()
    ) -> tuple[Tensor, Tensor]:
        """Compute each member's mean loss over its mini-batch and the gradient of it at the member's output.

        Args:
            output: `(seeds, columns, batch, outputs)`, each function's columns side by side, in order.
            target: `(seeds or 1, 1, batch)`.
            guard: position of a candidate -> the context that its torch walk runs in. A context that swallows the
                candidate's exception leaves it with zeros; the others are not touched.

        Returns:
            Losses `(seeds, columns)` and gradients like `output`, without a graph. NaN and infinity stay within their
            member. Both lie class by class in memory, as the output best does: then nothing is copied.
        """
        assert output.shape[1] == sum(span.stop - span.start for span in self.spans), "compiled code checks no bounds"
        output = output.detach().transpose(2, 3).contiguous().transpose(2, 3)
        losses, gradients = output.new_zeros(output.shape[:2]), torch.zeros_like(output)
        taped = self._runs_taped(output)
        if taped:
            self._run_tapes(output, target, losses, gradients)
        for position, function in enumerate(self.functions):
            if not taped or self.tapes[position] is None:
                columns = self.spans[position]
                with guard(position):
                    losses[:, columns], gradients[:, columns] = self._walk(function, output[:, columns], target)
        return losses, gradients

    def _source_names(self) -> list[str]:
        """Return the variables that tapes read: the output's first, then the given ones."""
        link = self.slot.output_link
        if link is None:
            return []
        given = link.given(torch.zeros(1, 1, 1), torch.zeros(1, 1, 1, 2))
        return [link.along, *given]

    def _runs_taped(self, output: Tensor) -> bool:
        link = self.slot.output_link
        if link is None or output.dtype != torch.float32 or output.device.type != "cpu" or not output.numel():
            return False
        return link.log_softmax or output.shape[-1] == 1

    def _run_tapes(self, output: Tensor, target: Tensor, losses: Tensor, gradients: Tensor) -> None:
        link = self.slot.output_link
        assert link is not None
        run_cohort(
            self._program.tapes,
            self._program.code,
            self._program.sources,
            self._program.constants,
            output.transpose(2, 3).numpy(),
            _given(link, output, target),
            link.log_softmax,
            self._program.registers,
            losses.numpy(),
            gradients.transpose(2, 3).numpy(),
        )

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


def _given(link: OutputLink, output: Tensor, target: Tensor) -> NDArray[np.float32]:
    seeds, _, batch, outputs = output.shape
    given = link.given(target, output).values()
    spread = torch.cat([value.expand(seeds, 1, batch, outputs) for value in given], 1)
    array: NDArray[np.float32] = spread.transpose(2, 3).reshape(seeds, -1, outputs * batch).numpy()
    return array


def _side_by_side(counts: Sequence[int]) -> list[slice]:
    """Return where each function's columns lie."""
    ends = list(accumulate(counts))
    return [slice(end - count, end) for end, count in zip(ends, counts, strict=True)]


def _pack(tapes: Sequence[Tape | None], spans: Sequence[slice], names: Sequence[str]) -> _Program:
    """Lay tapes end to end."""
    taped = [(span, tape) for span, tape in zip(spans, tapes, strict=True) if tape is not None]
    records, firsts = [], (0, 0, 0)
    for span, tape in taped:
        first, constant, name = firsts
        last, next_constant, next_name = firsts = (
            first + len(tape.code),
            constant + len(tape.constants),
            name + len(tape.inputs),
        )
        lengths = next_constant - constant, next_name - name
        columns = span.start, span.stop - span.start
        records.append((*columns, first, last, constant, lengths[0], name, lengths[1], tape.value, tape.slope))
    code = [(i.opcode, i.target, *i.sources, *(0,) * (3 - len(i.sources))) for _, tape in taped for i in tape.code]
    sources = [names.index(name) for _, tape in taped for name in tape.inputs]
    constants = [value for _, tape in taped for value in tape.constants]
    registers = max((tape.registers for _, tape in taped), default=0)
    return _Program(
        np.array(records, dtype=TAPE),
        np.array(code, dtype=np.int32).reshape(-1, 5),
        np.array(sources, dtype=np.int32),
        _rounded(constants),
        np.zeros((registers, STRIDE), dtype=np.float32),
    )


def _rounded(constants: Sequence[float]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # a number beyond float32 is infinite, as in torch
        return np.array(constants, dtype=np.float64).astype(np.float32)
