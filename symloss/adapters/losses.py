"""What a user gives an adapter as a loss: anything that `symloss.load` takes, or a formula."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from symloss.errors import FormulaError
from symloss.language.formula import Formula
from symloss.language.loss import SymbolicLoss
from symloss.language.slots import SLOTS
from symloss.telling.target import find_target

Given = str | Path | Formula


def read_formula(given: Given, slot: str | None = None) -> Formula:
    """Return the formula that a user names.

    Args:
        slot: of a formula text; None infers it.

    Raises:
        RunError: a path leads to nothing readable.
        FormulaError: the text is neither a name nor a formula.
    """
    return given if isinstance(given, Formula) else find_target(str(given), slot).formula


def read_loss(given: Given, reduction: str, slot: str | None = None, **options: Any) -> SymbolicLoss:
    """Return a user's loss as a module.

    Raises:
        RunError: a path leads to nothing readable.
        FormulaError: the text is neither a name nor a formula, or it is an activation.
        ValueError: an option is out of range or does not apply to the formula's slot.
    """
    formula = read_formula(given, slot)
    if not SLOTS[formula.slot].shares_forward:
        raise FormulaError(
            f"{formula.text} is of the slot {formula.slot}, which is no loss of a model's output; "
            "put it into the model as symloss.load(...)."
        )
    return SymbolicLoss(formula, reduction, **options)
