"""What a user must know beside a command's answer: lines on stderr, none of which is worth the work that it tells of.

While all is well, one line goes by Python's own logging, which writes it to stderr: `logging.getLogger("symloss")` is
the one place to send it elsewhere, or to silence it.
"""

import logging
import sys
from contextlib import suppress

from symloss.errors import visible_lines

_LOG = logging.getLogger("symloss")


def notice(line: str) -> None:
    """Tell the user one line; it may hold a stranger's name for a file."""
    _LOG.warning("symloss: %s", visible_lines(line))


def say(line: str) -> None:
    """Write a line to stderr as symloss's own."""
    to_stderr(f"symloss: {line}")


def to_stderr(line: str) -> None:
    """Write a line to stderr, or nowhere: where that is None, closed, full or without a reader, work goes on."""
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
