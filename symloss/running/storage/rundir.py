"""A run's directory: its files, the lock that keeps a second driver out, and how it begins and is taken back.

The lock belongs to the process: the kernel takes it back when the driver ends, however it ends.
"""

import errno
import fcntl
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from symloss import plugins
from symloss.disk import FULL, full_disk
from symloss.errors import RunError
from symloss.language import files
from symloss.language.grammar import read_grammar
from symloss.language.lossfile import LossFile, read_loss
from symloss.running.storage.storefile import NO_LOCKS

_LOCK = "run.lock"
_BEGUN = re.compile(r"\.(?:[\w-]+\.)+(\d{1,9})(?:-[0-9a-f]+)?\.part")  # a file's name, and its writer's number
_IN_USE = (errno.EWOULDBLOCK, errno.EACCES)  # what a lock that somebody else has answers
_MOST = 2**20  # bytes of a run's text files
_EXPERIMENT, _GRAMMAR, _PART = "experiment.toml", "grammar.toml", ".run.sqlite.part"


@dataclass(frozen=True)
class RunDirectory:
    """Where one search lies on disk."""

    path: Path

    @property
    def store(self) -> Path:
        """The run store, SQLite."""
        return self.path / "run.sqlite"

    @property
    def part(self) -> Path:
        """The run store until it holds what a run begins with."""
        return self.path / _PART

    @property
    def experiment(self) -> Path:
        """The resolved experiment."""
        return self.path / _EXPERIMENT

    @property
    def grammar(self) -> Path:
        """The grammar's text, as it was when the run began."""
        return self.path / _GRAMMAR

    @property
    def winner(self) -> Path:
        """The winner of the finals, a loss file."""
        return self.path / "winner.loss.json"

    @property
    def report(self) -> Path:
        """The report, an HTML file."""
        return self.path / "report.html"

    def is_driven(self) -> bool:
        """Whether a driver is at work here, on any machine that shares the file system's locks."""
        try:
            handle = os.open(self.path / _LOCK, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            return error.errno in _IN_USE
        finally:
            os.close(handle)  # gives the lock back
        return False

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other drivers out while the block runs.

        Raises:
            RunError: another driver works in this directory, or it cannot be written.
        """
        try:
            # No link is followed: what lies behind it would be written over.
            handle = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        except OSError as error:
            if error.errno in FULL:
                raise full_disk(self.path) from error
            raise RunError(f"{self.path} cannot be used as a run directory: {error}.") from error
        try:
            _lock(handle, self.path)
            self._sweep()
            yield
        finally:
            os.close(handle)

    @contextmanager
    def begun(self) -> Iterator[None]:
        """Take back the files of a run that is not set up to the end, so that the same directory can be used again."""
        self._clear()  # of a driver that was killed before its run was set up
        try:
            yield
        except BaseException:
            self._clear()
            with suppress(OSError):
                (self.path / _LOCK).unlink(missing_ok=True)
                self.path.rmdir()
            raise

    def _sweep(self) -> None:
        """Remove what drivers that were killed had begun to write, see `write_whole`."""
        with suppress(OSError):
            for path in self.path.iterdir():
                if (found := _BEGUN.fullmatch(path.name)) and not _lives(int(found[1])):
                    path.unlink()

    def _clear(self) -> None:
        with suppress(OSError):
            for path in self.path.iterdir():
                if _is_first(path.name) or path.name.startswith("run.sqlite"):
                    path.unlink()


def default_directory(name: str) -> Path:
    """Return `runs/<name>-<UTC stamp>` that does not exist yet."""
    stem = Path("runs") / f"{name}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
    tried = [stem, *(stem.with_name(f"{stem.name}-{number}") for number in range(2, 1000))]
    return next(path for path in tried if not path.exists())


def check_vacant(path: Path) -> RunDirectory:
    """Return the directory of a new run; nothing is made yet.

    Raises:
        RunError: it holds files already, or is no directory.
    """
    try:
        others = sorted(each.name for each in path.iterdir() if each.name != _LOCK)
    except FileNotFoundError:
        return RunDirectory(path)
    except OSError as error:
        raise RunError(f"{path} cannot be made a run directory: {error}.") from error
    if "run.sqlite" in others:
        raise RunError(
            f"{path} holds a run already; continue it with `symloss resume {path}`, or give another directory."
        )
    if others and not ((path / _LOCK).exists() and all(map(_is_first, others))):
        raise RunError(f"{path} is not empty (it holds {others[0]}); give a new directory.")
    return RunDirectory(path)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True


def _is_first(name: str) -> bool:
    """Whether a file is one that a driver writes before the run store; with its lock beside it, it is symloss's own."""
    return name in (_EXPERIMENT, _GRAMMAR) or name.startswith((f".{_EXPERIMENT}.", f".{_GRAMMAR}.", _PART))


def make_directory(path: Path) -> RunDirectory:
    """Make a directory for a new run.

    Raises:
        RunError: it holds files already, or cannot be made.
    """
    run = check_vacant(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unmakable(path, error) from error
    return run


def _unmakable(path: Path, error: OSError) -> RunError:
    full = error.errno in FULL
    return full_disk(path) if full else RunError(f"{path} cannot be made a run directory: {error}.")


def find_run(path: str | Path) -> RunDirectory:
    """Return the run directory at a path, or the one that a run store at that path lies in.

    Raises:
        RunError: there is no run.
    """
    given = Path(path)
    folder = given.parent if given.name == "run.sqlite" else given
    try:
        found = (folder / "run.sqlite").is_file()
    except (OSError, ValueError):  # a name that no file can have
        found = False
    if not found:
        raise RunError(f"{path} is no run directory: there is no run.sqlite in it. `symloss list runs` names the runs.")
    if (folder / "run.sqlite").is_symlink():
        raise RunError(f"{folder / 'run.sqlite'} is a link. A run's files lie in its own directory; copy it there.")
    return RunDirectory(folder)


def read_winner(run: RunDirectory) -> LossFile:
    """Read the loss file of a run's winner; what its grammar takes from packages is named by whoever names the run.

    Raises:
        RunError: it is missing or damaged.
        GrammarError: the grammar of the run is damaged.
        PluginError: a package that the grammar needs cannot be used.
    """
    if run.grammar.exists() and (plugins.offers("operators") or plugins.offers("slots")):
        read_grammar(read_text(run.grammar), str(run.grammar))
    return read_loss(run.winner)


def read_text(path: Path) -> str:
    """Read one of a run's text files.

    Raises:
        RunError: it is missing or no text.
    """
    try:
        return files.read_text(path, _MOST, "a file of a run", links=False)
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read: {error}. The run cannot be continued without it.") from error


def _lock(handle: int, path: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _IN_USE:
            raise RunError(f"{path} cannot be used as a run directory: {error}. {NO_LOCKS}") from error
        owner = os.pread(handle, 100, 0).decode("ascii", "replace").strip()
        raise RunError(
            f"{path} is in use by another driver ({owner or 'unknown process'}); wait for it, or stop it first."
        ) from error
    with suppress(OSError):  # a full disk: who it is that drives is for people only
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"process {os.getpid()} on {os.uname().nodename}\n".encode("ascii", "replace"), 0)
