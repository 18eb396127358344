"""Laws that every trait keeps: it is told of every published formula of the slots that name it, twice the same."""

import pytest

from symloss.language.slots import SLOTS
from symloss.language.zoo import ZOO, zoo
from symloss.telling.analysis import TRAITS

every_trait = pytest.mark.parametrize("name", TRAITS)


@every_trait
def test_a_slot_names_it_and_it_has_a_label(name: str) -> None:
    assert TRAITS[name].label
    assert any(name in slot.traits for slot in SLOTS.values())


@every_trait
def test_it_is_told_of_every_published_formula_of_its_slots(name: str) -> None:
    formulas = [zoo[each] for each in ZOO if name in SLOTS[ZOO[each].slot].traits]
    assert formulas
    for formula in formulas:
        first, again = (TRAITS[name].function(formula, 3) for _ in range(2))
        assert first.words
        assert first == again or first.value != first.value
