"""EvoMAL: how children come about, what they inherit, what its runs cost, and that they resume."""

import contextlib
import random
import shutil
import sqlite3
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import symloss.running.run
from symloss.errors import ExperimentError
from symloss.judging.plan import Plan
from symloss.judging.stacking import Decision
from symloss.language.candidate import Measurement, Outcome, State
from symloss.language.formula import parse
from symloss.language.grammar import load_grammar
from symloss.language.probing import Prober
from symloss.language.template import written
from symloss.language.tree import parse_tree
from symloss.language.tuning import UNTUNED, Tuning
from symloss.running.config import experiment_toml, load_experiment, read_experiment
from symloss.running.costs import Price
from symloss.running.course import Course
from symloss.running.proof.entrants import searched_as
from symloss.running.proof.polishing import polish
from symloss.running.reached import Reached
from symloss.running.run import resume, search
from symloss.running.storage.store import RunStore
from symloss.searching.evomal import Evomal, EvomalSettings
from symloss.searching.inheritance import inherited
from symloss.searching.searches import make_search
from symloss.searching.selection import Individual
from symloss.searching.told import Told
from symloss.telling.ranking import rank_run
from tests.fakes import FakePool, PowerCutError
from tests.searching import JUDGE, TunedBench, scored

EVOMAL, COMPACT = load_grammar("evomal"), load_grammar("compact")


def test_children_come_of_crossover_mutation_or_as_they_are() -> None:
    method = Evomal(EVOMAL, EvomalSettings())
    trees = [parse_tree(text, EVOMAL) for text in ("mul(t, sub(p, 1))", "square(sub(p, t))", "tanh(mul(p, t))")]
    method.absorb([Individual(number, number, tree, 0.5 + number / 10, 3) for number, tree in enumerate(trees)])
    drafts = [method.propose(random.Random(seed), 0) for seed in range(600)]
    made = Counter(draft.variation.split("+")[0] for draft in drafts)
    assert 0.64 < made["crossover"] / 600 < 0.76
    assert 0.19 < made["regrow"] / 600 < 0.31
    assert 0.02 < made["copy"] / 600 < 0.09
    assert all(draft.parents for draft in drafts)
    assert all(not EVOMAL.lacks(draft.tree.variables) for draft in drafts)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"elites": 25}, "elites is 25; allowed: fewer than population = 25"),
        ({"crossover": 0.8, "mutation": 0.3}, "crossover and mutation are 0.8 and 0.3; allowed: at most 1 together"),
        ({"mutations": {}}, "Did you mean 'mutation'"),
    ],
)
def test_unfit_settings_are_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ExperimentError, match=words):
        make_search("evomal", EVOMAL, JUDGE, 0, settings)


def told(text: str, formula: str | None, origin: int = 0) -> Told:
    read = None if formula is None else parse(formula).canonical()
    return Told(0, text, b"", State.SCORED, origin, 0.9, 5, read)


@pytest.mark.parametrize(
    ("grammar", "formula"),
    [
        ("compact", "1.25*t/p - log(0.9*p)"),
        ("compact", "-1.5*t*log(p)"),
        ("compact", "(p - 1.1*t)**2 + sqrt(p)*t"),
        ("glo", "-1.5*t*log(p) + sqrt(1.25*p)"),
        ("glo", "1.25*t/p - 2.5*p**2"),
    ],
)
def test_what_is_inherited_is_the_tuned_formula_in_the_grammars_words(grammar: str, formula: str) -> None:
    known = load_grammar(grammar)
    tree = inherited(told("mul(t, p)", formula), parse_tree("mul(t, p)", known))
    assert {node.name for node in tree.nodes if node.arity} <= set(known.operators)
    assert tree.fits
    prober = Prober("classification", 10)
    assert prober.look(tree.nodes, written(tree.nodes)).digest == prober.look_at(parse(formula)).digest


def test_what_the_grammar_cannot_say_or_hold_is_not_inherited() -> None:
    tree = parse_tree("mul(t, p)", COMPACT)
    for formula in ("tanh(1.5*p)*t", "+".join(f"{n}.5*t*p**{n}" for n in range(2, 9))):
        assert inherited(told("mul(t, p)", formula), tree).nodes == tree.nodes
    assert inherited(told("mul(t, p)", None), tree) is tree
    assert inherited(told("mul(t, p)", "-t*log(p)", origin=-1), tree) is tree  # a twin's formula is not its own


@pytest.mark.parametrize("inheritance", ["baldwinian", "lamarckian"])
def test_lamarckian_children_have_tuned_constants_and_baldwinian_ones_do_not(inheritance: str) -> None:
    settings = {"population": 12, "elites": 2, "mutations": {"gaussian": 0.0, "regrow": 0.0}}
    settings |= {"immigrants": 0.0, "tuning": {"method": "gradient", "inheritance": inheritance}}

    search = make_search("evolution", COMPACT, JUDGE, 0, settings)
    search.tell(TunedBench()(search.ask()))
    assert any("1.2345" in child.text for child in search.ask()) == (inheritance == "lamarckian")


def test_a_copy_of_what_was_inherited_says_what_it_is() -> None:
    parent = inherited(told("mul(t, p)", "-1.5*t*log(p)"), parse_tree("mul(t, p)", COMPACT))
    method = Evomal(COMPACT, EvomalSettings(crossover=0.0, mutation=0.0))
    method.absorb([Individual(0, 0, parent, 0.9, 5)])
    copy = method.propose(random.Random(0), 1).tree
    assert copy.nodes == parent.nodes
    assert parse_tree(copy.text, COMPACT).nodes == parent.nodes


def test_a_twin_of_a_tuned_formula_does_not_stand_for_it() -> None:
    # its text is the simpler one, and was never trained
    search = make_search("evolution", COMPACT, JUDGE, 0, {"population": 12, "tuning": {"method": "gradient"}})
    first, second, *_ = search.ask(2)
    tuned = parse("-1.25*t*log(0.9*p) + 0.1*p*t").canonical()
    outcome = replace(scored(first, 0.9), formula=tuned)
    search.tell([outcome, Outcome(second.number, State.DUPLICATE, "same gradient", twin=first.number)])
    assert [entry.text for entry in search.archive.best(9)] == [tuned.text]


def measured(*last: int) -> Outcome:
    own = ((rate, step) for rate, end in enumerate(last, 1) for step in (20, end))
    measurements = tuple(Measurement(step, rate / 10, 0, {"accuracy": 0.5}) for rate, step in own)
    return Outcome(0, State.SCORED, measurements=measurements)


def test_a_price_counts_every_training_step_up_to_where_a_rung_has_stopped_it_and_failures_whole() -> None:
    experiment = read_experiment(
        {
            "name": "priced", "task": {"name": "digits"}, "stop": {"steps": 9},
            "search": {"method": "evomal", "tuning": {"steps": 10}},
            "budget": {"steps": 100, "seeds": 1, "learning_rates": [0.1, 0.2]},
        },
        "priced", Path(),
    )  # fmt: skip
    price = Price.of(experiment)
    assert price == Price(100, 2, 40)
    assert price.whole == 240
    scored, stopped, failed = measured(100, 50), measured(20, 20), Outcome(0, State.DIVERGED, "nan")
    reached = Reached().plus([scored, stopped, failed])
    assert price.spent(3, reached) == 150 + 40 + 200 + 3 * 40
    beside = measured(100)  # at the other rate it diverged
    assert Price(100, 2).spent(1, Reached().plus([beside])) == 200


TABLE: dict[str, Any] = {
    "name": "small", "seed": 3, "grammar": "evomal", "task": {"name": "digits"},
    "search": {
        "method": "evomal", "population": 10, "initial": ["1 - t*log(p)", "-t*log(p)"],  # the second is a simpler twin
        "tuning": {"steps": 3, "rate": 0.1, "inner_rate": 0.3},
    },
    "budget": {"steps": 3, "cohort": 3, "stack": "stacked", "seeds": 1, "learning_rates": [0.01]},
    "stop": {"generations": 2},
    "finals": {"seeds": 2, "top": 2, "resamples": 100, "learning_rates": [0.01], "baselines": ["cross_entropy"],
               "polish": {"method": "gradient", "steps": 4, "rate": 0.1, "inner_rate": 0.3}},
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def quick():
    """Spare runs the measurement of which way of training pays."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(symloss.running.run, "choose_stacking", lambda *asked: Decision("stacked", "told so", 8))
        yield


def digest(folder: Path) -> str:
    with RunStore.read(folder / "run.sqlite") as store:
        return store.digest()


@pytest.fixture(scope="module")
def whole(quick: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    folder = tmp_path_factory.mktemp("whole") / "run"
    return folder, search(TABLE, out=folder, workers=0)


def test_a_run_stores_ranks_and_tries_the_tuned_formulas(whole: tuple[Path, Any]) -> None:
    folder, result = whole
    with RunStore.read(folder / "run.sqlite") as store:
        candidates, outcomes, meta = list(store.candidates()), store.outcomes(), store.meta()
        best = [each.formula for each in rank_run(store).best]
        trials = store.trials().values()
    scored = [each for each in candidates if outcomes[each.number].state is State.SCORED]
    assert any(each.formula != parse(each.text).text for each in scored)
    assert all(entry.text in best for entry in result.front)
    found = {row.formula for row in result.finals.rows if row.role == "found"}
    assert best[0] in found
    assert {row.name for row in result.finals.rows} >= {"found 1", "polished 1", "cross_entropy"}
    assert result.winner.text in found
    polished = {trial.formula for trial in trials if trial.part == "polish"}
    assert len(polished) == 2
    assert polished <= found
    evaluated = result.progress.evaluated
    assert meta["steps"] == evaluated * (3 + 3 * 4)


@pytest.mark.parametrize("cut_after", [1, 2])
def test_an_interrupted_run_comes_to_the_same(
    whole: tuple[Path, Any], tmp_path: Path, cut_after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = Course._train
    calls: list[int] = []

    def cut(*arguments: Any) -> Any:
        found = usual(*arguments)
        calls.append(1)
        if len(calls) == cut_after:
            raise PowerCutError
        return found

    with monkeypatch.context() as patch:
        patch.setattr(Course, "_train", cut)
        with pytest.raises(PowerCutError):
            search(TABLE, out=tmp_path / "run", workers=0)
    assert resume(tmp_path / "run", workers=0).finals == whole[1].finals
    assert digest(tmp_path / "run") == digest(whole[0])


def test_a_finished_run_is_not_polished_again(
    whole: tuple[Path, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = FakePool()
    monkeypatch.setattr(symloss.running.session, "make_pool", lambda *asked: pool)
    assert resume(whole[0]).finals == whole[1].finals
    assert not pool.jobs


@pytest.mark.parametrize(
    ("winner", "origin"),
    [("-2.0*t*p", "-t*p"), ("-t*p", "-t*p"), ("-t*log(p)", "-t*log(p)"), ("elsewhere", "elsewhere"), (None, None)],
)
def test_a_polished_winner_is_traced_to_what_it_was(winner: str | None, origin: str | None) -> None:
    known = {"found 1": "-t*log(p)", "found 2": "-t*p", "polished 2": "-2.0*t*p", "cross_entropy": "-t*log(p)"}
    rows = [{"name": name, "formula": formula} for name, formula in known.items()]
    assert searched_as({"winner": winner, "rows": rows}) == origin


def test_polishing_can_be_stopped_and_goes_on(tmp_path: Path) -> None:
    found, plan, tuning = [parse("-t*log(p)"), parse("-t*p")], Plan(5, (0.1,), (1,)), Tuning("gradient")
    with RunStore.create(tmp_path / "run.sqlite", {}) as store:
        asked = iter([False, True])
        assert polish(found, tuning, plan, 9.0, FakePool(), store, lambda: next(asked)) is None
        assert len(store.trials()) == 1
        pool = FakePool()
        done = polish(found, tuning, plan, 9.0, pool, store)
        assert done is not None
        assert len(pool.jobs) == 1
        assert [each.text for each in done] == ["-t*log(p)", "-p*t"]
        assert polish(found, UNTUNED, plan, 9.0, pool, store) == ()
        assert len(pool.jobs) == 1


def test_a_search_stops_when_its_training_steps_are_spent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = FakePool(targets=None)
    monkeypatch.setattr(symloss.running.session, "make_pool", lambda *asked: pool)
    table = {**TABLE, "stop": {"steps": 700}, "finals": {**TABLE["finals"], "polish": {"method": "none"}}}
    monkeypatch.setattr(symloss.running.run, "_finals", lambda session: None)
    result = search(table, out=tmp_path / "run")
    assert result.reason == f"{result.progress.evaluated * 15} training steps are spent"
    assert 700 <= result.progress.evaluated * 15 < 700 + 10 * 15


def test_steps_are_counted_on_by_a_resume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(symloss.running.session, "make_pool", lambda *asked: FakePool(targets=None))
    table = {**TABLE, "finals": {**TABLE["finals"], "top": 0}}
    result = search({**table, "stop": {"steps": 900}}, out=tmp_path / "whole")
    assert result.progress.generation > 3
    search({**table, "stop": {"steps": 500}}, out=tmp_path / "parts")
    again = resume(tmp_path / "parts", ["stop.steps=900"])
    assert (again.reason, again.progress.evaluated) == (result.reason, result.progress.evaluated)
    assert digest(tmp_path / "parts") == digest(tmp_path / "whole")


def test_a_run_ranks_alike_where_what_was_told_is_not_kept(whole: tuple[Path, Any], tmp_path: Path) -> None:
    shutil.copy(whole[0] / "run.sqlite", tmp_path / "run.sqlite")
    with contextlib.closing(sqlite3.connect(tmp_path / "run.sqlite")) as connection, connection:
        connection.execute("DELETE FROM told")
    with RunStore.read(whole[0] / "run.sqlite") as kept, RunStore.read(tmp_path / "run.sqlite") as bare:
        assert rank_run(bare) == rank_run(kept)
        assert kept.outcomes()[1].state is State.DUPLICATE
        assert "-t*log(p)" not in [each.formula for each in rank_run(bare).best]


def test_an_experiment_is_kept_with_its_tuning(tmp_path: Path) -> None:
    path = tmp_path / "evomal.toml"
    path.write_text(experiment_toml(load_experiment("evomal")))
    assert load_experiment(str(path)) == load_experiment("evomal")
    assert "polish" not in experiment_toml(load_experiment("noisy_digits"))
