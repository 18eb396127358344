"""Laws that every published formula of the zoo keeps."""

import numpy as np
import pytest

from symloss.language.formula import parse
from symloss.language.probing import Prober, prefix
from symloss.language.slots import SLOTS
from symloss.language.zoo import ZOO, zoo

every_entry = pytest.mark.parametrize("name", ZOO)


@every_entry
def test_it_is_a_formula_of_its_slot_with_a_source(name: str) -> None:
    entry = ZOO[name]
    assert entry.name == name
    assert entry.source
    assert entry.about
    assert zoo[name].slot == entry.slot
    assert entry.slot in SLOTS
    assert parse(zoo[name].text, entry.slot) == zoo[name]


@every_entry
def test_it_is_finite_wherever_training_can_come(name: str) -> None:
    slot = SLOTS[ZOO[name].slot]
    prober = Prober(slot.name, 1 if slot.name == "regression" else 10)
    response = prober.respond(list(prefix(zoo[name].node)), zoo[name].text)
    assert np.isfinite(response.values).all()
    assert np.isfinite(response.gradients).all()
    assert response.gradients.any()


def test_no_two_entries_are_one_formula() -> None:
    assert len({zoo[name].key for name in ZOO}) == len(ZOO)
