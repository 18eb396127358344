"""What the commands share: their common options, formula text as an argument, and one way to answer.

With `--json` a command writes one JSON document to stdout and nothing else; all messages go to stderr.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from symloss.settings import seconds

Command = TypeVar("Command", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Answer with one JSON document on stdout.")
slot_option = click.option("--slot", metavar="SLOT", help="The formula's slot; else its variable names tell.")
set_option = click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a setting, e.g. search.population=80."
)


workers_option = click.option("--workers", type=click.IntRange(0), help="Processes that train; 0 trains in this one.")
address_option = click.option("--address", metavar="ADDRESS", help="A Ray cluster's address; else this machine.")
TRACKERS = ("mlflow", "tensorboard")  # as symloss.adapters.tracking has them
track_option = click.option(
    "--track", "trackers", multiple=True, type=click.Choice(TRACKERS), help="Keep the run in a tracker, too."
)
quiet_option = click.option("--quiet", is_flag=True, help="Show no progress.")


def _look_in(ctx: click.Context, param: click.Parameter, folder: Path | None) -> None:
    """Let tasks look for data sets in a folder, here and in the processes that this one starts."""
    from symloss.judging.tasks.datafiles import VARIABLE

    if folder is not None:
        os.environ[VARIABLE] = str(folder.resolve())


data_option = click.option(
    "--data-dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="FOLDER",
    expose_value=False,
    callback=_look_in,
    help="Where data sets lie, for tasks that do not say; else SYMLOSS_DATA.",
)


class Duration(click.ParamType[float]):
    """A time such as `90`, `90s` or `10m`, as seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Turn the text into seconds."""
        try:
            return seconds(float(value) if str(value).replace(".", "", 1).isdigit() else value)
        except ValueError:
            self.fail(f"'{value}' is not a time. Write seconds, or a time such as 90s, 10m or 2h.", param, ctx)


time_option = click.option("--time", type=Duration(), metavar="TIME", help="Stop after this time: 90s, 10m, 2h.")


report_option = click.option(
    "--report/--no-report", "with_report", default=True, show_default=True, help="Keep report.html in the run."
)


def run_options(command: Command) -> Command:
    """Give a command the options of whatever goes on with a run."""
    options = (
        workers_option,
        address_option,
        set_option,
        data_option,
        time_option,
        report_option,
        track_option,
        json_option,
        quiet_option,
    )
    for option in reversed(options):  # as a pile of decorators does: the last is the nearest
        command = option(command)
    return command


class FormulaCommand(click.Command):
    """A command whose arguments may be formulas; `-t*log(p)` is one, although it starts like an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments; a token with one leading minus that is no option of this command is a formula."""
        known = {name for parameter in self.get_params(ctx) for name in parameter.opts}
        end = args.index("--") if "--" in args else len(args)
        # A leading space makes click take the token as an argument; the formula's parser skips it.
        formulas = [" " + token if _is_formula(token) and token not in known else token for token in args[:end]]
        return super().parse_args(ctx, formulas + args[end:])


def _is_formula(token: str) -> bool:
    return len(token) > 1 and token[0] == "-" and token[1] != "-"


def answer(document: Any, as_json: bool, text: Callable[[], str]) -> None:
    """Write a command's answer to stdout: the document as JSON, or its text for people."""
    from symloss.language.files import plain

    said = json.dumps(plain(document), indent=2, ensure_ascii=False) if as_json else text()
    # Half of a surrogate pair has no bytes; its escape has, and is JSON for the same.
    click.echo(said.encode("utf-8", "backslashreplace").decode())
