"""symloss finds loss functions: short formulas, found by evolution, that train better models.

The public names load when they are first used, so that `import symloss` costs neither torch's nor sympy's seconds.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from symloss.judging.tasks.base import SupervisedTask as SupervisedTask
    from symloss.language.formula import Formula as Formula
    from symloss.language.formula import parse as parse
    from symloss.language.loss import SymbolicLoss as SymbolicLoss
    from symloss.language.zoo import zoo as zoo
    from symloss.running.run import resume as resume
    from symloss.running.run import search as search
    from symloss.telling.export import export as export
    from symloss.telling.loading import load as load

__version__ = "0.1.0"

__all__ = [
    "load",
    "export",
    "search",
    "resume",
    "zoo",
    "parse",
    "SupervisedTask",
    "Formula",
    "SymbolicLoss",
    "__version__",
]

# public name -> the module that defines it
_HOMES = {
    "load": "symloss.telling.loading",
    "export": "symloss.telling.export",
    "search": "symloss.running.run",
    "resume": "symloss.running.run",
    "zoo": "symloss.language.zoo",
    "parse": "symloss.language.formula",
    "Formula": "symloss.language.formula",
    "SymbolicLoss": "symloss.language.loss",
    "SupervisedTask": "symloss.judging.tasks.base",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'symloss' has no attribute '{name}'; its public names are {', '.join(__all__)}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
