"""Laws that every export keeps, of every operator: the files are made, and what is Python is Python."""

import ast

import pytest

from symloss.language.formula import parse
from symloss.language.operators import OPERATORS
from symloss.language.slots import SLOTS
from symloss.language.zoo import ZOO
from symloss.telling.export import EXPORTS, FOLDERS
from symloss.telling.target import Target, find_target

every_export = pytest.mark.parametrize("name", EXPORTS)


def sample(operator: str) -> str:
    """Return a formula over `f` and `y` that calls an operator with tensors and with numbers."""
    record = OPERATORS[operator]
    if record.arity == 1:
        return f"{operator}(f)*y"
    return f"{operator}(f, 0.7)*y" if record.exponent else f"{operator}(f, y) + {operator}(f, 3)*{operator}(0.5, y)"


@every_export
@pytest.mark.parametrize("operator", OPERATORS)
def test_every_export_writes_every_operator(name: str, operator: str) -> None:
    text = EXPORTS[name].write(Target("formula", "formula", parse(sample(operator), "regression")))
    assert text.strip()
    if EXPORTS[name].suffix == ".py":
        names = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
        assert "symloss" not in names


@every_export
@pytest.mark.parametrize("slot", SLOTS)
def test_every_export_writes_every_slots_reference_and_says_what_it_is(name: str, slot: str) -> None:
    export = EXPORTS[name]
    assert export.about
    assert export.suffix.startswith(".")
    first, again = (export.write(find_target(SLOTS[slot].baselines[0])) for _ in range(2))
    assert first.strip()
    assert first == again


@every_export
def test_every_export_writes_every_published_formula(name: str) -> None:
    assert all(EXPORTS[name].write(find_target(each)).strip() for each in ZOO)


@pytest.mark.parametrize("name", FOLDERS)
@pytest.mark.parametrize("slot", SLOTS)
def test_every_folder_holds_named_texts_and_is_the_same_again(name: str, slot: str) -> None:
    assert FOLDERS[name].about
    first, again = (FOLDERS[name].write(find_target(SLOTS[slot].baselines[0])) for _ in range(2))
    assert first == again
    assert len(first) > 1
    for file, text in first.items():
        assert file == file.rpartition("/")[2]
        assert text.strip()
        if file.endswith(".py"):
            ast.parse(text)
