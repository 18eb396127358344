"""Verifying: a loss file's table is made again, altered numbers are found, and nothing of a stranger's runs."""

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from symloss.errors import ExperimentError, RunError
from symloss.judging.seal import data_digest
from symloss.judging.tasks import make_task
from symloss.language.formula import parse
from symloss.language.lossfile import MAX_BYTES, LossFile, loss_text, read_loss, write_loss
from symloss.running.machine import machine_facts, same_environment
from symloss.running.proof import evidence as evidence_module
from symloss.running.proof.evidence import evidence_of, read_recorded
from symloss.running.proof.finals import Finals, Row, run_finals
from symloss.running.proof.recheck import Check, Verification, judge_again
from symloss.running.proof.verifying import verify_loss
from symloss.running.run import search
from symloss.running.session import Crew, opened_pool

SMALL = [
    *("search.population=12", "search.elites=2", "budget.steps=8", "budget.rungs=[]", "budget.seeds=1"),
    *("stop.generations=1", "finals.seeds=4", "finals.steps=8", "finals.top=2", "finals.resamples=100"),
    *("finals.learning_rates=[0.01, 0.03]", 'finals.baselines=["cross_entropy", "gce"]'),
]
SERIAL = Crew(0)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "small"
    search("noisy_digits", path, workers=0, overrides=SMALL)
    return path


@pytest.fixture(scope="module")
def loss(finished: Path) -> LossFile:
    return read_loss(finished / "winner.loss.json")


@pytest.fixture(scope="module")
def again(loss: LossFile) -> Finals:
    """The recorded table, made again once for all tests."""
    recorded = read_recorded(loss, "x")
    with opened_pool(recorded.trial.task, SERIAL) as pool:
        made = run_finals(recorded.entrants, make_task(recorded.trial.task), recorded.trial.trials, pool, None)
    assert made is not None
    return made


@pytest.fixture
def altered(loss: LossFile) -> Callable[[Callable[[dict[str, Any]], object]], LossFile]:
    """Return the loss file with its evidence changed."""

    def change(edit: Callable[[dict[str, Any]], object]) -> LossFile:
        evidence = copy.deepcopy(dict(loss.evidence))
        edit(evidence)
        return LossFile(loss.formula, evidence)

    return change


def judged(loss: LossFile, again: Finals, exact: bool = True) -> Verification:
    return judge_again(read_recorded(loss, "x"), again, exact, quick=False)


def row_of(evidence: dict[str, Any], name: str) -> dict[str, Any]:
    row: dict[str, Any] = next(row for row in evidence["table"] if row["name"] == name)
    return row


def shift(evidence: dict[str, Any], name: str, metric: str, by: float) -> None:
    """Change a row's values by seed, and its mean with them, as a careful forger would."""
    row = row_of(evidence, name)
    row["by_seed"][metric] = [value + by for value in row["by_seed"][metric]]
    from symloss.running.proof.finals import summary

    row["test"][metric] = list(summary(row["by_seed"][metric]))


def test_a_run_carries_what_a_re_run_needs(loss: LossFile) -> None:
    trial = loss.evidence["trial"]
    assert trial["task"] == {"name": "digits", "noise": 0.4, "hidden": [64, 64]}
    assert (trial["steps"], trial["learning_rates"], len(trial["seeds"])) == (8, [0.01, 0.03], 4)
    assert trial["stack"] in ("stacked", "single")
    assert (trial["resamples"], trial["metric"]) == (100, "accuracy")
    assert trial["environment"]["kind"] == machine_facts(0)["kind"]
    assert trial["environment"]["versions"]["torch"]
    assert trial["environment"]["mixed"] is False
    winner = next(row for row in loss.evidence["table"] if row["formula"] == loss.formula.text)
    assert {name: len(column) for name, column in winner["by_seed"].items()} == {"accuracy": 4, "nll": 4, "ece": 4}


def test_an_honest_file_holds_to_the_last_bit(call: Callable[..., tuple[int, str, str]], finished: Path) -> None:
    status, out, err = call("verify", finished / "winner.loss.json", "--workers", 0, "--quiet")
    assert (status, err) == (0, "")
    assert out.rstrip().endswith("holds: every number came out to the last bit")
    assert "cross_entropy" in out
    status, out, _ = call("verify", finished, "--workers", 0, "--quiet", "--quick", "--json")
    document = json.loads(out)
    assert (status, document["holds"], document["seeds"], document["quick"]) == (0, True, 3, True)
    assert {row["check"] for row in document["rows"]} == {"equal"}
    assert document["rows"][0]["recorded"] == document["rows"][0]["again"]


def test_a_changed_number_is_found(call: Callable[..., tuple[int, str, str]], finished: Path, tmp_path: Path) -> None:
    table = json.loads((finished / "winner.loss.json").read_text())
    shift(table["evidence"], "gce", "nll", 1e-6)
    path = tmp_path / "x.loss.json"
    path.write_text(json.dumps(table))
    status, out, _ = call("verify", path, "--workers", 0, "--quiet", "--quick")
    assert status == 1
    assert "does not hold: gce came out close, but not to the last bit" in out


@pytest.mark.parametrize("exact", [True, False])
def test_a_mean_that_is_not_its_seeds_is_found(altered: Any, again: Finals, exact: bool) -> None:
    lied = altered(lambda evidence: row_of(evidence, "gce")["test"].update(accuracy=[0.99, 0.01]))
    found = judged(lied, again, exact)
    assert not found.holds
    assert next(row for row in found.rows if row.name == "gce").note == "its means are not those of its own seeds"


@pytest.mark.parametrize("exact", [True, False])
def test_a_verdict_that_does_not_follow_is_found(altered: Any, again: Finals, exact: bool) -> None:
    lied = altered(lambda evidence: evidence.update(verdict="beats everything"))
    found = judged(lied, again, exact)
    assert not found.holds
    assert "the recorded verdict is not what the recorded differences come to" in found.sentence


def test_elsewhere_numbers_may_differ_within_chance(altered: Any, again: Finals) -> None:
    near = altered(lambda evidence: shift(evidence, "cross_entropy", "nll", 1e-5))
    found = judged(near, again, exact=False)
    assert found.holds
    assert next(row for row in found.rows if row.name == "cross_entropy").check is Check.COMPATIBLE
    assert "within chance" in found.sentence
    assert not judged(near, again, exact=True).holds
    far = altered(lambda evidence: shift(evidence, "cross_entropy", "accuracy", -0.5))
    found = judged(far, again, exact=False)
    assert not found.holds
    assert "accuracy further apart than chance allows" in found.rows[1].note
    assert "cross_entropy" in found.sentence


def test_a_difference_from_nowhere_is_found(altered: Any, again: Finals) -> None:
    def lie(evidence: dict[str, Any]) -> None:
        interval = next(e for e in evidence["differences"] if e["metric"] == "nll")["interval"]
        interval.update(difference=50.0, low=49.0, high=51.0)

    found = judged(altered(lie), again, exact=False)
    assert not found.holds
    assert "the difference to cross_entropy by nll" in found.sentence


def test_a_baseline_that_failed_only_once_is_found(altered: Any, again: Finals) -> None:
    def lie(evidence: dict[str, Any]) -> None:
        row_of(evidence, "gce").update(test={}, by_seed={}, learning_rate=None, validation=None, reason="too weak")

    found = judged(altered(lie), again, exact=False)
    assert not found.holds
    assert next(row for row in found.rows if row.name == "gce").note == "failed in the record: too weak"


REFUSED: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda e: e.pop("trial"), "carries no trial to re-run, only its formula and a table"),
    (lambda e: e.update(trial=[]), "trial must be a table"),
    (lambda e: e["trial"].update(steps=0), "[trial] steps is 0; allowed: a whole number of at least 1"),
    (lambda e: e["trial"].update(version=2), "a newer symloss may read it"),
    (lambda e: e["trial"].update(more=2), "unknown key 'more'"),
    (lambda e: e["trial"].pop("seeds"), "lacks seeds"),
    (lambda e: e["trial"].update(seeds=list(range(10001))), "10000 different whole numbers"),
    (lambda e: e["trial"].update(stack="auto"), "allowed: one of stacked, single"),
    (lambda e: row_of(e, "gce").update(name=3), "[table] name is 3"),
    (lambda e: e.update(table=[]), "does not hold the formula once"),
    (lambda e: row_of(e, "gce").update(name="cross_entropy"), "baselines of different names"),
    (lambda e: row_of(e, "gce").update(formula="-t*p"), "it calls '-t*p' gce, whose formula is"),
    (lambda e: row_of(e, "gce").update(formula="__import__('os')"), "evidence cannot be re-run"),
    (lambda e: e["differences"].pop(0), "are not those of the baselines"),
    (lambda e: e["differences"][0].update(interval={"low": "x"}), "a difference cannot be read"),
]


@pytest.mark.parametrize(("edit", "words"), REFUSED)
def test_evidence_that_cannot_be_re_run_is_refused(altered: Any, edit: Any, words: str) -> None:
    with pytest.raises(RunError, match=r"x: |x carries") as caught:
        read_recorded(altered(edit), "x")
    assert words in str(caught.value)


def test_the_table_must_be_about_the_file_s_formula(loss: LossFile) -> None:
    other = LossFile(parse("-t*log(p) - p"), loss.evidence)
    with pytest.raises(RunError, match="does not hold the formula once"):
        read_recorded(other, "x")


def test_a_file_from_before_is_told_from_a_damaged_one(
    call: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    path = tmp_path / "old.loss.json"
    write_loss(path, parse("-t*log(p)"), {"verdict": "beats everything"})
    status, out, err = call("verify", path)
    assert (status, out) == (2, "")
    assert "carries no trial to re-run, only its formula." in err
    assert "symloss compare" in err


OWN = """
import torch
from torch import nn
import symloss

def task(shift=0.0):
    {first}
    x = torch.arange(240.0).reshape(80, 3) / 80 + shift
    return symloss.SupervisedTask("own", x=x, y=torch.arange(80) % 2, model=lambda: nn.Linear(3, 2), batch_size=8)
"""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a task of one's own and a run on it."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "mine.py").write_text(OWN.format(first="pass"))
    table = {"name": "own", "grammar": "compact", "task": {"factory": str(folder / "mine.py:task"), "shift": 0.5}}
    overrides = [*SMALL, 'budget.stack="single"', "budget.learning_rates=[0.01]"]
    search(table | {"search": {}, "budget": {}, "stop": {}}, folder / "run", workers=0, overrides=overrides)
    return folder


def test_a_task_of_one_s_own_is_not_run_unasked(
    own: Path, call: Callable[..., tuple[int, str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "winner.loss.json"
    shutil.copy(own / "run" / "winner.loss.json", file)
    ran = tmp_path / "ran"
    (own / "mine.py").write_text(OWN.format(first=f"__import__('pathlib').Path({str(ran)!r}).touch()"))
    status, _, err = call("verify", file, "--workers", 0, "--quiet")
    assert status == 2
    assert "a task of its author's own" in err
    assert "--task my_task.py:task" in err
    assert not ran.exists()
    monkeypatch.chdir(own)
    status, out, err = call("verify", file, "--workers", 0, "--quiet", "--task", "mine.py:task")
    assert (status, err) == (0, "")
    assert ran.exists()
    assert "holds" in out


def test_other_data_cannot_be_tried(own: Path) -> None:
    (own / "other.py").write_text(OWN.format(first="shift += 1"))
    loss = read_loss(own / "run" / "winner.loss.json")
    with pytest.raises(ExperimentError, match="was tried on other data than task 'own' has here"):
        verify_loss(loss, "x", {"factory": "other.py:task", "folder": str(own)}, crew=SERIAL)


def test_another_built_in_task_is_refused(loss: LossFile) -> None:
    with pytest.raises(ExperimentError, match="was tried on the task digits, not on diabetes"):
        verify_loss(loss, "x", {"name": "diabetes"}, crew=SERIAL)


def test_an_interrupt_ends_it_without_a_verdict(
    finished: Path, call: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("symloss.interrupts.Interrupts.stop", lambda self: True)
    status, out, err = call("verify", finished, "--workers", 0, "--quiet")
    assert (status, out, err.strip()) == (130, "", "symloss: stopped")


def test_unequal_environments_do_not_ask_for_the_last_bit() -> None:
    facts = machine_facts(0)
    assert same_environment(facts, machine_facts(3))
    assert not same_environment(facts, facts | {"kind": {**facts["kind"], "processor": "another"}})
    assert not same_environment(facts, facts | {"versions": {**facts["versions"], "torch": "9"}})
    assert not same_environment({"versions": facts["versions"]}, {"versions": facts["versions"]})
    assert same_environment(facts, facts | {"versions": {**facts["versions"], "ray": "9"}})


def test_a_run_on_two_kinds_of_machine_is_mixed(loss: LossFile) -> None:
    trial = read_recorded(loss, "x").trial
    facts, task = machine_facts(0), make_task(trial.task)

    def mixed(sessions: list[dict[str, Any]], cluster: bool = False) -> bool:
        record = evidence_module.trial_record(trial.task, task, trial.trials, sessions, cluster)
        return bool(record["environment"]["mixed"])

    assert not mixed([facts, facts])
    assert mixed([facts | {"kind": None}, facts])
    assert mixed([facts], cluster=True)


def test_evidence_that_is_too_large_gives_way_in_order(loss: LossFile, again: Finals) -> None:
    def sized(more: int, metrics: int = 0) -> dict[str, Any]:
        rows = tuple(Row(f"found {i}", "found", "-t*log(p)" + "+p" * 200, 0.1, 0.5, {}) for i in range(more))
        others = again.others * (1 + metrics)
        from dataclasses import replace

        finals = replace(again, rows=(*again.rows, *rows), others=others)
        evidence = evidence_of(finals, "x", loss.evidence["trial"])
        assert len(loss_text(loss.formula, evidence)) <= MAX_BYTES
        return evidence

    assert len(sized(3)["table"]) == len(again.rows) + 3
    assert len(sized(500)["table"]) == len(again.rows)
    assert sized(500, 100)["differences"] == sized(3)["differences"][: len(again.verdicts)]
    assert read_recorded(LossFile(loss.formula, sized(500, 100)), "x").others == ()


def test_the_digest_is_that_of_the_data() -> None:
    digits, noisy = make_task({"name": "digits"}), make_task({"name": "digits", "noise": 0.4})
    assert data_digest(digits) == data_digest(noisy)
    assert data_digest(digits) != data_digest(make_task({"name": "diabetes"}))
    assert len(data_digest(digits)) == 16
