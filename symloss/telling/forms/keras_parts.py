"""What the Keras forms share: precision, and a clamp with torch's gradient."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


def single(values: Any) -> Any:
    """Return floats of at least 32 bits: half precision is computed in float32."""
    values = ops.convert_to_tensor(values)
    wide = keras.backend.standardize_dtype(values.dtype) in ("float32", "float64")
    return values if wide else ops.cast(values, "float32")


def clamped(values: Any, low: float, high: float) -> Any:
    """Clamp with the gradient 1 inside and at the edges, 0 beyond them, and never NaN."""
    edges = ops.stop_gradient(ops.clip(values, low, high))
    return ops.where((values >= low) & (values <= high), values, edges)
