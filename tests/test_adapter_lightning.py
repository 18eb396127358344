"""The Lightning module trains, keeps its formula as text, and the callback replaces a module's loss."""

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from symloss.errors import ExperimentError, FormulaError
from symloss.language.formula import parse

pl = pytest.importorskip("lightning.pytorch", reason="pip install 'symloss[lightning]'")

from symloss.adapters.lightning import LossModule, ReplaceLoss  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # Lightning warns about its own habits, e.g. the number of workers

X = torch.randn(96, 2, generator=torch.Generator().manual_seed(0))
LABELS = (X[:, 0] * X[:, 1] > 0).long()
VALUES = X[:, 0] - 2 * X[:, 1]


def loader(y):
    return DataLoader(TensorDataset(X, y), batch_size=96)


def model(outputs):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, outputs))


def trainer(folder, **options):
    options = {"max_epochs": 40} | options
    return pl.Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, default_root_dir=folder, **options,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("loss", "y", "outputs", "metric", "good"),
    [
        ("gce", LABELS, 2, "val_accuracy", lambda value: value > 0.9),
        ("huber", VALUES, 1, "val_mse", lambda value: value < 0.1),
    ],
)
def test_it_trains_and_logs_what_losses_have_in_common(loss, y, outputs, metric, good, tmp_path):
    module, fit = LossModule(model(outputs), loss, learning_rate=0.05, label_smoothing=0.0), trainer(tmp_path)
    fit.fit(module, loader(y))
    (result,) = fit.validate(module, loader(y), verbose=False)
    assert good(result[metric])
    assert {"val_loss", metric} == set(result)
    assert set(fit.test(module, loader(y), verbose=False)[0]) == {name.replace("val", "test") for name in result}
    assert torch.cat(fit.predict(module, DataLoader(X))).shape == (96, outputs)


def test_a_checkpoint_holds_the_formula_as_text(tmp_path):
    module, fit = LossModule(model(2), parse("-t*sqrt(p)"), label_smoothing=0.1), trainer(tmp_path, max_epochs=1)
    fit.fit(module, loader(LABELS))
    path = tmp_path / "one.ckpt"
    fit.save_checkpoint(path)
    kept = torch.load(path, weights_only=True)["hyper_parameters"]
    assert kept["loss"] == "-t*sqrt(p)"
    again = LossModule.load_from_checkpoint(path, model=model(2))
    assert again.loss.formula == module.loss.formula
    assert again.loss.label_smoothing == 0.1
    assert torch.equal(again(X), module.eval()(X))


def test_an_optimiser_may_be_ones_own():
    module = LossModule(model(2), "gce", optimiser=lambda parameters, rate: torch.optim.RMSprop(parameters, lr=rate))
    assert isinstance(module.configure_optimizers(), torch.optim.RMSprop)
    assert LossModule(model(2), optimiser="momentum").configure_optimizers().defaults["momentum"] == 0.9


def test_misuse_is_said():
    with pytest.raises(ExperimentError, match=r"unknown optimiser 'adma'\. Did you mean 'adam'"):
        LossModule(model(2), optimiser="adma")
    with pytest.raises(FormulaError, match="Did you mean 'baikal'"):
        LossModule(model(2), "bakal")
    with pytest.raises(FormulaError, match="no loss of a model's output"):
        LossModule(model(2), "relu")


class Plain(pl.LightningModule):
    """A module of somebody's own."""

    def __init__(self):
        super().__init__()
        self.model, self.criterion = model(2), nn.CrossEntropyLoss()

    def own(self, output, target):
        return nn.functional.cross_entropy(output, target)

    def training_step(self, batch, index):
        return self.criterion(self.model(batch[0]), batch[1]) + 0 * self.own(self.model(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.mark.parametrize("attribute", ["criterion", "own"])
def test_the_callback_replaces_the_loss(attribute, tmp_path):
    module = Plain()
    keys = set(module.state_dict())
    trainer(tmp_path, max_epochs=1, callbacks=[ReplaceLoss("gce", attribute, label_smoothing=0.1)]).fit(
        module, loader(LABELS)
    )
    assert "p**0.7" in getattr(module, attribute).formula.text
    assert set(module.state_dict()) == keys


def test_the_callback_names_the_nearest_attribute(tmp_path):
    fit = trainer(tmp_path, max_epochs=1, callbacks=[ReplaceLoss("gce", "criterium")])
    with pytest.raises(ExperimentError, match=r"Plain has no loss called 'criterium'\. Did you mean 'criterion'"):
        fit.fit(Plain(), loader(LABELS))
