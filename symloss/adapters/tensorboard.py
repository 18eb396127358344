"""TensorBoard: event files in the run's own directory, so that `tensorboard --logdir runs` shows all runs together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from symloss.adapters.extras import needed
from symloss.running.config import Experiment
from symloss.telling.evidence import markdown_table

with needed("tensorboard", "the tracker tensorboard"):
    from torch.utils.tensorboard import SummaryWriter

FOLDER = "tensorboard"  # in the run's directory


class TensorboardLogbook:
    """A search as scalars over evaluations, and texts."""

    def __init__(self) -> None:
        self._writer: SummaryWriter | None = None

    def open(self, run: Path, experiment: Experiment, key: str | None) -> str:
        """Open the run's event files; those of all sessions lie in one folder, which TensorBoard reads as one run."""
        self._writer = SummaryWriter(str(run / FOLDER))
        return FOLDER

    @property
    def _open(self) -> SummaryWriter:
        assert self._writer is not None
        return self._writer

    def log_parameters(self, parameters: Mapping[str, str]) -> None:
        """Write the experiment as a table."""
        rows = [{"setting": key, "value": value} for key, value in parameters.items()]
        self._open.add_text("experiment", markdown_table(rows))
        self._open.flush()

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Write scalars at a number of evaluations."""
        for name, value in metrics.items():
            self._open.add_scalar(f"{'finals' if name.startswith('final.') else 'search'}/{name}", value, step)
        self._open.flush()

    def log_text(self, name: str, text: str) -> None:
        """Write a text, shown as it is."""
        self._open.add_text(name, "\n".join(f"    {line}" for line in text.splitlines()))
        self._open.flush()

    def log_file(self, path: Path) -> None:
        """Write a text file's content; a report has no place in TensorBoard, and lies beside the event files."""
        if path.suffix in (".toml", ".json"):
            self.log_text(path.name, path.read_text(encoding="utf-8"))

    def log_verdict(self, sentence: str) -> None:
        """Write the verdict."""
        self.log_text("verdict", sentence)

    def close(self, ended: str) -> None:
        """Close the event files."""
        self._open.close()
