"""The public names: lazy, documented, and the same whichever import came first."""

import pytest
import torch

import symloss
from symloss.errors import FormulaError
from symloss.language.formula import parse
from symloss.language.loss import SymbolicLoss
from symloss.language.lossfile import write_loss
from symloss.language.zoo import ZOO, zoo

LOGITS, TARGET = torch.linspace(-2, 2, 12).reshape(3, 4), torch.tensor([0, 3, 1])


@pytest.mark.parametrize("name", symloss.__all__)
def test_every_public_name_is_there(name):
    assert getattr(symloss, name) is not None
    assert name in dir(symloss)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        symloss.lod  # noqa: B018


def test_load_takes_the_options_of_torch():
    weight = torch.tensor([1.0, 2.0, 0.5, 1.0])
    loss = symloss.load("-t*log(p)", "sum", weight, ignore_index=3, label_smoothing=0.1)
    expected = torch.nn.functional.cross_entropy(
        LOGITS, TARGET, weight, reduction="sum", ignore_index=3, label_smoothing=0.1
    )
    assert loss(LOGITS, TARGET) == pytest.approx(float(expected), rel=1e-5)


def test_load_reads_names_and_files(tmp_path):
    path = tmp_path / "mine.loss.json"
    write_loss(path, parse("t/p - log(p)"))
    assert symloss.load(path).formula == symloss.load("baikal").formula == symloss.zoo["baikal"]


def test_load_refuses_what_is_nothing():
    with pytest.raises(FormulaError, match="Did you mean 'baikal'"):
        symloss.load("bakal")


def test_the_zoo_is_a_mapping():
    assert symloss.zoo["gce"].text == zoo["gce"].text
    assert set(symloss.zoo) == set(symloss.zoo.keys()) == set(ZOO)
    assert len(symloss.zoo) == len(ZOO)
    assert "gce" in symloss.zoo
    assert "nothing" not in symloss.zoo
    assert dict(symloss.zoo)["gce"] == symloss.zoo["gce"]
    with pytest.raises(FormulaError, match="Did you mean"):
        symloss.zoo["gec"]


def test_symbolic_loss_is_the_module():
    assert symloss.SymbolicLoss is SymbolicLoss
