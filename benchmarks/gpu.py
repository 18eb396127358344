"""Trainings per second of cohorts on a GPU, against the plain loop on the same GPU: `python -m benchmarks.gpu`.

It needs torch, triton, numpy, sympy and DEAP, and no installed symloss: `PYTHONPATH=. python -m benchmarks.gpu`.
Data are drawn, since only their shape matters. `--device cpu --quick` tries it without a GPU; its figures say nothing.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable, Sequence
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from symloss.judging.batches import load
from symloss.judging.feed import Feed
from symloss.judging.plan import Plan
from symloss.judging.tasks.base import SupervisedTask
from symloss.judging.train import train_cohort
from symloss.language.candidate import State
from symloss.language.formula import parse
from symloss.language.loss import TorchFunction, compile_loss
from symloss.language.slots import SLOTS

SIZES = (1, 4, 16, 64, 256, 1024, 4096)
RATE = 0.003
CLASSES = 10


def perceptron(*sizes: int) -> Callable[[], nn.Module]:
    """Return what makes linear layers with ReLU between them."""
    return lambda: nn.Sequential(
        *[layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.ReLU())][:-1],
    )


def convnet() -> nn.Module:
    """Make two convolutions with pooling for 8 x 8 pixels."""
    return nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)),
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(128, CLASSES),
    )


# name -> model, features, rows, rows per step
WORKLOADS: dict[str, tuple[Callable[[], nn.Module], int, int, int]] = {
    "digits, MLP 64-32-10": (perceptron(64, 32, CLASSES), 64, 1800, 64),
    "images, MLP 784-128-10": (perceptron(784, 128, CLASSES), 784, 10_000, 128),
    "digits, convnet": (convnet, 64, 1800, 64),
}


def make_task(name: str, device: str) -> SupervisedTask:
    """Draw the data of a workload: classes around centres."""
    model, features, rows, batch = WORKLOADS[name]
    draws = torch.Generator().manual_seed(0)
    y = torch.randint(0, CLASSES, (rows,), generator=draws)
    x = torch.randn(CLASSES, features, generator=draws)[y] + 2 * torch.randn(rows, features, generator=draws)
    return SupervisedTask(name, x=x, y=y, model=model, batch_size=batch, learning_rates=(RATE,), device=device)


def losses(count: int) -> list[TorchFunction]:
    """Return so many distinct losses of the usual size."""
    shapes = ("-t*log(p)*(1 - p)**{c}", "t*(1 - p**{c})/{c}", "(t - p)**2 + {c}*p", "-t*log(p) - {c}*t*sqrt(p)")
    return [compile_loss(parse(shapes[i % 4].format(c=round(0.3 + 0.001 * i, 3)))) for i in range(count)]


def seconds(device: str, call: Callable[[], object]) -> float:
    """Return how long a call takes, to the end of what it has started on a GPU."""
    wait = torch.cuda.synchronize if device.startswith("cuda") else lambda: None
    wait()
    started = time.perf_counter()
    call()
    wait()
    return time.perf_counter() - started


def train_plainly(function: TorchFunction, task: SupervisedTask, plan: Plan) -> Tensor:
    """Train one model as a competent user would: autograd, the fused optimiser, data on the device."""
    model, data = task.model(plan.seeds[0]), load(task, plan)
    feed = Feed(data, task)
    optimiser = torch.optim.Adam(model.parameters(), lr=RATE, fused=True)
    objective = SLOTS[task.slot].objective
    for step in range(1, plan.steps + 1):
        x, y, _ = feed.batch(step)
        optimiser.zero_grad(set_to_none=True)
        objective(function, model(x[0])[None, None], y).sum().backward()
        optimiser.step()
    with torch.no_grad():
        return (model(data.judged_x[0]).argmax(-1) == data.judged_y[0, 0]).double().mean()


def measure_plain(task: SupervisedTask, plan: Plan, device: str, count: int) -> float:
    """Return the plain loop's trainings per second."""
    functions = losses(count)
    train_plainly(functions[0], task, plan)
    return count / seconds(device, lambda: [float(train_plainly(each, task, plan)) for each in functions])


def measure_cohort(task: SupervisedTask, plan: Plan, device: str, count: int) -> dict[str, Any]:
    """Return a cohort's trainings per second, after one that compiles what there is to compile."""
    functions = losses(count)
    train_cohort(list(islice(functions, 4)), task, plan)
    ended: list[Any] = []
    spent = seconds(device, lambda: ended.extend(train_cohort(functions, task, plan)))
    scored = sum(trained.state is State.SCORED for trained in ended)
    return {"cohort": count, "seconds": spent, "trainings_per_second": count / spent, "scored": scored}


def measure(name: str, device: str, steps: int, sizes: Sequence[int], memory: int) -> dict[str, Any]:
    """Measure a workload, and print each figure as it comes."""
    task, plan = make_task(name, device), Plan(steps, (RATE,), (0,), stack="stacked", memory=memory)
    plain = measure_plain(task, plan, device, 4)
    print(f"{name}\n  plain loop   {plain:10.2f} trainings per second", flush=True)
    rows: list[dict[str, Any]] = []
    for size in sizes:
        try:
            rows.append(measure_cohort(task, plan, device, size))
        except torch.OutOfMemoryError as error:
            rows.append({"cohort": size, "error": str(error).splitlines()[0]})
            print(f"  cohort {size:5d}  out of memory", flush=True)
            continue
        rate = rows[-1]["trainings_per_second"]
        print(f"  cohort {size:5d} {rate:10.2f} trainings per second, {rate / plain:.1f} times", flush=True)
    return {"workload": name, "plain_trainings_per_second": plain, "cohorts": rows}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and write the figures with what they were measured on."""
    parser = argparse.ArgumentParser(prog="benchmarks.gpu", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true", help="cohorts of 1 and 4, few steps: tries the benchmark")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/gpu.json"))
    given = parser.parse_args(arguments)
    on_gpu = given.device.startswith("cuda")
    if on_gpu and not torch.cuda.is_available():
        print(f"There is no GPU that torch {torch.__version__} can use. --device cpu --quick tries it without one.")
        return 2
    steps, sizes = (4, (1, 4)) if given.quick else (200, SIZES)
    memory = int(0.6 * torch.cuda.get_device_properties(given.device).total_memory) if on_gpu else 2**30
    facts = {
        "device": torch.cuda.get_device_name(given.device) if on_gpu else platform.machine(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "steps": steps,
        "quick": given.quick,
    }
    results = [measure(name, given.device, steps, sizes, memory) for name in WORKLOADS]
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(json.dumps(facts | {"workloads": results}, indent=1) + "\n")
    print(f"written to {given.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
