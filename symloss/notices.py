"""What a user must know while all is well: one line, by Python's own logging, which writes it to stderr.

`logging.getLogger("symloss")` is the one place to send it elsewhere, or to silence it.
"""

import logging

from symloss.errors import visible_lines

_LOG = logging.getLogger("symloss")


def notice(line: str) -> None:
    """Tell the user one line; it may hold a stranger's name for a file."""
    _LOG.warning("symloss: %s", visible_lines(line))
