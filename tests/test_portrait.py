"""How an analysis reads in a terminal: narrow and wide, with and without colours, and as JSON."""

import json
import re

import pytest

from symloss.cli import main
from symloss.language.formula import parse
from symloss.language.zoo import zoo
from symloss.telling.analysis import Analysis, traits
from symloss.telling.curves import class_curves
from symloss.telling.portrait import closed_forms, painted, portrait
from symloss.telling.show import describe_formula
from symloss.telling.target import Target


def document(text="baikal", **answers):
    formula = zoo[text] if text in zoo else parse(text)
    found = Analysis(formula, 10, traits(formula, 10))
    if answers:
        found = found.confirmed(answers, ended_early=True)
    return describe_formula(Target("zoo", text, formula), 10, found)


BAIKAL = document()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_wider_than_the_screen(width):
    text = portrait(BAIKAL, explain=True, width=width)
    assert max(map(len, text.splitlines())) <= width
    assert all(each["label"] in text for each in BAIKAL["traits"].values())


def test_marks_are_not_broken_over_lines():
    text = portrait(BAIKAL, width=60)
    assert text.count("[proven") == len(re.findall(r"\[proven[^\]\n]*\]", text))


def test_a_mark_is_explained_only_where_it_stands():
    text = portrait(BAIKAL, width=100)
    assert "interval arithmetic bounds it" in text
    assert "how:" not in text
    assert "how:" in portrait(BAIKAL, explain=True, width=100)


def test_curves_keep_both_ends_on_a_narrow_screen():
    rows = portrait(BAIKAL, width=50).splitlines()
    axis = next(row.split() for row in rows if row.startswith("  p  "))
    assert (axis[1], axis[-1]) == ("0.01", "0.99")


def test_what_algebra_added_comes_with_its_check():
    after = document(optimum=["1/sqrt(C)"], first_step=["C"])
    text = closed_forms(BAIKAL, after, width=100)
    assert re.search(r"p\* against classes\s+1/sqrt\(C\)", text)
    assert "stopped after 5 s" in text
    assert "found none that agrees" in closed_forms(BAIKAL, document(optimum=["C"]), width=100)


def test_a_simpler_form_comes_with_its_gap():
    text = "t*p*p + t*(1 - t)*p"
    after = document(text, one_hot=["t*p**2"])
    assert re.search(
        r"one-hot labels\s+t\*p\*\*2 .*gradient within .* random points", closed_forms(document(text), after, 120)
    )


def test_colours_change_no_word():
    text = portrait(BAIKAL, width=80)
    colourful = painted(text, lambda part: f"<{part}>", lambda part: f"{{{part}}}")
    assert "<Shape>" in colourful
    assert "{[proven]}" in colourful
    assert re.sub(r"[<>{}]", "", colourful) == re.sub(r"[<>{}]", "", text)


def test_show_is_plain_text_and_whole_json(capsys):
    with pytest.raises(SystemExit):
        main(["show", "gce", "--quick"])
    assert "\x1b" not in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["show", "gce", "--quick", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told["traits"]["kinship"]["details"]["kin"][0]["name"] == "poly1"
    assert told["traits"]["optimum"]["certainty"] == "proven"
    assert told["algebra"] == "not asked"


def test_both_classes_have_curves():
    found = class_curves(zoo["brier"])
    assert found["true class"].values == pytest.approx((1 - found["true class"].x) ** 2)
    assert found["wrong class"].gradients == pytest.approx(2 * found["wrong class"].x)
