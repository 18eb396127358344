"""Evidence is told by its shape alone, whatever a loss file holds, and a stranger's text steers nothing."""

import hypothesis.strategies as st
from hypothesis import given

from symloss.telling.evidence import evidence_markdown, evidence_text, markdown, markdown_table

EVIDENCE = {
    "experiment": "noisy_digits",
    "verdict": "beats tuned cross_entropy by 2.0 points",
    "task": {"name": "digits", "hidden": [64, 64]},
    "table": [
        {"name": "found 2", "learning_rate": 0.001, "test": {"accuracy": [0.93, 0.013]}, "reason": ""},
        {"name": "gce", "learning_rate": None, "test": {}, "reason": "it diverged"},
    ],
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


def test_facts_are_lines_and_records_are_tables():
    lines = evidence_text(EVIDENCE, 100).splitlines()
    assert lines[:4] == [
        "experiment: noisy_digits",
        "verdict: beats tuned cross_entropy by 2.0 points",
        "task name: digits",
        "task hidden: 64, 64",
    ]
    assert lines[5] == "table"
    assert lines[6].split() == ["name", "learning_rate", "test", "accuracy", "reason", "test"]
    assert "0.93, 0.013" in lines[8]
    assert "it diverged" in lines[9]


def test_markdown_holds_the_same():
    text = evidence_markdown(EVIDENCE)
    assert "- verdict: beats tuned cross\\_entropy by 2.0 points" in text
    assert "| found 2 | 0.001 | 0.93, 0.013 | - | - |" in text


@given(st.dictionaries(st.text(max_size=8), JSON, max_size=4))
def test_any_evidence_can_be_told(evidence):
    assert all(sign.isprintable() or sign == "\n" for sign in evidence_text(evidence, 80))
    evidence_markdown(evidence)


@given(st.text())
def test_markdown_texts_stay_on_their_line_and_hold_no_markup(text):
    escaped = markdown(text)
    assert "\n" not in escaped
    assert "<" not in escaped
    bare = escaped.replace("\\\\", "").replace("\\|", "").replace("\\`", "").replace("\\[", "")
    assert not set(bare) & set("|`[")


def test_a_cell_cannot_open_another():
    assert markdown_table([{"a|b": "c|d"}]) == "| a\\|b |\n| --- |\n| c\\|d |"


def test_no_evidence_is_no_text():
    assert evidence_text({}, 80) == evidence_markdown({}) == ""
