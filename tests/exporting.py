"""What exported files are tried with: targets of every kind, calls with every option, and the answers of symloss.

Exported files run in a process that cannot import symloss.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping

import torch

from symloss.language.loss import SymbolicLoss
from symloss.telling.target import Target, find_target

# Runs before a caller's own lines: no symloss, and a way to load a file.
PREAMBLE = """
import importlib.util, json, sys
sys.modules["symloss"] = None
def load(path):
    spec = importlib.util.spec_from_file_location("exported", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
"""


def run_apart(script: str, jobs: object, environment: Mapping[str, str] | None = None) -> object:
    """Run a script in a process without symloss; jobs go in and answers come back as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", PREAMBLE + script],
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def classification_calls() -> list[dict]:
    generator = torch.Generator().manual_seed(0)
    flat, deep = torch.randn(6, 4, generator=generator), torch.randn(3, 4, 2, 5, generator=generator)
    index = torch.randint(0, 4, (6,), generator=generator)
    ignored = index.clone()
    ignored[2] = 1
    soft = torch.rand(6, 4, generator=generator).softmax(1)
    grid = torch.randint(0, 4, (3, 2, 5), generator=generator)
    weight = [0.5, 2.0, 1.0, 3.0]
    cases = [
        (flat, index, {}),
        (flat, index, {"reduction": "sum", "weight": weight}),
        (flat, ignored, {"ignore_index": 1, "weight": weight, "label_smoothing": 0.2}),
        (flat, soft, {"reduction": "none", "label_smoothing": 0.1}),
        (deep, grid, {"reduction": "none", "weight": weight}),
        (deep, grid, {"label_smoothing": 0.3, "ignore_index": 2}),
    ]
    return [
        {"output": x.tolist(), "others": [y.tolist()], "options": options, "module": number % 2 == 0}
        for number, (x, y, options) in enumerate(cases)
    ]


def regression_calls() -> list[dict]:
    output, target = [0.3, -2.0, 5.0], [0.0, 1.0, 1.0]
    options = [{}, {"reduction": "sum"}, {"reduction": "none"}]
    return [{"output": output, "others": [target], "options": each, "module": bool(each)} for each in options]


def activation_calls() -> list[dict]:
    return [
        {"output": [-2.0, 0.0, 0.5, 9.0], "others": [], "options": {}, "module": module} for module in (True, False)
    ]


CALLS = {"classification": classification_calls, "regression": regression_calls, "activation": activation_calls}

TARGETS = [
    find_target(text)
    for text in (
        "sce",
        "ngl",
        "sparse_lsr",
        "baikal_cma",
        "huber",
        "log_cosh",
        "gelu",
        "relu",
        "min(min(p, t), 0.3)*log(p)/3 - C*t*sqrt(p)*sigmoid(p)",
        "log(C)*t*p - max(C, 3)*sqrt(C)*t",
        "exp(p*t)*log(1 - p) + exp(p*t)*(1 - p)**2 - t*1e30*0.7*p/1e30",
        "aq(r, 2)*sign(r) + softplus(abs(r))**0.5*cos(sin(r))",
        "-(-x)**3/(1/3 + x**2)",
    )
]


def expected(target: Target, call: dict) -> list:
    output = torch.tensor(call["output"], requires_grad=True)
    options = {k: torch.tensor(v) if isinstance(v, list) else v for k, v in call["options"].items()}
    value = SymbolicLoss(target.formula, **options)(output, *(torch.tensor(each) for each in call["others"]))
    (gradient,) = torch.autograd.grad(value.sum(), output)
    return [value.tolist(), gradient.tolist()]
