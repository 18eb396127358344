"""What keeps a stranger's SQLite file from acting when it is opened: plain tables alone, bounded values, no journal of
another program's.

https://www.sqlite.org/security.html, "Untrusted SQLite Database Files".
"""

import os
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from symloss.errors import RunError, shortened

LONGEST = 2**22  # bytes of a text or a blob, but for the outputs of the finals
LARGEST = 2**30  # bytes of these

# Table -> what each of its rows must be, as a stranger's file may hold any value in any column.
_NUMBER = "typeof({0}) IN ('integer', 'real') AND abs({0}) < 1e18"
_COUNT = "typeof({0}) = 'integer' AND {0} BETWEEN 0 AND 1000000000000"  # sums of such stay within 64 bits
_SIZE = "typeof({0}) = 'integer' AND {0} BETWEEN 1 AND 1000000000"  # of a formula, in 32 bits
_ROWS = {
    "candidates": {
        "number": _COUNT, "batch": _COUNT,
        "text": "typeof({0}) = 'text'", "formula": "typeof({0}) IN ('text', 'null')", "fault": "typeof({0}) = 'text'",
        "key": "typeof({0}) IN ('text', 'null')", "complexity": f"({{0}} IS NULL OR {_SIZE})",
        "parents": "typeof({0}) = 'text'", "variation": "typeof({0}) = 'text'", "seed": "typeof({0}) = 'text'",
    },
    "outcomes": {
        "candidate": "typeof({0}) = 'integer'", "state": "typeof({0}) = 'text'", "reason": "typeof({0}) = 'text'",
        "seconds": _NUMBER,
    },
    "measurements": {
        "candidate": "typeof({0}) = 'integer'", "step": "typeof({0}) = 'integer' AND {0} >= 1",
        "learning_rate": "typeof({0}) = 'real'", "seed": "typeof({0}) = 'integer'",
        "metric": "typeof({0}) = 'text' AND length({0}) <= 200", "value": "typeof({0}) IN ('integer', 'real', 'null')",
    },
    "batches": {
        "number": _COUNT, "candidates": _COUNT,
        "best": "typeof({0}) IN ('integer', 'real', 'null')", "seconds": _NUMBER,
    },
    "trials": {
        "job": "typeof({0}) = 'text'", "part": "typeof({0}) = 'text'", "formula": "typeof({0}) = 'text'",
        "state": "typeof({0}) = 'text'", "reason": "typeof({0}) = 'text'", "seconds": _NUMBER,
    },
}  # fmt: skip
_ROWS["trial_measurements"] = _ROWS["measurements"].copy()
_ROWS["trial_measurements"]["job"] = _ROWS["trials"]["job"]
del _ROWS["trial_measurements"]["candidate"]
_MAGIC = bytes.fromhex("d9d505f920a163d7")  # begins every rollback journal, and ends one that names another file
_WORDS = re.compile(r"[\w\s(),\"]*")  # of a schema; no numbers' signs, no strings, no expressions
_ACTS = re.compile(r"\b(?:AS|CHECK|COLLATE|DEFAULT|GENERATED|SELECT|TRIGGER|USING|VIEW|VIRTUAL)\b", re.IGNORECASE)
_INDEX = re.compile(r'CREATE (?:UNIQUE )?INDEX "?\w+"? ON "?\w+"? ?\([\w\s,]*\)')  # of columns, not of expressions
_KINDS = ("table", "index")


def harden(connection: sqlite3.Connection) -> None:
    """Let a file's schema call nothing, and its values be of bounded size."""
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    connection.execute("PRAGMA mmap_size = 0")
    setconfig = getattr(connection, "setconfig", None)
    if setconfig is not None:  # Python 3.12: no statement may write to the schema or the file's own pages
        setconfig(getattr(sqlite3, "SQLITE_DBCONFIG_DEFENSIVE"), True)  # noqa: B009 - mypy reads Python 3.11
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)


@contextmanager
def large_values(connection: sqlite3.Connection) -> Iterator[None]:
    """Allow values as large as the outputs of the finals while the block runs."""
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST)
    try:
        yield
    finally:
        with suppress(sqlite3.ProgrammingError):  # closed in the meantime
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST)


def check_plain(path: Path, connection: sqlite3.Connection) -> None:
    """Refuse a schema that is more than tables and indices: views, triggers and expressions would act when it is read.

    Raises:
        RunError: what there is, by its name.
    """
    for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_master"):
        if kind not in _KINDS or not (sql is None or _is_plain(str(kind), str(sql))):
            raise RunError(
                f"{path} holds the {str(kind)[:20]} {ascii(name)[:60]}, which no run store has: it is not used, as it "
                "could act when it is read."
            )


def _is_plain(kind: str, sql: str) -> bool:
    if kind == "index" and not _INDEX.fullmatch(sql):
        return False
    return bool(_WORDS.fullmatch(sql)) and not _ACTS.search(sql)


def check_rows(
    path: Path, connection: sqlite3.Connection, table: str, where: str = "", values: Sequence[int] = ()
) -> None:
    """Refuse rows that hold a value of another kind than their column's; SQLite itself allows any anywhere.

    Args:
        where: of the candidates' numbers, e.g. `BETWEEN ? AND ?`; empty for all.

    Raises:
        RunError: the first column with one.
    """
    rules = [rule.format(column) for column, rule in _ROWS[table].items()]
    among = f"{next(iter(_ROWS[table]))} {where} AND " if where else ""
    query = f"SELECT * FROM {table} WHERE {among}NOT ({' AND '.join(rules)}) LIMIT 1"
    if connection.execute(query, values).fetchone() is None:
        return
    for column, rule in _ROWS[table].items():
        query = f"SELECT {column} FROM {table} WHERE {among}NOT ({rule.format(column)}) LIMIT 1"
        found = connection.execute(query, values).fetchone()
        if found is not None:
            raise RunError(f"{path} is damaged: the column {column} of {table} holds {shortened(ascii(found[0]))}.")


def check_journal(path: Path) -> None:
    """Refuse a journal that names another file: to undo it, SQLite would delete that file.

    symloss never writes one: it is made by transactions over several files.

    Raises:
        RunError: there is one beside the store, or it is a link.
    """
    journal = path.with_name(f"{path.name}-journal")
    try:
        handle = os.open(journal, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    except OSError as error:
        raise RunError(f"{journal} cannot be read, so {path.name} is not opened: {error}.") from error
    with os.fdopen(handle, "rb"):
        size = os.fstat(handle).st_size
        tail = os.pread(handle, len(_MAGIC), max(0, size - len(_MAGIC)))
    if size > len(_MAGIC) and tail == _MAGIC:
        raise RunError(
            f"{journal} was not written by symloss: it names another file, which would be removed. Remove the journal."
        )
