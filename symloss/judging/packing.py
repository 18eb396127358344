"""Tapes laid end to end in flat arrays: the form in which a cohort's programs go to a compiled interpreter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symloss.language.tape import Tape

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
class Packed:
    """A cohort's tapes.

    Args:
        tapes: one TAPE record per taped candidate.
        code: `(instructions, 5)`: opcode, target, three sources; -1 stands for a source that there is not.
        sources: of each tape's inputs in turn: 0 the output (or its log-softmax), i the given variable i - 1.
        constants: of each tape in turn.
        registers: of the tape that needs most.
    """

    tapes: NDArray[Any]
    code: NDArray[np.int32]
    sources: NDArray[np.int32]
    constants: NDArray[np.float32]
    registers: int


def pack(tapes: Sequence[Tape | None], spans: Sequence[slice], names: Sequence[str]) -> Packed:
    """Lay tapes end to end.

    Args:
        tapes: of each candidate; None where there is none.
        spans: of each candidate: where its columns lie in the output.
        names: of the variables that tapes read: the output's first, then the given ones.
    """
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
    code = [(i.opcode, i.target, *i.sources, *(-1,) * (3 - len(i.sources))) for _, tape in taped for i in tape.code]
    return Packed(
        np.array(records, dtype=TAPE),
        np.array(code, dtype=np.int32).reshape(-1, 5),
        np.array([names.index(name) for _, tape in taped for name in tape.inputs], dtype=np.int32),
        _rounded([value for _, tape in taped for value in tape.constants]),
        max((tape.registers for _, tape in taped), default=0),
    )


def _rounded(constants: Sequence[float]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # a number beyond float32 is infinite, as in torch
        return np.array(constants, dtype=np.float64).astype(np.float32)
