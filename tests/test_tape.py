"""Tapes: what is on them, what is shared, and what carries no derivative."""

import subprocess
import sys

import pytest

from symloss.language.formula import parse
from symloss.language.operators import OPERATORS
from symloss.language.slots import SLOTS
from symloss.language.tape import OPCODES, RULES, Tape, tape_of
from symloss.language.zoo import ZOO, zoo

NAMES = {number: name for name, number in OPCODES.items()}


def taped(text: str, slot: str = "classification") -> Tape:
    tape = tape_of(parse(text, slot))
    assert tape is not None
    return tape


def operators(tape: Tape) -> list[str]:
    return [NAMES[step.opcode] for step in tape.code]


def test_cross_entropy_is_three_instructions() -> None:
    tape = taped("-t*log(p)")
    assert sorted(operators(tape)) == ["mul", "neg", "neg"]
    assert set(tape.inputs) == {"t", "log_p"}
    assert tape.constants == ()


def test_shared_parts_are_computed_once() -> None:
    assert operators(taped("tanh(p)*t + tanh(p)**2")).count("tanh") == 1


def test_what_the_output_does_not_move_has_no_derivative() -> None:
    tape = taped("sqrt(t) + log(p)")
    assert operators(tape) == ["sqrt", "add"]
    assert tape.constants[tape.slope] == 1.0


def test_a_formula_without_the_output_has_slope_zero() -> None:
    tape = taped("t*C")
    assert tape.constants[tape.slope] == 0.0


def test_a_derived_variable_is_read_through_the_link() -> None:
    tape = taped("r**2", "regression")
    assert set(tape.inputs) == {"f", "y"}
    assert operators(tape) == ["sub", "square", "mul"]


def test_a_slot_without_output_link_has_no_tape() -> None:
    assert tape_of(parse("tanh(x)", "activation")) is None


def test_an_operator_without_opcode_has_no_tape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(OPCODES, "tanh")
    assert tape_of(parse("t*tanh(p)")) is None
    assert tape_of(parse("t*exp(p)")) is not None


@pytest.mark.parametrize("name", [name for name, loss in ZOO.items() if SLOTS[loss.slot].output_link is not None])
def test_no_instruction_overwrites_what_is_still_read(name: str) -> None:
    tape = tape_of(zoo[name])
    assert tape is not None
    pinned = len(tape.constants) + len(tape.inputs)
    for i, step in enumerate(tape.code):
        assert step.target >= pinned
        assert step.target not in step.sources
        assert max(step.target, *step.sources) < tape.registers
        written = {earlier.target for earlier in tape.code[:i]} | set(range(pinned))
        assert written.issuperset(step.sources)


def test_registers_are_used_again() -> None:
    tape = taped("tanh(tanh(tanh(tanh(t)))) + log(p)")
    assert tape.registers == len(tape.constants) + len(tape.inputs) + 2


def test_every_operator_that_formulas_are_read_as_has_opcode_and_rule() -> None:
    assert {name for name, operator in OPERATORS.items() if operator.torch is not None} <= OPCODES.keys() & RULES.keys()


def test_tapes_need_neither_torch_nor_numba() -> None:
    script = "import symloss.language.tape, sys; print('torch' in sys.modules or 'numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_an_operator_that_the_kernel_does_not_know_has_no_tape(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tape_of(parse("t*tanh(p)")) is not None
    monkeypatch.delitem(OPCODES, "tanh")
    assert tape_of(parse("t*tanh(p)")) is None
    assert tape_of(parse("t*cos(p)")) is not None
