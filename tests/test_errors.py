"""The words for unknown names."""

from symloss.errors import FormulaError, GrammarError, SymlossError, closest, unknown


def test_the_closest_name_is_offered() -> None:
    words = unknown("mine.toml: [operators]", "operator", "lgo", ["log", "add"])
    assert words == "mine.toml: [operators] names an unknown operator 'lgo'. Did you mean 'log'? Known: add, log."


def test_nothing_is_offered_when_nothing_is_near() -> None:
    assert closest("zzz", ["log"]) == ""


def test_one_family() -> None:
    assert issubclass(GrammarError, SymlossError)
    assert issubclass(FormulaError, SymlossError)
