"""`symloss search` and `symloss resume`: run an experiment, and go on with one."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from symloss.cli.options import answer, json_option, set_option, time_option

if TYPE_CHECKING:
    from symloss.running.run import RunResult

workers_option = click.option("--workers", type=click.IntRange(0), help="Processes that train; 0 trains in this one.")
address_option = click.option("--address", metavar="ADDRESS", help="A Ray cluster's address; else this machine.")
quiet_option = click.option("--quiet", is_flag=True, help="Show no progress.")


@click.command("search")
@click.argument("experiment")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="A new directory for the run.")
@workers_option
@address_option
@set_option
@time_option
@json_option
@quiet_option
def search_command(
    experiment: str,
    out: Path | None,
    workers: int | None,
    address: str | None,
    overrides: tuple[str, ...],
    time: float | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Search a loss as EXPERIMENT (a TOML file, or a built-in one's name) says, and try the winner.

    Ctrl-C once ends the search in order; it can be resumed.
    """
    from symloss.running.run import search
    from symloss.telling.progress import watching

    with watching(quiet) as observer:
        result = search(experiment, out, workers, with_time(overrides, time), address, observer)
    tell(result, as_json)


@click.command("resume")
@click.argument("run", type=click.Path(path_type=Path))
@workers_option
@address_option
@set_option
@time_option
@json_option
@quiet_option
def resume_command(
    run: Path,
    workers: int | None,
    address: str | None,
    overrides: tuple[str, ...],
    time: float | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Go on with RUN, a run directory: interrupted, or finished and to be extended.

    Only [stop] and [finals] may be changed, e.g. --set stop.generations=40. A time is that of all sessions together.
    """
    from symloss.running.run import resume
    from symloss.telling.progress import watching

    with watching(quiet) as observer:
        result = resume(run, with_time(overrides, time), workers, address, observer)
    tell(result, as_json)


def with_time(overrides: tuple[str, ...], time: float | None) -> list[str]:
    """Return the overrides with `--time` as one more."""
    return [*overrides, *([] if time is None else [f"stop.time={time!r}"])]


def tell(result: "RunResult", as_json: bool) -> None:
    """Show what a run came to, as `symloss show` does; an interrupted one exits with 128 and its signal's number."""
    from symloss.telling.summary import run_text, summarise_run

    summary = summarise_run(result.directory)
    answer(summary, as_json, lambda: run_text(summary))
    if result.interrupted is not None:
        click.echo(f"stopped; go on with: symloss resume {result.directory}", err=True)
        click.get_current_context().exit(128 + result.interrupted)
