"""`symloss search` and `symloss resume`: run an experiment, and go on with one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from symloss.cli.options import answer, run_options
from symloss.interrupts import Interrupts
from symloss.notices import say, to_stderr

if TYPE_CHECKING:
    from symloss.running.observer import Observer
    from symloss.running.run import RunResult


@click.command("search")
@click.argument("experiment")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="A new directory for the run.")
@run_options
def search_command(
    experiment: str,
    out: Path | None,
    workers: int | None,
    address: str | None,
    overrides: tuple[str, ...],
    time: float | None,
    with_report: bool,
    trackers: tuple[str, ...],
    as_json: bool,
    quiet: bool,
) -> None:
    """Search a loss as EXPERIMENT (a TOML file, or a built-in one's name) says, and try the winner.

    Ctrl-C once ends the search in order, as SIGTERM and SIGUSR1 do; it can be resumed. Twice ends it at once.
    """
    from symloss.running.run import search

    with resumable(), watched(quiet, with_report) as screen, tracked(trackers, screen) as observer:
        result = search(experiment, out, workers, with_time(overrides, time), address, observer)
    tell(result, as_json)


@click.command("resume")
@click.argument("run", type=click.Path(path_type=Path))
@run_options
def resume_command(
    run: Path,
    workers: int | None,
    address: str | None,
    overrides: tuple[str, ...],
    time: float | None,
    with_report: bool,
    trackers: tuple[str, ...],
    as_json: bool,
    quiet: bool,
) -> None:
    """Go on with RUN, a run directory: interrupted, or finished and to be extended.

    Only [stop] and [finals] may be changed, e.g. --set stop.generations=40. A time is that of all sessions together.
    Trackers that the run has been kept in go on.
    """
    from symloss.running.run import resume

    with resumable(), watched(quiet, with_report) as screen, tracked(trackers, screen, run) as observer:
        result = resume(run, with_time(overrides, time), workers, address, observer)
    tell(result, as_json)


@contextmanager
def watched(quiet: bool, with_report: bool) -> Iterator["Observer"]:
    """Watch a run in the terminal, and keep its report beside that; signals wait until what has begun is told."""
    from symloss.running.observer import Audience, Beginning
    from symloss.telling.progress import watching

    with watching(quiet) as screen:
        observer = Audience(screen, Beginning(be_patient))
        if not with_report:
            yield observer
            return
        from symloss.telling.report.keeper import reporting

        with reporting(observer, say) as both:
            yield both


def be_patient() -> None:
    """From now on, a first signal ends the command only when its run is saved, reported and shown."""
    interrupts = click.get_current_context().find_object(Interrupts)
    if interrupts is not None:
        interrupts.patient = True


@contextmanager
def resumable() -> Iterator[None]:
    """Say how to go on, also when a second signal ends the block at once."""
    from symloss.running.run import ForcedExit

    try:
        yield
    except ForcedExit as ended:
        to_stderr(f"stopped at once; go on with: symloss resume {ended.directory}")
        raise


@contextmanager
def tracked(trackers: tuple[str, ...], screen: "Observer", run: Path | None = None) -> Iterator["Observer"]:
    """Tell trackers beside the screen; a run that is resumed goes on in those that it has been kept in."""
    folder = run.parent if run is not None and run.name == "run.sqlite" else run
    if not trackers and (folder is None or not (folder / "tracking.json").exists()):
        yield screen
        return
    from symloss.adapters.tracking import track

    with track(*trackers, run=folder, beside=screen, warn=say) as both:
        yield both


def with_time(overrides: tuple[str, ...], time: float | None) -> list[str]:
    """Return the overrides with `--time` as one more."""
    return [*overrides, *([] if time is None else [f"stop.time={time!r}"])]


def tell(result: "RunResult", as_json: bool) -> None:
    """Show what a run came to, as `symloss show` does.

    An interrupted one exits with 128 and its signal's number, one that is through and has scored nothing with 1.
    """
    from symloss.telling.summary import run_text, summarise_run

    summary = summarise_run(result.directory)
    answer(summary, as_json, lambda: run_text(summary))
    if result.interrupted is not None:
        to_stderr(f"stopped; go on with: symloss resume {result.directory}")
        click.get_current_context().exit(128 + result.interrupted)
    if result.progress.fitness is None:
        click.get_current_context().exit(1)
