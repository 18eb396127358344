"""Looks at what the interpreter does while a file is read: no code of the file's may run, and nothing else be opened.

https://docs.python.org/3/library/audit_events.html
"""

import encodings
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mpmath
import rich
import sympy

import symloss

FORBIDDEN = (
    "exec", "compile", "import", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn",
    "os.kill", "os.rmdir", "os.link", "os.symlink", "os.chmod", "os.chown",
    "os.putenv",
    "subprocess.Popen", "pty.spawn", "socket.", "urllib.Request", "http.client", "ftplib.", "smtplib.", "telnetlib.",
    "ctypes.", "pickle.find_class", "marshal.", "code.__new__", "sqlite3.enable_load_extension",
    "sqlite3.load_extension", "shutil.", "tempfile.", "webbrowser.open", "builtins.input", "sys.addaudithook",
)  # fmt: skip

# Events that are allowed within the folders of what is read -> how many of their arguments are paths.
LOOKED = {
    "open": 1, "sqlite3.connect": 1, "os.listdir": 1, "os.scandir": 1, "os.mkdir": 1, "os.remove": 1, "os.rename": 2,
    "os.truncate": 1,
}  # fmt: skip

# Modules that libraries import when they are first needed, and where libraries lie.
LAZY = ("rich._unicode_data", "sympy.", "mpmath.", "encodings.")
LIBRARIES = tuple(str(Path(module.__file__ or "").parent) for module in (rich, sympy, mpmath, encodings))


def _forms(path: Path) -> tuple[bytes, str]:
    return path.read_bytes(), path.read_text(encoding="utf-8")


class Watch:
    """An audit hook, armed while a file is read; hooks cannot be taken back, so there is one a process.

    Args:
        deeds: what was done that nothing may do, in words.
        allowed: beginnings of events, or of `event first-argument`, that are this reader's own.
    """

    def __init__(self) -> None:
        self.armed = False
        self.deeds: list[str] = []
        self.folders: tuple[str, ...] = ()
        self.allowed: tuple[str, ...] = ()
        self._compiled = 0  # files of libraries that were opened, and are to be loaded next
        package = Path(symloss.__file__).parent
        self.sources = {data for path in package.rglob("*.py") for data in _forms(path)}
        sys.addaudithook(self._hear)

    @contextmanager
    def over(self, folders: tuple[Path, ...], allowed: tuple[str, ...] = ()) -> Iterator[list[str]]:
        """Watch the block; what it opens must lie in these folders."""
        self.deeds, self.allowed = [], allowed
        self.folders = tuple(str(folder) for folder in folders)
        self.armed = True
        try:
            yield self.deeds
        finally:
            self.armed = False

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.armed:
            return
        if self._is_lazy(event, arguments):
            return
        if event in LOOKED:
            for name in arguments[: LOOKED[event]]:
                self._look(event, name)
        elif event == "compile" and arguments[0] in self.sources:
            return  # an export reads the package's own source
        elif event.startswith(FORBIDDEN):
            self._note(f"{event} {str(arguments)[:200]}")

    def _is_lazy(self, event: str, arguments: tuple[Any, ...]) -> bool:
        """Whether an installed library loads one more of its own modules; none is loaded for what a file says."""
        if event == "import":
            return str(arguments[0]).startswith(LAZY)
        if event == "open":
            is_library = str(arguments[0]).startswith(LIBRARIES)
            self._compiled += is_library and str(arguments[0]).endswith(".pyc")
            return is_library and str(arguments[0]).endswith((".py", ".pyc"))
        if event == "marshal.loads" and self._compiled:
            self._compiled -= 1
            return True
        return event == "exec" and str(getattr(arguments[0], "co_filename", "")).startswith(LIBRARIES)

    def _look(self, event: str, name: object) -> None:
        if isinstance(name, int) or name is None:
            return
        text = os.fsdecode(name) if isinstance(name, str | bytes | os.PathLike) else str(name)
        path = os.path.abspath(text.removeprefix("file://").partition("?")[0])
        if not path.startswith(self.folders):
            self._note(f"{event} {path}")

    def _note(self, deed: str) -> None:
        if not deed.startswith(self.allowed or ("\0",)):
            self.deeds.append(deed)
