"""Exports: a formula as a file, or as a folder of files, that others can use.

A formula from a stranger cannot smuggle code into a file: it is printed anew from its reading, and texts are escaped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from symloss.errors import RunError, SymlossError, unknown
from symloss.language.files import write_whole
from symloss.language.lossfile import MAX_BYTES, loss_text
from symloss.language.slots import SLOTS
from symloss.telling.heading import docstring, function_name, heading
from symloss.telling.jax_file import to_jax
from symloss.telling.keras_file import to_keras
from symloss.telling.model_card import CARD, evidence_json, model_card
from symloss.telling.pycode import SYMPY, written
from symloss.telling.target import Target, find_target
from symloss.telling.torch_file import to_torch


@dataclass(frozen=True)
class Export:
    """One way to write a formula.

    Args:
        about: one line for people.
        suffix: of a file that holds it.
        write: target -> the file's text.
    """

    about: str
    suffix: str
    write: Callable[[Target], str]


@dataclass(frozen=True)
class FolderExport:
    """One way to write a formula as several files.

    Args:
        about: one line for people.
        write: target -> file name -> the file's text.
    """

    about: str
    write: Callable[[Target], Mapping[str, str]]


def to_latex(target: Target) -> str:
    """Return the formula in LaTeX, constants at four significant digits."""
    return target.formula.latex() + "\n"


def to_loss(target: Target) -> str:
    """Return a loss file with the target's evidence.

    Raises:
        RunError: the evidence makes it larger than 64 KB.
    """
    evidence = dict(target.evidence) or ({"source": target.source} if target.source else {})
    text = loss_text(target.formula, evidence)
    if len(text) > MAX_BYTES:
        raise RunError(f"the loss file would take {len(text)} bytes; allowed: {MAX_BYTES}. Give less evidence.")
    return text


def to_sympy(target: Target) -> str:
    """Return a Python file that builds the formula from sympy's own classes: `formula`, and its variables."""
    formula = target.formula
    used = [variable for variable in SLOTS[formula.slot].variables if variable.name in formula.variables]
    lines = [f'"""{docstring(heading(target))}"""', "", "import sympy", ""]
    for variable in used:
        facts = ", ".join(f"{name}=True" for name in sorted(variable.symbol.assumptions0) if name in _FACTS)
        lines.append(f'{variable.name} = sympy.Symbol("{variable.name}", {facts})  # {variable.meaning}')
    return "\n".join([*lines, "", f"formula = {written(formula.node, SYMPY)}", ""])


_FACTS = ("real", "positive", "nonnegative", "integer")


def to_huggingface(target: Target) -> dict[str, str]:
    """Return a folder for the Hugging Face Hub: model card, loss file, torch file, and the evidence if there is any.

    Raises:
        RunError: the evidence makes the loss file larger than 64 KB.
        FormulaError: the formula calls a function that is not torch's own.
    """
    name = function_name(target)
    files = {CARD: model_card(target), f"{name}.loss.json": to_loss(target), f"{name}.py": to_torch(target)}
    return files | ({"evidence.json": evidence_json(target)} if target.evidence else {})


EXPORTS: dict[str, Export] = {
    "torch": Export("a Python file that needs torch alone: a function and an nn.Module", ".py", to_torch),
    "loss": Export("a loss file, readable by `symloss.load`", ".loss.json", to_loss),
    "latex": Export("the formula for a paper", ".tex", to_latex),
    "sympy": Export("a Python file that builds the formula in sympy", ".py", to_sympy),
    "jax": Export("a Python file that needs JAX alone: a pure function of (logits, labels)", ".py", to_jax),
    "keras": Export("a Python file that needs Keras 3 alone: a function and a keras.losses.Loss", ".py", to_keras),
}

FOLDERS: dict[str, FolderExport] = {
    "huggingface": FolderExport("a folder for the Hub: model card, loss file, torch file, evidence", to_huggingface),
}


def export(target: str | Path, to: str, output: str | Path) -> list[Path]:
    """Write a loss for use elsewhere, as `symloss export` does.

    Args:
        target: a run directory (its winner), a loss file, a zoo name, or formula text.
        to: `torch`, `jax`, `keras`, `loss`, `latex`, `sympy`, or `huggingface`, which makes a folder.
        output: the file or the folder.

    Returns:
        The files that were written.

    Raises:
        RunError: a path leads to nothing readable, the kind is unknown, or the place cannot be written.
        FormulaError: the text is neither a name nor a formula, or the formula cannot be written in this way.

    Example:
        >>> export("gce", "torch", "gce_loss.py")
        [PosixPath('gce_loss.py')]
    """
    return write_export(find_target(str(target)), to, Path(output))


def check_kind(kind: str) -> None:
    """Refuse a way to write a formula that there is not.

    Raises:
        RunError: it is unknown; the message has the closest name.
    """
    if kind not in EXPORTS and kind not in FOLDERS:
        raise RunError(unknown("the export", "kind", kind, [*EXPORTS, *FOLDERS]))


def write_export(target: Target, kind: str, output: Path) -> list[Path]:
    """Write a formula as a file or as a folder of files.

    Args:
        kind: a name in EXPORTS or FOLDERS.
        output: the file, in a folder that exists; or the folder, which is made if need be. Files of the same names
            are replaced, each whole.

    Returns:
        The files.

    Raises:
        RunError: the kind is unknown, or the place cannot be written.
        FormulaError: the formula cannot be written in this way.
    """
    check_kind(kind)
    if kind in FOLDERS:
        return _write_folder(output, FOLDERS[kind].write(target))
    text = EXPORTS[kind].write(target)
    check_writable(output)
    return [_write_file(output, text)]


def _write_folder(folder: Path, files: Mapping[str, str]) -> list[Path]:
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{folder} cannot be made a directory: {error}.") from error
    try:
        return [_write_file(folder / name, text) for name, text in files.items()]
    except SymlossError:
        if made:
            with suppress(OSError):  # it holds files already
                folder.rmdir()
        raise


def check_writable(path: Path) -> None:
    """Refuse to replace what is no file, or to write where there is no folder.

    Raises:
        RunError: in words, what to do instead.
    """
    if not path.parent.is_dir():
        raise RunError(f"{path.parent} is no directory; make it, or give another file.")
    if path.is_symlink() or (path.exists() and not path.is_file()):
        # Writing a file whole means to replace it, which must happen to no link, pipe or device.
        raise RunError(f"{path} is a link or no regular file; give a new file, or leave -o out for stdout.")


def _write_file(path: Path, text: str) -> Path:
    check_writable(path)
    write_whole(path, text)
    return path
