"""The Keras form of a regression loss, with the conventions of `keras.losses.mean_squared_error`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keras import ops

from symloss.telling.forms.keras_parts import single

if TYPE_CHECKING:
    from symloss.telling.forms.placeholder import formula


def call(y_true: Any, y_pred: Any) -> Any:
    """Compute one loss per example: the mean over the last axis.

    Args:
        y_true: (batch, d0, ..., dN), or without a last axis of size 1.
        y_pred: (batch, d0, ..., dN).
    """
    y_pred = single(y_pred)
    y_true = ops.cast(y_true, y_pred.dtype)
    if len(y_true.shape) == len(y_pred.shape) - 1 and y_pred.shape[-1] == 1:
        y_true = ops.expand_dims(y_true, -1)
    if len(y_pred.shape) == len(y_true.shape) - 1 and y_true.shape[-1] == 1:
        y_pred = ops.expand_dims(y_pred, -1)
    if tuple(y_true.shape) != tuple(y_pred.shape):
        raise ValueError(f"y_true: got shape {tuple(y_true.shape)} for y_pred of shape {tuple(y_pred.shape)}.")
    values = formula(y=y_true, f=y_pred, r=y_pred - y_true)
    return ops.mean(ops.broadcast_to(values, ops.shape(y_pred)), axis=-1)
