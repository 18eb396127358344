"""Laws that every slot of the table keeps, tried with its own baselines."""

import pytest
import torch

from symloss.language.formula import parse
from symloss.language.loss import SymbolicLoss, compile_loss
from symloss.language.slots import SLOTS, Slot
from symloss.language.zoo import ZOO, zoo

every_slot = pytest.mark.parametrize("slot", SLOTS.values(), ids=lambda slot: slot.name)
WIDTH = {"regression": 1}


def width(slot: Slot) -> int:
    return WIDTH.get(slot.name, 10)


@every_slot
def test_baselines_are_in_the_zoo_and_of_this_slot(slot: Slot) -> None:
    assert slot.baselines
    assert all(ZOO[name].slot == slot.name for name in slot.baselines)


@every_slot
def test_baselines_pass_every_free_test(slot: Slot) -> None:
    for name in slot.baselines:
        function = compile_loss(zoo[name])
        assert [test.check(function, width(slot)) for test in slot.tests] == [""] * len(slot.tests), name


@every_slot
def test_respond_is_finite_float64_and_repeats(slot: Slot) -> None:
    for name in slot.baselines:
        first, second = (slot.respond(compile_loss(zoo[name]), width(slot)) for _ in range(2))
        assert first.fingerprint.dtype == torch.float64
        assert first.values.isfinite().all()
        assert first.gradients.isfinite().all()
        assert torch.equal(first.fingerprint, second.fingerprint)


@every_slot
def test_baselines_have_distinct_fingerprints(slot: Slot) -> None:
    prints = [slot.respond(compile_loss(zoo[name]), width(slot)).fingerprint for name in slot.baselines]
    for i, one in enumerate(prints):
        assert all(not torch.allclose(one, other, rtol=1e-4) for other in prints[:i])


@every_slot
def test_a_constant_formula_has_no_gradient(slot: Slot) -> None:
    response = slot.respond(compile_loss(parse("2", slot.name)), width(slot))
    assert not response.gradients.any()


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
