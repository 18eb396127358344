"""The JAX form of a classification loss: pure, with the class axis last as JAX has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
from jax import Array

from symloss.telling.forms.jax_parts import clamped, reduced, single

if TYPE_CHECKING:
    from symloss.telling.forms.placeholder import formula


EPSILON = 1e-7


def call(
    logits: Array,
    labels: Array,
    *,
    reduction: str = "mean",
    weight: Array | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Array:
    """Compute the loss; it can be jitted (`reduction` and `axis` static), differentiated and vmapped.

    Args:
        logits: (..., classes); half precision is computed in float32.
        labels: class indices (...), or probabilities (..., classes). The loss of a label that is no class is NaN.
        reduction: `mean`, `sum` or `none`.
        weight: (classes,), multiplies each class's term; `mean` divides by the labels' weights.
        ignore_index: examples with this class index count for nothing.
        label_smoothing: in [0, 1]; the share of the target that is spread over all classes.
        axis: of the classes in the logits.
    """
    labels, shape = jnp.asarray(labels), jnp.shape(logits)
    logits = jnp.moveaxis(single(logits), axis, -1)
    if jnp.issubdtype(labels.dtype, jnp.floating):
        if labels.shape != shape:
            raise ValueError(f"labels: got probabilities of shape {labels.shape} for logits of shape {shape}.")
        t = jnp.moveaxis(labels, axis, -1).astype(logits.dtype)
        losses = summed(logits, t, weight, label_smoothing)
        return reduced(losses, reduction, losses.size)
    if labels.shape != logits.shape[:-1]:
        raise ValueError(f"labels: got indices of shape {labels.shape} for logits of shape {shape}.")
    kept = labels != ignore_index
    index = jnp.where(kept, labels, 0)
    logits = jnp.where(kept[..., None], logits, 0.0)
    t = jax.nn.one_hot(index, logits.shape[-1], dtype=logits.dtype)
    losses = summed(logits, t, weight, label_smoothing)
    losses = jnp.where((index >= 0) & (index < logits.shape[-1]), losses, jnp.nan)
    losses = jnp.where(kept, losses, 0.0)
    share = kept.astype(losses.dtype) if weight is None else jnp.asarray(weight, losses.dtype)[index] * kept
    return reduced(losses, reduction, share.sum())


def summed(logits: Array, t: Array, weight: Array | None, label_smoothing: float) -> Array:
    """Return one loss per example: the formula summed over the classes."""
    t = t * (1 - label_smoothing) + label_smoothing / logits.shape[-1]
    log_p = jax.nn.log_softmax(logits, axis=-1)
    p = clamped(jnp.exp(log_p), EPSILON, 1 - EPSILON)
    masked = (log_p == -jnp.inf) & (t == 0)  # a masked class counts for nothing where it is no target
    log_p = jnp.where(masked, jnp.finfo(log_p.dtype).min, log_p)
    terms = jnp.broadcast_to(formula(t=t, p=p, C=logits.shape[-1], log_p=log_p), logits.shape)
    return (terms if weight is None else terms * jnp.asarray(weight, terms.dtype)).sum(-1)
