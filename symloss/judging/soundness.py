"""Which members are finite still; one whose loss is not ends, and has no gradient any more."""

from torch import Tensor

from symloss.judging.bound import Call
from symloss.judging.passes import passes_for


def silencing(losses: Tensor, alive: Tensor, at_output: Tensor) -> Call:
    """Return what ends the members whose loss is not finite, and takes the gradient from all that have ended.

    It would be NaN, and so would every product of the stack that meets it.

    Args:
        losses: `(seeds, columns)`.
        alive: likewise; changed in place.
        at_output: `(seeds, columns, batch, outputs)`; changed in place.
    """
    passes = passes_for(losses)
    if passes is not None and passes.end_unsound is not None:
        return passes.end_unsound(losses, alive, at_output)

    def end_unsound() -> None:
        alive.logical_and_(losses.isfinite())
        at_output.masked_fill_(~alive[..., None, None], 0)

    return end_unsound


def finite(values: Tensor) -> Tensor:
    """Return `(seeds, columns)`, whether all of a member's numbers are finite, of `(seeds, columns, ...)`.

    Zero times a number that is not finite is NaN: a product and a sum take a tenth of the time of `isfinite` and `all`.
    """
    return (values.reshape(*values.shape[:2], -1) * 0).sum(-1) == 0
