"""symloss finds loss functions: short formulas, found by evolution, that train better models.

The public names load when they are first used, so that `import symloss` costs neither torch's nor sympy's seconds.
"""

import importlib
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from symloss.api import load as load
    from symloss.formula import Formula as Formula
    from symloss.formula import parse as parse
    from symloss.loss import SymbolicLoss as SymbolicLoss
    from symloss.run import search as search
    from symloss.tasks.base import SupervisedTask as SupervisedTask

__version__ = "0.1.0"

__all__ = ["load", "search", "zoo", "parse", "SupervisedTask", "Formula", "SymbolicLoss", "__version__"]

# public name -> the module that defines it
_HOMES = {
    "load": "symloss.api",
    "parse": "symloss.formula",
    "Formula": "symloss.formula",
    "SymbolicLoss": "symloss.loss",
    "SupervisedTask": "symloss.tasks.base",
}


class _Zoo(ModuleType):
    """The module `symloss.zoo`, readable as a mapping from name to Formula: `symloss.zoo["baikal"]`."""

    def __getitem__(self, name: str) -> "Formula":
        formula: Formula = self.zoo(name)
        return formula

    def __iter__(self) -> Iterator[str]:
        return iter(self.ZOO)

    def __len__(self) -> int:
        return len(self.ZOO)

    def __contains__(self, name: object) -> bool:
        return name in self.ZOO

    def keys(self) -> list[str]:
        return list(self.ZOO)


class _Search(ModuleType):
    """The package `symloss.search`, callable as what its name says: `symloss.search("experiment.toml")`."""

    def __call__(self, *args: object, **kwargs: object) -> object:
        return importlib.import_module("symloss.run").search(*args, **kwargs)


class _Symloss(ModuleType):
    # `zoo` and `search` are submodules as well as public names. The import system sets a submodule on its parent as
    # soon as anything imports it, so the public face is put on there, whichever import came first.
    _faces = {"zoo": _Zoo, "search": _Search}  # noqa: RUF012 - ClassVar of a module's class says nothing more

    def __setattr__(self, name: str, value: object) -> None:
        if name in self._faces and isinstance(value, ModuleType):
            value.__class__ = self._faces[name]
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Symloss


def __getattr__(name: str) -> object:
    if name in _Symloss._faces:
        return importlib.import_module(f"symloss.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'symloss' has no attribute '{name}'; its public names are {', '.join(__all__)}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
