"""Formulas: canonical, exact, and safe to read from anyone."""

import contextlib
import subprocess
import sys
import time

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from symloss.errors import FormulaError
from symloss.language.algebra import apply
from symloss.language.formula import Formula, infer_slot, parse
from symloss.language.reading import evaluate
from symloss.language.slots import SLOTS
from tests.strategies import expressions, formulas

SOON = 10  # seconds of a processor, for what takes a tenth of one: whatever grows with 2**n takes hours
SLOT_NAMES = st.sampled_from(sorted(SLOTS))


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("-t*log(p)", "-t*log(p)"),
        ("0 - log(p)*t", "-t*log(p)"),
        ("neg(mul(t, log(p)))", "-t*log(p)"),
        ("(1 - p**0.7)/0.7", "1.4285714285714286 - 1.4285714285714286*p**0.7"),
        ("2.5*t*(p - 0.1)", "2.5*t*(p - 0.1)"),
        ("p**0.5 + t/3", "sqrt(p) + t/3"),
        ("p - -1*t", "p + t"),
        ("2**-1*p", "p/2"),
        ("square(p)*square(p)", "p**4"),
        ("1 / (2 * p)", "1/(2*p)"),
        ("aq(t, p)", "t/sqrt(p**2 + 1)"),
        ("-p**2", "-p**2"),
        ("max(t - p, -0.25)", "max(t - p, -0.25)"),
        ("1e-7*p", "1e-07*p"),
    ],
)
def test_canonical_text(written: str, canonical: str) -> None:
    assert parse(written).text == canonical


@settings(max_examples=300)
@given(SLOT_NAMES.flatmap(formulas))
def test_text_and_formula_give_each_other_back(formula: Formula) -> None:
    again = parse(formula.text, formula.slot)
    assert again == formula
    assert again.expr == formula.expr
    assert again.constants == formula.constants
    assert again.key == formula.key


@settings(max_examples=100)
@given(expressions("classification"), expressions("classification"))
def test_one_key_for_what_sympy_makes_equal(a: object, b: object) -> None:
    from symloss.language.formula import canonical

    try:
        one, other = (canonical(apply("add", pair), "classification") for pair in ([a, b], [b, a]))
    except FormulaError:
        return
    assert one.key == other.key


@settings(max_examples=200)
@given(SLOT_NAMES.flatmap(formulas), st.integers(0, 2**32 - 1))
def test_reading_computes_what_sympy_computes(formula: Formula, seed: int) -> None:
    draw = np.random.default_rng(seed)
    point = {v.name: float(draw.uniform(0.1, 0.9)) for v in SLOTS[formula.slot].variables}
    ours = float(evaluate(formula.node, point))
    subs = {SLOTS[formula.slot].symbols()[name]: value for name, value in point.items()}
    exact = complex(formula.expr.subs(subs).evalf(30))
    if np.isfinite(ours) and abs(exact) < 1e12 and exact.imag == 0:
        assert ours == pytest.approx(exact.real, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("p.__class__", "column 2: unexpected '.'"),
        ("__import__('os').system('true')", 'unexpected "\'"'),
        ("p^2", "Powers are written **"),
        ("open(p)", "unknown function 'open'"),
        ("-t*lgo(p)", "unknown function 'lgo'. Did you mean 'log'?"),
        ("t*log(q)", "'q' is not a variable here"),
        ("t*log", "'log' is an operator: write its arguments in brackets"),
        ("t*log(p", "unexpected end. Expected ')'"),
        ("max(p)", "max takes 2 arguments, got 1"),
        ("2p", "unexpected 'p'. Expected an operator or the end"),
        ("", "unexpected end"),
        ("-" * 20000, "20000 characters are too many"),
        ("(" * 5000 + "p" + ")" * 5000, "characters are too many"),
        ("(" * 1500 + "p" + ")" * 1500, "inside each other"),
        ("-" * 3000 + "p", "inside each other"),
        ("9**9**9**9*p", "exponent 387420489"),
        ("(((p**64)**64)**64)**64", "too large"),
        ("p/0", "undefined everywhere"),
        ("sqrt(-1)*p", "undefined everywhere"),
        ("log(0 - p)", "undefined everywhere"),
        ("log(p - 1)", "undefined everywhere"),
        ("oo*p", "'oo' is not a variable here"),
        ("nan", "'nan' is not a variable here"),
        ("1e999*p", "not a finite number"),
        ("9" * 500 + "*p", "more than 400 digits"),
        ("p**t", "an exponent must be a number"),
        ("exp(exp(exp(99)))*p", "float32's range"),
        ("p\x00", "unexpected '\\x00'"),
        ("p ≤ t", "unexpected '≤'"),
        ("+".join(f"log(p+{i}.5)" for i in range(90)), "nodes and depth"),
    ],
)
def test_hostile_or_wrong_text_is_refused_soon(text: str, words: str) -> None:
    start = time.process_time()
    with pytest.raises(FormulaError) as error:
        parse(text)
    assert words in str(error.value)
    assert len(str(error.value)) < 1000
    assert time.process_time() - start < SOON


def nested(count: int, call: str, *more: str) -> str:
    """Put calls such as `max({s}, t*{i})` into each other, in turns."""
    text = "p"
    for i in range(count):
        text = (call, *more)[i % (1 + len(more))].format(s=text, i=i)
    return text


HEAVY = {
    "max of 40 sines": nested(40, "max({s}, sin(p*{i}.3)*t)"),
    "max of 24 sines, small enough": nested(24, "max({s}, sin(p*{i}.3)*t)"),
    "max of 16 sines, small enough": nested(16, "max({s}, sin(p*{i}.3)*t)"),
    "max of 40 logarithms": nested(40, "max({s}, log(p + 1.{i}))"),
    "max of 30 squares": nested(30, "max({s}, (p - {i})**2*t)"),
    "min and max": nested(40, "max({s}, sin(p*{i}.3)*t)", "min({s}, cos(p*{i}.7) - t)"),
    "abs": nested(40, "abs({s} - 0.{i}1)"),
    "abs, deep enough": nested(15, "abs({s}*t - 0.{i}1)"),
    "min, max, abs": nested(12, "max(min({s}, t - 0.{i}1), abs(t*{i} - p)*t)"),
    "signs": nested(30, "sign({s}*t - 0.{i}1)"),
    "quotients": nested(30, "aq(t, {s})"),
    "logarithms of abs": nested(20, "log_abs({s}*t - 0.{i}1)"),
    "factors": "*".join(f"(p+{i})" for i in range(500)),
    "the same over and over": nested(8, "max({s}, {s}*t)"),
}


@pytest.mark.parametrize("text", HEAVY.values(), ids=HEAVY.keys())
def test_heavy_text_is_read_or_refused_soon(text: str) -> None:
    start = time.process_time()
    with contextlib.suppress(FormulaError):
        formula = parse(text)
        assert parse(formula.text).expr == formula.expr
        formula.latex()
    assert time.process_time() - start < SOON


NESTED = st.recursive(
    st.sampled_from(["y", "f", "r", "1", "0.31", "-2"]),
    lambda inside: st.one_of(
        st.builds("{}({}, {})".format, st.sampled_from(["min", "max", "add", "sub", "mul"]), inside, inside),
        st.builds("{}({})".format, st.sampled_from(["abs", "log_abs", "neg"]), inside),
    ),
    max_leaves=40,
)


@settings(max_examples=100, deadline=None)
@given(NESTED)
def test_nested_extremes_are_read_soon_and_give_their_text_back(text: str) -> None:
    start = time.process_time()
    with contextlib.suppress(FormulaError):
        formula = parse(text, "regression")
        again = parse(formula.text, "regression")
        assert (again.expr, again.key) == (formula.expr, formula.key)
    assert time.process_time() - start < SOON


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("max(p, 0)", "p"),
        ("max(p, p + 1)", "p + 1"),
        ("max(min(p, t), p)", "p"),
        ("min(max(t, p*t), max(t, sin(p)))", "max(t, min(p*t, sin(p)))"),
        ("max(max(p - t, 0.5), max(0.25, p - t))", "max(p - t, 0.5)"),
        ("max(exp(p), 0)", "exp(p)"),
    ],
)
def test_what_sympy_knows_about_extremes_is_used(written: str, canonical: str) -> None:
    assert parse(written).text == canonical


@pytest.mark.parametrize(
    ("text", "slot"),
    [
        ("t*p*sqrt(C - 50)", "classification"),
        ("sqrt(1e-5 - p)*t", "classification"),
        ("sqrt(0.0001 - abs(r))", "regression"),
        ("log(f - 1000)*y", "regression"),
        ("sqrt(-500 - x)", "activation"),
    ],
)
def test_what_is_defined_in_a_far_corner_is_a_formula(text: str, slot: str) -> None:
    assert parse(text, slot).variables


def test_a_caret_points_at_the_mistake() -> None:
    with pytest.raises(FormulaError) as error:
        parse("-t*lgo(p)")
    _, line, caret = str(error.value).split("\n")
    assert line[caret.index("^")] == "l"


@settings(max_examples=300)
@given(st.text(alphabet="tpC0123456789.+-*/()eE, logexpsqrtmaxminabs_^[]{}'\"\\;:", max_size=60))
def test_any_text_is_a_formula_or_a_formula_error(text: str) -> None:
    with contextlib.suppress(FormulaError):
        assert parse(text).text


def test_unknown_slot() -> None:
    with pytest.raises(FormulaError, match="Did you mean 'regression'"):
        parse("r", "regresion")


def test_slot_is_inferred_from_the_variables() -> None:
    assert [infer_slot(text) for text in ("-t*log(p)", "(f - y)**2", "tanh(x)", "what")] == [
        "classification",
        "regression",
        "activation",
        "classification",
    ]


@pytest.mark.parametrize(
    ("text", "nodes"), [("p", 1), ("-t*log(p)", 5), ("t/p - log(p)", 6), ("(p - t)**2", 4), ("2.5*p", 3)]
)
def test_complexity_counts_what_a_reader_meets(text: str, nodes: int) -> None:
    assert parse(text).complexity == nodes


def test_latex() -> None:
    assert parse("t/p - 0.123456789*log(p)").latex() == r"- 0.1235 \log{\left(p \right)} + \frac{t}{p}"


def test_same_key_in_another_process_with_another_hash_seed() -> None:
    code = "from symloss.language.formula import parse; print(parse('max(t, p)*log(p + 0.1) - tanh(t)/(p + C)').key)"
    keys = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert keys == {parse("max(t, p)*log(p + 0.1) - tanh(t)/(p + C)").key + "\n"}
