"""`symloss export`: a loss for others to use."""

from pathlib import Path
from typing import Any

import click

from symloss.cli.options import FormulaCommand, answer, json_option, slot_option

KINDS = ("torch", "loss", "latex", "sympy", "jax", "keras", "huggingface")


@click.command("export", cls=FormulaCommand)
@click.argument("target")
@click.option("--to", "kind", type=click.Choice(KINDS), required=True, help="What to write.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The file, or the folder; else stdout.")
@slot_option
@json_option
def export_command(target: str, kind: str, output: Path | None, slot: str | None, as_json: bool) -> None:
    """Write TARGET (a run, a loss file, a zoo name or a formula) for use elsewhere.

    torch, jax, keras: a Python file that needs that library alone. loss: a file for symloss.load. latex, sympy: the
    formula. huggingface: a folder with a model card, the loss and torch files and the evidence; it needs -o.
    """
    from symloss.telling.export import EXPORTS, write_export
    from symloss.telling.target import find_target

    if output is None and kind not in EXPORTS:
        raise click.UsageError(f"--to {kind} writes several files; name their folder with -o.")
    found = find_target(target, slot)
    document: dict[str, Any] = {
        "name": found.name,
        "formula": found.formula.text,
        "to": kind,
        "file": output and str(output),
    }
    if output is None:
        text = EXPORTS[kind].write(found)
        answer(document | {"text": text}, as_json, lambda: text.rstrip("\n"))
        return
    written = write_export(found, kind, output)
    document |= {"files": [str(path) for path in written]}
    answer(document, as_json, lambda: "\n".join(f"wrote {path}" for path in written))
