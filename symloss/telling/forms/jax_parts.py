"""What the JAX forms share: precision, reduction, and a clamp with torch's gradient."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array


def single(values: Array) -> Array:
    """Return floats of at least 32 bits: half precision is computed in float32."""
    values = jnp.asarray(values)
    wide = jnp.issubdtype(values.dtype, jnp.floating) and values.dtype.itemsize >= 4
    return values if wide else values.astype(jnp.float32)


def clamped(values: Array, low: float, high: float) -> Array:
    """Clamp with the gradient 1 inside and at the edges, 0 beyond them, and never NaN."""
    edges = jax.lax.stop_gradient(jnp.clip(values, low, high))
    return jnp.where((values >= low) & (values <= high), values, edges)


def reduced(losses: Array, reduction: str, count: Array | float) -> Array:
    """Apply a reduction to one loss per example; `count` is what `mean` divides by."""
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"reduction: got {reduction!r}. Allowed: mean, sum, none.")
    if reduction == "none":
        return losses
    return losses.sum() if reduction == "sum" else losses.sum() / count
