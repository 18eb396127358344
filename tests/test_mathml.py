"""MathML: well-formed for every operator, and brackets where they are needed and nowhere else."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from hypothesis import assume, given

from symloss.errors import FormulaError
from symloss.language.formula import parse
from symloss.language.operators import OPERATORS
from symloss.language.zoo import ZOO, zoo
from symloss.telling.analysis import evaluate
from symloss.telling.mathml import mathml
from tests.strategies import formulas

HIDDEN = {"\u2061": "", "\u2062": "·", "\u22c5": "·", "\u2212": "-"}


def read(element: ElementTree.Element) -> str:
    """Return what a person reads in a MathML element, on one line."""
    parts = [read(child) for child in element]
    if element.tag == "mfrac":
        return f"[{parts[0]}]/[{parts[1]}]"
    if element.tag == "msup":
        return f"{parts[0]}^{{{parts[1]}}}"
    if element.tag == "msqrt":
        return f"root({''.join(parts)})"
    text = element.text or ""
    return "".join(HIDDEN.get(sign, sign) for sign in text) + "".join(parts)


def shown(text: str, slot: str = "classification") -> str:
    return read(ElementTree.fromstring(mathml(parse(text, slot).node)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-t*log(p)", "-t·log(p)"),
        ("t/p - log(p)", "[t]/[p]-log(p)"),
        ("-t*(1 - p)**2*log(p)", "-t·(1-p)^{2}·log(p)"),
        ("(p - t)**2", "(p-t)^{2}"),
        ("p - (t - p*t)", "p+p·t-t"),
        ("exp(-p*t)", "e^{-p·t}"),
        ("sqrt(p + t)", "root(p+t)"),
        ("abs(p - t)", "|p-t|"),
        ("p**0.7*t", "t·p^{0.7}"),
        ("2*p*t", "2·p·t"),
        ("max(p, t)", "max(p,t)"),
        ("1e-7*p + t", "t+1×10^{-7}·p"),
        ("123456.789*p + t", "t+1.235×10^{5}·p"),
        ("t*p/3", "[p·t]/[3]"),
    ],
)
def test_it_reads_as_a_person_would_write_it(text, expected):
    assert shown(text) == expected


def test_brackets_grow_for_fractions_alone():
    assert 'stretchy="false">(' in mathml(parse("(1 - p)*t").node)
    assert "<mo>(</mo>" in mathml(parse("log(t/p)*t").node)


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_operator_is_printed(operator):
    record = OPERATORS[operator]
    call = f"{operator}(f)" if record.arity == 1 else f"{operator}(f, 0.7)" if record.exponent else f"{operator}(f, y)"
    assert "f" in shown(f"{call}*y", "regression")


@pytest.mark.parametrize("name", ZOO)
def test_the_zoo_is_printed_with_its_text_as_label(name):
    element = ElementTree.fromstring(mathml(zoo[name].node, zoo[name].text))
    assert element.get("aria-label") == zoo[name].text
    seen = {each.text for each in element.iter("mi")}
    assert zoo[name].variables <= seen


def as_formula(element: ElementTree.Element) -> str:
    """Return MathML as formula text, with no bracket but those that a reader sees: drawn, or by the shape of a part."""
    parts = [as_formula(child) for child in element]
    if element.tag == "mfrac":
        return f"(({parts[0]})/({parts[1]}))"
    if element.tag == "msup":
        return f"exp({parts[1]})" if parts[0] == "e" else f"{parts[0]}**({parts[1]})"
    if element.tag == "msqrt":
        return f"sqrt({''.join(parts)})"
    if parts and parts[0] == "|":
        return f"abs({parts[1]})"
    signs = {"\u2061": "", "\u2062": "*", "\u22c5": "*", "\u2212": "-", "\u00d7": "*"}
    text = element.text or ""
    return signs.get(text, text) + "".join(parts)


@given(formulas("classification"))
def test_it_means_what_the_formula_means(formula):
    assume(all(value == float(f"{value:.4g}") for value in formula.constants))  # others are shortened for the eye
    try:
        read_back = parse(as_formula(ElementTree.fromstring(mathml(formula.node))))
    except FormulaError:
        assume(False)  # a form that the guarded algebra refuses when it is built in this order
    point = {"t": np.array([0.0, 1.0, 0.3]), "p": np.array([0.2, 0.7, 0.9]), "C": 10.0}
    assert np.allclose(evaluate(read_back.node, point), evaluate(formula.node, point), rtol=1e-6, equal_nan=True)


def test_a_label_is_escaped():
    assert re.search(r'aria-label="&lt;a&gt;&#34;"', mathml(parse("p*t").node, '<a>"'))
