"""The last free test: a good loss moves free outputs to their targets, a factor decides nothing, company neither."""

import pytest
import torch

from symloss.judging.free_outputs import stuck, unit
from symloss.language.formula import parse
from symloss.language.loss import TorchFunction, compile_loss
from symloss.language.slots import SLOTS
from symloss.language.zoo import ZOO, zoo


def ask(*texts: str, slot: str = "classification", width: int = 10) -> list[str]:
    return stuck([parse(text, slot) for text in texts], slot, width)


def test_a_loss_that_leads_away_is_stuck_and_says_where_it_went() -> None:
    good, bad = ask("-t*log(p)", "t*log(p)")
    assert good == ""
    assert bad.startswith("the share of free outputs that meet their target goes from 0.")
    assert bad.endswith("in 100 steps")


@pytest.mark.parametrize("factor", ["1e-20", "0.001", "1000", "1e20"])
def test_a_factor_of_the_loss_does_not_decide(factor: str) -> None:
    assert ask(f"-{factor}*t*log(p)", f"{factor}*t*log(p)")[0] == ""
    assert ask(f"{factor}*t*log(p)")[0] != ""


@pytest.mark.parametrize("width", [2, 10])
def test_every_published_loss_passes(width: int) -> None:
    names = [name for name, entry in ZOO.items() if entry.slot == "classification"]
    assert stuck([zoo[name] for name in names], "classification", width) == [""] * len(names)


def test_regression_has_free_predictions() -> None:
    answers = ask("r**2", "abs(r)", "log(1 + r**2)", "-r**2", "r", slot="regression", width=1)
    assert [bool(each) for each in answers] == [False, False, False, True, True]
    assert "mean absolute error" in answers[3]


def test_a_slot_without_targets_has_no_such_test() -> None:
    assert SLOTS["activation"].free_outputs is None
    assert ask("tanh(x)", "2*x", slot="activation") == ["", ""]
    assert stuck([], "classification", 10) == []


def test_the_answer_is_the_same_alone_and_in_company() -> None:
    texts = ("-t*log(p)", "t*log(p)", "p*t + p**2", "(p - t)**2", "t/p - log(p)")
    assert ask(*texts) == [ask(text)[0] for text in texts]


def test_a_loss_that_raises_is_left_to_training() -> None:
    class Broken(TorchFunction):
        def __call__(self, **variables: object) -> object:
            raise RuntimeError("broken")

    broken = Broken(parse("-t*log(p)"))
    broken.formula = None  # type: ignore[assignment]  # so that it has no tape and is really called
    assert stuck([broken, compile_loss(parse("t*log(p)"))], "classification", 10)[0] == ""
    assert stuck([broken, compile_loss(parse("t*log(p)"))], "classification", 10)[1] != ""


def test_gradients_are_scaled_candidate_by_candidate() -> None:
    gradient = torch.tensor([[[[1.0, -4.0]], [[torch.nan, 2e-30]], [[0.0, 0.0]], [[torch.inf, 1.0]]]])
    assert unit(gradient).tolist() == [[[[0.25, -1.0]], [[0.0, 1.0]], [[0.0, 0.0]], [[0.0, 1.0]]]]
