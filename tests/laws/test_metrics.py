"""Laws of the metrics: one number per member, equal to scikit-learn's where it has one, and per example a mean."""

import re

import numpy as np
import pytest
import sklearn.metrics
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from symloss.errors import ExperimentError
from symloss.judging.tasks.metrics import METRICS, check_metric, read_metric

LABELS = {name for name, metric in METRICS.items() if metric.targets == "labels"}
REFERENCE = {
    "accuracy": lambda out, y: sklearn.metrics.accuracy_score(y, out.argmax(-1)),
    "nll": lambda out, y: sklearn.metrics.log_loss(y, out.softmax(-1).numpy(), labels=range(out.shape[-1])),
    "balanced_accuracy": lambda out, y: sklearn.metrics.balanced_accuracy_score(y, out.argmax(-1)),
    "f1": lambda out, y: sklearn.metrics.f1_score(y, out.argmax(-1)),
    "f1_macro": lambda out, y: sklearn.metrics.f1_score(y, out.argmax(-1), average="macro"),
    "auroc": lambda out, y: sklearn.metrics.roc_auc_score(y, scores(out), multi_class="ovr"),
    "auprc": lambda out, y: sklearn.metrics.average_precision_score(
        y if out.shape[-1] == 2 else np.eye(out.shape[-1])[y.numpy()], scores(out)
    ),
    "mse": lambda out, y: sklearn.metrics.mean_squared_error(y, out[:, 0]),
    "mae": lambda out, y: sklearn.metrics.mean_absolute_error(y, out[:, 0]),
    "r2": lambda out, y: sklearn.metrics.r2_score(y, out[:, 0]),
    "side": lambda out, y: sklearn.metrics.accuracy_score(y > 0.5, out[:, 0] > 0.5),
}


def scores(outputs: torch.Tensor) -> np.ndarray:
    """Return the softmax as scikit-learn takes it: of class 1, or of every class."""
    probabilities = outputs.softmax(-1).numpy()
    return probabilities[:, 1] if outputs.shape[-1] == 2 else probabilities


def example(name: str, classes: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    draws = torch.Generator().manual_seed(3)
    classes = METRICS[name].outputs or classes
    outputs = 3 * torch.randn(2, 3, 50, classes, generator=draws, dtype=torch.float64)
    if name in LABELS:
        return outputs, torch.randint(0, classes, (2, 1, 50), generator=draws)
    return outputs[..., :1], torch.randn(2, 1, 50, generator=draws, dtype=torch.float64)


@pytest.mark.parametrize("name", METRICS)
def test_members_get_what_they_get_alone(name):
    outputs, targets = example(name)
    together = METRICS[name].function(outputs, targets)
    assert together.shape == (2, 3)
    for s in range(2):
        for k in range(3):
            alone = METRICS[name].function(outputs[s, k], targets[s, 0])
            assert float(alone) == pytest.approx(float(together[s, k]), abs=1e-12)


@pytest.mark.parametrize("name", METRICS)
def test_a_shared_target_serves_all_members(name):
    outputs, targets = example(name)
    shared = METRICS[name].function(outputs, targets[0, 0])
    assert torch.equal(shared, METRICS[name].function(outputs, targets[0, 0].expand(2, 3, 50)))


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("name", REFERENCE)
def test_equals_scikit_learn(name, classes):
    outputs, targets = example(name, classes)
    ours = METRICS[name].function(outputs[1, 2], targets[1, 0])
    assert float(ours) == pytest.approx(REFERENCE[name](outputs[1, 2], targets[1, 0]), abs=1e-9)


def test_every_metric_but_calibration_has_a_reference():
    assert set(METRICS) - set(REFERENCE) == {"ece"}  # scikit-learn has none; it is computed by hand below


@settings(deadline=None)
@given(
    hits=st.lists(st.booleans(), min_size=2, max_size=40).filter(lambda hits: len(set(hits)) == 2),
    data=st.data(),
)
@pytest.mark.parametrize("name", ["auroc", "auprc", "f1", "balanced_accuracy"])
def test_ties_and_rare_classes_count_as_in_scikit_learn(name, hits, data):
    levels = data.draw(st.lists(st.integers(-2, 2), min_size=len(hits), max_size=len(hits)))
    outputs = torch.stack([torch.zeros(len(hits)), torch.tensor(levels) / 2], -1)
    targets = torch.tensor(hits).long()
    assert float(METRICS[name].function(outputs, targets)) == pytest.approx(REFERENCE[name](outputs, targets), abs=1e-9)


def test_what_rounds_to_certainty_is_still_ranked():
    outputs = torch.tensor([[0.0, 60.0], [0.0, 80.0], [0.0, 100.0], [0.0, 120.0]])
    assert len(outputs.softmax(-1)[:, 1].unique()) == 1
    assert float(METRICS["auroc"].function(outputs, torch.tensor([0, 0, 1, 1]))) == 1
    assert float(METRICS["auprc"].function(outputs, torch.tensor([1, 0, 1, 1]))) == pytest.approx((1 + 1 + 3 / 4) / 3)


def test_a_class_without_rows_is_left_out_of_the_means():
    outputs, targets = example("auroc", 3)
    two = targets[0, 0] % 2  # of three classes
    assert not bool(METRICS["auroc"].function(outputs, two).isnan().any())
    assert not bool(METRICS["auprc"].function(outputs, two).isnan().any())
    assert not bool(METRICS["balanced_accuracy"].function(outputs, two).isnan().any())


def test_what_has_no_value_is_no_number():
    outputs = example("auroc", 2)[0]
    assert bool(METRICS["auroc"].function(outputs, torch.zeros(50).long()).isnan().all())
    assert bool(METRICS["auprc"].function(outputs, torch.zeros(50).long()).isnan().all())
    assert METRICS["f1"].function(torch.tensor([[1.0, 0.0]]), torch.tensor([0])).tolist() == 0


@pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if metric.per_example])
def test_per_example_values_have_the_metric_as_their_mean(name):
    outputs, targets = example(name)
    values = METRICS[name].per_example(outputs, targets)
    assert values.shape == (2, 3, 50)
    torch.testing.assert_close(values.mean(-1), METRICS[name].function(outputs, targets))


def test_calibration_error_by_hand():
    # Four examples of confidence .8 (bin 12), of which three are right; six of confidence .6 (bin 9), all wrong.
    confidence = torch.tensor([0.8] * 4 + [0.6] * 6, dtype=torch.float64)
    outputs = torch.stack([confidence, 1 - confidence], -1).log()
    targets = torch.tensor([0, 0, 0, 1, 1, 1, 1, 1, 1, 1])
    assert float(METRICS["ece"].function(outputs, targets)) == pytest.approx(0.4 * 0.05 + 0.6 * 0.6)


def test_a_users_function_of_one_model_serves_many():
    def worst(outputs, targets):
        assert outputs.shape == (50, 1)
        assert targets.shape == (50,)
        return (outputs[:, 0] - targets).abs().max()

    metric = read_metric("task 'mine'", (worst, "minimise"))
    outputs, targets = example("mse")
    assert (metric.name, metric.maximise) == ("worst", False)
    expected = (outputs[..., 0] - targets).abs().amax(-1)
    assert np.allclose(metric.function(outputs, targets), expected)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("acuracy", "task 'mine' names an unknown metric 'acuracy'. Did you mean 'accuracy'?"),
        ((max, "maximize"), "unknown direction 'maximize'. Did you mean 'maximise'?"),
        (3, "metric must be a name or (function, 'maximise' or 'minimise'), got 3"),
    ],
)
def test_what_is_no_metric_is_refused(given, words):
    with pytest.raises(ExperimentError) as caught:
        read_metric("task 'mine'", given)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("name", "labels", "outputs", "words"),
    [
        (
            "mse",
            True,
            10,
            "the metric 'mse' is for values, and its targets are labels. For labels there are: accuracy, ",
        ),
        ("auprc", False, 1, "'auprc' is for labels, and its targets are values. For values there are: mae, mse, r2, s"),
        ("f1", True, 10, "'f1' is for 2 outputs, and the model has 10. f1_macro, balanced_accuracy, auroc and auprc"),
    ],
)
def test_a_metric_without_meaning_for_a_task_is_refused(name, labels, outputs, words):
    with pytest.raises(ExperimentError, match=re.escape(words)):
        check_metric("task 'mine'", METRICS[name], labels, outputs)


def test_metrics_are_taken_where_they_have_a_meaning():
    for name in LABELS:
        check_metric("task 'mine'", METRICS[name], True, 2)
    own = read_metric("task 'mine'", (lambda outputs, targets: 0.0, "maximise"))
    for labels in (True, False):
        check_metric("task 'mine'", own, labels, 7)
