"""What would run a stranger's code is banned from the package by ruff, and each ban is really heard."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import symloss

PACKAGE = Path(symloss.__file__).parent
BANNED = {
    "eval('1')": "S307",
    "exec('1')": "S102",
    "import pickle": "TID251",
    "from pickle import loads": "TID251",
    "import cloudpickle": "TID251",
    "import dill": "TID251",
    "import joblib": "TID251",
    "import marshal": "TID251",
    "import shelve": "TID251",
    "import yaml": "TID251",
    "import torch\ntorch.load('x')": "TID251",
    "from torch import load": "TID251",
    "import numpy as np\nnp.load('x')": "TID251",
    "import numpy as np\nnp.load('x', allow_pickle=True)": "TID251",
    "import numpy as np\nnp.lib.format.read_array(file)": "TID251",
    "import sympy\nsympy.sympify('x')": "TID251",
    "import sympy\nsympy.S('x')": "TID251",
    "import sympy\nsympy.parse_expr('x')": "TID251",
    "from sympy.parsing.sympy_parser import parse_expr": "TID251",
    "import sympy\nsympy.lambdify(x, x)": "TID251",
    "from deap import gp\ngp.compile(x, y)": "TID251",
    "import subprocess\nsubprocess.run('x', shell=True)": "S602",
    "import subprocess\nsubprocess.Popen('x', shell=True)": "S602",
    "import os\nos.system('x')": "S605",
    "import os\nos.popen('x')": "S605",
    "import xml.etree.ElementTree": "TID251",
    "import runpy": "TID251",
}


@pytest.mark.parametrize("code", BANNED)
def test_a_ban_is_heard_in_the_package(code: str) -> None:
    said = ruff(code, "symloss/telling/x.py")
    assert f" {BANNED[code]} " in said, said


def test_what_is_harmless_is_not_banned() -> None:
    assert "All checks passed" in ruff('"""Doc."""\n\nimport json\n\njson.loads("1")\n', "symloss/telling/x.py")


def ruff(code: str, name: str) -> str:
    arguments = [str(Path(sys.executable).parent / "ruff"), "check", "--no-cache", "--output-format", "concise"]
    done = subprocess.run(
        [*arguments, "--stdin-filename", name, "-"],
        input=code, capture_output=True, text=True, cwd=PACKAGE.parent, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


def test_no_ban_is_lifted_by_a_comment() -> None:
    lifted = ("S102", "S301", "S307", "S602", "S604", "S605", "TID251")
    for path in PACKAGE.rglob("*.py"):
        for line in path.read_text().splitlines():
            if "noqa" in line:
                assert not any(rule in line.partition("noqa")[2] for rule in lifted), f"{path}: {line}"


def test_nothing_is_unpickled_by_an_argument() -> None:
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [each.arg for each in node.keywords] if isinstance(node, ast.Call) else []
            assert not {"allow_pickle", "weights_only", "shell"} & set(names), path
