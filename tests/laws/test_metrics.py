"""Laws of the metrics: one number per member, equal to scikit-learn's where it has one, and per example a mean."""

import numpy as np
import pytest
import sklearn.metrics
import torch

from symloss.errors import ExperimentError
from symloss.judging.tasks.metrics import METRICS, read_metric

LABELS = {"accuracy", "nll", "ece"}
REFERENCE = {
    "accuracy": lambda out, y: sklearn.metrics.accuracy_score(y, out.argmax(-1)),
    "nll": lambda out, y: sklearn.metrics.log_loss(y, out.softmax(-1).numpy(), labels=range(4)),
    "mse": lambda out, y: sklearn.metrics.mean_squared_error(y, out[:, 0]),
    "mae": lambda out, y: sklearn.metrics.mean_absolute_error(y, out[:, 0]),
    "r2": lambda out, y: sklearn.metrics.r2_score(y, out[:, 0]),
}


def example(name: str) -> tuple[torch.Tensor, torch.Tensor]:
    draws = torch.Generator().manual_seed(3)
    outputs = 3 * torch.randn(2, 3, 50, 4, generator=draws, dtype=torch.float64)
    if name in LABELS:
        return outputs, torch.randint(0, 4, (2, 1, 50), generator=draws)
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


@pytest.mark.parametrize("name", REFERENCE)
def test_equals_scikit_learn(name):
    outputs, targets = example(name)
    ours = METRICS[name].function(outputs[1, 2], targets[1, 0])
    assert float(ours) == pytest.approx(REFERENCE[name](outputs[1, 2], targets[1, 0]), abs=1e-9)


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
