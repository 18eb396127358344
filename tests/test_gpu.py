"""What only a GPU can show: agreement with torch there, training on it end to end, and steps as CUDA graphs."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from symloss.judging.cuda_graph import CapturedStep
from symloss.judging.plan import Plan
from symloss.judging.tasks.digits import digits
from symloss.judging.train import train_cohort
from symloss.language.candidate import State
from symloss.language.formula import parse
from symloss.language.loss import compile_loss
from tests.test_triton_kernel import SUITE

on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU that torch can use")
TEXTS = ("-t*log(p)", "(t - p)**2", "t*(1 - p**0.7)/0.7", "-t*sqrt(p)")
PLAN = Plan(30, (0.003, 0.01), (0, 5), rungs=(10, 30), stack="stacked")


@on_gpu
@pytest.mark.timeout(7200)
def test_the_kernel_keeps_its_tests_on_the_gpu() -> None:
    """Every operator, the edges, and SYMLOSS_FORMULAS random formulas, each within 1e-5 of torch."""
    environment = {**os.environ, "SYMLOSS_TRITON": "cuda"}
    call = [sys.executable, "-m", "pytest", "-p", "tests.triton_plugin", "-n0", "-q", "-p", "no:cacheprovider"]
    choice = "not numba and not compile and not importing and not interpreter_and_tape"
    done = subprocess.run([*call, *SUITE, "-k", choice], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]


@on_gpu
@pytest.mark.parametrize("model", ["mlp", "convnet"])
@pytest.mark.parametrize("optimiser", ["adam", "sgd", "momentum"])
def test_training_on_the_gpu_is_near_training_on_the_processor(model: str, optimiser: str) -> None:
    functions = [compile_loss(parse(text)) for text in TEXTS]
    here, there = (
        train_cohort(functions, digits(model=model, optimiser=optimiser, hidden=(16,), device=device), PLAN)
        for device in ("cpu", "cuda")
    )
    for one, other in zip(here, there, strict=True):
        assert one.state is other.state is State.SCORED
        for a, b in zip(one.measurements, other.measurements, strict=True):
            assert (a.step, a.learning_rate, a.seed) == (b.step, b.learning_rate, b.seed)
            assert a.values["nll"] == pytest.approx(b.values["nll"], rel=0.02)


@on_gpu
def test_it_repeats_itself_to_the_bit() -> None:
    functions = [compile_loss(parse(text)) for text in TEXTS]
    once, again = (train_cohort(functions, digits(hidden=(16,), device="cuda"), PLAN) for _ in range(2))
    assert [one.measurements for one in once] == [one.measurements for one in again]


@on_gpu
def test_steps_are_captured(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[CapturedStep] = []
    init = CapturedStep.__init__

    def noted(self: CapturedStep, *arguments: object) -> None:
        init(self, *arguments)  # type: ignore[arg-type]
        made.append(self)

    monkeypatch.setattr(CapturedStep, "__init__", noted)
    train_cohort([compile_loss(parse(text)) for text in TEXTS], digits(device="cuda"), PLAN)
    assert [(step.reason, step.captures) for step in made] == [("", 1)]


@on_gpu
def test_a_search_runs_on_the_gpu_in_this_process(tmp_path: Path) -> None:
    experiment = tmp_path / "gpu.toml"
    experiment.write_text(
        'grammar = "compact"\n[task]\nname = "digits"\ndevice = "cuda"\n[budget]\nsteps = 20\n'
        "[stop]\ngenerations = 1\n[finals]\nseeds = 2\nsteps = 20\n"
    )
    call = [sys.executable, "-m", "symloss", "search", str(experiment), "--workers", "0"]
    done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


BLOCKED = (
    "import sys; sys.modules.update(dict.fromkeys(('numba', 'ray', 'sklearn', 'scipy')));"
    "from benchmarks.gpu import main; sys.exit(main({arguments}))"
)


@pytest.mark.parametrize("triton", [True, False])
def test_the_benchmark_runs_without_numba_ray_and_scipy(tmp_path: Path, triton: bool) -> None:
    """At toy size on the processor, as on a machine that has torch, numpy, sympy, DEAP and perhaps Triton."""
    output = tmp_path / "gpu.json"
    script = BLOCKED.format(arguments=["--device", "cpu", "--quick", "--output", str(output)])
    script = script if triton else script.replace("('numba',", "('numba', 'triton',")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(output.read_text())
    assert [len(workload["cohorts"]) for workload in found["workloads"]] == [2, 2, 2]
    assert all(row["scored"] == row["cohort"] for workload in found["workloads"] for row in workload["cohorts"])
    assert len(re.findall(r"cohort +\d+ +[\d.]+ trainings per second", done.stdout)) == 6


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_the_benchmark_says_that_there_is_no_gpu() -> None:
    done = subprocess.run([sys.executable, "-m", "benchmarks.gpu"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "There is no GPU that torch" in done.stdout
