"""The JAX form of an activation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax.numpy as jnp
from jax import Array

from symloss.telling.forms.jax_parts import single

if TYPE_CHECKING:
    from symloss.telling.forms.placeholder import formula


def call(x: Array) -> Array:
    """Apply the activation elementwise.

    Args:
        x: of any shape; half precision is computed in float32 and given back as it came.
    """
    values, given = single(x), jnp.asarray(x).dtype
    result = jnp.broadcast_to(formula(x=values), values.shape)
    return result.astype(given) if jnp.issubdtype(given, jnp.floating) else result
