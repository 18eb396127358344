"""The surrogate: what it makes of gradients, what it learns from, and that its bound is mean and doubt."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symloss.language.candidate import State
from symloss.language.grammar import load_grammar
from symloss.language.tree import StoredTree, Tree
from symloss.searching import surrogate
from symloss.searching.fitness import FAILED, NO_PROMISE, Promise
from symloss.searching.surrogate import CAUTION, LEAST, MEMORY, NOISE, SIZE, WIDTH, Process, Surrogate, features, ranks
from symloss.searching.told import Told

COMPACT = load_grammar("compact")


def told(
    number: int,
    fitness: float = FAILED,
    state: State = State.SCORED,
    promise: Promise = NO_PROMISE,
    worth_training: bool = True,
) -> Told:
    """Return a candidate whose tree is a number: its place on a circle."""
    return Told(
        number=number,
        text=str(float(number)),
        digest=bytes([number % 256]),
        state=state,
        origin=number,
        fitness=fitness,
        complexity=1,
        promise=promise,
        worth_training=worth_training,
    )


def circle(tree: Tree) -> np.ndarray:
    """Return a gradient that turns with the tree's number, one degree each."""
    angle = np.deg2rad(float(tree.text))
    return np.array([np.cos(angle), np.sin(angle)])


def tree(number: float) -> Tree:
    return StoredTree(str(float(number)), COMPACT)


def taught(examples: Sequence[Told]) -> Surrogate:
    found = Surrogate(circle, COMPACT)
    found.learn(examples)
    return found


@given(st.lists(st.floats(-1e6, 1e6).filter(lambda each: abs(each) > 1e-6), min_size=1), st.floats(1e-3, 1e3))
def test_features_are_a_direction_with_the_gradients_signs_and_its_size(trace: list[float], factor: float) -> None:
    *direction, size = features(np.array(trace))
    assert np.linalg.norm(direction) == pytest.approx(1)
    assert (np.sign(direction) == np.sign(trace)).all()
    *same, larger = features(factor * np.array(trace))
    assert same == pytest.approx(direction)
    assert larger - size == pytest.approx(SIZE * np.log10(factor), abs=1e-9)


def test_large_entries_count_for_less_than_their_size() -> None:
    found = features(np.array([4.0, -1.0]))
    assert found[0] / found[1] == pytest.approx(-2)
    assert features(np.array([1e200, 4e200]))[:2] == pytest.approx(features(np.array([1.0, 4.0]))[:2])
    assert features(np.array([0.0, 1000.0])).tolist() == [0, 1, pytest.approx(3 * SIZE)]
    assert not features(np.zeros(3)).any()


def test_ranks_are_shares_and_ties_count_half() -> None:
    assert ranks([3, 1, 2, 2]).tolist() == [7 / 8, 1 / 8, 1 / 2, 1 / 2]
    merits = [(FAILED, NO_PROMISE), (FAILED, (50, 0.9)), (0.1, NO_PROMISE), (FAILED, (100, 0.2))]
    assert ranks(merits).argsort().tolist() == [0, 1, 3, 2]  # failed, stopped early, stopped late, scored


def test_a_process_knows_what_it_has_seen_and_doubts_what_it_has_not() -> None:
    seen = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    target = np.array([0.1, 0.2, 0.3, 1.0])
    process = Process.of(seen, target)
    means, deviations = process.foretell(seen)
    assert np.abs(means - target).max() < 0.1
    assert (deviations < 0.3 * target.std()).all()
    (mean,), (deviation,) = process.foretell(np.array([[100.0, 100.0]]))
    assert (mean, deviation) == (pytest.approx(target.mean()), pytest.approx(target.std()))


def test_a_process_is_that_of_the_textbook() -> None:
    seen, new = np.array([[0.0], [1.0], [3.0]]), np.array([[0.5]])
    target = np.array([0.2, 0.4, 0.9])
    width = WIDTH * 4.0  # squared distances 1, 4, 9
    near = np.exp(-np.array([0.25, 0.25, 6.25]) / (2 * width))
    covariance = np.exp(-np.array([[0, 1, 9], [1, 0, 4], [9, 4, 0]]) / (2 * width)) + NOISE * np.eye(3)
    mean = 0.5 + near @ np.linalg.solve(covariance, target - 0.5)
    variance = 1 - near @ np.linalg.solve(covariance, near)
    means, deviations = Process.of(seen, target).foretell(new)
    assert means.tolist() == [pytest.approx(mean)]
    assert deviations.tolist() == [pytest.approx(target.std() * variance**0.5)]


def test_examples_that_are_all_alike_are_survived() -> None:
    alike = np.tile(np.random.default_rng(0).standard_normal(64), (9, 1))
    means, deviations = Process.of(alike, np.linspace(0, 1, 9)).foretell(alike[:2])
    assert means == pytest.approx(0.5)
    assert (deviations < 0.1).all()


def test_a_bound_is_the_mean_and_some_doubt() -> None:
    known = taught([told(number, fitness=float(number)) for number in range(0, 90, 10)])
    means, deviations = Process.of(
        np.array([features(circle(tree(number))) for number in range(0, 90, 10)]), ranks(list(range(9)))
    ).foretell(np.array([features(circle(tree(200)))]))
    assert known.bounds([tree(200)]) == [pytest.approx(means[0] + CAUTION * deviations[0], abs=1e-6)]


def test_what_is_like_the_best_is_foretold_to_be_good() -> None:
    known = taught([told(number, fitness=-abs(number - 60)) for number in range(0, 180, 6)])
    good, middling, bad = known.bounds([tree(61), tree(101), tree(171)])
    assert good > middling > bad
    assert known.bounds([tree(61)]) == [good]


def test_what_is_unlike_everything_is_more_promising_than_what_is_known_to_be_poor() -> None:
    known = taught([told(number, fitness=float(number)) for number in range(20)])
    assert known.bounds([tree(180)])[0] > known.bounds([tree(2)])[0]


@pytest.mark.parametrize(
    "untaught",
    [
        told(1, state=State.DUPLICATE, worth_training=False),
        told(1, state=State.REJECTED, worth_training=False),
        told(1, state=State.TIMED_OUT),
        told(1, state=State.CRASHED),
    ],
)
def test_what_was_not_trained_or_was_cut_off_teaches_nothing(untaught: Told) -> None:
    known = taught([told(number, fitness=float(number)) for number in range(LEAST - 1)])
    known.learn([untaught])
    assert not known.is_ready
    known.learn([told(50, fitness=0.5)])
    assert known.is_ready


@pytest.mark.parametrize("state", [State.DIVERGED, State.REJECTED])
def test_what_training_refused_is_a_warning(state: State) -> None:
    known = taught([told(number, fitness=1.0) for number in range(0, 90, 10)])
    before = known.bounds([tree(141)])[0]
    known.learn([told(number, state=state) for number in (135, 140, 145)])
    assert known.bounds([tree(141)])[0] < before


@pytest.fixture
def short_memory(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(surrogate, "MEMORY", 10)
    return 10


def test_only_the_last_are_remembered_and_only_they_are_looked_at(short_memory: int) -> None:
    looked_at: list[str] = []

    def noting(tree: Tree) -> np.ndarray:
        looked_at.append(tree.text)
        return circle(tree)

    known = Surrogate(noting, COMPACT)
    every = [told(number, fitness=float(number % 7)) for number in range(40)]
    known.learn(every)
    assert not looked_at, "most of a long run's are never asked for"
    found = known.bounds([tree(35)])
    assert looked_at == [*(each.text for each in every[-short_memory:]), "35.0"]
    assert taught(every[-short_memory:]).bounds([tree(35)]) == found
    assert MEMORY > 10 * LEAST
