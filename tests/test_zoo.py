"""The zoo's formulas are the published ones: minimiser, first step, and equality with independent implementations."""

import pytest
import torch

from symloss.errors import FormulaError
from symloss.language.loss import SymbolicLoss
from symloss.language.zoo import ZOO, zoo

LOGITS = torch.randn(64, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2
TARGET = torch.arange(64) % 10
P = LOGITS.softmax(-1)
PY = P[torch.arange(64), TARGET]
T = torch.nn.functional.one_hot(TARGET, 10).double()
ELSE = (1 - T).bool()

PUBLISHED = {
    "cross_entropy": -PY.log(),
    "focal": -((1 - PY) ** 2) * PY.log(),
    "poly1": -PY.log() + 1 - PY,
    "gce": (1 - PY**0.7) / 0.7,
    "sce": -0.1 * PY.log() + 9.210340371976182 * (1 - PY),
    "brier": ((P - T) ** 2).sum(-1),
    "mae": 2 * (1 - PY),
    "label_smoothing": -((0.9 * T + 0.01) * P.log()).sum(-1),
    "bootstrap": -((0.95 * T + 0.05 * P) * P.log()).sum(-1),
    "baikal": -(P.log() - T / P).sum(-1),
    "sparse_lsr": -(0.91 * PY.log() + 0.09 * ((1 - PY) / 9).log()),
    "ngl": ((2.4092 - P * (1 + T)).exp() - P.sin().cos().cos()).mean(-1),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_equals_the_published_loss(name: str) -> None:
    got = SymbolicLoss(zoo[name], reduction="none")(LOGITS, TARGET)
    torch.testing.assert_close(got, PUBLISHED[name], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ZOO)
def test_every_entry_is_a_formula_with_a_source(name: str) -> None:
    entry = ZOO[name]
    assert zoo[name].slot == entry.slot
    assert entry.source
    assert entry.about
    assert entry.name == name


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(FormulaError, match="Did you mean 'baikal'"):
        zoo["baikl"]
