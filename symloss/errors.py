"""What a user can meet when something is wrong: one family of errors, and the words for an unknown name.

Every message says the place, what was got, what is allowed and what to do.
"""

import difflib
from collections.abc import Iterable

LONGEST = 200  # characters of what was got, in a complaint


class SymlossError(Exception):
    """The parent of every error that symloss raises for a user's input or machine."""


class GrammarError(SymlossError):
    """A grammar file or a tree text that does not fit its grammar."""


class FormulaError(SymlossError):
    """A formula that cannot be read, is undefined everywhere, or is too large."""


class ExperimentError(SymlossError):
    """An experiment, a task or a setting that symloss cannot run."""


class RunError(SymlossError):
    """A run directory, a loss file or a pool that is missing, damaged or in use."""


class DiskError(RunError):
    """A disk that is full, gone or write-protected; what was written before is whole, and stays."""


class PausedError(DiskError):
    """A run that stopped because of its disk, and goes on by a resume."""


class PluginError(SymlossError):
    """A package that offers something to symloss and cannot be used."""


def closest(got: str, known: Iterable[str]) -> str:
    """Return ` Did you mean 'log'?` for the nearest known name, or nothing when none is near."""
    near = difflib.get_close_matches(got, list(known), n=1, cutoff=0.5)
    return f" Did you mean '{near[0]}'?" if near else ""


def shortened(got: str) -> str:
    """Return what was got as a complaint may hold it: a stranger's text may be as long as a book."""
    return got if len(got) <= LONGEST else f"{got[:LONGEST]} ..."


def visible(text: str) -> str:
    """Write control characters as escapes: a stranger's text must not steer the terminal that shows it.

    Example:
        >>> visible("a\\x1b[2Jb")
        'a\\\\x1b[2Jb'
    """
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def visible_lines(text: str) -> str:
    """Write control characters as escapes, but for the ends of lines; see `visible`."""
    return "\n".join(visible(line) for line in text.split("\n"))


def unknown(place: str, kind: str, got: str, known: Iterable[str]) -> str:
    """Word the complaint about a name that no table holds.

    Example:
        >>> unknown("mine.toml: [operators]", "operator", "lgo", ["log", "add"])
        "mine.toml: [operators] names an unknown operator 'lgo'. Did you mean 'log'? Known: add, log."
    """
    names, got = sorted(known), shortened(got)
    return f"{place} names an unknown {kind} '{got}'.{closest(got, names)} Known: {', '.join(names)}."
