"""Models for images: the published network, options that reach them, and that all of them train."""

import pytest
import torch
from torch import nn

from symloss.errors import ExperimentError
from symloss.judging.plan import Plan
from symloss.judging.tasks import make_task
from symloss.judging.tasks.digits import enlarged, pixels
from symloss.judging.tasks.dropout import SeededDropout
from symloss.judging.tasks.networks import MODELS, choose_model
from symloss.judging.train import train_cohort
from symloss.language.candidate import State
from symloss.language.formula import parse
from symloss.language.loss import compile_loss


def test_glos_network_is_the_published_one():
    model = choose_model("glo", (1, 28, 28), None, (128,), 10)()
    assert [tuple(value.shape) for value in model.parameters()] == [
        (32, 1, 5, 5), (32,), (64, 32, 5, 5), (64,), (1024, 7 * 7 * 64), (1024,), (10, 1024), (10,),
    ]  # fmt: skip
    kinds = [type(layer) for layer in model]
    block = [nn.Conv2d, nn.ReLU, nn.MaxPool2d]
    assert kinds == [nn.Unflatten, *block, *block, nn.Flatten, nn.Linear, nn.ReLU, SeededDropout, nn.Linear]
    assert model[-2].share == 0.4


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32)])
def test_models_take_rows_of_pixels(name, shape):
    channels, rows, columns = shape
    model = choose_model(name, shape, None, (16,), 7)().eval()
    x = torch.rand(3, channels * rows * columns)
    assert model(x).shape == (3, 7)
    if name != "mlp":  # what it sees is the image, channel after channel
        assert torch.equal(model[0](x), x.view(3, *shape))


def test_hidden_layers_reach_the_models_that_have_them():
    for name, biases in {"mlp": [5, 3, 10], "convnet": [16, 32, 5, 3, 10]}.items():
        task = make_task({"name": "digits28", "model": name, "hidden": [5, 3]})
        assert [len(value) for key, value in task.model(0).named_parameters() if key.endswith("bias")] == biases
    with pytest.raises(ExperimentError, match="Leave out hidden"):
        make_task({"name": "digits28", "model": "glo", "hidden": [5]})


def test_seeds_have_dropouts_of_their_own():
    task = make_task({"name": "digits", "model": "glo"})
    keys = {int(value) for seed in (0, 1, 0) for name, value in task.model(seed).named_buffers() if "key" in name}
    assert len(keys) == 2


def test_enlarged_digits_are_the_digits():
    x, _ = pixels()
    large = enlarged(x).view(-1, 28, 28)
    assert float(large.min()) == 0
    assert float(large.max()) <= 1
    assert torch.allclose(large.mean((1, 2)), x.mean(1), atol=0.02)
    small = make_task({"name": "digits"})
    assert torch.equal(make_task({"name": "digits28"}).x, enlarged(small.x))
    assert torch.equal(make_task({"name": "digits28"}).test()[1], small.test()[1])


@pytest.mark.parametrize("stack", ["stacked", "single"])
@pytest.mark.parametrize("model", MODELS)
def test_every_model_learns_stacked_and_single(model, stack, one_thread):
    task = make_task({"name": "digits", "model": model, "batch_size": 32})
    plan = Plan(60, (0.005,), (0,), stack=stack)
    (trained,) = train_cohort([compile_loss(parse("-t*log(p)"))], task, plan)
    assert trained.state is State.SCORED
    assert trained.measurements[0].values["accuracy"] > 0.75
