"""Laws that every trait keeps: it is told of every published formula of the slots that name it, twice the same."""

import math

import pytest

from symloss.language.files import plain
from symloss.language.slots import SLOTS
from symloss.language.zoo import ZOO, zoo
from symloss.telling.analysis import CERTAINTIES, TRAITS, Finding
from symloss.telling.symbolic.questions import QUESTIONS

every_trait = pytest.mark.parametrize("name", TRAITS)


@every_trait
def test_a_slot_names_it_and_it_has_a_label(name: str) -> None:
    assert TRAITS[name].label
    assert TRAITS[name].group
    assert any(name in slot.traits for slot in SLOTS.values())


@every_trait
def test_a_question_has_someone_who_checks_its_answer(name: str) -> None:
    trait = TRAITS[name]
    assert (trait.question in QUESTIONS) == (trait.confirm is not None)
    assert trait.question in ("", *QUESTIONS)


@every_trait
def test_it_is_told_of_every_published_formula_of_its_slots(name: str) -> None:
    formulas = [zoo[each] for each in ZOO if name in SLOTS[ZOO[each].slot].traits]
    assert formulas
    for formula in formulas:
        found = TRAITS[name].function(formula, 3)
        assert found.words
        assert "nan" not in found.words
        assert found.certainty in CERTAINTIES
        assert found.how or found.certainty == "unknown"
    assert plain(TRAITS[name].function(formulas[0], 3)) == plain(TRAITS[name].function(formulas[0], 3))


@pytest.mark.parametrize("name", [name for name, trait in TRAITS.items() if trait.confirm])
@pytest.mark.parametrize("nonsense", [[], ["0.123*C", "log(", "p"], {"true class": ["7", "7"]}, None, {"value": 3}])
def test_a_wrong_answer_of_algebra_is_not_told(name: str, nonsense: object) -> None:
    trait = TRAITS[name]
    formula = next(zoo[each] for each in ("label_smoothing", "huber") if name in SLOTS[ZOO[each].slot].traits)
    finding = trait.tell(formula, 10)
    assert trait.confirm is not None
    told = trait.confirm(finding, formula, 10, nonsense)
    assert told.closed_form == ""
    assert "0.123" not in told.words
    assert told.value == finding.value or math.isnan(finding.value)


def test_a_finding_with_an_unknown_certainty_is_refused() -> None:
    with pytest.raises(ValueError, match="is none of closed form, proven"):
        Finding(1.0, "words", "guessed")
