"""Transfer: tasks in words, the same fair trial on each, one table, one picture, and a second call that goes on."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from symloss.errors import ExperimentError, RunError
from symloss.language.formula import parse
from symloss.language.zoo import zoo
from symloss.running.proof import transferring
from symloss.running.proof.comparing import Trying
from symloss.running.proof.transferring import RESULT, Ground, transfer_formulas
from symloss.running.seeds import finals_seeds, search_seeds, transfer_seeds
from symloss.running.session import Crew
from symloss.telling.grounds import read_grounds
from symloss.telling.transfer import draw_transfer, transfer_target, transfer_text
from tests.fakes import FakePool

FORMULAS = {"mine": parse("-t*log(p) - 0.5*p*t"), "cross_entropy": zoo["cross_entropy"], "gce": zoo["gce"]}
SKILL = {FORMULAS["mine"].text: 0.9, zoo["cross_entropy"].text: 0.7, zoo["gce"].text: 0.7}
TRYING = Trying(seeds=4, steps=5, learning_rates=(0.01, 0.1), resamples=100)
GROUNDS = [Ground("plain", {"name": "digits"}), Ground("noisy", {"name": "digits", "noise": 0.4}, steps=7)]
SERIAL = Crew(0)


@pytest.fixture
def pools(monkeypatch: pytest.MonkeyPatch) -> list[FakePool]:
    """Let transfers train in fake pools, which are listed here."""
    from contextlib import contextmanager

    from symloss.judging.tasks import make_task

    made: list[FakePool] = []

    @contextmanager
    def opened(spec: Any, crew: Crew, task: Any = None) -> Any:
        targets = make_task(spec).test()[1].numpy()
        made.append(FakePool(targets=targets, skill=lambda text: SKILL[text]))
        yield made[-1]

    monkeypatch.setattr(transferring, "opened_pool", opened)
    return made


def test_every_formula_is_set_against_the_reference_on_every_task(pools: list[FakePool], tmp_path: Path) -> None:
    told: list[str] = []
    found = transfer_formulas(
        FORMULAS, GROUNDS, TRYING, tmp_path, SERIAL, column_done=lambda each: told.append(each.label)
    )
    assert found is not None
    assert told == [column.label for column in found.columns] == ["plain", "noisy"]
    assert [column.steps for column in found.columns] == [5, 7]
    for column, pool in zip(found.columns, pools, strict=True):
        mine, gce = column.differences
        assert (mine.baseline, gce.baseline) == ("mine", "gce")
        assert mine.better
        assert mine.interval is not None
        assert mine.interval.difference == pytest.approx(0.2, abs=0.05)
        assert not gce.better
        assert gce.interval is not None
        assert gce.interval.low <= gce.interval.difference <= gce.interval.high
        assert column.sentence.startswith("beats tuned cross_entropy by")
        plans = {job.plan for job in pool.jobs if job.plan.measure == ("valid",)}
        assert {plan.learning_rates for plan in plans} == {(0.01, 0.1)}
        assert {plan.seeds for plan in plans} == {transfer_seeds(0, 4)}
    assert found.sentence == "mine against tuned cross_entropy on 2 tasks: better on 2"
    assert json.loads((tmp_path / RESULT).read_text()) == json.loads(json.dumps(found.document()))
    text = transfer_text(found)
    assert "Difference to cross_entropy" in text
    assert text.splitlines()[-1] == found.sentence


def test_a_second_call_trains_nothing_again(pools: list[FakePool], tmp_path: Path) -> None:
    first = transfer_formulas(FORMULAS, GROUNDS[:1], TRYING, tmp_path, SERIAL)
    again = transfer_formulas(FORMULAS, GROUNDS, TRYING, tmp_path, SERIAL)
    assert first is not None
    assert again is not None
    assert again.columns[0] == first.columns[0]
    assert [bool(pool.jobs) for pool in pools] == [True, False, True]


def test_an_interrupted_transfer_goes_on(
    pools: list[FakePool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = transfer_formulas(FORMULAS, GROUNDS, TRYING, tmp_path / "whole", SERIAL)
    del pools[:]
    most = [8]
    monkeypatch.setattr(transferring.Interrupts, "stop", lambda self: sum(len(pool.jobs) for pool in pools) >= most[0])
    assert transfer_formulas(FORMULAS, GROUNDS, TRYING, tmp_path / "cut", SERIAL) is None
    assert [len(pool.jobs) for pool in pools] == [6, 2]
    assert len(json.loads((tmp_path / "cut" / RESULT).read_text())["columns"]) == 1
    most[0] = 99
    assert transfer_formulas(FORMULAS, GROUNDS, TRYING, tmp_path / "cut", SERIAL) == whole
    assert [len(pool.jobs) for pool in pools] == [6, 2, 0, 4]


def test_other_settings_have_stores_of_their_own(pools: list[FakePool], tmp_path: Path) -> None:
    transfer_formulas(FORMULAS, GROUNDS[:1], TRYING, tmp_path, SERIAL)
    transfer_formulas(FORMULAS, [Ground("plain", {"name": "digits", "noise": 0.1})], TRYING, tmp_path, SERIAL)
    assert len(list(tmp_path.glob("plain-*.sqlite"))) == 2
    assert all(pool.jobs for pool in pools)


def test_a_task_of_another_slot_is_refused_before_any_training(pools: list[FakePool], tmp_path: Path) -> None:
    grounds = [*GROUNDS, Ground("diabetes", {"name": "diabetes"})]
    with pytest.raises(ExperimentError, match=r"'diabetes' is of the slot regression, and the formula of classificat"):
        transfer_formulas(FORMULAS, grounds, TRYING, tmp_path / "x", SERIAL)
    assert not pools
    assert not (tmp_path / "x").exists()


def test_two_transfers_do_not_share_a_folder(pools: list[FakePool], tmp_path: Path) -> None:
    from symloss.running.storage.rundir import RunDirectory

    with RunDirectory(tmp_path).locked(), pytest.raises(RunError, match="in use by another driver"):
        transfer_formulas(FORMULAS, GROUNDS, TRYING, tmp_path, SERIAL)


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_the_picture_is_drawn(pools: list[FakePool], tmp_path: Path, suffix: str) -> None:
    found = transfer_formulas(FORMULAS, GROUNDS, TRYING, tmp_path, SERIAL)
    assert found is not None
    draw_transfer(found, tmp_path / f"x{suffix}")
    data = (tmp_path / f"x{suffix}").read_bytes()
    assert data[:4] in (b"\x89PNG", b"<?xm", b"%PDF")
    if suffix == ".svg":
        assert b"noisy" in data
    with pytest.raises(ExperimentError, match=r"end it with \.png"):
        draw_transfer(found, tmp_path / "x.bmp")


def test_seeds_of_transfers_are_fresh() -> None:
    others = {*search_seeds(1, 500), *finals_seeds(1, 500)}
    assert not {*transfer_seeds(1, 500)} & others
    assert transfer_seeds(1, 10) == transfer_seeds(1, 500)[:10]


def test_tasks_are_read_from_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grounds = read_grounds("digits, digits:noise=0.2,hidden=[32, 16],steps=20 ,digits:examples=200")
    assert [each.label for each in grounds] == ["digits", "digits noise=0.2 hidden=[32,16]", "digits examples=200"]
    assert grounds[1] == Ground(grounds[1].label, {"name": "digits", "noise": 0.2, "hidden": [32, 16]}, steps=20)
    own = read_grounds("my_task.py:task:k=3,label='mine, all of it'")[0]
    assert own == Ground("mine, all of it", {"factory": "my_task.py:task", "folder": str(Path.cwd()), "k": 3})
    named = read_grounds("noisy_digits:noise=0.6")[0]
    assert (named.task["noise"], named.steps, named.learning_rates) == (0.6, 600, (0.0003, 0.001, 0.003, 0.01))
    assert named.label == "noisy_digits noise=0.6"


def test_tasks_are_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "tasks.toml"
    path.write_text('[[task]]\nname = "digits"\nnoise = 0.6\n[[task]]\nlabel = "own"\nsteps = 9\nfactory = "a.py:t"\n')
    assert read_grounds(str(path)) == [
        Ground("digits noise=0.6", {"name": "digits", "noise": 0.6}),
        Ground("own", {"factory": "a.py:t", "folder": str(tmp_path)}, steps=9),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "--tasks is empty"),
        ("noise=0.2,digits", "begins with the option 'noise=0.2'"),
        ("digits,digits", "names 'digits' twice"),
        ("digts", "Did you mean 'digits'"),
        ("digits:noise", "the change 'noise' cannot be read"),
        ("digits:steps=0", "--tasks digits steps is 0"),
        (":noise=2", "cannot be read"),
    ],
)
def test_tasks_that_cannot_be_read_are_refused(text: str, words: str) -> None:
    with pytest.raises(ExperimentError) as caught:
        read_grounds(text)
    assert words in str(caught.value)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tasks.toml"
    path.write_text("[[job]]\nname = 'digits'\n")
    with pytest.raises(ExperimentError, match=r"holds no list of tasks; write one \[\[task\]\] table for each"):
        read_grounds(str(path))
    path.write_text("[[task]]\nsteps = 0\n")
    with pytest.raises(ExperimentError, match=r"\[\[task\]\] 1 steps is 0"):
        read_grounds(str(path))


def test_the_command_answers_with_table_and_files(call: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    arguments = ["transfer", "-t*sqrt(p)", "--against", "gce", "--tasks", "digits:examples=100", "--seeds", 2]
    settings = ["--set", "steps=5", "--set", "learning_rates=[0.01]", "--set", "resamples=100", "--workers", 0]
    status, out, err = call(*arguments, *settings, "--quiet", "--out", tmp_path / "t", "--json")
    assert (status, err) == (0, "")
    document = json.loads(out)
    assert (document["reference"], document["subject"]) == ("gce", "-t*sqrt(p)")
    assert document["columns"][0]["task"] == {"name": "digits", "examples": 100}
    assert (tmp_path / "t" / "transfer.png").stat().st_size > 1000
    assert json.loads((tmp_path / "t" / RESULT).read_text()) == document


def test_a_formula_needs_another(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match="has nothing to be compared with"):
        transfer_target("gce", "digits", against=["gce"], out=tmp_path)
    with pytest.raises(ExperimentError, match="mse is of the slot regression, and gce of classification"):
        transfer_target("gce", "digits", against=["mse"], out=tmp_path)
