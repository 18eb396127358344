"""How far the kernel may be from torch: the rule, the random formulas it is tried on, and outputs at every edge.

The rule: in float32 kernel and torch agree to 1e-5 of a member's largest number. Where float32 itself loses that much,
the allowance grows by what it loses: the rounding of the summands that cancel, and four times what torch's own numbers
are off from float64, or move when outputs and results of operators move in their last bits. For a formula that float32
computes well, all of these are below 1e-6 of the largest number.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import sympy
import torch
from torch import Tensor

from symloss.errors import FormulaError
from symloss.judging.kernel import CohortLoss
from symloss.language.algebra import apply, constant
from symloss.language.formula import Formula, canonical
from symloss.language.loss import Step, compile_loss
from symloss.language.operators import OPERATORS
from symloss.language.slots import SLOTS
from symloss.language.slots.classification import EPSILON
from symloss.language.tape import OPCODES
from tests.strategies import EXPONENTS

TOLERANCE = 1e-5
FACTOR = 4.0
ROUNDING = 2**-21  # four roundings of a summand
TAPED = [name for name, record in OPERATORS.items() if name in OPCODES or record.torch is None]
BRINK = 1e36  # the kernel divides by the batch size last and torch first, so that near 3e38 one of them overflows


def random_formulas(slot: str, count: int, seed: int = 0) -> Iterator[Formula]:
    """Yield formulas that the language allows, of up to about 20 nodes."""
    rng = random.Random(seed)
    while count:
        try:
            formula = canonical(_grow(rng, slot, rng.randint(1, 4)), slot)
        except (FormulaError, ValueError):  # sympy cannot compare the arguments of some Max
            continue
        if formula.variables:
            count -= 1
            yield formula


def _grow(rng: random.Random, slot: str, depth: int) -> sympy.Expr:
    if depth == 0 or rng.random() < 0.1:
        symbols = list(SLOTS[slot].symbols().values())
        return rng.choice(symbols) if rng.random() < 0.75 else constant(rng.choice((1, 2, -1, 0.5, 0.31, 3.7, 1e-7)))
    operator = OPERATORS[rng.choice(TAPED)]
    first = _grow(rng, slot, depth - 1)
    if operator.arity == 1:
        return apply(operator.name, [first])
    second = constant(rng.choice(EXPONENTS)) if operator.exponent else _grow(rng, slot, depth - 1)
    return apply(operator.name, [first, second])


def edge_outputs(slot: str) -> tuple[Tensor, Tensor]:
    """Return outputs `(2, columns, batch, outputs)`, a column per scale from exact ties to extremes, and targets."""
    draws = torch.Generator().manual_seed(1)
    scales = torch.tensor([0.0, 0.3, 1, 3, 10, 20, 60])[:, None, None]
    if slot == "regression":
        y = torch.randn(2, 1, 9, generator=draws)
        y[..., :4] = torch.tensor([0.0, 1.0, -1.0, 2.0])
        residuals = torch.randn(2, 7, 9, 1, generator=draws) * scales
        residuals[:, 1] = torch.tensor([0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 1e-7, 3.0]).unsqueeze(-1)
        return y.unsqueeze(-1) + residuals, y
    return torch.randn(2, 7, 6, 7, generator=draws) * scales, torch.randint(0, 7, (2, 1, 6), generator=draws)


def walked(formula: Formula, output: Tensor, target: Tensor, shaken: bool = False) -> tuple[Tensor, Tensor]:
    """Return torch's losses and gradients, in the dtype of the output; shaken, after moving every operator's result."""
    function = compile_loss(formula)
    if shaken:
        function._steps = [Step(partial(_shake, step.function), step.sources) for step in function._steps]
    own = output.clone().requires_grad_()
    losses = SLOTS[formula.slot].objective(function, own, target)
    if not losses.requires_grad:
        return losses, torch.zeros_like(output)
    (gradients,) = torch.autograd.grad(losses.sum(), own)
    return losses.detach(), gradients


def _shake(function: Callable[..., Any], *arguments: Any) -> Any:
    result = function(*arguments)
    draws = torch.rand(result.shape, generator=torch.Generator().manual_seed(result.numel()))
    return result * (1 + (draws - 0.5) * 2**-21)


def disagreement(formula: Formula, output: Tensor, target: Tensor) -> str:
    """Say where the kernel breaks the rule, "" where it does not."""
    cohort = CohortLoss([formula], formula.slot, [output.shape[1]])
    assert cohort.tapes != [None], f"{formula} has no tape"
    got, expected = cohort.values_and_gradients(output, target), walked(formula, output, target)
    near = [walked(formula, nudged(output, seed), target, shaken=seed % 2 == 0) for seed in range(6)]
    near.append(walked(formula, output.double(), target))
    sizes = summands(formula, output, target)
    for what, mine, theirs, size, *others in zip(("losses", "gradients"), got, expected, sizes, *near, strict=True):
        alive = (expected[0].abs() < BRINK).reshape(expected[0].shape + (1,) * (theirs.dim() - 2))
        if what == "gradients":  # a member whose loss is not finite is not trained any more
            mine, theirs, *others = (part.where(alive, 0) for part in (mine, theirs, *others))
        fault = _fault(mine, theirs, others, ROUNDING * size)
        if fault:
            return f"{formula}: {what} {fault}"
    return ""


def summands(formula: Formula, output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return each member's largest summand of its loss, and of its gradient: the slope before log-softmax."""
    link = SLOTS[formula.slot].output_link
    assert link is not None
    along = (output.log_softmax(-1) if link.log_softmax else output).requires_grad_()
    variables = {**link.given(target, output), link.along: along}
    variables |= {"p": along.exp().clamp(EPSILON, 1 - EPSILON)} if link.log_softmax else {"r": along - variables["y"]}
    values = compile_loss(formula)(**variables).expand(output.shape)
    slopes = torch.autograd.grad(values.sum(), along)[0] if values.requires_grad else torch.zeros_like(output)
    return _largest(values.detach().where(values.isfinite(), 0)), _largest(slopes.where(slopes.isfinite(), 0))


def nudged(output: Tensor, seed: int) -> Tensor:
    """Move numbers by about two units in the last place, small ones by as much as a one."""
    draws = torch.rand(output.shape, generator=torch.Generator().manual_seed(seed))
    return output + (draws - 0.5) * 2**-21 * output.abs().clamp(min=1)


def _fault(mine: Tensor, theirs: Tensor, near: Sequence[Tensor], rounding: Tensor) -> str:
    """Compare `(seeds, columns, ...)` with torch's float32, and with torch's numbers nearby."""
    steady = torch.stack([one.isfinite() == theirs.isfinite() for one in near]).all(0)
    steady &= ~theirs.isfinite() | (theirs.abs() < BRINK)
    if not torch.equal(mine.isfinite()[steady], theirs.isfinite()[steady]):
        return f"not finite at other places: {mine[mine.isfinite() != theirs.isfinite()].tolist()[:5]}"
    fine = steady & theirs.isfinite()
    off, size = (_largest(part.where(fine, 0)) for part in (mine - theirs, theirs))
    loss = torch.stack([_largest((one - theirs).where(fine, 0)) for one in near]).amax(0)
    excess = off - (TOLERANCE * size + FACTOR * loss + rounding)
    if excess.max() <= 0:
        return ""
    at = excess.argmax()
    return f"are {off.flatten()[at]:.3g} off, of {size.flatten()[at]:.3g}; float32 loses {loss.flatten()[at]:.3g}"


def _largest(values: Tensor) -> Tensor:
    """Return each member's largest number, `(seeds, columns)`."""
    return values[..., None].double().abs().flatten(2).amax(-1)
