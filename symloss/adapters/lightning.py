"""A found loss in Lightning: a module that trains any model with it, and a callback for modules that exist already."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from symloss.adapters.extras import needed
from symloss.adapters.losses import Given, read_formula, read_loss
from symloss.errors import ExperimentError, closest, unknown

with needed("lightning", "symloss.adapters.lightning"):
    import lightning.pytorch as pl

__all__ = ["OPTIMISERS", "LossModule", "ReplaceLoss"]

Factory = Callable[[Iterable[nn.Parameter], float], torch.optim.Optimizer]

OPTIMISERS: dict[str, Factory] = {
    "sgd": torch.optim.SGD,
    "momentum": partial(torch.optim.SGD, momentum=0.9),
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
}


class LossModule(pl.LightningModule):  # type: ignore[misc]
    """A model, a found loss and an optimiser, ready for `lightning.pytorch.Trainer`.

    It logs `train_loss`, `val_loss` and `test_loss`, and beside the loss, which no two formulas have in common,
    `val_accuracy` or `val_mse`. Its checkpoints hold the formula as text; load one with
    `LossModule.load_from_checkpoint(path, model=model)`.

    Args:
        model: maps a batch's inputs to (batch, classes, ...) logits, or to (batch,) or (batch, 1) predictions.
        loss: what `symloss.load` takes, or a Formula: a loss of classification or regression.
        slot: of a formula text; None infers it.
        optimiser: `sgd`, `momentum`, `adam`, `adamw`, or a factory `(parameters, learning_rate) -> torch optimiser`.
        learning_rate: tune it for each loss alike; many found losses change the effective one.
        label_smoothing: in [0, 1]; classification only.

    Raises:
        RunError: a path leads to nothing readable.
        FormulaError: the text is neither a name nor a formula, or it is an activation.
        ExperimentError: the optimiser is unknown.
        ValueError: an option is out of range or does not apply to the formula's slot.

    Example:
        >>> module = LossModule(nn.Linear(20, 3), "gce", learning_rate=0.01)
        >>> pl.Trainer(max_epochs=3).fit(module, train_loader, valid_loader)
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Given = "cross_entropy",
        slot: str | None = None,
        optimiser: str | Factory = "adam",
        learning_rate: float = 1e-3,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        formula = read_formula(loss, slot)
        if isinstance(optimiser, str) and optimiser not in OPTIMISERS:
            raise ExperimentError(unknown("LossModule", "optimiser", optimiser, OPTIMISERS))
        loss, slot = formula.text, formula.slot  # what a checkpoint keeps: text, and nothing that has to be unpickled
        kept = ["loss", "slot", "learning_rate", "label_smoothing"]
        self.save_hyperparameters(*kept, *(["optimiser"] if isinstance(optimiser, str) else []))
        self.model = model
        self.loss = read_loss(formula, "mean", label_smoothing=label_smoothing)
        self._optimiser = OPTIMISERS[optimiser] if isinstance(optimiser, str) else optimiser
        self._learning_rate = learning_rate

    def forward(self, x: Any) -> Any:
        """Run the model."""
        return self.model(x)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Compute and log the loss of (x, y)."""
        return self._step(batch, "train")

    def validation_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Log the loss of (x, y) and how well the model does."""
        return self._step(batch, "val")

    def test_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Log the loss of (x, y) and how well the model does."""
        return self._step(batch, "test")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Make the optimiser."""
        return self._optimiser(self.model.parameters(), self._learning_rate)

    def _step(self, batch: Any, part: str) -> Tensor:
        x, y = batch
        output = self(x)
        if self.loss.formula.slot == "regression" and output.dim() == y.dim() + 1:
            output = output.squeeze(-1)
        value: Tensor = self.loss(output, y)
        self.log(f"{part}_loss", value, batch_size=len(y))
        if part != "train":
            name, achieved = _achieved(output, y)
            self.log(f"{part}_{name}", achieved, batch_size=len(y), prog_bar=True)
        return value


def _achieved(output: Tensor, y: Tensor) -> tuple[str, Tensor]:
    if output.shape != y.shape:  # class indices
        return "accuracy", (output.argmax(1) == y).float().mean()
    return "mse", nn.functional.mse_loss(output, y.to(output.dtype))


class ReplaceLoss(pl.Callback):  # type: ignore[misc]
    """Train a module that exists already with a found loss: its attribute is replaced before training starts.

    Args:
        loss: what `symloss.load` takes, or a Formula: a loss of classification or regression.
        attribute: of the module, that holds its loss, e.g. `criterion`; called as `criterion(output, target)`.
        options: of `symloss.load`, e.g. `label_smoothing=0.1`.

    Raises:
        RunError: a path leads to nothing readable.
        FormulaError: the text is neither a name nor a formula, or it is an activation.

    Example:
        >>> pl.Trainer(callbacks=[ReplaceLoss("gce", attribute="criterion")])
    """

    def __init__(self, loss: Given, attribute: str = "criterion", reduction: str = "mean", **options: Any) -> None:
        self._loss = read_loss(loss, reduction, **options)
        self._attribute = attribute

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Replace the loss.

        Raises:
            ExperimentError: the module has no such attribute, or it is no function.
        """
        if not callable(getattr(pl_module, self._attribute, None)):
            known = [name for name, child in pl_module.named_children()] + list(vars(pl_module))
            raise ExperimentError(
                f"ReplaceLoss: {type(pl_module).__name__} has no loss called '{self._attribute}'."
                f"{closest(self._attribute, known)} Name the attribute that holds it."
            )
        loss = self._loss.to(pl_module.device)
        if hasattr(type(pl_module), self._attribute):  # a method hides what torch keeps as a submodule
            vars(pl_module)[self._attribute] = loss
        else:
            setattr(pl_module, self._attribute, loss)
