"""Exports are what they claim: the torch file computes the same without symloss, and no text of a stranger can run."""

import ast
import re
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import sympy
import torch

from symloss.errors import FormulaError
from symloss.language.formula import parse
from symloss.language.loss import SymbolicLoss
from symloss.language.lossfile import read_loss
from symloss.language.operators import OPERATORS, Operator
from symloss.language.zoo import ZOO
from symloss.telling.analysis import evaluate
from symloss.telling.export import EXPORTS, to_latex, to_loss, to_sympy
from symloss.telling.heading import docstring, function_name
from symloss.telling.jax_file import to_jax
from symloss.telling.keras_file import to_keras
from symloss.telling.target import Target, find_target
from symloss.telling.torch_file import to_torch
from tests.exporting import CALLS, TARGETS, expected, run_apart

HOSTILE = '"""\nimport os; os.system("touch hacked")\n"""\\\x00\'\'\' {reduction} \u202e'

# Calls exported files, and prints values and gradients.
CALLER = """
import torch
torch.set_num_threads(1)
def answer(module, names, call):
    output = torch.tensor(call["output"], requires_grad=True)
    others = [torch.tensor(each) for each in call["others"]]
    options = {k: torch.tensor(v) if isinstance(v, list) else v for k, v in call["options"].items()}
    if call["module"]:
        value = getattr(module, names[0])(**options)(output, *others)
    else:
        value = getattr(module, names[1])(output, *others, **options)
    (gradient,) = torch.autograd.grad(value.sum(), output)
    return [value.tolist(), gradient.tolist()]
jobs = json.load(sys.stdin)
print(json.dumps([[answer(load(path), names, call) for call in calls] for path, names, calls in jobs]))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory) -> list:
    folder, jobs = tmp_path_factory.mktemp("exported"), []
    for number, target in enumerate(TARGETS):
        path = folder / f"exported{number}.py"
        path.write_text(to_torch(target))
        name = function_name(target)
        class_name = "".join(word.capitalize() for word in name.split("_"))
        jobs.append([str(path), [class_name, name], CALLS[target.formula.slot]()])
    return run_apart(CALLER, jobs)


@pytest.mark.parametrize("number", range(len(TARGETS)), ids=lambda number: TARGETS[number].formula.text)
def test_torch_export_computes_the_same_without_symloss(number, answers):
    target = TARGETS[number]
    for got, call in zip(answers[number], CALLS[target.formula.slot](), strict=True):
        for one, other in zip(got, expected(target, call), strict=True):
            assert torch.allclose(torch.tensor(one), torch.tensor(other), rtol=1e-5, atol=1e-6, equal_nan=True)


@pytest.mark.parametrize("name", ZOO)
def test_every_published_formula_exports_to_valid_files(name):
    target = find_target(name)
    torch_file = ast.parse(to_torch(target))
    imports = [node for node in ast.walk(torch_file) if isinstance(node, ast.Import | ast.ImportFrom)]
    roots = {alias.name for node in imports if isinstance(node, ast.Import) for alias in node.names}
    roots |= {str(node.module) for node in imports if isinstance(node, ast.ImportFrom)}
    assert roots == {"__future__", "collections.abc", "typing", "torch"}
    ast.parse(to_sympy(target))
    assert to_latex(target).strip()


@pytest.mark.parametrize("write", [to_torch, to_sympy, to_jax, to_keras])
def test_texts_from_a_stranger_stay_texts(write):
    plain = Target("file", "mine", parse("-t*log(p)"), "a source", {"sentence": "a sentence"})
    hostile = Target("file", f"mine{HOSTILE}", parse("-t*log(p)"), HOSTILE, {"sentence": HOSTILE})

    def statements(target: Target) -> list[str]:
        body = ast.parse(write(target)).body
        assert ast.get_docstring(ast.parse(write(target)))
        return [type(statement).__name__ for statement in body]

    assert statements(hostile) == statements(plain)


def test_docstring_reads_back():
    text = 'quotes """ and \\ backslash \\N{DIGIT ONE}'
    assert ast.literal_eval(f'"""{docstring(text)}"""') == text


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("baikal_cma", "baikal_cma"),
        ("class", "symbolic"),
        ("12", "symbolic"),
        ("my loss-2", "my_loss_2"),
        ("", "symbolic"),
    ],
)
def test_function_names(name, expected):
    assert function_name(Target("file", name, parse("p*t"))) == expected


def test_a_name_that_the_code_uses_is_not_taken():
    assert function_name(Target("file", "call", parse("p*t")), taken={"call"}) == "symbolic"
    assert "def symbolic(" in to_torch(Target("file", "call", parse("p*t")))


def test_sympy_exports_build_the_formulas():
    # All files in one process, each in a namespace of its own, at a point inside every domain.
    point = {"t": 0.3, "p": 0.37, "C": 4, "y": 0.1, "f": 0.5, "r": 0.4, "x": 0.37}
    sources = [
        f"{to_sympy(target)}\nprint(formula.subs({{v: {point}[v.name] for v in formula.free_symbols}}).evalf())"
        for target in TARGETS
    ]
    functions = [
        f"def build{n}():\n" + textwrap.indent(source, "    ") + f"\nbuild{n}()" for n, source in enumerate(sources)
    ]
    done = subprocess.run([sys.executable, "-c", "\n".join(functions)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for target, line in zip(TARGETS, done.stdout.splitlines(), strict=True):
        here = float(evaluate(target.formula.node, {name: point[name] for name in target.formula.variables}))
        assert float(line) == pytest.approx(here, rel=1e-9), target.formula.text


def test_loss_export_reads_back(tmp_path):
    target = find_target("baikal")
    path = tmp_path / "baikal.loss.json"
    path.write_text(to_loss(target))
    assert read_loss(path).formula == target.formula
    assert "1905.11528" in str(read_loss(path).evidence)


def test_every_export_is_described():
    assert all(export.about and export.suffix.startswith(".") for export in EXPORTS.values())


def _everywhere(*arguments):
    return np.ones(np.broadcast_shapes(*(np.shape(a) for a in arguments)), dtype=bool)


@pytest.fixture
def own_operators(monkeypatch):
    records = (
        Operator("atan", 1, sympy.atan, np.arctan, "torch.atan", _everywhere, "inverse tangent"),
        Operator("atan2", 2, sympy.atan2, np.arctan2, "torch.atan2", _everywhere, "angle of a point"),
        Operator("bell", 1, lambda a: sympy.exp(-(a**2)), lambda a: np.exp(-(a**2)), None, _everywhere, "bell"),
        Operator("elsewhere", 1, sympy.sinh, np.sinh, "mine.sinh", _everywhere, "no function of torch"),
    )
    for record in records:
        monkeypatch.setitem(OPERATORS, record.name, record)
    yield
    monkeypatch.undo()


@pytest.mark.usefixtures("own_operators")
def test_one_record_is_all_that_a_new_operator_takes():
    formula = parse("atan(f)*y + atan2(f, y) - atan2(0.5, f)*bell(f)", "regression")
    target = Target("formula", "formula", formula)
    calls = set(re.findall(r"[\w.]+\([\w., ]+\)", to_torch(target)))
    assert {"torch.atan(f)", "_atan2(f, y)", "_atan2(0.5, f)"} <= calls
    assert "return torch.atan2(a, b)" in to_torch(target)
    assert "sympy.atan(f)" in to_sympy(target)
    assert "sympy.atan2(0.5, f)" in to_sympy(target).replace("sympy.Float(0.5)", "0.5")
    f = torch.tensor([0.3, -1.0], dtype=torch.float64)
    values = SymbolicLoss(formula, reduction="none")(f, torch.ones_like(f))
    assert np.allclose(values, evaluate(formula.node, {"f": f.numpy(), "y": 1.0}))


@pytest.mark.usefixtures("own_operators")
def test_a_function_that_is_not_torchs_own_is_said_to_be():
    with pytest.raises(FormulaError, match=r"elsewhere is computed by mine\.sinh"):
        to_torch(Target("formula", "formula", parse("elsewhere(x)", "activation")))
