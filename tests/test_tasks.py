"""Tasks: the digits' hardships, parts that a user brings, tasks from a user's file, and what is refused."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from symloss.errors import ExperimentError
from symloss.judging.tasks import base, make_task
from symloss.judging.tasks.base import SupervisedTask
from symloss.judging.tasks.labels import flip_labels
from symloss.judging.tasks.metrics import read_metric
from symloss.judging.tasks.own import PARTS
from symloss.judging.tasks.parts import carve
from symloss.language.zoo import zoo


def rows(n: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, 4, generator=torch.Generator().manual_seed(seed))


def labels(n: int) -> torch.Tensor:
    return torch.arange(n) % 3


def small(**changes) -> SupervisedTask:
    given = {"x": rows(90), "y": labels(90), "model": lambda: nn.Linear(4, 3), "batch_size": 10} | changes
    return SupervisedTask("small", **given)


def refusal(call) -> str:
    with pytest.raises(ExperimentError) as caught:
        call()
    return str(caught.value)


def true_labels(task, split):
    clean = make_task({"name": "digits"})
    assert torch.equal(clean.x, task.x)
    return clean._parts.y[split.train_index]


def test_digits_are_1797_rows_of_pixels_in_0_to_1():
    task = make_task({"name": "digits"})
    test_x, test_y = task.test()
    split = task.split(0)
    assert (len(test_y), len(split.train_y), len(split.valid_y)) == (539, 944, 314)
    assert float(task.x.min()) == 0
    assert float(task.x.max()) == 1
    assert test_x.shape == (539, 64)
    assert int(test_y.bincount().min()) >= 52


@pytest.mark.parametrize("noise", [0.1, 0.4, 0.9])
def test_noise_flips_exactly_its_share_of_training_labels_anew_per_seed(noise):
    task = make_task({"name": "digits", "noise": noise})
    flips = []
    for seed in (0, 1):
        split = task.split(seed)
        wrong = split.train_y != true_labels(task, split)
        assert int(wrong.sum()) == round(noise * len(split.train_y))
        assert torch.equal(split.valid_y, make_task({"name": "digits"}).split(seed).valid_y)
        flips.append(wrong)
    assert not torch.equal(*flips)


def test_who_writes_into_a_split_spoils_no_other():
    task = make_task({"name": "digits"})
    first = task.split(3)
    kept = [part.clone() for part in (first.train_index, first.train_y, first.valid_index, first.valid_y)]
    for part in (first.train_index, first.train_y, first.valid_index, first.valid_y):
        part.zero_()
    again = task.split(3)
    for part, before in zip((again.train_index, again.train_y, again.valid_index, again.valid_y), kept, strict=True):
        assert torch.equal(part, before)


def test_splits_of_more_seeds_than_are_remembered_are_the_same():
    task, fresh = make_task({"name": "digits"}), make_task({"name": "digits"})
    for seed in [*range(20), 0, 1]:
        task.split(seed)
    assert torch.equal(task.split(19).valid_index, fresh.split(19).valid_index)
    assert torch.equal(task.split(0).valid_index, fresh.split(0).valid_index)


def test_flipped_labels_are_uniform_over_the_other_classes():
    noisy = flip_labels(torch.full((9000,), 4), 0.999, 10, torch.Generator().manual_seed(0))
    counts = noisy[noisy != 4].bincount(minlength=10)
    assert counts[4] == 0
    assert int(counts[counts > 0].min()) > 850
    assert len(counts.nonzero()) == 9


def test_pair_noise_flips_to_the_next_class():
    task = make_task({"name": "digits", "noise": 0.3, "noise_kind": "pair"})
    for seed in (0, 1):
        split = task.split(seed)
        true = true_labels(task, split)
        wrong = split.train_y != true
        assert int(wrong.sum()) == round(0.3 * len(split.train_y))
        assert torch.equal(split.train_y[wrong], (true[wrong] + 1) % 10)
        assert set(true[wrong].tolist()) == set(range(10))


def test_hardships_go_together():
    split = make_task({"name": "digits", "noise": 0.2, "noise_kind": "pair", "examples": 200, "imbalance": 5}).split(0)
    assert len(split.train_y) == 200
    true = make_task({"name": "digits"})._parts.y[split.train_index].bincount()
    assert int(true[0]) / int(true[9]) == pytest.approx(5, rel=0.2)


def test_examples_are_kept_in_proportion():
    split = make_task({"name": "digits", "examples": 100}).split(3)
    assert split.train_y.bincount().tolist() == [10] * 10
    assert len(split.valid_y) == 314


def test_imbalance_is_the_ratio_of_most_to_least_frequent_class():
    counts = make_task({"name": "digits", "imbalance": 10}).split(0).train_y.bincount()
    assert int(counts[0]) / int(counts[9]) == pytest.approx(10, rel=0.1)
    assert counts.tolist() == sorted(counts.tolist(), reverse=True)
    assert int(counts[4]) / int(counts[5]) == pytest.approx(10 ** (1 / 9), rel=0.1)


def test_diabetes_inputs_are_standardised_by_the_training_part_alone():
    task = make_task({"name": "diabetes"})
    for seed in (0, 1):
        seen = []
        model = task.model(seed)
        model.model[0].register_forward_pre_hook(lambda module, inputs, seen=seen: seen.append(inputs[0]))
        model(task.x[task.split(seed).train_index])
        assert torch.allclose(seen[0].mean(0), torch.zeros(10), atol=1e-4)
        assert torch.allclose(seen[0].std(0), torch.ones(10), atol=1e-4)


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5])
def test_carving_is_stratified_and_loses_no_row(fraction):
    y = torch.tensor([0] * 50 + [1] * 30 + [2] * 20)
    kept, carved = carve(y, fraction, torch.Generator().manual_seed(0))
    assert sorted([*kept.tolist(), *carved.tolist()]) == list(range(100))
    for label, count in enumerate((50, 30, 20)):
        assert int((y[carved] == label).sum()) == pytest.approx(fraction * count, abs=1)


def test_a_task_of_ones_own_needs_little():
    task = SupervisedTask("mine", x=rows(60), y=labels(60), model=lambda: nn.Linear(4, 3))
    assert (task.slot, task.metric.name, task.width) == ("classification", "accuracy", 3)
    floats = SupervisedTask("mine", x=rows(60), y=rows(60)[:, :1], model=lambda: nn.Linear(4, 1))
    assert (floats.slot, floats.metric.name, floats.width) == ("regression", "mse", 1)


def test_an_nn_module_class_is_a_model_factory():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 3)

        def forward(self, x):
            return self.layer(x)

    assert isinstance(small(model=Net).model(0), Net)


def test_datasets_and_arrays_are_read_once():
    dataset = torch.utils.data.TensorDataset(rows(40), labels(40))
    task = small(x=None, y=None, train=dataset, test=(rows(10, 1).numpy(), labels(10).numpy()))
    assert torch.equal(task.x, rows(40))
    assert torch.equal(task.test()[1], labels(10))
    assert len(task.split(0).valid_y) == 10


def test_a_validation_part_of_ones_own_stays_as_it_is():
    parts = {"train": (rows(30), labels(30)), "validation": (rows(6, 1), labels(6)), "test": (rows(9, 2), labels(9))}
    task = small(x=None, y=None, **parts)
    for seed in (0, 1):
        split = task.split(seed)
        assert torch.equal(task.x[split.valid_index], rows(6, 1))
        assert torch.equal(task.x[split.train_index], rows(30))


def test_parts_that_share_rows_are_refused():
    words = refusal(lambda: small(x=None, y=None, train=(rows(30), labels(30)), test=(rows(30)[5:7], labels(2))))
    assert "2 rows of the test part are also in the train part, the first is test row 0 = train row 5" in words


def distinct(x):
    return {tuple(row) for row in x.tolist()}


def everywhere(task):
    """Return the distinct rows of a task's three parts, for a few seeds."""
    test = distinct(task.test()[0])
    for seed in range(5):
        split = task.split(seed)
        yield distinct(task.x[split.train_index]), distinct(task.x[split.valid_index]), test


@pytest.mark.parametrize("y", [torch.arange(60) % 3, torch.linspace(0, 1, 60)], ids=["labels", "values"])
@pytest.mark.parametrize("twins", [60, 7], ids=["all twice", "a few twice"])
def test_equal_rows_stay_together_in_one_part(y, twins):
    x = rows(60)
    x[3, 0] = 0.0
    again = x[:twins].clone()
    again[3, 0] = -0.0  # equal all the same
    model = (lambda: nn.Linear(4, 3)) if y.dtype == torch.int64 else (lambda: nn.Linear(4, 1))
    task = small(x=torch.cat([x, again]), y=torch.cat([y, y[:twins]]), model=model)
    sizes = set()
    for train, valid, test in everywhere(task):
        assert not train & valid
        assert not (train | valid) & test
        sizes.add((len(train), len(valid)))
        assert len(test) == pytest.approx(0.3 * 60, abs=1)
        assert len(valid) == pytest.approx(0.25 * 42, abs=1)
    assert len(sizes) == 1
    assert {len(task.split(seed).valid_y) for seed in range(5)} == {len(task.split(0).valid_y)}


def test_equal_rows_with_other_labels_stay_together_too():
    for train, valid, test in everywhere(small(x=rows(45).repeat(2, 1), y=torch.randint(0, 3, (90,)))):
        assert not train & valid
        assert not (train | valid) & test


@pytest.mark.parametrize("x", [rows(3), rows(1).expand(90, 4)], ids=["three rows", "one row again and again"])
def test_a_part_without_rows_is_refused(x):
    words = refusal(lambda: small(x=x, y=labels(len(x))))
    assert "part has no rows" in words
    assert "Give more rows, or other fractions" in words


@pytest.mark.parametrize(
    ("alter", "words"),
    [
        (lambda i, y, g: (torch.arange(60), labels(60)), "are not, the first is"),
        (lambda i, y, g: (i[:0], y[:0]), "equally many and at least one; it returned shapes (0,) and (0,)"),
        (lambda i, y, g: (i, y[:5]), "equally many and at least one"),
        (lambda i, y, g: (i, y.float()), "must be finite and stay torch.int64; it returned torch.float32"),
        (lambda i, y, g: y, "as two tensors; it returned Tensor"),
    ],
    ids=["rows of other parts", "no rows", "other lengths", "other kind", "no pair"],
)
def test_an_alteration_that_gives_no_training_part_is_refused(alter, words):
    found = refusal(lambda: small(alter=alter))
    assert "task 'small': alter must return (index, y)" in found
    assert words in found


@pytest.mark.parametrize(
    ("slot", "y", "words"),
    [
        ("classification", rows(90)[:, 0], "y holds floats, which are values, and the slot 'classification' is for"),
        ("activation", rows(90)[:, 0], "Give y as integers 0, 1, ..., e.g. y.long()"),
        ("regression", labels(90), "y holds integers, which are labels, and the slot 'regression' is for values"),
        ("regression", rows(90)[:, 0], "the model has 3 outputs, and the slot 'regression' trains one"),
    ],
)
def test_targets_and_outputs_must_be_of_the_slots_kind(slot, y, words):
    assert words in refusal(lambda: small(slot=slot, y=y))


def test_a_metric_without_a_value_is_refused_before_a_search():
    y = torch.zeros(90, dtype=torch.int64)
    y[:2] = 1  # fewer than every part can have
    found = refusal(lambda: small(y=y, model=lambda: nn.Linear(4, 2), metric="auroc", fractions=(0.02, 0.25)))
    assert "the metric 'auroc' has no value on the validation part, whose 22 targets are all alike." in found
    small(y=y, model=lambda: nn.Linear(4, 2), metric=(lambda outputs, targets: float("nan"), "maximise"))


def test_a_new_slot_is_tried_with_its_own_reference(monkeypatch):
    asked = []

    def forward(function, model, x):
        asked.append(function.formula)
        return model(x)

    monkeypatch.setitem(base.SLOTS, "fresh", replace(base.SLOTS["classification"], baselines=("gce",), forward=forward))
    small(slot="fresh")
    assert asked == [zoo["gce"]]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"x": None}, "task 'small' has no data. Give x and y, or train"),
        ({"train": (rows(9), labels(9))}, "give either x and y, or train, not both"),
        ({"y": labels(80)}, "x must be (rows, ...) and y (rows,), at least one row, got (90, 4) and (80,)"),
        ({"x": rows(90) / 0}, "holds numbers that are not finite"),
        ({"y": labels(90) + 1}, "labels run from 1 to 3, and the model has 3 outputs"),
        ({"model": lambda: nn.Linear(5, 3)}, "the model does not take inputs of shape (2, 4)"),
        ({"model": lambda: 3}, "model must be a function without arguments that returns an nn.Module, it returned int"),
        ({"model": lambda: nn.Flatten(0)}, "the model must map (batch, ...) to (batch, outputs), it gave (8,)"),
        ({"optimiser": "adm"}, "unknown optimiser 'adm'. Did you mean 'adam'?"),
        ({"slot": "classify"}, "unknown slot 'classify'. Did you mean 'classification'?"),
        ({"metric": "acc"}, "unknown metric 'acc'"),
        ({"fractions": (0.3, 1.2)}, "fractions must be two numbers between 0 and 1"),
        ({"learning_rates": ()}, "learning_rates must be positive numbers, at least one"),
        ({"learning_rates": (0.1, float("inf"))}, "learning_rates must be positive numbers, at least one"),
        ({"learning_rates": ("0.1",)}, "learning_rates must be positive numbers, at least one"),
        ({"metric": "f1"}, "'f1' is for 2 outputs, and the model has 3"),
        ({"metric": "mse"}, "'mse' is for values, and its targets are labels"),
        ({"also": ("nll", "r2")}, "'r2' is for values, and its targets are labels"),
        ({"x": rows(90) * float("nan")}, "inputs that are not finite. Clean them before training; or set standardise"),
        ({"x": rows(90) / 0, "standardise": True}, "holds numbers that are not finite. Clean them"),
        (
            {"standardise": [True, False]},
            "truth value for each of the inputs, of shape (4,); it is torch.bool of shape (2,)",
        ),
        ({"standardise": [1, 0, 1, 1]}, "it is torch.int64 of shape (4,)"),
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1, got 0"),
    ],
)
def test_what_does_not_fit_is_refused(changes, words):
    assert words in refusal(lambda: small(**changes))


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({}, "[task] needs either name (one of adult, boston_housing, "),
        ({}, 'xor) or factory, e.g. factory = "my_task.py:task".'),
        ({"name": "digts"}, "[task] name names an unknown task 'digts'. Did you mean 'digits'?"),
        ({"name": "digits", "nois": 0.4}, "[task] digits names an unknown option 'nois'. Did you mean 'noise'?"),
        ({"name": "digits", "noise": 1.5}, "noise must be at least 0 and below 1, got 1.5"),
        ({"name": "digits", "noise": True}, "noise must be at least 0 and below 1, got True"),
        ({"name": "digits", "noise_kind": "pairs"}, "unknown kind of noise 'pairs'. Did you mean 'pair'?"),
        ({"name": "digits", "noise_kind": ["pair"]}, "unknown kind of noise '['pair']'"),
        ({"name": "digits", "examples": 0}, "examples must be at least 1, got 0"),
        ({"name": "digits", "examples": 2.5}, "examples must be a whole number"),
        ({"name": "digits", "imbalance": 0.5}, "imbalance must be at least 1"),
        ({"name": "digits", "model": "cnn"}, "unknown model 'cnn'. Did you mean 'convnet'?"),
        ({"name": "digits", "model": [3]}, "unknown model '[3]'"),
        ({"name": "digits", "metric": "auc"}, "unknown metric 'auc'. Did you mean"),
        ({"name": "digits", "metric": "f1"}, "'f1' is for 2 outputs, and the model has 10"),
        ({"name": "digits", "metric": ["f1"]}, "metric must be a name or (function, "),
        ({"name": "diabetes", "metric": "accuracy"}, "'accuracy' is for labels, and its targets are values"),
        ({"name": "diabetes", "noise": 0.2}, "[task] diabetes names an unknown option 'noise'"),
        ({"name": "digits", "side": 8}, "[task] digits names an unknown option 'side'"),
        ({"name": "digits", "model": "glo", "hidden": [64]}, "model = 'glo' has the layers that were published. Leave"),
        ({"name": "sine", "amplitude": 0}, "amplitude must be a number above 0, got 0"),
        ({"name": "sine", "frequency": True}, "frequency must be a number above 0, got True"),
        ({"name": "sine", "phase": float("nan")}, "phase must be a number of radians, got nan"),
        ({"name": "xor", "hidden": 16}, "hidden must be a list of layer widths"),
        ({"name": "digits", "hidden": "64"}, "hidden must be a list of layer widths"),
        ({"factory": "my_task:task"}, "factory must be 'file.py:function'"),
        ({"factory": "none.py:task"}, "none.py, which does not exist. A relative path starts from"),
    ],
)
def test_a_section_that_names_no_task_is_refused(spec, words, tmp_path):
    assert words in refusal(lambda: make_task({**spec, "folder": str(tmp_path)}))


def test_ctrl_c_in_a_users_file_is_no_fault_of_it(tmp_path):
    (tmp_path / "own.py").write_text("def task():\n    raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        make_task({"factory": "own.py:task", "folder": str(tmp_path)})


def test_a_model_factory_that_exits_is_explained():
    def leave():
        raise SystemExit(3)

    assert "the model factory raised SystemExit: 3." in refusal(lambda: small(model=leave))


def test_a_metric_never_sees_a_diverged_models_outputs():
    def strict(outputs, targets):
        assert bool(outputs.isfinite().all())
        return float(targets.sum())

    outputs = torch.ones(3, 4, 2)
    outputs[1, 2, 0] = torch.inf
    values = read_metric("task 'small'", (strict, "maximise")).function(outputs, torch.ones(4))
    assert values.isnan().tolist() == [False, True, False]
    assert values[0] == 4


def test_more_examples_than_there_are_is_refused():
    spec = {"name": "digits", "examples": 900, "imbalance": 10}
    assert "needs more rows than the training part has" in refusal(lambda: make_task(spec))


OWN = """
import sys
import torch
from torch import nn
from symloss import SupervisedTask
from symloss.judging.tasks.own import PARTS
from symloss.judging.tasks.task import Split

def task(classes=3):
    x = torch.randn(60, 4, generator=torch.Generator().manual_seed(0))
    return SupervisedTask("own", x=x, y=torch.arange(60) % 3, model=lambda: nn.Linear(4, classes), batch_size=16)

def broken():
    return 1 / 0

def leaves():
    raise SystemExit(3)

def wrong():
    return 3

def part(lacks):
    made = task()
    return type("Part", (), {each: getattr(made, each) for each in PARTS if each != lacks})

def spoilt(what, value):
    made = task()
    return type("Spoilt", (), {each: getattr(made, each) for each in PARTS} | {what: value})

def raising():
    return spoilt("test", lambda: 1 / 0)

def exiting():
    return spoilt("test", lambda: sys.exit("enough"))

def leaking():
    whole = torch.arange(9)
    return spoilt("split", lambda seed: Split(whole, whole % 3, whole[:4], whole[:4] % 3))
"""


def test_a_users_file_is_a_task(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    task = make_task({"factory": "own.py:task", "folder": str(tmp_path), "classes": 5})
    assert (task.name, task.width, task.batch_size) == ("own", 5, 16)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"factory": "own.py:tusk"}, "names an unknown function 'tusk'. Did you mean 'task'?"),
        ({"factory": "own.py:broken"}, "factory own.py:broken raised ZeroDivisionError: division by zero."),
        ({"factory": "own.py:wrong"}, "must return a SupervisedTask (or an object like it), it returned int"),
        *(({"factory": "own.py:part", "lacks": name}, f"returned type without {name}.") for name in PARTS),
        ({"factory": "own.py:spoilt", "what": "slot", "value": "fun"}, "unknown slot 'fun'"),
        ({"factory": "own.py:raising"}, "split, model or test of its task raised ZeroDivisionError"),
        ({"factory": "own.py:leaves"}, "factory own.py:leaves raised SystemExit: 3."),
        ({"factory": "own.py:exiting"}, "split, model or test of its task raised SystemExit: enough."),
        ({"factory": "exit.py:task"}, "exit.py raised SystemExit: 2."),
        ({"factory": "own.py:leaking"}, "it gave 9 and 4 rows, 4 of them in both"),
        ({"factory": "own.py:task", "clases": 4}, "does not take these options"),
        ({"factory": "own.py:task", "classes": 2}, "labels run from 0 to 2, and the model has 2 outputs"),
        ({"factory": "bad.py:task"}, "raised SyntaxError"),
    ],
)
def test_a_users_file_that_is_no_task_is_refused(spec, words, tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "bad.py").write_text("def task(:\n")
    (tmp_path / "exit.py").write_text("raise SystemExit(2)\n")
    assert words in refusal(lambda: make_task({**spec, "folder": str(tmp_path)}))
