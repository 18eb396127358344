"""Who enters the finals, and by which name: formulas that were found, polished versions of them, and baselines."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from symloss.language.formula import Formula
from symloss.language.zoo import zoo

FOUND, BASELINE = "found", "baseline"
POLISHED = "polished"  # an entrant's name, in place of that of the found one whose numbers were tuned once more


@dataclass(frozen=True)
class Entrant:
    """A formula that enters the finals.

    Args:
        name: as tables and sentences call it.
        role: `found` by the search, or `baseline`.
    """

    name: str
    formula: Formula
    role: str


def entrants(found: Sequence[Formula], baselines: Iterable[str], polished: Sequence[Formula] = ()) -> list[Entrant]:
    """List who enters: found formulas in the order of their fitness in the search, then baselines by zoo name.

    Args:
        polished: the found ones with tuned numbers, in the same order; those that are new enter after the found ones.
    """
    first = [Entrant(f"{FOUND} {place}", formula, FOUND) for place, formula in enumerate(found, 1)]
    known = {formula.key for formula in found}
    for place, formula in enumerate(polished, 1):
        if formula.key not in known:
            known.add(formula.key)
            first.append(Entrant(f"{POLISHED} {place}", formula, FOUND))
    return [*first, *(Entrant(name, zoo[name], BASELINE) for name in baselines)]


def searched_as(finals: Mapping[str, Any]) -> str | None:
    """Return the formula that a winner was in the search, whose numbers may have been polished since.

    Args:
        finals: as a run keeps them.

    Returns:
        The winner's text where it was not polished; None where there is no winner.
    """
    winner, by_name = finals["winner"], {row["name"]: row["formula"] for row in finals["rows"]}
    origins = {text: by_name.get(name.replace(POLISHED, FOUND, 1)) for name, text in by_name.items()}
    return winner if winner is None else origins.get(winner) or winner
