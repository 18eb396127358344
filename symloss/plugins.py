"""What installed packages add to the tables: operators, slots, tasks, searches and published formulas, by entry points.

Only names are read, from the packages' metadata. A package is imported when the user names what it offers: in an
experiment, a grammar, a formula or a command. A file that a stranger wrote names nothing, see `asleep`.
"""

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from symloss.errors import PluginError

KINDS = {
    "operators": "operator",
    "slots": "slot",
    "tasks": "task",
    "searches": "search",
    "zoo": "published formula",
}

Record = TypeVar("Record")

_ASLEEP: ContextVar[bool] = ContextVar("asleep", default=False)


@dataclass(frozen=True)
class Offer:
    """One name that an installed package offers in the entry-point group `symloss.KIND`.

    Args:
        kind: a key of KINDS.
        package: its name and version.
    """

    kind: str
    name: str
    package: str
    entry: EntryPoint

    def __str__(self) -> str:
        return f"the {KINDS[self.kind]} '{self.name}' of the package {self.package}"


_ADOPTED: dict[tuple[str, str], Offer] = {}


def offers(kind: str) -> dict[str, tuple[Offer, ...]]:
    """Return name -> who offers it, by reading metadata alone; nothing is imported."""
    return _offers(kind, tuple(sys.path))


@functools.cache
def _offers(kind: str, path: tuple[str, ...]) -> dict[str, tuple[Offer, ...]]:
    found: dict[str, dict[str, Offer]] = {}
    for entry in entry_points(group=f"symloss.{kind}"):
        package = "unknown package" if entry.dist is None else f"{entry.dist.name} {entry.dist.version}"
        found.setdefault(entry.name, {})[package] = Offer(kind, entry.name, package, entry)
    return {name: tuple(packages.values()) for name, packages in sorted(found.items())}


def adopt(kind: str, table: dict[str, Record], name: str, fit: Callable[[Offer, Any], Record]) -> None:
    """Put what a package offers under a name into a table, when the user has named it; else do nothing.

    Every place that looks a user's name up in a table calls this first.

    Args:
        table: of that kind, e.g. OPERATORS.
        fit: (offer, what the package gave) -> the table's record; raises ValueError in words when it is none.

    Raises:
        PluginError: the name is built in as well, several packages offer it, the package cannot be imported, or what
            it gives is no such record.
    """
    found = offers(kind).get(name, ())
    if not found or (kind, name) in _ADOPTED:
        return
    if name in table:
        raise PluginError(_clash(found[0]))
    if len(found) > 1:
        packages = " and ".join(each.package for each in found)
        raise PluginError(f"{packages} both offer the {KINDS[kind]} '{name}'; uninstall one of them.")
    if _ASLEEP.get():
        raise PluginError(
            f"it uses {found[0]}, and no file loads a package unasked. If you trust that package, name it: "
            f"symloss --use {name} ..., or symloss.use('{name}') in Python."
        )
    table[name] = fit_offer(found[0], fit)
    _ADOPTED[kind, name] = found[0]


def adopted() -> bool:
    """Whether any table holds what a package offers."""
    return bool(_ADOPTED)


def fit_offer(offer: Offer, fit: Callable[[Offer, Any], Record]) -> Record:
    """Import what is offered, and turn it into a record.

    Raises:
        PluginError: either fails.
    """
    try:
        given = offer.entry.load()
    except (Exception, SystemExit) as error:
        raise PluginError(f"{offer} cannot be loaded: {type(error).__name__}: {_short(error)}") from error
    try:
        return fit(offer, given)
    except ValueError as error:
        raise PluginError(f"{offer} cannot be used: {_short(error)}") from error


def record_of(kind: type[Record], named: Callable[[Record], str]) -> Callable[[Offer, Any], Record]:
    """Return a `fit` for packages that give the record itself, under its own name."""

    def fit(offer: Offer, given: Any) -> Record:
        if not isinstance(given, kind):
            raise ValueError(f"{offer.entry.value} is a {type(given).__name__}; it must be a symloss {kind.__name__}.")
        if named(given) != offer.name:
            raise ValueError(f"its record calls itself '{named(given)}'; both names must be one.")
        return given

    return fit


@contextmanager
def asleep() -> Iterator[None]:
    """Load nothing while the block reads a file that a stranger may have written; what is loaded stays known."""
    token = _ASLEEP.set(True)
    try:
        yield
    finally:
        _ASLEEP.reset(token)


def origin(kind: str, name: str) -> str:
    """Return where a table's entry comes from: `built in`, or a package with its version."""
    offer = _ADOPTED.get((kind, name))
    return "built in" if offer is None else offer.package


def unused(kind: str, table: dict[str, Any]) -> list[tuple[Offer, str]]:
    """Return what is offered and not in the table, each with a word on why."""
    rows = []
    for name, found in offers(kind).items():
        for offer in found:
            if (kind, name) not in _ADOPTED:
                rows.append((offer, _clash(offer) if name in table else "loaded when it is named"))
    return rows


def _clash(offer: Offer) -> str:
    return (
        f"refused: {offer} has a name that is built in, and built-in names mean the same everywhere. Ask its authors "
        "to rename it, or uninstall it."
    )


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
