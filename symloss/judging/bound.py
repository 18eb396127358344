"""Calls bound to the tensors that they work on: views of them are made once, as long as the same ones come.

A step of small models is short beside the views that its calls would need: they work in the same memory at every step.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import is_
from typing import Any

from torch import Tensor

Call = Callable[[], object]


class Bound:
    """Works on some tensors where they lie; it looks at them anew when others come.

    It holds those that came last, so it is for what is written into again, not for what is made at every step.

    Args:
        bind: tensors -> what works on them, however their numbers have changed.
    """

    def __init__(self, bind: Callable[..., Call]) -> None:
        self._bind = bind
        self._seen: tuple[Tensor, ...] = ()
        self._call: Call | None = None

    def __call__(self, *tensors: Tensor) -> Any:
        """Work on them."""
        if self._call is None or len(tensors) != len(self._seen) or not all(map(is_, tensors, self._seen)):
            self._seen, self._call = tensors, self._bind(*tensors)
        return self._call()
