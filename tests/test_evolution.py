"""Evolution: elites live on, parents are selected, children are varied; it beats random search."""

import random
from collections import Counter
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symloss.errors import ExperimentError
from symloss.language.candidate import Candidate
from symloss.language.grammar import load_grammar
from symloss.language.tree import grow, parse_tree
from symloss.searching.evolution import Evolution, EvolutionSettings, MutationRates, distinct, joined
from symloss.searching.searches import make_search
from symloss.searching.selection import SELECTIONS, Individual
from symloss.searching.variation import MUTATIONS
from tests.searching import JUDGE, Bench, formula_of, hashed, run

COMPACT = load_grammar("compact")
TREE = parse_tree("mul(t, p)", COMPACT)


def individual(number: int, fitness: float, complexity: int = 3, origin: int | None = None) -> Individual:
    tree = grow(COMPACT, random.Random(number))
    return Individual(number, number if origin is None else origin, tree, fitness, complexity)


def evolution(**settings: object) -> Evolution:
    return Evolution(COMPACT, EvolutionSettings(**settings))  # type: ignore[arg-type]


def parents_of(method: Evolution, draws: int = 400) -> Counter[int]:
    drafts = [method.propose(random.Random(seed), seed) for seed in range(draws)]
    return Counter(parent for draft in drafts for parent in draft.parents)


def test_the_first_generation_is_grown_whole_and_later_ones_leave_room_for_the_elites() -> None:
    search = make_search("evolution", COMPACT, JUDGE, 0, {})
    first = search.ask()
    assert len(first) == 80
    assert {candidate.variation for candidate in first} == {"initial"}
    search.tell(Bench()(first))
    assert len(search.ask()) == 74


def test_elites_live_on_and_breed() -> None:
    # seven generations of failures later, the one success of the first still is the parent of all
    method = evolution(population=10, elites=1, immigrants=0.0, selection="tournament", tournament_size=9)
    method.absorb([individual(0, 0.9), *(individual(number, 0.1) for number in range(1, 10))])
    for generation in range(1, 8):
        numbers = range(10 * generation, 10 * generation + 9)
        method.absorb([individual(number, float("-inf")) for number in numbers])
    counts = parents_of(method)
    assert counts[0] > 0.5 * counts.total()
    assert all(number == 0 or number >= 70 for number in counts)


def test_without_elites_the_old_die() -> None:
    method = evolution(population=10, elites=0, immigrants=0.0)
    method.absorb([individual(0, 0.9), *(individual(number, 0.1) for number in range(1, 10))])
    method.absorb([individual(number, 0.2) for number in range(10, 20)])
    assert set(parents_of(method)) <= set(range(10, 20))


def test_the_best_fitness_in_the_population_never_falls() -> None:
    search = make_search("evolution", COMPACT, JUDGE, 3, {"population": 12, "elites": 2})
    method = search._method
    assert isinstance(method, Evolution)
    best = []
    bench = Bench()
    for _ in range(6):
        search.tell(bench(search.ask()))
        best.append(method._population[0].fitness)
    assert best == sorted(best)
    assert best[-1] == search.archive.best(1)[0].fitness


def test_the_fitter_have_more_children() -> None:
    method = evolution(population=20, elites=2, immigrants=0.0)
    method.absorb([individual(number, number / 20) for number in range(20)])
    counts = parents_of(method)
    upper = sum(count for number, count in counts.items() if number >= 10)
    assert upper > 0.85 * counts.total()


def test_a_short_batch_is_filled_up_with_the_old() -> None:
    method = evolution(population=10, elites=2)
    method.absorb([individual(number, number / 10) for number in range(10)])
    method.absorb([individual(number, 0.05) for number in (10, 11, 12)])
    assert [each.number for each in method._population] == [9, 8, 7, 6, 5, 4, 3, 10, 11, 12]


def test_twins_count_once_and_the_simplest_stands_for_them() -> None:
    group = [individual(0, 0.5, 9), individual(1, 0.5, 3, origin=0), individual(2, 0.4)]
    assert [each.number for each in distinct(group)] == [1, 2]


def test_crossover_rate_and_names_of_what_made_a_child() -> None:
    quiet = MutationRates(**dict.fromkeys(asdict(MutationRates()), 0.0))
    rows = [individual(number, 0.5) for number in range(20)]
    never = evolution(population=20, crossover=0.0, immigrants=0.0, mutations=quiet)
    never.absorb(rows)
    assert {never.propose(random.Random(seed), seed).variation for seed in range(50)} <= {"copy", "repair"}
    always = evolution(population=20, crossover=1.0, immigrants=0.0, mutations=quiet)
    always.absorb(rows)
    made = Counter(always.propose(random.Random(seed), seed).variation.split("+")[0] for seed in range(100))
    assert made["crossover"] > 60
    loud = evolution(population=20, immigrants=0.0, mutations=MutationRates(wrap=1.0))
    loud.absorb(rows)
    assert "wrap" in loud.propose(random.Random(1), 1).variation


def test_immigrants_are_newly_grown() -> None:
    method = evolution(population=10, immigrants=0.3)
    method.absorb([individual(number, 0.5) for number in range(10)])
    made = Counter(method.propose(random.Random(seed), seed).variation for seed in range(1000))
    assert made["initial"] / 1000 == pytest.approx(0.3, abs=0.05)


@pytest.mark.parametrize("selection", SELECTIONS)
def test_every_selection_drives_it(selection: str) -> None:
    search = make_search("evolution", COMPACT, JUDGE, 0, {"population": 10, "elites": 2, "selection": selection})
    run(search, 3)
    assert len(search.archive) > 15


def test_every_mutation_has_a_rate() -> None:
    assert list(asdict(MutationRates())) == list(MUTATIONS)


def test_the_published_rates_are_the_defaults() -> None:
    rates, settings = MutationRates(), EvolutionSettings()
    assert (rates.integer_step, rates.same_arity, rates.subtree_to_leaf, rates.leaf_to_node) == (
        0.05,
        0.05,
        0.025,
        0.025,
    )
    assert (settings.population, settings.elites, settings.crossover) == (80, 6, 0.8)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"populaton": 3}, "Did you mean 'population'"),
        ({"population": 1}, "population is 1"),
        ({"population": 6}, "elites is 6; allowed: fewer than population = 6"),
        ({"crossover": 1.5}, "crossover is 1.5; allowed: a number from 0 to 1"),
        ({"crossover": float("nan")}, "crossover is nan"),
        ({"selection": "roulete"}, "Did you mean 'roulette'"),
        ({"parsimony_size": 2.5}, "parsimony_size is 2.5; allowed: a number from 1 to 2"),
        ({"tournament_size": 2.0}, "tournament_size is 2.0"),
        ({"mutations": {"regrw": 0.1}}, r"\[search.mutations\] names an unknown key 'regrw'. Did you mean 'regrow'"),
        ({"mutations": {"regrow": -0.1}}, "regrow is -0.1"),
        ({"mutations": 0.1}, "mutations is 0.1"),
    ],
)
def test_unfit_settings_are_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ExperimentError, match=words):
        make_search("evolution", COMPACT, JUDGE, 0, settings)


def test_some_rates_can_be_set_while_the_rest_keep_their_defaults() -> None:
    search = make_search("evolution", COMPACT, JUDGE, 0, {"mutations": {"regrow": 0.5}})
    method = search._method
    assert isinstance(method, Evolution)
    assert method._rates["regrow"] == 0.5
    assert method._rates["same_arity"] == 0.05


GLO_OWN = {
    **{"selection": "roulette", "fresh": 0, "immigrants": 0},
    "mutations": {"gaussian": 0, "regrow": 0, "wrap": 0, "hoist": 0},
}


def test_glos_own_evolution_runs_on_glos_grammar() -> None:
    candidates = run(make_search("evolution", load_grammar("glo"), JUDGE, 0, GLO_OWN), 4)
    ours = {"gaussian", "regrow", "wrap", "hoist", "repair"}
    assert not {name for candidate in candidates for name in candidate.variation.split("+")} & ours


def nearness(candidate: Candidate) -> float:
    """Score by the share of a target's building blocks: a hill that can be climbed."""
    blocks = ("t*log(p)", "p**", "1 - p", "**2", "(t")
    formula = formula_of(candidate.text, candidate.slot)
    text = formula.text if formula else ""
    return sum(block in text for block in blocks) + 0.1 * hashed(candidate) - 0.01 * len(text)


def test_evolution_beats_random_search_on_a_hill() -> None:
    def best(method: str, seed: int) -> float:
        search = make_search(method, COMPACT, JUDGE, seed, {})
        run(search, 5, Bench(nearness), n=60)
        return search.archive.best(1)[0].fitness

    seeds = range(3)
    assert sum(best("evolution", seed) for seed in seeds) > sum(best("random", seed) for seed in seeds)


@given(
    st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.3, float("-inf")]), st.integers(1, 4), st.booleans()), max_size=12),
    st.integers(0, 4),
)
def test_few_are_put_into_their_places_as_all_are_ranked(drawn: list[tuple[float, int, bool]], few: int) -> None:
    everyone: list[Individual] = []
    for number, (fitness, complexity, is_twin) in enumerate(drawn):
        first = everyone[number // 2] if is_twin and everyone else None
        origin = number if first is None else first.origin
        scored = fitness if first is None else first.fitness  # a duplicate's is its twin's
        everyone.append(Individual(number, origin, TREE, scored, complexity))
    split = max(0, len(everyone) - few)
    ranked = distinct(everyone[:split])
    assert joined(list(ranked), everyone[split:]) == distinct([*ranked, *everyone[split:]])


def test_an_asynchronous_evolution_grows_its_first_generation_whole() -> None:
    for asynchronous in (True, False):
        method = evolution(population=10, elites=2, immigrants=0.0, asynchronous=asynchronous)
        method.absorb([individual(number, number / 100) for number in range(3)])
        assert bool(method.propose(random.Random(0), 9).parents) != asynchronous
        assert method.propose(random.Random(0), 10).parents
