"""The Keras form of a classification loss, with the conventions of Keras's own cross-entropies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keras import ops

from symloss.telling.forms.keras_parts import clamped, single

if TYPE_CHECKING:
    from symloss.telling.forms.placeholder import formula


EPSILON = 1e-7
LOWEST = -3.4028235e38  # of float32


def call(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """Compute one loss per example: the formula summed over the classes.

    Args:
        y_true: class indices without the class axis, or with one of size 1, or probabilities shaped like `y_pred`.
        y_pred: probabilities, as of a softmax layer; logits with `from_logits`, which is more accurate.
        from_logits: whether `y_pred` holds logits.
        label_smoothing: in [0, 1]; the share of the target that is spread over all classes.
        axis: of the classes in `y_pred`.
    """
    y_pred = ops.moveaxis(single(y_pred), axis, -1)
    t = targets(ops.convert_to_tensor(y_true), y_pred, axis)
    t = t * (1 - label_smoothing) + label_smoothing / y_pred.shape[-1]
    if from_logits:
        log_p = ops.log_softmax(y_pred, axis=-1)
        p = clamped(ops.exp(log_p), EPSILON, 1 - EPSILON)
        masked = ops.logical_and(log_p < LOWEST, t == 0)  # a masked class counts for nothing where it is no target
        log_p = ops.where(masked, LOWEST, log_p)
    else:
        p = clamped(y_pred / ops.sum(y_pred, axis=-1, keepdims=True), EPSILON, 1 - EPSILON)
        log_p = ops.log(p)
    terms = formula(t=t, p=p, C=y_pred.shape[-1], log_p=log_p)
    return ops.sum(ops.broadcast_to(terms, ops.shape(y_pred)), axis=-1)


def targets(y_true: Any, y_pred: Any, axis: int) -> Any:
    """Return target probabilities (..., classes); `y_pred` has its classes last."""
    classes, rank = y_pred.shape[-1], len(y_pred.shape)
    if len(y_true.shape) == rank and y_true.shape[axis] == classes and classes > 1:
        return ops.cast(ops.moveaxis(y_true, axis, -1), y_pred.dtype)
    if len(y_true.shape) == rank and y_true.shape[axis] == 1:
        y_true = ops.squeeze(y_true, axis)
    if len(y_true.shape) != rank - 1 or classes < 2:
        raise ValueError(
            f"y_true: got shape {tuple(y_true.shape)} for {classes} classes and y_pred of rank {rank}. Give class "
            "indices without the class axis, or probabilities shaped like y_pred; at least 2 classes."
        )
    return ops.one_hot(ops.cast(y_true, "int32"), classes, dtype=y_pred.dtype)
