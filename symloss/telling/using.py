"""Naming what installed packages offer, where no experiment, grammar or formula does it."""

from __future__ import annotations

from collections.abc import Callable

from symloss import plugins
from symloss.errors import PluginError, unknown
from symloss.judging.tasks import adopt_task
from symloss.language.operators import adopt_operator
from symloss.language.slots import adopt_slot
from symloss.language.zoo import adopt_entry
from symloss.searching.searches import adopt_search

ADOPTERS: dict[str, Callable[[str], None]] = {
    "operators": adopt_operator,
    "slots": adopt_slot,
    "tasks": adopt_task,
    "searches": adopt_search,
    "zoo": adopt_entry,
}


def use(name: str) -> None:
    """Load what an installed package offers under a name, so that files that use it can be read.

    Args:
        name: as `symloss list` shows it; all kinds of things that are offered under it are loaded.

    Raises:
        PluginError: no package offers it, or what it offers cannot be used.

    Example:
        >>> symloss.use("swoosh")
        >>> symloss.load("theirs.loss.json")
    """
    kinds = [kind for kind in ADOPTERS if name in plugins.offers(kind)]
    if not kinds:
        offered = sorted({each for kind in ADOPTERS for each in plugins.offers(kind)})
        known = (
            unknown("--use", "plug-in", name, offered) if offered else f"--use {name}: no installed package offers it."
        )
        raise PluginError(known)
    for kind in kinds:
        ADOPTERS[kind](name)
