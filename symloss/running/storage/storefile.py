"""The run store as a file: its tables, and opening it with every kind of damage said in words.

SQLite keeps it whole through crashes; a reader may look while the driver writes.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from symloss.disk import full_disk, room_words
from symloss.errors import DiskError, RunError
from symloss.running.storage.recollection import SCHEMA
from symloss.running.storage.storeguard import check_journal, check_plain, harden

APPLICATION = 0x53594D4C  # "SYML", so that another program's file is known as such
VERSION = 3  # 2: candidates may be stopped at a rung; 3: what the search was told is kept
WAIT = 30.0  # seconds that a reader waits for a transaction to end
TABLES = {
    "meta", "candidates", "outcomes", "measurements", "batches", "trials", "trial_measurements", "trial_outputs",
}  # fmt: skip
SINCE = {"told": 3}  # table -> the first version that has it

# What SQLite says where a file system keeps no locks, as some network file systems do.
_LOCKING = {
    sqlite3.SQLITE_IOERR_LOCK, sqlite3.SQLITE_IOERR_RDLOCK, sqlite3.SQLITE_IOERR_UNLOCK,
    sqlite3.SQLITE_IOERR_CHECKRESERVEDLOCK,
}  # fmt: skip
NO_LOCKS = (
    "Its file system keeps no locks, so a second driver could not be kept out: put runs on a local disk, with --out."
)

_SCHEMA = f"""{SCHEMA}
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE candidates (
    number INTEGER PRIMARY KEY, batch INTEGER NOT NULL, text TEXT NOT NULL, formula TEXT, key TEXT, complexity INTEGER,
    fault TEXT NOT NULL, parents TEXT NOT NULL, variation TEXT NOT NULL, seed TEXT NOT NULL
);
CREATE INDEX candidates_by_key ON candidates (key);
CREATE TABLE outcomes (
    candidate INTEGER PRIMARY KEY REFERENCES candidates, state TEXT NOT NULL, reason TEXT NOT NULL, twin INTEGER,
    seconds REAL NOT NULL
);
CREATE TABLE measurements (
    candidate INTEGER NOT NULL REFERENCES candidates, step INTEGER NOT NULL, learning_rate REAL NOT NULL,
    seed INTEGER NOT NULL, metric TEXT NOT NULL, value REAL,
    PRIMARY KEY (candidate, step, learning_rate, seed, metric)
) WITHOUT ROWID;
CREATE TABLE batches (
    number INTEGER PRIMARY KEY, candidates INTEGER NOT NULL, best REAL, seconds REAL NOT NULL
);
CREATE TABLE trials (
    job TEXT PRIMARY KEY, part TEXT NOT NULL, formula TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL,
    seconds REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE trial_measurements (
    job TEXT NOT NULL REFERENCES trials, step INTEGER NOT NULL, learning_rate REAL NOT NULL, seed INTEGER NOT NULL,
    metric TEXT NOT NULL, value REAL,
    PRIMARY KEY (job, step, learning_rate, seed, metric)
) WITHOUT ROWID;
CREATE TABLE trial_outputs (
    job TEXT NOT NULL REFERENCES trials, seed INTEGER NOT NULL, shape TEXT NOT NULL, outputs BLOB NOT NULL,
    PRIMARY KEY (job, seed)
);
"""


def create_file(path: Path) -> sqlite3.Connection:
    """Make a new file with its tables.

    Raises:
        RunError: the file exists already, or cannot be written.
    """
    if path.exists():
        raise RunError(f"{path} exists already; give another directory.")
    with _opening(path, "rwc") as connection:
        connection.executescript(
            f"PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; BEGIN; {_SCHEMA} COMMIT;"
        )
        return connection


def open_file(path: Path) -> sqlite3.Connection:
    """Open a file to go on writing; the driver holds its directory's lock.

    Raises:
        RunError: it is missing, damaged, of another program or of a newer symloss.
    """
    _check_exists(path)
    with _opening(path, "rw") as connection:
        version = _check_ours(path, connection)
        said = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if said != "ok":
            raise RunError(f"{path} is damaged: {said}. What can be read can still be shown; start a new run to go on.")
        if version < VERSION:
            connection.executescript(f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
        return connection


def read_file(path: Path) -> sqlite3.Connection:
    """Open a file for reading, also while its driver is writing.

    Raises:
        RunError: it is missing, damaged, of another program or of a newer symloss.
    """
    _check_exists(path)
    check_journal(path)
    with _opening(path, "rw" if _was_interrupted(path) else "ro") as connection:
        connection.execute("PRAGMA query_only = ON")
        _check_ours(path, connection)
        return connection


def _was_interrupted(path: Path) -> bool:
    # A driver that died within a transaction left a journal, which only a writing connection can undo.
    try:
        with closing(sqlite3.connect(_uri(path, "ro"), uri=True, timeout=WAIT)) as connection:
            connection.execute("SELECT COUNT(*) FROM sqlite_master")
    except sqlite3.OperationalError:
        return True
    except (sqlite3.DatabaseError, UnicodeDecodeError):
        return False
    return False


@contextmanager
def _opening(path: Path, mode: str) -> Iterator[sqlite3.Connection]:
    check_journal(path)
    with guarded(path):
        connection = sqlite3.connect(_uri(path, mode), uri=True, timeout=WAIT, isolation_level=None)
        try:
            harden(connection)
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA cache_spill = OFF")  # a transaction that is still open shuts no reader out
            yield connection
        except BaseException:
            connection.close()
            raise


def _uri(path: Path, mode: str) -> str:
    return f"{path.resolve().as_uri()}?mode={mode}"


def _check_exists(path: Path) -> None:
    if not path.is_file():
        raise RunError(f"{path} does not exist, so there is no run to read.")
    if path.stat().st_size == 0:
        raise RunError(f"{path} is empty: the run ended before it began. Remove its directory and start anew.")


def _check_ours(path: Path, connection: sqlite3.Connection) -> int:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if application != APPLICATION:
        raise RunError(f"{path} is an SQLite file, but not a run store of symloss.")
    if version > VERSION:
        raise RunError(f"{path} has version {version}, written by a newer symloss; this one reads up to {VERSION}.")
    check_plain(path, connection)
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    missing = TABLES.union(name for name, since in SINCE.items() if version >= since) - tables
    if missing:
        raise RunError(f"{path} is damaged: it lacks the table {min(missing)}.")
    return int(version)


def has_table(connection: sqlite3.Connection, name: str) -> bool:
    """Whether a file holds a table that came with a later version."""
    query = "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = ?"
    return bool(connection.execute(query, (name,)).fetchone()[0])


@contextmanager
def guarded(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into a RunError that names the file; a DiskError where its disk is full, broken or gone."""
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:  # a damaged name can make its own error message unreadable
        raise _worded(path, error) from error


def _worded(path: Path, error: Exception) -> RunError:
    code = getattr(error, "sqlite_errorcode", 0)
    if code & 0xFF == sqlite3.SQLITE_FULL:
        return full_disk(path)
    if code in _LOCKING:
        return RunError(f"{path} cannot be used: {error}. {NO_LOCKS}")
    if code & 0xFF == sqlite3.SQLITE_IOERR:
        name = getattr(error, "sqlite_errorname", "SQLITE_IOERR")
        return DiskError(
            f"{path} cannot be used: {error} ({name}). Is its disk full or broken, a quota used up, or its server gone "
            f"({room_words(path)})?"
        )
    if code & 0xFF == sqlite3.SQLITE_READONLY:
        return DiskError(f"{path} cannot be used: it, or its disk, is write-protected ({error}).")
    if isinstance(error, sqlite3.OperationalError):
        return RunError(f"{path} cannot be used: {error}. Is the disk full, the file in use or write-protected?")
    return RunError(f"{path} is damaged or no run store: {error}.")
