"""What a user must know while all is well: one line, by Python's own logging, which writes it to stderr.

`logging.getLogger("symloss")` is the one place to send it elsewhere, or to silence it.
"""

import logging

_LOG = logging.getLogger("symloss")


def notice(line: str) -> None:
    """Tell the user one line."""
    _LOG.warning("symloss: %s", line)
