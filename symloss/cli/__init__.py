"""The command line: one group, one file for each kind of command, loaded when the command is called.

A wrong input ends with one message on stderr and exit status 2; nothing slow is imported for `--help`.
"""

import errno
import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import click

from symloss import __version__
from symloss.errors import PausedError, SymlossError, unknown, visible_lines
from symloss.interrupts import Interrupts
from symloss.notices import say


class Entry(NamedTuple):
    """Where a command lives and what it is for: all that `symloss --help` needs to know."""

    module: str
    about: str


COMMANDS = {
    "search": Entry("searching", "Search a loss as an experiment file says, and prove the winner."),
    "resume": Entry("searching", "Go on with an interrupted run, or extend a finished one."),
    "show": Entry("showing", "Show a run, a loss file, a published loss, or a formula."),
    "report": Entry("reporting", "Write a run as one HTML file: finals, charts, family tree; it needs no network."),
    "list": Entry("listing", "List tasks, grammars, zoo, slots, operators, searches or runs."),
    "check": Entry("checking", "Validate an experiment or a grammar, and estimate the cost before you pay."),
    "export": Entry("exporting", "Write a loss for torch, JAX, Keras, LaTeX, sympy or the Hub; a run as a table."),
    "compare": Entry("comparing", "Train with several losses on one task, and compare them fairly."),
    "transfer": Entry("transferring", "Try a winner on tasks that it was not searched on."),
    "verify": Entry("verifying", "Make a loss file's recorded table again, and say whether it holds."),
    "doctor": Entry("doctoring", "Look at this machine, and at a run's files: what would break, and what to do."),
    "plot": Entry("plotting", "Draw figures for papers: a loss and its gradient, a run's front, progress or finals."),
}


PAUSED = 75  # EX_TEMPFAIL: the same may succeed later

# What a full, broken or read-only standard output says.
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)


class _GoneError(Exception):
    """The reader of the output has gone; of the OSError itself click makes an exit with status 1."""


@contextmanager
def _unread() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise _GoneError from error


class LazyGroup(click.Group):
    """A group that imports a command's file when the command is called."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Read the arguments, or tell what `--help` tells."""
        with _unread():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that the arguments name."""
        with _unread():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands in the order of a first use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command, or return None for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"symloss.cli.{COMMANDS[cmd_name].module}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the arguments name; an unknown one is told its nearest neighbour."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise click.UsageError(unknown("the command line", "command", args[0], COMMANDS), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.about) for name, entry in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, message="symloss %(version)s")
@click.option(
    "--use", "names", multiple=True, metavar="NAME", help="Load what an installed package offers under this name."
)
def symloss(names: tuple[str, ...]) -> None:
    """symloss finds loss functions: short formulas, found by evolution, that train better models.

    A first look: `symloss show baikal`, `symloss list zoo`, `symloss check experiments/noisy_digits.toml`.
    """
    if names:
        from symloss.telling.using import use

        for name in names:
            use(name)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit.

    Exit status: 0 done, 1 a run that scored nothing, a table that does not hold, or an answer that cannot be written,
    2 a wrong input, 75 a run that is paused because its disk takes no more, 130, 143 and 138 stopped by Ctrl-C, SIGTERM
    and SIGUSR1 (a run is saved and can be resumed), 141 the reader of the output has gone.

    Args:
        arguments: without the program's name; None takes them from the process.
    """
    if sys.stdout is None:  # closed by the caller
        say("standard output is closed, so no answer can be written.")
        sys.exit(1)
    with Interrupts(patient=False) as interrupts:
        sys.exit(_answer(arguments, interrupts))


def _answer(arguments: Sequence[str] | None, interrupts: Interrupts) -> int:
    try:
        status = symloss.main(arguments, "symloss", standalone_mode=False, obj=interrupts)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        status = 2
    except SymlossError as error:
        say(visible_lines(str(error)))
        status = PAUSED if isinstance(error, PausedError) else 2
    except (KeyboardInterrupt, click.Abort):
        say("stopped")
        return interrupts.status()
    except (_GoneError, BrokenPipeError):
        _drop_output()
        status = 141
    except OSError as error:
        if error.errno not in UNWRITABLE or error.filename is not None:  # a fault, and not of standard output
            raise
        _drop_output()
        say(f"the answer cannot be written to standard output: {error}.")
        status = 1
    if interrupts.heard is not None:  # while the answer of a run that is saved was on its way
        return interrupts.status()
    return status if isinstance(status, int) else 0


def _drop_output() -> None:
    """Let what is left of the output go nowhere: Python would complain once more when it closes stdout at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
