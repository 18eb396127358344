"""The walls between the floors: who may import whom, no circles, and no seconds spent on `--help`."""

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import symloss

PACKAGE = Path(symloss.__file__).parent

# A module may import its own floor and the ones below; a package's name stands for everything inside it.
FLOORS = {
    0: (
        "symloss",
        "symloss.disk",
        "symloss.errors",
        "symloss.interrupts",
        "symloss.markup",
        "symloss.notices",
        "symloss.plugins",
        "symloss.settings",
    ),
    1: ("symloss.language",),
    2: ("symloss.judging",),
    3: ("symloss.searching",),
    4: ("symloss.running",),
    5: ("symloss.telling", "symloss.adapters", "symloss.cli", "symloss.__main__"),
}

# The only homes of what is slow to import or must stay in one place.
HOMES = {
    "ray": {"symloss.judging.cluster"},
    "cmaes": {"symloss.searching.cma", "symloss.judging.tuning"},
    "deap": {
        "symloss.language.tree",
        "symloss.searching.variation",
        "symloss.searching.selection",
        "symloss.searching.nsga2",
    },
    "matplotlib": {"symloss.telling.plot"},
    "jinja2": {"symloss.telling.report.page"},
    "pandas": {"symloss.telling.runtable"},
    "pyarrow": {"symloss.telling.runtable"},
    "numba": {"symloss.judging.compiling"},
    "triton": {"symloss.judging.triton_kernel", "symloss.judging.triton_passes"},
    "jax": {f"symloss.telling.forms.jax_{part}" for part in ("parts", "classification", "regression", "activation")},
    "keras": {
        f"symloss.telling.forms.keras_{part}" for part in ("parts", "classification", "regression", "activation")
    },
    "lightning": {"symloss.adapters.lightning"},
    "mlflow": {"symloss.adapters.mlflow"},
}


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def floor_of(module: str) -> int:
    for floor, members in FLOORS.items():
        for member in members:
            if module == member or (member != "symloss" and module.startswith(member + ".")):
                return floor
    raise AssertionError(f"{module} stands on no floor: add it to FLOORS in {__file__}")


def is_for_types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def statements(tree: ast.AST, inside_functions: bool) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if is_for_types_only(node):
            continue
        if not inside_functions and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        yield node
        yield from statements(node, inside_functions)


def imported(source: str, inside_functions: bool = True) -> set[str]:
    found = set()
    for node in statements(ast.parse(source), inside_functions):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            submodules = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (submodules & SOURCES.keys()) or {str(node.module)}
    return found


def own(modules: set[str]) -> set[str]:
    return modules & SOURCES.keys()


def test_imports_are_read():
    source = "import json\nfrom symloss import errors\ndef f():\n    from symloss.language.formula import parse\n"
    assert {"json", "symloss.errors"} <= imported(source)
    assert "symloss.language.formula" in imported(source)
    assert "symloss.language.formula" not in imported(source, inside_functions=False)


@pytest.mark.parametrize("module", SOURCES)
def test_a_module_imports_only_its_floor_and_below(module):
    floor = floor_of(module)
    above = {name for name in own(imported(SOURCES[module].read_text())) if floor_of(name) > floor}
    assert not above, f"{module} (floor {floor}) imports from above: {sorted(above)}"


@pytest.mark.parametrize("module", [name for name in SOURCES if floor_of(name) == 3])
def test_searching_sees_neither_judging_nor_torch(module):
    names = imported(SOURCES[module].read_text())
    assert not {name for name in own(names) if floor_of(name) == 2}
    assert not {name for name in names if name.split(".")[0] in ("torch", "ray")}


@pytest.mark.parametrize("module", [name for name in SOURCES if floor_of(name) == 2])
def test_judging_does_not_see_searching(module):
    assert not {name for name in own(imported(SOURCES[module].read_text())) if floor_of(name) == 3}


@pytest.mark.parametrize("library", HOMES)
def test_a_library_stays_in_its_homes(library):
    users = {name for name, path in SOURCES.items() if library in {x.split(".")[0] for x in imported(path.read_text())}}
    assert users <= HOMES[library]


def test_imports_have_no_circles():
    graph = {name: own(imported(path.read_text())) - {"symloss", name} for name, path in SOURCES.items()}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError


def loaded_after(*statement: str) -> set[str]:
    """Return the top-level packages that a fresh process holds after running the statements."""
    script = ";".join((*statement, "import sys; print(*{name.split('.')[0] for name in sys.modules})"))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


SLOW = {
    "torch",
    "numba",
    "triton",
    "ray",
    "sympy",
    "deap",
    "sklearn",
    "scipy",
    "numpy",
    "matplotlib",
    "jinja2",
    "pandas",
    "pyarrow",
    "mlflow",
    "tensorboard",
}


def test_importing_symloss_loads_nothing_slow():
    assert not loaded_after("import symloss") & SLOW


@pytest.mark.parametrize(
    "command",
    ["", "search", "resume", "show", "list", "check", "export", "compare", "transfer", "verify", "plot", "report"],
    ids=lambda c: c or "symloss",
)
def test_help_loads_nothing_slow(command):
    arguments = [*command.split(), "--help"]
    call = f"import contextlib; from symloss.cli import main\nwith contextlib.suppress(SystemExit): main({arguments})\n"
    assert not loaded_after(call + "pass") & SLOW


@pytest.mark.parametrize(
    "module",
    ["symloss.language.grammar", "symloss.language.slots", "symloss.language.formula", "symloss.telling.analysis"],
)
def test_reading_formulas_needs_no_torch(module):
    assert not loaded_after(f"import {module}") & {"torch", "ray"}


@pytest.mark.parametrize("module", SOURCES)
def test_nothing_runs_code_from_text(module):
    source = SOURCES[module].read_text()
    called = {ast.unparse(node.func) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)}
    assert not called & {
        "eval",
        "exec",
        "compile",
        "__import__",
        "sympify",
        "sympy.sympify",
        "parse_expr",
        "torch.load",
    }
    assert not {name.split(".")[0] for name in imported(source)} & {"pickle", "yaml", "marshal", "shelve"}
