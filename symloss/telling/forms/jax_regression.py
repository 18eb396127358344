"""The JAX form of a regression loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax.numpy as jnp
from jax import Array

from symloss.telling.forms.jax_parts import reduced, single

if TYPE_CHECKING:
    from symloss.telling.forms.placeholder import formula


def call(predictions: Array, targets: Array, *, reduction: str = "mean") -> Array:
    """Compute the loss; it can be jitted (`reduction` static), differentiated and vmapped.

    Args:
        predictions: of any shape; half precision is computed in float32.
        targets: of the same shape.
        reduction: `mean`, `sum` or `none`.
    """
    predictions = single(predictions)
    targets = jnp.asarray(targets, predictions.dtype)
    if predictions.shape != targets.shape:
        raise ValueError(f"targets: got shape {targets.shape} for predictions of shape {predictions.shape}.")
    values = formula(y=targets, f=predictions, r=predictions - targets)
    losses = jnp.broadcast_to(values, predictions.shape)
    return reduced(losses, reduction, losses.size)
