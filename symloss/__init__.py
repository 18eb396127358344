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
    from symloss.running.offering import open_run as open_run
    from symloss.running.run import resume as resume
    from symloss.running.run import search as search
    from symloss.telling.export import export as export
    from symloss.telling.loading import load as load
    from symloss.telling.runtable import read_run as read_run
    from symloss.telling.transfer import transfer_target as transfer
    from symloss.telling.using import use as use
    from symloss.telling.verification import verify_file as verify

__version__ = "0.1.0"

__all__ = [
    "load",
    "export",
    "search",
    "resume",
    "open_run",
    "read_run",
    "verify",
    "transfer",
    "use",
    "zoo",
    "parse",
    "SupervisedTask",
    "Formula",
    "SymbolicLoss",
    "__version__",
]

# public name -> `module:name`, where it is defined
_HOMES = {
    "load": "symloss.telling.loading:load",
    "export": "symloss.telling.export:export",
    "search": "symloss.running.run:search",
    "resume": "symloss.running.run:resume",
    "open_run": "symloss.running.offering:open_run",
    "read_run": "symloss.telling.runtable:read_run",
    "verify": "symloss.telling.verification:verify_file",
    "transfer": "symloss.telling.transfer:transfer_target",
    "use": "symloss.telling.using:use",
    "zoo": "symloss.language.zoo:zoo",
    "parse": "symloss.language.formula:parse",
    "Formula": "symloss.language.formula:Formula",
    "SymbolicLoss": "symloss.language.loss:SymbolicLoss",
    "SupervisedTask": "symloss.judging.tasks.base:SupervisedTask",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'symloss' has no attribute '{name}'; its public names are {', '.join(__all__)}")
    module, _, own = _HOMES[name].partition(":")
    value = getattr(importlib.import_module(module), own)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
