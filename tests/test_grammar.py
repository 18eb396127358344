"""Grammars: read from TOML into records, refused with words, counted."""

import itertools
from pathlib import Path

import pytest

from symloss.errors import GrammarError
from symloss.language.grammar import (
    Constants,
    Ephemeral,
    Grammar,
    Integers,
    Limits,
    count_space,
    list_grammars,
    load_grammar,
    read_grammar,
)

SMALL = """
name = "small"
slot = "classification"
required = ["t", "p"]
[operators]
add = 1
log = 2.5
[variables]
t = 1
p = 3
[constants]
fixed = [1, -1]
weight = 0.5
integers = { low = -2, high = 2, weight = 0 }
ephemeral = { low = -1.0, high = 1.0, sigma = 0.1 }
[limits]
initial_depth = [1, 2]
max_depth = 3
max_nodes = 9
"""

WITH_POW = SMALL.replace("add = 1", "add = 1\npow = 1") + "\n[exponents]\nfixed = [2, 0.5]\n"


def changed(old: str, new: str, text: str = SMALL) -> str:
    assert old in text
    return text.replace(old, new)


def refusal(text: str) -> str:
    with pytest.raises(GrammarError) as caught:
        read_grammar(text, "mine.toml")
    return str(caught.value)


def test_a_file_becomes_records() -> None:
    grammar = read_grammar(SMALL, "mine.toml")
    assert dict(grammar.operators) == {"add": 1.0, "log": 2.5}
    assert dict(grammar.variables) == {"t": 1.0, "p": 3.0}
    assert grammar.constants == Constants((1, -1), 0.5, Integers(-2, 2, 0.0), Ephemeral(-1.0, 1.0, 0.1, 1.0))
    assert grammar.exponents == Constants()
    assert grammar.limits == Limits((1, 2), 3, 9)
    assert (grammar.initialisation, grammar.when_missing, grammar.required) == ("ramped", "reject", ("t", "p"))
    assert grammar.text == SMALL


def test_the_slot_says_what_is_required_where_the_file_does_not() -> None:
    assert read_grammar(changed('required = ["t", "p"]', ""), "mine.toml").required == ("t", "p")


def test_a_grammar_is_frozen_and_hashable() -> None:
    grammar = read_grammar(SMALL, "mine.toml")
    assert hash(grammar) == hash(read_grammar(SMALL, "yours.toml"))
    assert grammar == read_grammar(SMALL, "yours.toml")
    with pytest.raises(TypeError):
        grammar.operators["sub"] = 1.0  # type: ignore[index]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("log = 2.5", "lgo = 2.5", ["[operators]", "'lgo'", "Did you mean 'log'?"]),
        ("p = 3", "q = 3", ["[variables]", "'q'", "Known: C, p, t."]),
        ('"classification"', '"clasification"', ["slot", "clasification", "Did you mean 'classification'?"]),
        ("log = 2.5", "log = -1", ["[operators] log", "-1", "above 0"]),
        ("log = 2.5", "log = 0", ["[operators] log", "0", "above 0"]),
        ("log = 2.5", "log = nan", ["[operators] log", "nan", "above 0"]),
        ("log = 2.5", "log = inf", ["[operators] log", "inf", "above 0"]),
        ("log = 2.5", "log = true", ["[operators] log", "True", "above 0"]),
        ("log = 2.5", 'log = "2"', ["[operators] log", "'2'", "above 0"]),
        ("log = 2.5", "log = 1" + "0" * 400, ["[operators] log", "above 0"]),
        ("log = 2.5", "log = 1" + "0" * 5000, ["mine.toml"]),
        ("add = 1\nlog = 2.5", "", ["[operators]", "empty", "Known:", "log"]),
        ("max_depth = 3", "max_dept = 3", ["[limits]", "'max_dept'", "Did you mean 'max_depth'?"]),
        ("max_depth = 3", "max_depth = 3.0", ["[limits] max_depth", "3.0", "integer"]),
        ("max_depth = 3", "max_depth = true", ["[limits] max_depth", "True", "integer"]),
        ("max_depth = 3", "max_depth = 33", ["[limits] max_depth", "33", "32"]),
        ("max_depth = 3\n", "", ["[limits]", "lacks max_depth"]),
        ("max_nodes = 9", "max_nodes = 0", ["[limits] max_nodes", "0", "1 to 256"]),
        ("[1, 2]", "[2, 1]", ["[limits] initial_depth", "[2, 1]", "least <= greatest"]),
        ("[1, 2]", "[1, 4]", ["[limits] initial_depth", "[1, 4]", "max_depth = 3"]),
        ("[1, 2]", "[1]", ["[limits] initial_depth", "[1]"]),
        ("[1, 2]", "[false, 2]", ["[limits] initial_depth", "False"]),
        ("fixed = [1, -1]", "fixed = [1, nan]", ["[constants] fixed", "nan"]),
        ("fixed = [1, -1]", "fixed = [1, 1.0]", ["[constants] fixed", "distinct"]),
        ("fixed = [1, -1]", "fixed = []", ["[constants] fixed", "[]"]),
        ("fixed = [1, -1]", "fixed = [true]", ["[constants] fixed", "True"]),
        ("fixed = [1, -1]", "fixd = [1]", ["[constants]", "'fixd'", "Did you mean 'fixed'?"]),
        ("low = -2, high = 2", "low = 2, high = -2", ["[constants]", "low is 2", "low < high"]),
        ("low = -1.0, high = 1.0", "low = 1.0, high = 1.0", ["[constants]", "low < high", "fixed"]),
        ("sigma = 0.1", "sigma = 0", ["ephemeral sigma", "0"]),
        (", sigma = 0.1", "", ["ephemeral", "lacks sigma"]),
        ("weight = 0 }", "weight = -1 }", ["integers weight", "-1"]),
        ('name = "small"', 'name = ""', ["name", "not empty"]),
        ('name = "small"', "", ["lacks name"]),
        ('name = "small"', 'name = "small"\ninitialisation = "glow"', ["initialisation", "glow", "glo"]),
        ('name = "small"', 'name = "small"\nwhen_missing = "drop"', ["when_missing", "drop", "repair"]),
        ('name = "small"', 'name = "small"\nslots = 3', ["'slots'", "Did you mean 'slot'?"]),
        ('["t", "p"]', '["t", "q"]', ["required", "'q'"]),
        ('["t", "p"]', '["t", "C"]', ["[variables]", "lacks C"]),
        ('["t", "p"]', '"t"', ["required", "'t'"]),
        ("add = 1\n", "", ["no tree can hold t and p together"]),
        ("max_nodes = 9", "max_nodes = 2", ["no tree can hold t and p together"]),
        ("add = 1", "add = 1\npow = 1", ["'pow'", "[exponents]"]),
        ("[limits]", "[exponents]\nfixed = [2]\n[limits]", ["[exponents]", "'pow'"]),
        ("[limits]", "limits", ["mine.toml", "not valid TOML"]),
    ],
)
def test_what_does_not_fit_is_refused_with_place_value_and_remedy(old: str, new: str, words: list[str]) -> None:
    message = refusal(changed(old, new))
    assert message.startswith("mine.toml")
    for word in words:
        assert word in message


def test_constants_that_could_never_be_drawn_are_refused() -> None:
    text = changed("fixed = [1, -1]", "", changed("ephemeral = {", "#"))
    assert "no constant that could be drawn" in refusal(text)


def test_grammars_are_found_by_name_and_by_path(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(SMALL, encoding="utf-8")
    assert load_grammar("mine.toml", tmp_path).name == "small"
    assert load_grammar(tmp_path / "mine.toml").name == "small"
    assert load_grammar("compact").name == "compact"


def test_a_grammar_that_is_not_there_is_named_with_its_kin(tmp_path: Path) -> None:
    with pytest.raises(GrammarError, match=r"'compct'\. Did you mean 'compact'"):
        load_grammar("compct")
    with pytest.raises(GrammarError, match=r"none\.toml cannot be read"):
        load_grammar("none.toml", tmp_path)
    (tmp_path / "latin.toml").write_bytes(b"name = '\xe9'")
    with pytest.raises(GrammarError, match="cannot be read"):
        load_grammar("latin.toml", tmp_path)


def test_the_published_grammars_come_along() -> None:
    assert {"activation", "compact", "evomal", "glo", "regression"} <= set(list_grammars())


def test_a_stand_in_variable_counts_for_what_it_stands_for() -> None:
    grammar = load_grammar("regression")
    assert grammar.lacks(["r"]) == ()
    assert grammar.lacks(["y"]) == ("f",)


# --- counting ---


def trees(grammar: Grammar, depth: int) -> set[str]:
    """List all trees by brute force."""
    whole = grammar.constants.integers
    constants = {repr(value) for value in grammar.constants.fixed}
    constants |= {str(value) for value in range(whole.low, whole.high + 1)} if whole else set()
    constants |= {"real"} if grammar.constants.ephemeral else set()
    found = set(grammar.variables) | constants
    if depth == 0:
        return found
    below = trees(grammar, depth - 1)
    found |= {f"log({each})" for each in below} if "log" in grammar.operators else set()
    found |= {f"add({a}, {b})" for a, b in itertools.product(below, below)} if "add" in grammar.operators else set()
    if "pow" in grammar.operators:
        found |= {f"pow({a}, {value})" for a in below for value in grammar.exponents.fixed}
    return found


def nodes(text: str) -> int:
    return text.count("(") + text.count(",") + 1


@pytest.mark.parametrize("text", [SMALL, WITH_POW, changed("max_nodes = 9", "max_nodes = 4")])
@pytest.mark.parametrize("depth", [0, 1, 2])
def test_the_count_is_what_brute_force_lists(text: str, depth: int) -> None:
    grammar = read_grammar(text, "mine.toml")
    listed = {tree for tree in trees(grammar, depth) if nodes(tree) <= grammar.limits.max_nodes}
    assert count_space(grammar, depth) == len(listed)


def test_the_count_stops_at_the_grammars_own_depth() -> None:
    grammar = read_grammar(SMALL, "mine.toml")
    assert count_space(grammar) == count_space(grammar, 3) == count_space(grammar, 30)


def test_the_largest_space_is_counted_too() -> None:
    text = changed("max_depth = 3", "max_depth = 32", changed("max_nodes = 9", "max_nodes = 256"))
    assert count_space(read_grammar(text, "mine.toml")) > 10**50
