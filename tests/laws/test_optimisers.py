"""Law of the optimisers: each equals torch.optim's of the same name, for every member and its own learning rate."""

import pytest
import torch

from symloss.judging.optimisers import MOMENTUM, OPTIMISERS
from symloss.judging.steppers import FactoryStepper, StackedStepper

THEIRS = {
    "sgd": lambda p, rate: torch.optim.SGD(p, lr=rate),
    "momentum": lambda p, rate: torch.optim.SGD(p, lr=rate, momentum=MOMENTUM),
    "adam": lambda p, rate: torch.optim.Adam(p, lr=rate),
}
RATES = (0.001, 0.03, 0.1)


def start() -> dict[str, torch.Tensor]:
    draws = torch.Generator().manual_seed(0)
    first = {"w": torch.randn(2, 1, 4, 3, generator=draws), "b": torch.randn(2, 1, 3, generator=draws)}
    return {name: value.repeat(1, len(RATES), *[1] * (value.ndim - 2)) for name, value in first.items()}


def gradient(name: str, value: torch.Tensor, step: int) -> torch.Tensor:
    return torch.sin(3 * value + step) * 10 ** (step % 5 - 3) + (0.5 if name == "b" else 0.0)


@pytest.mark.parametrize("way", ["fused", "by torch"])
@pytest.mark.parametrize("name", OPTIMISERS)
def test_equals_torch_optim(name, way, monkeypatch):
    if way == "by torch":
        monkeypatch.setattr("symloss.judging.steppers.passes_for", lambda value: None)
    ours = start()
    stepper = StackedStepper(OPTIMISERS[name], ours, torch.tensor(RATES))
    theirs = [{n: v[:, [k]].clone() for n, v in start().items()} for k in range(len(RATES))]
    optimisers = [THEIRS[name](list(p.values()), rate) for p, rate in zip(theirs, RATES, strict=True)]
    for step in range(40):
        # At torch's own parameters: by these steep gradients a difference in the last bit would grow with every step.
        at = {n: torch.cat([parameters[n] for parameters in theirs], 1) for n in ours}
        stepper.step(ours, {n: gradient(n, v, step) for n, v in at.items()})
        for parameters, optimiser in zip(theirs, optimisers, strict=True):
            for n, value in parameters.items():
                value.grad = gradient(n, value, step)
            optimiser.step()
    for k, parameters in enumerate(theirs):
        for n, value in parameters.items():
            torch.testing.assert_close(ours[n][:, [k]], value, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_dropping_columns_changes_nothing_for_the_others(name):
    whole, part = start(), start()
    both = [StackedStepper(OPTIMISERS[name], p, torch.tensor(RATES)) for p in (whole, part)]
    kept = torch.tensor([0, 2])
    for step in range(6):
        if step == 3:
            part = {n: v[:, kept] for n, v in part.items()}
            both[1].keep(kept)
        for stepper, values in zip(both, (whole, part), strict=True):
            stepper.step(values, {n: gradient(n, v, step) for n, v in values.items()})
    for n, value in part.items():
        assert torch.equal(whole[n][:, kept], value)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_a_factory_steps_like_the_optimiser_that_it_makes(name):
    ours, theirs = ({n: v[:1, :1].clone() for n, v in start().items()} for _ in range(2))
    steppers = (
        StackedStepper(OPTIMISERS[name], ours, torch.tensor([0.03])),
        FactoryStepper(THEIRS[name], theirs, 0.03),
    )
    for step in range(5):
        for stepper, values in zip(steppers, (ours, theirs), strict=True):
            stepper.step(values, {n: gradient(n, v, step) for n, v in values.items()})
    for n, value in theirs.items():
        assert not torch.equal(value, start()[n][:1, :1])
        torch.testing.assert_close(ours[n], value, rtol=1e-6, atol=1e-6)
