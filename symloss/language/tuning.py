"""How a formula's numbers are tuned before it is judged: the record by which searches ask for it and workers do it.

EvoMAL (Raymond, Chen, Xue and Zhang 2022, arXiv:2209.08907) tunes them by gradients through unrolled training steps.
"""

from __future__ import annotations

from dataclasses import dataclass

from symloss.language.template import PLACES
from symloss.settings import choice, number, setting, whole

METHODS = ("none", "gradient", "cma")
INHERITANCES = ("baldwinian", "lamarckian")
UNROLLED = 3  # training steps that an inner step costs when it is differentiated: it, and twice as much on the way back
FORWARD = 3  # forward passes that one training step costs: its own, and a backward pass of two


@dataclass(frozen=True)
class Tuning:
    """How a formula's numbers are tuned; the defaults are EvoMAL's, but for the method.

    Args:
        method: `none`; `gradient`, Adam on the validation loss after inner steps, differentiated through them; `cma`,
            CMA-ES on the same loss at the same cost, without a gradient.
        coefficients: `edges`, one number for each node but the first; `nodes`, for each node; `constants`, for each
            number that stands in the formula.
        steps: of the gradient method; CMA-ES makes as many trials as these would cost.
        rate: learning rate of Adam.
        inner_steps: of SGD by the formula, from the base model's initial weights.
        inner_rate: learning rate of these.
        sigma: first standard deviation of CMA-ES.
        inheritance: `baldwinian`, only the outcome is the tuned formula's, and children inherit the tree as it was
            proposed; `lamarckian`, they inherit the tuned formula, where the grammar can say it.
    """

    method: str = setting(choice(*METHODS), "none")
    coefficients: str = setting(choice(*PLACES), "edges")
    steps: int = setting(whole(1), 250)
    rate: float = setting(number(0.0, above=True), 0.001)
    inner_steps: int = setting(whole(1), 1)
    inner_rate: float = setting(number(0.0, above=True), 0.01)
    sigma: float = setting(number(0.0, above=True), 0.1)
    inheritance: str = setting(choice(*INHERITANCES), "baldwinian")

    @property
    def cost(self) -> int:
        """Training steps of the base model that tuning one formula costs.

        A training step is a forward and a backward pass of one model on one mini-batch, or three forward passes. A step
        of the gradient method takes the inner steps, a forward and backward pass on validation data (one training step
        more), and the way back through each inner step, which costs that step twice.
        """
        return 0 if self.method == "none" else self.steps * (UNROLLED * self.inner_steps + 1)

    @property
    def trials(self) -> int:
        """How often CMA-ES may try numbers at that cost: a trial takes the inner steps and a forward pass."""
        return self.cost * FORWARD // (FORWARD * self.inner_steps + 1)


UNTUNED = Tuning()
