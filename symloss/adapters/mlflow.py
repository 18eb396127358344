"""MLflow: a run of its own for each search, through the client alone, so that no active run of the user's is touched.

It is kept where MLFLOW_TRACKING_URI leads, in the experiment MLFLOW_EXPERIMENT_NAME or one called like symloss's own.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

from symloss import __version__
from symloss.adapters.extras import needed
from symloss.running.config import Experiment

with needed("mlflow", "the tracker mlflow"):
    import mlflow
    from mlflow.entities import Metric, Param
    from mlflow.exceptions import MlflowException

_LONGEST = 6000  # characters of a parameter's value that MLflow keeps
_VERDICT = 5000  # characters of a tag's value
_ENDS = {"finished": "FINISHED", "interrupted": "KILLED", "failed": "FAILED"}

# A server that does not answer must hold a search up for seconds, not for MLflow's many minutes.
_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}


class MlflowLogbook:
    """A search as a run of MLflow."""

    def __init__(self) -> None:
        for name, value in _PATIENCE.items():
            os.environ.setdefault(name, value)
        self._made: mlflow.MlflowClient | None = None
        self._run = ""

    @property
    def _client(self) -> mlflow.MlflowClient:
        assert self._made is not None
        return self._made

    def open(self, run: Path, experiment: Experiment, key: str | None) -> str:
        """Begin a run called like the directory, or go on with one that this tracking server knows."""
        self._made = mlflow.MlflowClient()
        if key is not None and self._is_known(key):
            self._run = key
            self._client.update_run(key, status="RUNNING")
        else:
            tags = {"symloss.version": __version__, "symloss.run": run.name}
            name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or experiment.name
            made = self._client.create_run(self._experiment(name), tags=tags, run_name=run.name)
            self._run = made.info.run_id
        return self._run

    def _is_known(self, key: str) -> bool:
        try:
            return bool(self._client.get_run(key).info.lifecycle_stage == "active")
        except MlflowException:
            return False

    def _experiment(self, name: str) -> str:
        known = self._client.get_experiment_by_name(name)
        return str(known.experiment_id if known is not None else self._client.create_experiment(name))

    def log_parameters(self, parameters: Mapping[str, str]) -> None:
        """Log what is not known yet: MLflow lets no parameter change, and a resume may change the stops."""
        known = self._client.get_run(self._run).data.params
        new = [Param(key, value[:_LONGEST]) for key, value in parameters.items() if key not in known]
        self._client.log_batch(self._run, params=new)
        for key, value in parameters.items():
            if known.get(key, value[:_LONGEST]) != value[:_LONGEST]:
                self._client.set_tag(self._run, f"changed.{key}", value[:_VERDICT])

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Log numbers at a number of evaluations."""
        now = int(time.time() * 1000)
        self._client.log_batch(self._run, [Metric(name, value, now, step) for name, value in metrics.items()])

    def log_text(self, name: str, text: str) -> None:
        """Log an artifact."""
        self._client.log_text(self._run, text, name)

    def log_file(self, path: Path) -> None:
        """Log an artifact."""
        self._client.log_artifact(self._run, str(path))

    def log_verdict(self, sentence: str) -> None:
        """Set the tag `verdict`, which the table of runs shows, and the run's description."""
        self._client.set_tag(self._run, "verdict", sentence[:_VERDICT])
        self._client.set_tag(self._run, "mlflow.note.content", sentence[:_VERDICT])

    def close(self, ended: str) -> None:
        """Give the run its status."""
        self._client.set_terminated(self._run, _ENDS[ended])
