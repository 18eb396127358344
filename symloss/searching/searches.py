"""The table of search methods: what proposes formulas, behind `ask(n)` and `tell(outcomes)`.

A new method is one file here and one line in SEARCHES.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

from symloss import plugins
from symloss.errors import ExperimentError, closest, unknown
from symloss.language.grammar import Grammar
from symloss.searching.aging import Aging, AgingSettings
from symloss.searching.base import Search, SearchSettings
from symloss.searching.coefficients import CoefficientSearch, CoefficientSettings
from symloss.searching.elites_map import ElitesMap, MapSettings
from symloss.searching.evolution import Evolution, EvolutionSettings
from symloss.searching.evomal import Evomal, EvomalSettings
from symloss.searching.fitness import Judge
from symloss.searching.glo import Glo, GloSettings
from symloss.searching.islands import Islands, IslandSettings
from symloss.searching.nsga2 import Nsga2, ParetoSettings
from symloss.searching.proposing import Method
from symloss.searching.random_search import RandomSearch, RandomSettings
from symloss.searching.taylor import TaylorSearch, TaylorSettings
from symloss.settings import read_record


@dataclass(frozen=True)
class SearchRecord:
    """A search method.

    Args:
        settings: the record that its settings are read into.
        make: (grammar, settings) -> Method.
        about: one line for people.
        steady: whether it may be told small batches in any order, as an asynchronous search does; CMA-ES may not,
            because a generation must be drawn from the distribution that it moves. Nor may such a method's proposals be
            preselected.
    """

    name: str
    settings: type[SearchSettings]
    make: Callable[[Grammar, SearchSettings], Method]
    about: str
    steady: bool = False


_TABLE = (
    SearchRecord("random", RandomSettings, RandomSearch.of, "newly grown trees: the baseline", steady=True),
    SearchRecord("evolution", EvolutionSettings, Evolution.of, "genetic programming as in GLO", steady=True),
    SearchRecord("aging", AgingSettings, Aging.of, "regularised evolution: the oldest die, not the worst", steady=True),
    SearchRecord(
        "nsga2", ParetoSettings, Nsga2.of, "a front of fitness against complexity, cost or robustness", steady=True
    ),
    SearchRecord("islands", IslandSettings, Islands.of, "evolution on islands, with migration in a ring", steady=True),
    SearchRecord(
        "map_elites", MapSettings, ElitesMap.of, "the fittest formula of every shape of gradient", steady=True
    ),
    SearchRecord("coefficients", CoefficientSettings, CoefficientSearch.of, "CMA-ES over given formulas' coefficients"),
    SearchRecord("glo", GloSettings, Glo.of, "GLO as published: evolution, then CMA-ES over the best's coefficients"),
    SearchRecord(
        "evomal",
        EvomalSettings,
        Evomal.of,
        "EvoMAL: each formula's numbers tuned by gradients, then judged",
        steady=True,
    ),
    SearchRecord("taylor", TaylorSettings, TaylorSearch.of, "TaylorGLO: CMA-ES over Taylor polynomials"),
)

SEARCHES: dict[str, SearchRecord] = {record.name: record for record in _TABLE}


def adopt_search(name: str) -> None:
    """Let a package that offers a search of this name add it to SEARCHES, see `plugins.adopt`."""
    plugins.adopt("searches", SEARCHES, name, plugins.record_of(SearchRecord, lambda record: record.name))


def read_settings(method: str, settings: Mapping[str, object], place: str = "") -> SearchSettings:
    """Read a method's settings into its own record.

    Args:
        settings: those that differ from the method's defaults, e.g. `{"population": 40, "mutations": {"regrow": 0.1}}`.
        place: the file they are from, as complaints name it.

    Raises:
        ExperimentError: the method or a setting is unknown, or a value is not allowed.
    """
    try:
        adopt_search(method)
        if method not in SEARCHES:
            raise ExperimentError(unknown("[search] method", "search", method, SEARCHES))
        _refuse_foreign(method, settings)
        read = read_record(SEARCHES[method].settings, settings, "[search]")
        _refuse_unsteady(method, read)
        return read
    except ExperimentError as error:
        raise ExperimentError(f"{place}: {error}" if place else str(error)) from error


def _refuse_foreign(method: str, settings: Mapping[str, object]) -> None:
    """Say whose a setting is that another method has: who changes the method of a file meets the old one's settings."""
    names = {name: [each.name for each in fields(record.settings)] for name, record in SEARCHES.items()}
    for key in settings:
        owners = [f"'{name}'" for name, known in names.items() if key in known]
        if key not in names[method] and owners:
            whole, meant = f"""--set 'search={{method="{method}"}}'""", closest(key, names[method])
            raise ExperimentError(
                f"[search] has {key}, which is a setting of {', '.join(owners)} and not of '{method}'.{meant} Known: "
                f"{', '.join(sorted(names[method]))}. On the command line, change a method with its section: {whole}."
            )


def _refuse_unsteady(method: str, settings: SearchSettings) -> None:
    if SEARCHES[method].steady:
        return
    able = ", ".join(f"'{name}'" for name, record in SEARCHES.items() if record.steady)
    for is_asked, asked, reason, allowed in (
        (settings.asynchronous, "asynchronous is true", "learns from whole generations", "false"),
        (settings.preselect > 1, f"preselect is {settings.preselect}", "learns from all that it draws", "1"),
    ):
        if is_asked:
            words = f"{asked}, and '{method}' {reason}; allowed: {allowed}, or one of the methods {able}"
            raise ExperimentError(f"[search] {words}.")


def make_search(
    method: str, grammar: Grammar, judge: Judge, seed: int, settings: Mapping[str, object], width: int = 10
) -> Search:
    """Make a search, whose every proposal is a function of these arguments and of the outcomes told to it.

    Args:
        method: a name in SEARCHES.
        settings: see `read_settings`.
        width: number of the base model's outputs, over which proposals are looked at.

    Raises:
        ExperimentError: the method or a setting is unknown, or a value is not allowed.

    Example:
        >>> search = make_search("evolution", load_grammar("compact"), Judge("accuracy", True), 0, {"population": 40})
        >>> len(search.ask())
        40
    """
    read = read_settings(method, settings)
    return Search(SEARCHES[method].make(grammar, read), grammar, judge, seed, read, width)


__all__ = ["SEARCHES", "Method", "Search", "SearchRecord", "SearchSettings", "make_search", "read_settings"]
