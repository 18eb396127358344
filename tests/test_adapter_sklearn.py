"""The estimators search, refit and predict, keep scikit-learn's contract, and say what is wrong with their input."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.model_selection import train_test_split
from sklearn.utils.estimator_checks import parametrize_with_checks

import symloss
from symloss.adapters.sklearn import LossSearchClassifier, LossSearchRegressor
from symloss.adapters.table_task import table_task
from symloss.errors import ExperimentError
from symloss.running.observer import Silent

TINY = {"evaluations": 2, "population": 10, "steps": 40, "learning_rates": (0.03,), "seeds": 1}
CLASSIFIER = LossSearchClassifier(**TINY, baselines=("cross_entropy",))
REGRESSOR = LossSearchRegressor(**TINY, baselines=("mse",))


@parametrize_with_checks([CLASSIFIER, REGRESSOR])
def test_the_estimators_keep_scikit_learns_contract(estimator, check):
    check(estimator)


def parts(load):
    x, y = load(return_X_y=True)
    return train_test_split(x, y, random_state=0)


@pytest.fixture(scope="module")
def flowers():
    """A classifier of named flowers whose run was kept, with the data."""
    x, unseen, y, truth = parts(load_iris)
    return x, unseen, np.array(["setosa", "versicolor", "virginica"])[y], truth


@pytest.fixture(scope="module")
def fitted(flowers, tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "iris.one"
    return clone(CLASSIFIER).set_params(random_state=3, run=run).fit(flowers[0], flowers[2])


def test_labels_of_any_type_are_predicted(fitted, flowers):
    _, unseen, names, truth = flowers
    assert set(fitted.predict(unseen)) <= set(names)
    assert fitted.classes_.tolist() == ["setosa", "versicolor", "virginica"]
    assert fitted.score(unseen, fitted.classes_[truth]) > 0.85
    assert np.allclose(fitted.predict_proba(unseen).sum(1), 1)


def test_the_same_seed_gives_the_same_model_and_a_pickle_predicts_the_same(fitted, flowers):
    again = clone(fitted).set_params(run=None).fit(flowers[0], flowers[2])
    copy = pickle.loads(pickle.dumps(fitted))
    for other in (again, copy):
        assert other.formula_ == fitted.formula_
        assert np.array_equal(other.predict_proba(flowers[1]), fitted.predict_proba(flowers[1]))


def test_the_run_is_kept_where_it_is_asked_for_and_can_go_on(fitted):
    result = symloss.resume(fitted.run, ["stop.evaluations=3"], workers=0)
    assert result.progress.evaluated >= 3
    assert fitted.run.with_name("iris.one.npz").exists()
    assert str(fitted.run.parent) not in (fitted.run / "winner.loss.json").read_text()


def test_what_was_chosen_is_the_best_on_validation(fitted):
    rows = {row["name"]: row["validation"] for row in fitted.finals_["rows"]}
    assert rows[fitted.loss_name_] == max(rows.values())
    assert "cross_entropy" in rows
    assert fitted.verdict_ == fitted.finals_["sentence"]
    assert fitted.n_evaluations_ >= 2


def test_the_found_one_can_be_asked_for(flowers):
    model = clone(CLASSIFIER).set_params(random_state=3, refit="found").fit(flowers[0], flowers[2])
    assert model.loss_name_.startswith("found")
    assert symloss.parse(model.formula_)


def test_values_are_predicted_in_their_own_units():
    x, unseen, y, truth = parts(load_diabetes)
    model = clone(REGRESSOR).set_params(random_state=0).fit(x, 1000 * y)
    assert model.score(unseen, 1000 * truth) > 0.2
    assert abs(model.predict(unseen).mean() - 1000 * truth.mean()) < 30_000


def test_an_observer_is_told(flowers):
    told = []

    class Watcher(Silent):
        def finals_done(self, sentence):
            told.append(sentence)

    model = clone(CLASSIFIER).set_params(observer=Watcher()).fit(flowers[0][:60], flowers[2][:60])
    assert told == [model.verdict_]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"refit": "worst"}, "refit: got 'worst'. Allowed: best, found"),
        ({"grammar": "compakt"}, "Did you mean 'compact'"),
        ({"metric": "acuracy"}, "Did you mean 'accuracy'"),
        ({"hidden": (0,)}, "hidden must be a list of layer widths"),
        ({"learning_rates": ()}, "learning_rates"),
        ({"baselines": ("ce",)}, "unknown baseline 'ce'"),
    ],
)
def test_a_wrong_parameter_is_a_value_error(changes, said, flowers):
    with pytest.raises((ValueError, symloss.errors.SymlossError), match=said.replace("(", "\\(")):
        clone(CLASSIFIER).set_params(**changes).fit(flowers[0], flowers[2])


def test_too_few_rows_and_one_class_are_said():
    with pytest.raises(ValueError, match=r"X has 3 samples \(n_samples=3\), and a search needs at least 4"):
        CLASSIFIER.fit([[0.0], [1], [2]], [0, 1, 0])
    with pytest.raises(ValueError, match="y holds 1 class"):
        CLASSIFIER.fit(np.eye(5), ["a"] * 5)


def test_a_table_that_cannot_be_read_is_said(tmp_path):
    (tmp_path / "bad.npz").write_text("no table")
    np.savez(tmp_path / "half.npz", x=np.eye(3))
    for name in ("none.npz", "bad.npz", "half.npz"):
        with pytest.raises(ExperimentError, match=rf"{name} cannot be read as a table"):
            table_task(tmp_path / name)
