"""What every search keeps: numbers, seeds, replay, whole batches, an archive without doubles, an end."""

import json
import os
import random
import statistics
import subprocess
import sys
from dataclasses import asdict

import pytest

from symloss.errors import ExperimentError, RunError
from symloss.language.candidate import Candidate, Outcome, State
from symloss.language.grammar import list_grammars, load_grammar, read_grammar
from symloss.language.probing import Finding, Prober, prefix
from symloss.language.tree import StoredTree
from symloss.language.tuning import INHERITANCES
from symloss.language.zoo import named_or_read
from symloss.searching import surrogate
from symloss.searching.searches import SEARCHES, Search, make_search
from symloss.searching.surrogate import LEAST, MEMORY, features
from tests.searching import JUDGE, Bench, TunedBench, hashed, rejected, run, scored

COMPACT = load_grammar("compact")
SMALL: dict[str, dict[str, object]] = {
    "random": {"batch": 12},
    "evolution": {"population": 12, "elites": 2},
    "aging": {"population": 12, "sample": 4, "batch": 12},
    "nsga2": {"population": 12, "objectives": ["fitness", "complexity", "cost", "robustness"]},
    "islands": {"population": 6, "elites": 1, "islands": 2, "interval": 2, "migrants": 1},
    "map_elites": {"first": 12, "batch": 12, "cells": 4},
    "coefficients": {"formulas": ["baikal", "-t*log(p)/2"], "population": 12},
    "glo": {"population": 12, "elites": 2, "fresh": 5, "generations": 2, "coefficients": {"population": 12}},
    "evomal": {"population": 12},
    "taylor": {"order": 2, "population": 12},
}
NUMBERS = ("coefficients", "taylor")  # they search numbers, and no grammar
growing = pytest.mark.parametrize("name", [name for name in SEARCHES if name not in NUMBERS])
TINY = """
name = "tiny"
slot = "classification"
[operators]
add = 1
[variables]
t = 1
p = 1
[limits]
initial_depth = [1, 1]
max_depth = 1
max_nodes = 3
"""
FORMULA = named_or_read("gce", "classification")
names = pytest.mark.parametrize("name", SEARCHES)
steady = pytest.mark.parametrize("name", [name for name, record in SEARCHES.items() if record.steady])
PROBER = Prober("classification", 10)
GCE = features(PROBER.trace(list(prefix(FORMULA.node)), FORMULA.text))[:-1]


def make(name: str, seed: int = 0, **settings: object) -> Search:
    return make_search(name, COMPACT, JUDGE, seed, SMALL[name] | settings)


def test_every_search_is_tried_here() -> None:
    assert SMALL.keys() == SEARCHES.keys()


@names
def test_candidates_are_numbered_on_and_have_seeds_of_their_own(name: str) -> None:
    candidates = run(make(name), 3)
    assert [candidate.number for candidate in candidates] == list(range(len(candidates)))
    assert len({candidate.seed for candidate in candidates}) == len(candidates)
    assert all(0 <= candidate.seed < 2**48 for candidate in candidates)


@names
def test_parents_were_asked_before_and_every_candidate_says_what_made_it(name: str) -> None:
    for candidate in run(make(name), 4):
        assert all(parent < candidate.number for parent in candidate.parents)
        assert candidate.variation


@names
def test_gradients_are_proposed_once(name: str) -> None:
    digests = [candidate.finding.digest for candidate in run(make(name), 4) if not candidate.finding.is_void]
    assert len(digests) > 10
    assert len(set(digests)) >= 0.98 * len(digests)


@names
def test_the_same_outcomes_lead_to_the_same_candidates(name: str) -> None:
    assert run(make(name), 4) == run(make(name), 4)


@names
def test_proposing_changes_nothing(name: str) -> None:
    one, other, judge = make(name), make(name), Bench()
    for _ in range(4):
        number = other._issued
        for seed in range(5):
            other._method.propose(random.Random(seed), number + seed)
        asked = one.ask()
        assert other.ask() == asked
        outcomes = judge(asked)
        assert one.tell(outcomes) == other.tell(outcomes)


@names
def test_what_was_told_is_recalled_without_being_proposed_again(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first, told, judge = make(name), [], Bench()
    for _ in range(5):
        told.append(first.tell(judge(first.ask())))
    second = make(name)
    with monkeypatch.context() as blocked:
        blocked.setattr(second._method, "propose", None)  # would raise
        for batch in told:
            second.recall(batch)
    assert second.archive.best(1000) == first.archive.best(1000)
    for _ in range(3):
        asked = first.ask()
        assert second.ask() == asked
        outcomes = judge(asked)
        assert second.tell(outcomes) == first.tell(outcomes)


@names
def test_only_the_batch_that_comes_next_is_recalled(name: str) -> None:
    search = make(name)
    told = search.tell(Bench()(search.ask()))
    with pytest.raises(RunError, match=rf"are recalled, but {len(told)} comes next"):
        search.recall(told)
    with pytest.raises(RunError, match="are recalled, but 0 comes next"):
        make(name).recall(told[1:])


@names
def test_another_seed_leads_elsewhere(name: str) -> None:
    assert run(make(name), 1)[0].text != run(make(name, seed=1), 1)[0].text or run(make(name), 1) != run(
        make(name, seed=1), 1
    )
    assert run(make(name), 2) != run(make(name, seed=1), 2)


@names
def test_the_global_random_plays_no_part_and_is_left_alone(name: str) -> None:
    random.seed(1)
    before = random.getstate()
    first = run(make(name), 3)
    assert random.getstate() == before
    random.seed(2)
    assert run(make(name), 3) == first


@names
def test_a_run_resumes_by_replay(name: str) -> None:
    whole = make(name)
    told: list[list[Outcome]] = []
    bench = Bench()
    for _ in range(3):
        told.append(bench(whole.ask()))
        whole.tell(told[-1])
    resumed = make(name)
    for outcomes in told:
        resumed.ask(len(outcomes))
        resumed.tell(outcomes)
    assert resumed.ask() == whole.ask()
    assert resumed.archive.best(9) == whole.archive.best(9)


OTHER_PROCESS = """
import json, sys
from dataclasses import asdict
from symloss.language.grammar import load_grammar
from symloss.searching.searches import make_search
from tests.searching import JUDGE, run
name, settings = json.loads(sys.argv[1])
search = make_search(name, load_grammar("compact"), JUDGE, 0, settings)
print(json.dumps([[c.text, c.variation, c.parents, c.seed] for c in run(search, 4)]))
"""


@names
def test_another_process_with_another_hash_seed_proposes_the_same(name: str) -> None:
    command = [sys.executable, "-c", OTHER_PROCESS, json.dumps([name, SMALL[name]])]
    found = [
        subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | {"PYTHONHASHSEED": seed})
        for seed in ("3", "99")
    ]
    here = [[c.text, c.variation, list(c.parents), c.seed] for c in run(make(name), 4)]
    assert json.loads(found[0].stdout) == json.loads(found[1].stdout) == here


@names
def test_ask_gives_as_many_as_wanted(name: str) -> None:
    search = make(name)
    for n in (1, 5, 40, 3):
        candidates = search.ask(n)
        assert len(candidates) == n
        search.tell(Bench()(candidates) if n == 1 else [scored(each, 0.5) for each in candidates])


@names
def test_asking_twice_is_refused(name: str) -> None:
    search = make(name)
    search.ask(3)
    with pytest.raises(RunError, match="first tell the outcomes of the 3 candidates"):
        search.ask()


@names
def test_telling_what_was_not_asked_is_refused_and_changes_nothing(name: str) -> None:
    search = make(name)
    with pytest.raises(RunError, match="nothing is asked"):
        search.tell([scored(Candidate(0, "p", "classification", Finding(b"p")), 0.5)])
    candidates = search.ask(4)
    outcomes = [scored(each, 0.5) for each in candidates]
    for wrong in (outcomes[:3], outcomes[::-1], [], [*outcomes, outcomes[0]]):
        with pytest.raises(RunError, match="in asked order"):
            search.tell(wrong)
    search.tell(outcomes)
    assert search.ask()[0].number == 4


@names
def test_a_missing_metric_is_refused_and_changes_nothing(name: str) -> None:
    search = make_search(name, COMPACT, JUDGE.__class__("acuracy", True), 0, SMALL[name])
    candidates = search.ask(2)
    with pytest.raises(ExperimentError, match="Did you mean 'accuracy'"):
        search.tell([scored(each, 0.5) for each in candidates])
    assert len(search.archive) == 0


@names
def test_a_duplicate_takes_its_twins_fitness_also_over_a_chain(name: str) -> None:
    search = make(name)
    first = search.ask(4)
    duplicate = Outcome(3, State.DUPLICATE, "same gradient", twin=0)
    search.tell([scored(first[0], 0.9), scored(first[1], 0.1), rejected(first[2]), duplicate])
    second = search.ask(2)
    search.tell([Outcome(each.number, State.DUPLICATE, "same gradient", twin=3) for each in second])
    best = search.archive.best(9)
    assert [entry.fitness for entry in best] == [0.9, 0.1]
    assert best[0].number in {0, 3, 4, 5}


@names
def test_a_twin_that_was_never_told_is_refused(name: str) -> None:
    search = make(name)
    (candidate,) = search.ask(1)
    with pytest.raises(RunError, match="twin of 7, which was not told"):
        search.tell([Outcome(candidate.number, State.DUPLICATE, "same", twin=7)])


@names
def test_generations_in_which_all_fail_are_survived(name: str) -> None:
    search = make(name)
    for _ in range(3):
        search.tell([rejected(each) for each in search.ask()])
    run(search, 2)
    assert len(search.archive) > 10


@names
@pytest.mark.parametrize("state", [State.DIVERGED, State.TIMED_OUT, State.CRASHED])
def test_failures_are_not_listed(name: str, state: State) -> None:
    search = make(name)
    candidates = search.ask(5)
    search.tell([Outcome(each.number, state, "broke") for each in candidates[:4]] + [scored(candidates[4], 0.5)])
    assert [entry.number for entry in search.archive.best(9)] == [4]


@growing
def test_a_small_grammar_runs_out_and_says_so(name: str) -> None:
    # only t + p sees both variables; every search finds it, then nothing new
    first_stage = {"generations": 99} if name == "glo" else {}
    settings = SMALL[name] | first_stage | {"patience": 40}
    search = make_search(name, read_grammar(TINY, "tiny.toml"), JUDGE, 0, settings)
    bench = Bench()
    batches = 0
    while candidates := search.ask():
        search.tell(bench(candidates))
        batches += 1
        assert batches < 20
    assert bench.trained == 1
    assert search.ask() == []
    assert [entry.formula.text for entry in search.archive.best(9)] == ["p + t"]


@names
def test_asking_takes_no_algebra(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    search = make(name)
    monkeypatch.setattr("symloss.language.formula.canonical", None)
    monkeypatch.setattr("symloss.language.tree.canonical", None)
    assert len(search.ask(50)) == 50


@growing
def test_what_is_no_loss_is_a_candidate_that_says_so(name: str) -> None:
    search = make_search(name, load_grammar("glo"), JUDGE, 0, SMALL[name] | {"fresh": 0})
    void = [candidate.finding for candidate in run(search, 3) if candidate.finding.is_void]
    assert any("does not see" in finding.reason for finding in void)


@pytest.mark.parametrize(
    ("name", "inheritance"),
    [
        (name, inheritance)
        for name in SEARCHES
        for inheritance in INHERITANCES
        if inheritance == "baldwinian" or name not in (*NUMBERS, "glo")  # these read back the numbers that they propose
    ],
)
def test_where_numbers_are_tuned_a_search_is_told_again_alike(name: str, inheritance: str) -> None:
    tuning = {"method": "gradient", "inheritance": inheritance}
    first, second = (make(name, tuning=tuning) for _ in range(2))
    bench = TunedBench()
    for _ in range(3):
        outcomes = bench(first.ask())
        told = first.tell(outcomes)
        # A twin's own text is not read in place of what was tuned, however short it is.
        assert [each.formula for each in told] == [outcome.formula for outcome in outcomes]
        second.recall(told)
    assert second.ask() == first.ask()
    assert second.archive.best(99) == first.archive.best(99)


@names
def test_the_width_of_the_task_is_what_proposals_are_looked_at_over(name: str) -> None:
    narrow, wide = (make_search(name, COMPACT, JUDGE, 0, SMALL[name], width).ask(40) for width in (2, 10))
    assert [each.text for each in narrow[:1]] == [each.text for each in wide[:1]]
    assert narrow[0].finding != wide[0].finding or [c.finding for c in narrow] != [c.finding for c in wide]


@steady
def test_preselected_proposals_are_new_and_pass_the_free_tests_where_any_does(name: str) -> None:
    search = make(name, preselect=4)
    known = run(search, 1, Bench(like_gce), n=200)
    assert sum(not candidate.finding.failed for candidate in known) >= LEAST
    chosen = search.ask(40)
    assert sum(not candidate.finding.failed for candidate in chosen) > 30  # of newly grown trees, one in ten
    assert len({candidate.finding.digest for candidate in [*known, *chosen]}) == 240


@pytest.mark.parametrize("grammar", list_grammars())
def test_every_grammars_proposals_are_preselected(grammar: str) -> None:
    def fit(candidate: Candidate) -> float:
        return -1.0 if candidate.finding.failed else hashed(candidate)

    search, bench = make_search("evolution", load_grammar(grammar), JUDGE, 0, {"preselect": 4}), Bench(fit)
    first, second = (run(search, 1, bench, n) for n in (400, 40))
    shares = [statistics.fmean(not candidate.finding.failed for candidate in batch) for batch in (first, second)]
    assert shares[1] >= max(0.65, shares[0])  # of GLO's first trees one in twenty


@steady
@pytest.mark.parametrize("memory", [MEMORY, 10])
def test_a_preselected_search_is_told_again_alike(name: str, memory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surrogate, "MEMORY", memory)
    first, second, third = (make(name, preselect=3) for _ in range(3))
    bench = Bench()
    for number in (200, 20, 20):
        asked = first.ask(number)
        outcomes = bench(asked)
        told = first.tell(outcomes)
        second.recall(told)
        assert third.ask(number) == asked
        third.tell(outcomes)
    assert first.ask() == second.ask() == third.ask()


def like_gce(candidate: Candidate) -> float:
    """Score a loss by how much its gradient is like that of GCE; what fails a free test is no good."""
    if candidate.finding.failed:
        return -1.0
    return float(features(PROBER.trace(StoredTree(candidate.text, COMPACT).nodes, candidate.text))[:-1] @ GCE)


@steady
def test_preselection_proposes_what_is_better(name: str) -> None:
    means = []
    for preselect in (1, 8):
        search, bench = make(name, preselect=preselect), Bench(like_gce)
        run(search, 1, bench, n=200)
        scores = [like_gce(each) for each in run(search, 1, bench, n=100) if not each.finding.failed]
        means.append(statistics.fmean(scores))
    assert means[1] > means[0] + 0.05


@pytest.mark.parametrize("name", [name for name, record in SEARCHES.items() if not record.steady])
def test_what_learns_from_all_that_it_draws_is_not_preselected(name: str) -> None:
    with pytest.raises(
        ExperimentError, match=rf"preselect is 4, and '{name}' learns from all .*allowed: 1, or .*'aging'"
    ):
        make(name, preselect=4)


@names
@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"fersh": 3}, "Did you mean 'fresh'"),
        ({"fresh": -1}, "fresh is -1"),
        ({"fresh": True}, "fresh is True"),
        ({"patience": 0}, "patience is 0"),
        ({"preselect": 0}, "preselect is 0"),
        ({"preselect": 65}, "preselect is 65; allowed: a whole number from 1 to 64"),
    ],
)
def test_unfit_settings_are_refused(name: str, settings: dict[str, object], words: str) -> None:
    with pytest.raises(ExperimentError, match=words):
        make(name, **settings)


def test_an_unknown_search_is_named_with_its_kin() -> None:
    with pytest.raises(ExperimentError, match="Did you mean 'evolution'"):
        make_search("evoluton", COMPACT, JUDGE, 0, {})


@names
def test_the_default_settings_are_a_record(name: str) -> None:
    record = SEARCHES[name]
    assert record.name == name
    assert asdict(record.settings())["fresh"] >= 0
