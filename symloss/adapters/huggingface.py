"""A found loss in the Hugging Face Trainer: `Trainer(..., compute_loss_func=compute_loss_func("gce"))`.

The loss is the sum over the targets of a batch, divided by the number of targets in all batches that are accumulated
for one optimiser step, as the Trainer's own losses are. So gradient accumulation changes nothing but the memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from symloss.adapters.losses import Given, read_loss

__all__ = ["TrainerLoss", "compute_loss_func"]


def compute_loss_func(
    loss: Given,
    *,
    shift_labels: bool | None = None,
    weight: Tensor | None = None,
    label_smoothing: float = 0.0,
) -> TrainerLoss:
    """Return a loss for the argument `compute_loss_func` of `transformers.Trainer`.

    Labels of -100 count for nothing. The Trainer leaves its own `label_smoothing_factor` out when it is given a loss;
    use this function's.

    Args:
        loss: what `symloss.load` takes, or a Formula: a loss of classification or regression.
        shift_labels: whether each position is scored by the label of the next one, as causal language models need when
            the labels are the inputs; None for those whose output class is called so, e.g. `CausalLMOutput`.
        weight: (classes,), multiplies each class's term. The sum is divided by the number of targets all the same.
        label_smoothing: in [0, 1]; the share of the target that is spread over all classes.

    Raises:
        RunError: a path leads to nothing readable.
        FormulaError: the text is neither a name nor a formula, or it is an activation.
        ValueError: an option is out of range or does not apply to the formula's slot.

    Example:
        >>> loss = compute_loss_func("gce")
        >>> loss({"logits": torch.zeros(2, 10)}, torch.tensor([3, 4]), num_items_in_batch=2)
        tensor(1.1435)
    """
    options: dict[str, Any] = {"weight": weight, "label_smoothing": label_smoothing}
    return TrainerLoss(read_loss(loss, "sum", **options), read_loss(loss, "mean", **options), shift_labels)


class TrainerLoss:
    """A loss as the Trainer calls it; see `compute_loss_func`.

    Args:
        summed: sums over the targets.
        averaged: of the same formula, for calls without a number of targets.
        shift_labels: see `compute_loss_func`.
    """

    def __init__(self, summed: Any, averaged: Any, shift_labels: bool | None) -> None:
        self._summed, self._averaged, self._shift_labels = summed, averaged, shift_labels

    def __call__(self, outputs: Any, labels: Tensor | None, num_items_in_batch: Tensor | int | None = None) -> Tensor:
        """Compute the loss of a batch.

        Args:
            outputs: of the model; a mapping with `logits`, or a tuple that begins with them.
            labels: class indices, probabilities or values; (batch, ...).
            num_items_in_batch: targets in all batches of the optimiser step; None averages over this batch.

        Raises:
            ValueError: there are no labels, or their shape does not fit the logits.
        """
        if labels is None:
            raise ValueError("compute_loss_func: got no labels. Give the data set a column called 'labels'.")
        logits = outputs["logits"] if isinstance(outputs, Mapping) else outputs[0]
        if self._shifts(outputs):
            logits, labels = logits[..., :-1, :], labels[..., 1:]
        count = num_items_in_batch
        logits, labels, targets_each = self._flattened(logits, labels.to(logits.device))
        if count is None:
            return self._averaged.to(logits.device)(logits, labels)  # type: ignore[no-any-return]
        # On several GPUs of one process the number comes as a tensor with one copy for each.
        items = torch.as_tensor(count, device=logits.device).flatten()[0] / targets_each
        return self._summed.to(logits.device)(logits, labels) / items.clamp(min=1)  # type: ignore[no-any-return]

    def _shifts(self, outputs: Any) -> bool:
        return "CausalLM" in type(outputs).__name__ if self._shift_labels is None else self._shift_labels

    def _flattened(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, int]:
        """Return logits and labels as the loss takes them, and how many entries of the labels make one target."""
        if self._summed.formula.slot == "classification":
            if labels.is_floating_point():  # the Trainer counts probabilities one by one
                return logits.reshape(-1, logits.shape[-1]), labels.reshape(-1, labels.shape[-1]), labels.shape[-1]
            if labels.shape != logits.shape[:-1]:
                labels = labels.squeeze(-1)
            _check(labels.shape == logits.shape[:-1], logits, labels)
            return logits.reshape(-1, logits.shape[-1]), labels.reshape(-1), 1
        if logits.dim() == labels.dim() + 1:
            logits = logits.squeeze(-1)
        _check(labels.shape == logits.shape, logits, labels)
        return logits, labels.to(logits.dtype), 1

    def __repr__(self) -> str:
        return f"compute_loss_func({self._summed.formula.text!r})"


def _check(fits: bool, logits: Tensor, labels: Tensor) -> None:
    if not fits:
        raise ValueError(
            f"labels: got shape {tuple(labels.shape)} for logits of shape {tuple(logits.shape)}. "
            "Give one label for each position of the logits."
        )
