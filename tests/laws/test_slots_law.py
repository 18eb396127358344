"""Laws that every slot of the table keeps, tried with its own baselines."""

import numpy as np
import pytest
import torch

from symloss.judging.free_outputs import stuck
from symloss.language.formula import Formula, parse
from symloss.language.loss import SymbolicLoss, compile_loss
from symloss.language.probing import Prober, by_torch, prefix
from symloss.language.slots import SLOTS, Response, Slot
from symloss.language.zoo import ZOO, zoo

every_slot = pytest.mark.parametrize("slot", SLOTS.values(), ids=lambda slot: slot.name)
WIDTH = {"regression": 1}


def width(slot: Slot) -> int:
    return WIDTH.get(slot.name, 10)


@every_slot
def test_baselines_are_in_the_zoo_and_of_this_slot(slot: Slot) -> None:
    assert slot.baselines
    assert all(ZOO[name].slot == slot.name for name in slot.baselines)


def prober(slot: Slot) -> Prober:
    return Prober(slot.name, width(slot))


def responded(slot: Slot, formula: Formula) -> Response:
    return prober(slot).respond(list(prefix(formula.node)), formula.text)


@every_slot
def test_baselines_pass_every_free_test(slot: Slot) -> None:
    functions = [compile_loss(zoo[name]) for name in slot.baselines]
    assert [prober(slot).look_at(zoo[name]).failed for name in slot.baselines] == [""] * len(functions)
    assert stuck(functions, slot.name, width(slot)) == [""] * len(functions)


@every_slot
def test_probes_are_finite_float64_and_repeat(slot: Slot) -> None:
    for name in slot.baselines:
        first, second = (responded(slot, zoo[name]) for _ in range(2))
        assert first.values.dtype == first.gradients.dtype == np.float64
        assert np.isfinite(first.values).all()
        assert np.isfinite(first.gradients).all()
        assert prober(slot).look_at(zoo[name]) == prober(slot).look_at(zoo[name])
        assert np.array_equal(first.gradients, second.gradients)


@every_slot
def test_baselines_have_distinct_fingerprints(slot: Slot) -> None:
    assert len({prober(slot).look_at(zoo[name]).digest for name in slot.baselines}) == len(slot.baselines)


@every_slot
def test_a_constant_formula_has_no_gradient(slot: Slot) -> None:
    assert not responded(slot, parse("2", slot.name)).gradients.any()


@every_slot
def test_probe_gradients_are_those_that_train(slot: Slot) -> None:
    """Values and slopes carried through the tree equal what torch computes and differentiates of the formula."""
    probes = slot.probes(width(slot))
    for name in slot.baselines:
        value, slope = by_torch(zoo[name], probes)
        found = responded(slot, zoo[name])
        assert np.allclose(found.values, value, rtol=1e-9, atol=1e-12)
        assert np.allclose(found.gradients, probes.pull_back(slope), rtol=1e-7, atol=1e-9)


@every_slot
def test_objective_is_one_number_a_member(slot: Slot) -> None:
    output = torch.randn(2, 3, 5, width(slot))
    target = torch.randn(2, 1, 5) if slot.name == "regression" else torch.randint(0, 10, (2, 1, 5))
    for name in slot.baselines:
        losses = slot.objective(compile_loss(zoo[name]), output, target)
        assert losses.shape == (2, 3)
        alone = slot.objective(compile_loss(zoo[name]), output[1, 2], target[1, 0])
        assert torch.allclose(losses[1, 2], alone)


@every_slot
def test_unknown_options_are_refused(slot: Slot) -> None:
    if "weight" in slot.accepts:
        pytest.skip("takes every option")
    with pytest.raises(ValueError, match=f"weight: a formula of the {slot.name} slot does not take it"):
        SymbolicLoss(zoo[slot.baselines[0]], weight=torch.ones(3))
