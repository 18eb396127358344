"""Runs of the searches over numbers: the same in any order, after a crash, and on either pool."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import symloss.running.run
import symloss.running.session
from symloss.errors import ExperimentError
from symloss.judging.stacking import Decision
from symloss.running.run import resume, search
from symloss.running.storage.store import RunStore
from tests.fakes import FakePool, PowerCutError

METHODS: dict[str, dict[str, Any]] = {
    "coefficients": {"formulas": ["baikal", "-t*log(p)"], "population": 6},
    "glo": {"population": 12, "elites": 2, "fresh": 5, "generations": 2, "coefficients": {"population": 6, "best": 2}},
    "taylor": {"population": 6},
}
SHORT: dict[str, Any] = {
    "name": "numbers",
    "seed": 3,
    "grammar": "glo",
    "task": {"name": "digits", "hidden": [8]},
    "budget": {"steps": 4, "cohort": 3, "seeds": 1, "learning_rates": [0.01], "stack": "stacked"},
    "stop": {"generations": 5},
    "finals": {"top": 0},
}
methods = pytest.mark.parametrize("method", METHODS)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare runs the measurement of which way of training pays."""
    monkeypatch.setattr(symloss.running.run, "choose_stacking", lambda *asked: Decision("stacked", "told so"))
    monkeypatch.setattr("symloss.running.storage.store.TOGETHER", 0.0)


def table(method: str, **changes: Any) -> dict[str, Any]:
    return {**SHORT, "search": {"method": method, **METHODS[method]}, **changes}


def digest(folder: Path) -> str:
    with RunStore.read(folder / "run.sqlite") as store:
        return store.digest()


@methods
def test_any_order_and_any_break_lead_to_the_same_run(
    method: str, tmp_path: Path, use: Callable[[FakePool], FakePool]
) -> None:
    pool = use(FakePool())
    search(table(method), out=tmp_path / "whole")
    total = len(pool.jobs)
    assert total > 6
    use(FakePool(backwards=True))
    search(table(method), out=tmp_path / "backwards", workers=5)
    assert digest(tmp_path / "backwards") == digest(tmp_path / "whole")
    for cut_after in (1, total - 2):
        folder = tmp_path / f"cut-{cut_after}"
        use(FakePool(cut_after=cut_after))
        with pytest.raises(PowerCutError):
            search(table(method), out=folder)
        use(FakePool())
        resume(folder)
        assert digest(folder) == digest(tmp_path / "whole")


@methods
def test_a_finished_run_goes_on_as_a_longer_one(
    method: str, tmp_path: Path, use: Callable[[FakePool], FakePool]
) -> None:
    use(FakePool())
    search(table(method, stop={"generations": 7}), out=tmp_path / "long")
    search(table(method, stop={"generations": 4}), out=tmp_path / "short")
    resume(tmp_path / "short", ["stop.generations=7"])  # the batches between the first and the last are recalled
    assert digest(tmp_path / "short") == digest(tmp_path / "long")


@pytest.mark.usefixtures("cluster")
def test_both_pools_train_the_same(tmp_path: Path) -> None:
    for workers in (0, 2):
        search(table("glo"), out=tmp_path / f"{workers}", workers=workers)
    assert digest(tmp_path / "0") == digest(tmp_path / "2")
    with RunStore.read(tmp_path / "0" / "run.sqlite") as store:
        made = {each.variation for each in store.candidates()}
    assert "cma" in made  # the second stage took part


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"method": "coefficients"}, "formulas is empty; name those"),
        ({"method": "coefficients", "formulas": ["baikla"]}, "'baikla' cannot be read"),
        ({"method": "taylr"}, "Did you mean 'taylor'"),
        ({"method": "taylor", "order": 7}, "order is 7; allowed: one of 2, 3, 4"),
    ],
)
def test_mistakes_are_named_before_anything_is_made(tmp_path: Path, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ExperimentError, match=words):
        search({**SHORT, "search": settings}, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
