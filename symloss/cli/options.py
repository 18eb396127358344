"""What the commands share: their common options, formula text as an argument, and one way to answer.

With `--json` a command writes one JSON document to stdout and nothing else; all messages go to stderr.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

import click

from symloss.settings import seconds

json_option = click.option("--json", "as_json", is_flag=True, help="Answer with one JSON document on stdout.")
slot_option = click.option("--slot", metavar="SLOT", help="The formula's slot; else its variable names tell.")
set_option = click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a setting, e.g. search.population=80."
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


def plain(value: Any) -> Any:
    """Return records, tuples and keys as what JSON knows; NaN and infinities become null."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def answer(document: Any, as_json: bool, text: Callable[[], str]) -> None:
    """Write a command's answer to stdout: the document as JSON, or its text for people."""
    click.echo(json.dumps(plain(document), indent=2, ensure_ascii=False) if as_json else text())
