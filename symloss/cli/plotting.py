"""`symloss plot`: figures of a loss and of a run."""

from pathlib import Path
from typing import Any

import click

from symloss.cli.options import FormulaCommand, answer, json_option, slot_option

FIGURES = ("curves", "front", "progress", "finals")


@click.command("plot", cls=FormulaCommand)
@click.argument("target")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="A .png, .svg or .pdf."
)
@click.option("--kind", type=click.Choice(FIGURES), default="curves", show_default=True, help="What to draw.")
@click.option("--against", multiple=True, metavar="TARGET", help="Draw this beside it; may be repeated.")
@click.option("--classes", type=click.IntRange(2), default=10, show_default=True, help="Number of classes.")
@slot_option
@json_option
def plot_command(
    target: str, output: Path, kind: str, against: tuple[str, ...], classes: int, slot: str | None, as_json: bool
) -> None:
    """Draw TARGET for a paper.

    curves: value and gradient of a run's winner, a loss file, a zoo name or a formula, over the true class's
    probability, beside the slot's reference loss. Of a run: front (fitness against complexity), progress (fitness over
    evaluations), finals (differences with intervals).
    """
    if kind == "curves":
        document = _draw_curves(target, output, against, classes, slot)
        answer(document, as_json, lambda: f"wrote {output}: {', '.join(each['name'] for each in document['drawn'])}")
        return
    if against or slot:
        raise click.UsageError(f"--against and --slot are for --kind curves, not for {kind}.")
    from symloss.telling.figures import draw_run

    candidates = draw_run(target, kind, output)
    document = {"file": str(output), "kind": kind, "run": target, "candidates": candidates}
    answer(document, as_json, lambda: f"wrote {output}: {kind} of {target}")


def _draw_curves(target: str, output: Path, against: tuple[str, ...], classes: int, slot: str | None) -> dict[str, Any]:
    from symloss.telling.plot import draw, drawn_targets
    from symloss.telling.target import find_target

    targets = drawn_targets(find_target(target, slot), [find_target(each, slot) for each in against])
    draw(targets, output, classes)
    return {"file": str(output), "drawn": [{"name": each.name, "formula": each.formula.text} for each in targets]}
