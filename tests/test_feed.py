"""Mini-batches as a stack gets them: the rows of the data, and labels laid out ahead that are those laid out alone."""

import pytest
import torch

from symloss.judging.batches import load
from symloss.judging.feed import Feed, picking
from symloss.judging.kernel import lay_out
from symloss.judging.plan import Plan
from symloss.judging.soundness import finite, silencing
from symloss.judging.tasks import make_task
from symloss.language.slots import SLOTS

PLAN = Plan(40, (0.01,), (0, 3))


@pytest.mark.parametrize("name", ["digits", "diabetes"])
@pytest.mark.parametrize("ahead", [1, 20_000, 2**20])
def test_every_step_gets_its_own_rows_and_labels(name: str, ahead: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("symloss.judging.feed.AHEAD", ahead)
    task = make_task({"name": name})
    data = load(task, PLAN)
    feed, link = Feed(data, task, reuses=ahead == 1), SLOTS[task.slot].output_link
    assert link is not None
    for step in (*range(1, PLAN.steps + 1), 3, 40, 1):
        batch = feed.batch(step)
        assert torch.equal(batch.x, task.x[data.rows[:, step - 1]])
        assert torch.equal(batch.y, data.targets[:, [step - 1]])
        assert batch.given is not None
        assert torch.equal(batch.given, lay_out(link, batch.y[:, 0], task.width))
        x, y, given = feed.batch_after(torch.tensor([step - 1]))
        assert torch.equal(x, batch.x)
        assert torch.equal(y, batch.y)
        assert given is None


@pytest.mark.parametrize("shape", [(7,), (2, 3), (1, 1, 5), (0,)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64])
def test_rows_are_picked_whatever_they_are(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    source = torch.randn(9, *shape).to(dtype)
    rows = torch.tensor([[8, 0, 3], [3, 1, 8]])
    room = torch.full((3, *shape), -1).to(dtype)
    pick = picking(source, rows, room)
    for each in rows:
        pick(each)
        assert torch.equal(room, source[each])


def test_not_a_number_is_picked_as_it_is() -> None:
    source, room = torch.tensor([[torch.nan, 1.0], [torch.inf, -0.0]]), torch.zeros(2, 2)
    rows = torch.tensor([1, 0])
    picking(source, rows, room)(rows)
    assert torch.equal(room.view(torch.int32), source[rows].view(torch.int32))


@pytest.mark.parametrize("wrong", [-1, 9])
def test_a_row_that_is_not_there_is_refused(wrong: int) -> None:
    """Compiled code would read whatever lies there."""
    rows = torch.tensor([0, wrong, 3])
    pick = picking(torch.randn(9, 4), rows, torch.empty(3, 4))
    with pytest.raises(IndexError, match="out of range"):
        pick(rows)


def test_formulas_inside_a_model_have_nothing_to_lay_out() -> None:
    task = make_task({"name": "digits_activation"})
    assert Feed(load(task, PLAN), task).batch(1).given is None


@pytest.mark.parametrize("compiled", [True, False])
def test_an_unsound_member_ends_and_has_no_gradient(compiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not compiled:
        monkeypatch.setattr("symloss.judging.soundness.passes_for", lambda value: None)
    losses = torch.tensor([[1.0, torch.nan, 2.0], [torch.inf, 0.0, -torch.inf]])
    alive = torch.tensor([[True, True, False], [True, True, True]])
    gradients = torch.full((2, 3, 4, 5), torch.nan).transpose(2, 3)
    silencing(losses, alive, gradients)()
    assert alive.tolist() == [[True, False, False], [False, True, False]]
    assert torch.equal(gradients.isnan().all(-1).all(-1), alive)
    assert not gradients[~alive].any()


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (2, 3, 7), (2, 3)])
@pytest.mark.parametrize("wrong", [torch.nan, torch.inf, -torch.inf])
def test_one_number_of_a_member_that_is_not_finite_is_found(shape: tuple[int, ...], wrong: float) -> None:
    values = torch.full(shape, torch.finfo(torch.float32).max)
    values[1] *= -1
    assert finite(values).all()
    values.view(2, 3, -1)[1, 2, -1] = wrong
    assert finite(values).tolist() == [[True, True, True], [True, True, False]]
