"""`symloss.load`: whatever a person can name, as a PyTorch module."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from symloss.language.loss import SymbolicLoss
from symloss.telling.target import find_target

if TYPE_CHECKING:
    from torch import Tensor


def load(
    target: str | Path,
    reduction: str = "mean",
    weight: Tensor | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> SymbolicLoss:
    """Load a loss as a module with the conventions of torch's losses.

    Loading runs no code of the file's: a loss file holds a formula, which is parsed.

    Args:
        target: a run directory (its winner), a loss file, a zoo name such as `baikal`, or formula text.
        reduction: `mean`, `sum` or `none`.
        weight: (classes,), multiplies each class's term; classification only.
        ignore_index: examples with this class index count for nothing; classification only.
        label_smoothing: in [0, 1]; classification only.

    Raises:
        RunError: a path leads to nothing readable, or to a run without a scored formula.
        FormulaError: the text is neither a name nor a formula.
        ValueError: an option is out of range or does not apply to the formula's slot.

    Example:
        >>> loss = symloss.load("baikal")
        >>> loss(torch.zeros(4, 10), torch.tensor([1, 2, 3, 4]))
        tensor(33.0259)
    """
    return SymbolicLoss(find_target(str(target)).formula, reduction, weight, ignore_index, label_smoothing)
