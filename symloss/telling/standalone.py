"""The part of a slot's source that a file needs to compute its losses without symloss.

What is exported is the very code that trains, so the two cannot drift apart, and a new slot needs no template.
"""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path

_LOCAL_IMPORT = re.compile(r"^ +import torch\n\n?", re.MULTILINE)


def standalone_source(module: str, name: str, package: str) -> str:
    """Return the source of a definition and of all top-level definitions in `package` that it needs.

    Modules are read, not imported: a form of a library that is not installed here can be exported all the same.

    Args:
        module: that defines it, e.g. that of a slot's `call`.
        name: of a function, e.g. `call`.
        package: e.g. `symloss.language.slots`; what comes from outside of it is left to the importing file.

    Returns:
        The definitions, each after those that it needs; `import torch` inside functions is left to the file, too.
    """
    needed: dict[str, str] = {}
    _collect(module, name, package, needed)
    return _LOCAL_IMPORT.sub("", "\n\n\n".join(needed.values()))


def module_source(module: str) -> str:
    """Return a module's source, without importing it."""
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).read_text(encoding="utf-8")


def _collect(module: str, name: str, package: str, needed: dict[str, str]) -> None:
    text = module_source(module)
    for statement in ast.parse(text).body:
        if isinstance(statement, ast.ImportFrom) and name in {alias.name for alias in statement.names}:
            if str(statement.module).startswith(package):
                _collect(str(statement.module), name, package, needed)
        elif name in _defined(statement) and name not in needed:
            needed[name] = ""  # ends the recursion of definitions that need each other
            for used in sorted({node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}):
                _collect(module, used, package, needed)
            del needed[name]  # to stand after what it needs
            needed[name] = "\n".join(text.splitlines()[statement.lineno - 1 : statement.end_lineno])


def _defined(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return [statement.name]
    if isinstance(statement, ast.Assign):
        return [target.id for target in statement.targets if isinstance(target, ast.Name)]
    return []
