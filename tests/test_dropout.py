"""Dropout from a training's own seed: right in training, off in judging, and the same wherever and beside whom."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from symloss.judging.plan import Plan
from symloss.judging.stacking import choose_stacking
from symloss.judging.tasks.base import SupervisedTask
from symloss.judging.tasks.dropout import SeededDropout, scrambled
from symloss.judging.train import train_cohort
from symloss.language.formula import parse
from symloss.language.loss import compile_loss

ONES = torch.ones(50, 400)


def layer(seed: int = 0, share: float = 0.4) -> SeededDropout:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return SeededDropout(share)


def masks(dropout: nn.Module, steps: int = 3) -> list[Tensor]:
    return [dropout(ONES) == 0 for _ in range(steps)]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.4, 0.9])
def test_a_share_is_zeroed_and_the_rest_is_scaled_up(share: float) -> None:
    out = layer(share=share)(ONES)
    zeroed = out == 0
    assert float(zeroed.float().mean()) == pytest.approx(share, abs=4 * 0.5 / ONES.numel() ** 0.5)
    assert torch.allclose(out[~zeroed], torch.tensor(1 / (1 - share)))


def test_rows_columns_steps_and_seeds_are_independent() -> None:
    first, second, _ = masks(layer())
    (other,) = masks(layer(seed=1), 1)
    near = 4 * 0.5 / ONES.numel() ** 0.5
    for one, two in [(first, second), (first, other), (first[1:], first[:-1]), (first[:, 1:], first[:, :-1])]:
        assert float((one & two).float().mean()) == pytest.approx(0.16, abs=near)
    for dimension, rows in ((0, 50), (1, 400)):
        assert float((first.float().mean(dimension) - 0.4).abs().max()) < 5 * 0.5 / rows**0.5


def test_judging_sees_no_dropout_and_moves_no_draw() -> None:
    dropout = layer()
    expected = masks(layer())
    assert torch.equal(dropout(ONES) == 0, expected[0])
    dropout.eval()
    assert torch.equal(dropout(ONES), ONES)
    dropout.train()
    assert torch.equal(dropout(ONES) == 0, expected[1])


def test_global_random_numbers_are_neither_used_nor_moved() -> None:
    dropout, expected = layer(), masks(layer())
    torch.manual_seed(5)
    before = torch.get_rng_state()
    assert all(torch.equal(*pair) for pair in zip(masks(dropout), expected, strict=True))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_stack_draws_what_each_seed_draws_alone() -> None:
    dropouts = [layer(seed) for seed in (0, 1)]
    buffers = {
        name: torch.stack([dict(each.named_buffers())[name] for each in dropouts]).unsqueeze(1).repeat(1, 3)
        for name in ("key", "draws")
    }
    model = layer()

    def one(own: dict[str, Tensor], x: Tensor) -> Any:
        return functional_call(model, own, (x,))

    for step in (1, 2):
        stacked = vmap(vmap(one, in_dims=(0, None)))(buffers, torch.stack([ONES, ONES]))
        for seed, dropout in enumerate(dropouts):
            alone = dropout(ONES)
            assert all(torch.equal(stacked[seed, column], alone) for column in range(3))
        assert buffers["draws"].tolist() == [[step] * 3] * 2


def test_the_gradient_passes_where_the_number_passed() -> None:
    x = torch.ones(40, requires_grad=True)
    out = layer()(x)
    (gradient,) = torch.autograd.grad(out.sum(), [x])
    assert torch.equal(gradient, out.detach())


def test_hashes_are_splitmix64s() -> None:
    # The first output for the seed 0 is the finaliser of the golden constant: 0xE220A8397B1DCDAF.
    assert int(scrambled(torch.tensor(0x9E3779B97F4A7C15 - 2**64))) % 2**64 == 0xE220A8397B1DCDAF


def net() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 32), nn.ReLU(), SeededDropout(0.4), nn.Linear(32, 3))


@pytest.fixture
def task(one_thread: None) -> SupervisedTask:
    x = torch.randn(120, 4, generator=torch.Generator().manual_seed(0))
    y = (x[:, 0] > 0).long() + (x[:, 1] > 0).long()
    return SupervisedTask("dropped", x=x, y=y, model=net, batch_size=20)


TEXTS = ("-t*log(p)", "(t - p)**2", "-t*sqrt(p)")


def values(task: SupervisedTask, texts: tuple[str, ...], stack: str, seeds: tuple[int, ...] = (3, 4)) -> list[Any]:
    plan = Plan(20, (0.01, 0.1), seeds, rungs=(10, 20), stack=stack)
    outcomes = train_cohort([compile_loss(parse(text)) for text in texts], task, plan)
    return [[(each.step, each.learning_rate, each.seed, each.values) for each in one.measurements] for one in outcomes]


@pytest.mark.parametrize("stack", ["stacked", "single"])
def test_numbers_are_the_same_alone_and_in_company(task: SupervisedTask, stack: str) -> None:
    together = values(task, TEXTS, stack)
    for text, expected in zip(TEXTS, together, strict=True):
        assert values(task, (text,), stack) == [expected]
    by_seed = [each for each in together[0] if each[2] == 4]
    assert values(task, TEXTS[:1], stack, (4,)) == [by_seed]


def test_stacked_and_one_by_one_are_the_same_training(task: SupervisedTask) -> None:
    for stacked, single in zip(values(task, TEXTS, "stacked"), values(task, TEXTS, "single"), strict=True):
        for one, other in zip(
            sorted(stacked, key=lambda each: each[:3]), sorted(single, key=lambda each: each[:3]), strict=True
        ):
            assert one[:3] == other[:3]
            assert one[3] == pytest.approx(other[3], rel=1e-4)


def test_dropout_makes_a_difference(task: SupervisedTask) -> None:
    plain = SupervisedTask(
        "plain",
        train=(task.x, task._parts.y),
        test=task.test(),
        batch_size=20,
        model=lambda: nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 3)),
    )
    assert values(task, TEXTS[:1], "single") != values(plain, TEXTS[:1], "single")


def test_torchs_own_dropout_trains_one_by_one(one_thread: None) -> None:
    x = torch.randn(60, 4, generator=torch.Generator().manual_seed(0))
    torchs = SupervisedTask(
        "torchs",
        x=x,
        y=(x[:, 0] > 0).long(),
        batch_size=10,
        model=lambda: nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.4), nn.Linear(8, 2)),
    )
    decision = choose_stacking(torchs, Plan(5, (0.01,), (0, 1)))
    assert decision.stack == "single"
    assert "cannot be stacked" in decision.reason
