"""The loss file: what is written reads back; whatever else is in the file is refused in words, and nothing runs."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symloss.errors import RunError
from symloss.language.formula import parse
from symloss.language.lossfile import MAX_BYTES, read_loss, write_loss

EVIDENCE = {"task": "digits", "verdict": "beats tuned cross_entropy", "table": [{"nll": 0.25}, {"nll": float("nan")}]}


def sealed(table: dict[str, Any]) -> dict[str, Any]:
    """Give a table the checksum that fits it."""
    part = {key: table[key] for key in ("format", "version", "slot", "formula", "constants")}
    text = json.dumps(part, sort_keys=True, separators=(",", ":"))
    return {**table, "sha256": hashlib.sha256(text.encode()).hexdigest()}


def good(**changes: Any) -> dict[str, Any]:
    table = {"format": "symloss-loss", "version": 1, "slot": "classification", "formula": "-t*log(p)"}
    return sealed({**table, "constants": [], "evidence": {}, **changes})


def refused(path: Path, content: bytes | dict[str, Any]) -> str:
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    with pytest.raises(RunError) as caught:
        read_loss(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("text", ["-t*log(p)", "0.1*t - 2.7182818284590455*log(p)*t", "(1 - p**0.7)*t/0.7"])
def test_what_is_written_reads_back(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.loss.json"
    formula = parse(text)
    write_loss(path, formula, EVIDENCE)
    loss = read_loss(path)
    assert loss.formula == formula
    assert loss.evidence == {**EVIDENCE, "table": [{"nll": 0.25}, {"nll": None}]}
    assert [each.name for each in tmp_path.iterdir()] == ["x.loss.json"]


def test_a_file_made_by_hand_with_a_fitting_checksum_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.loss.json"
    path.write_text(json.dumps(good()), encoding="utf-8")
    assert read_loss(path).formula.text == "-t*log(p)"


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (good(formla="x"), "unknown key 'formla'. Did you mean 'formula'?"),
        (good(format="other"), "has the format 'other'"),
        (good(version=2), "has version 2; this symloss reads version 1"),
        (good(version=True), "has version True"),
        (good(version=1.0), "has version 1.0"),
        (good(formula=["p"]), "formula is ['p']; it must be a JSON string"),
        (good(constants={}), "constants is {}; it must be a JSON array"),
        (good(evidence=[]), "evidence is []; it must be a JSON object"),
        (good(constants=[2.0]), "constants differ from the numbers in the formula"),
        (good(slot="nowhere"), "unknown slot 'nowhere'"),
        (good(formula="__import__('os').system('true')"), "holds a formula that cannot be read"),
        (good(formula="p/0"), "holds a formula that cannot be read"),
        (good(formula="+".join(f"t*sin({i}*p)" for i in range(2, 200))), "holds a formula that cannot be read"),
        (good(formula="tanh(" * 40 + "p*t" + ")" * 40), "holds a formula that cannot be read"),
        ({**good(), "sha256": "0" * 64}, "was altered"),
        ({**good(), "formula": "-t*p"}, "was altered"),
        ({key: value for key, value in good().items() if key != "evidence"}, "lacks the key 'evidence'"),
    ],
)  # fmt: skip
def test_tables_that_are_refused(tmp_path: Path, table: dict[str, Any], said: str) -> None:
    assert said in refused(tmp_path / "x.loss.json", table)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is not a loss file"),
        (b"\xff\xfe", "is not a loss file"),
        (b"[1, 2]", "it holds list, not an object"),
        (b'{"format": 1, "format": 2}', "duplicate key 'format'"),
        (b'{"evidence": {"a": 1, "a": 2}}', "duplicate key 'a'"),
        (b'{"evidence": NaN}', "NaN is not a JSON number"),
        (b'{"evidence": -Infinity}', "-Infinity is not a JSON number"),
        (b'{"evidence": 1e999}', "1e999 is beyond a double's range"),
        (b'{"evidence": ' + b"9" * 5000 + b"}", "is not a loss file"),
        (b"[" * 60000, "is not a loss file"),
        (b'{"a":' * 10000, "is not a loss file"),
        (b" " * (MAX_BYTES + 1), f"a loss file has at most {MAX_BYTES}"),
        (b"{} {}", "is not a loss file"),
    ],
)
def test_bytes_that_are_refused(tmp_path: Path, content: bytes, said: str) -> None:
    assert said in refused(tmp_path / "x.loss.json", content)


def test_what_is_no_regular_file_is_not_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero"), tmp_path):
        with pytest.raises(RunError, match="no regular file"):
            read_loss(path)
    with pytest.raises(RunError, match="cannot be read as a loss file"):
        read_loss(tmp_path / "none.loss.json")
    with pytest.raises(RunError, match="cannot be read as a loss file"):
        read_loss("nul\0.loss.json")


def test_too_much_evidence_is_refused_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x.loss.json"
    write_loss(path, parse("-t*log(p)"))
    with pytest.raises(RunError, match="Give less evidence"):
        write_loss(path, parse("-t*p"), {"much": "x" * MAX_BYTES})
    assert read_loss(path).formula.text == "-t*log(p)"


def test_a_folder_that_is_missing_is_an_error_in_words(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="cannot be written"):
        write_loss(tmp_path / "none" / "x.loss.json", parse("-t*log(p)"))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_changed_byte_is_noticed_or_harmless(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.getbasetemp() / "changed.loss.json"
    formula = parse("0.5*t*p - t*log(p)")
    write_loss(path, formula)
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        read = read_loss(path).formula
    except RunError as error:
        said = str(error)
    else:
        assert read == formula
        return
    assert str(path) in said
