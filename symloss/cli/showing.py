"""`symloss show`: everything that is known of a run or a formula."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from symloss.cli.options import FormulaCommand, answer, json_option, slot_option

if TYPE_CHECKING:
    from symloss.telling.target import Target


OF_RUN = 1.5  # seconds for the algebra of a run's winner: a million candidates take some time to be ranked


@click.command("show", cls=FormulaCommand)
@click.argument("target")
@click.option("--classes", type=click.IntRange(2), default=10, show_default=True, help="Number of classes.")
@click.option("--quick", is_flag=True, help="Numbers alone: ask no computer algebra for closed forms.")
@click.option("--explain", is_flag=True, help="Say of each finding how it was made.")
@slot_option
@json_option
def show_command(target: str, classes: int, quick: bool, explain: bool, slot: str | None, as_json: bool) -> None:
    """Show TARGET: a run directory, a loss file, a zoo name, or a formula such as "-t*log(p)".

    A formula: what it drives a model to, its shape, what wrong labels do to it, which constants and parts matter, its
    closest published relative, each with how sure that is. A run: outcomes, front, finals, and its winner's formula.

    The numbers take a second or two. Closed forms come last: computer algebra works beside them in a process of its
    own, which is stopped after 5 seconds, a run's after 1.5; --quick leaves it out.
    """
    from symloss.telling.symbolic.child import LIMIT
    from symloss.telling.target import check_slot, find_target, is_run

    if is_run(target):
        from symloss.telling.summary import run_text, summary_and_winner

        summary, winner = summary_and_winner(target, classes)
        check_slot(target, summary["slot"], slot)
        if winner is None:
            answer(summary, as_json, lambda: run_text(summary))
            return
        if not as_json:
            click.echo(f"{run_text(summary)}\n")
        document = _tell(winner, classes, None if quick else OF_RUN, explain, not as_json)
        if as_json:
            answer({**summary, "winner": document}, as_json, str)
        return
    document = _tell(find_target(target, slot), classes, None if quick else LIMIT, explain, not as_json)
    if as_json:
        answer(document, as_json, str)


def _tell(target: Target, classes: int, limit: float | None, explain: bool, written: bool) -> dict[str, Any]:
    """Analyse a formula and return its document; written out, the numbers come before computer algebra is done.

    Args:
        limit: seconds for computer algebra; None does not ask it.
    """
    from symloss.telling.analysis import Analysis, questions_of, traits
    from symloss.telling.portrait import closed_forms, portrait
    from symloss.telling.show import describe_formula
    from symloss.telling.symbolic.child import Child

    def told(analysis: Analysis) -> dict[str, Any]:
        return describe_formula(target, classes, analysis)

    if limit is None:
        document = told(Analysis(target.formula, classes, traits(target.formula, classes)))
        if written:
            _write(portrait(document, explain))
        return document
    with Child(target.formula, questions_of(target.formula), classes, limit) as child:
        numbers = Analysis(target.formula, classes, traits(target.formula, classes))
        before = told(numbers)
        if written:
            _write(portrait(before, explain))
        after = told(numbers.confirmed(child.answers(), child.ended_early, limit))
    if written:
        _write(f"\n{closed_forms(before, after)}")
    return after


def _write(text: str) -> None:
    """Write a text, in colours where stdout is a terminal that wants them."""
    from symloss.telling.portrait import painted

    plain = "NO_COLOR" in os.environ or not sys.stdout.isatty()
    click.echo(text if plain else painted(text, partial(click.style, bold=True), partial(click.style, dim=True)))
