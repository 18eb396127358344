"""The Keras form of an activation, for a layer's `activation=`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keras import ops

from symloss.telling.forms.keras_parts import single

if TYPE_CHECKING:
    from symloss.telling.forms.placeholder import formula


def call(x: Any) -> Any:
    """Apply the activation elementwise.

    Args:
        x: of any shape; half precision is computed in float32 and given back as it came.
    """
    values = single(x)
    return ops.cast(ops.broadcast_to(formula(x=values), ops.shape(values)), ops.convert_to_tensor(x).dtype)
