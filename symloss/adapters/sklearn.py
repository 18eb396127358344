"""scikit-learn estimators that search a loss for their data, refit a perceptron with it, and predict.

`LossSearchClassifier().fit(X, y)` is a whole run of symloss: search on a part of the rows, finals on fresh seeds
against published losses, and a last training on all rows with the best of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from symloss.adapters.refitting import refit
from symloss.adapters.table_task import write_table
from symloss.errors import ExperimentError
from symloss.judging.tasks.metrics import read_metric
from symloss.language.formula import Formula, parse
from symloss.running.observer import Observer
from symloss.running.proof.entrants import FOUND
from symloss.running.proof.finals import Finals
from symloss.running.run import RunResult, search

__all__ = ["LossSearchClassifier", "LossSearchRegressor"]

LEAST = 4  # rows: one to judge on, one to validate on, two to train on
_REFITS = ("best", "found")


@dataclass(frozen=True)
class _Chosen:
    """What the finals chose to refit with."""

    name: str
    formula: Formula
    learning_rate: float


class _LossSearch(BaseEstimator):  # type: ignore[misc]
    """What both estimators share: the settings, the search, and the choice."""

    _slot: str
    _grammar: str
    _metric: str

    def __init__(
        self,
        grammar: str | None = None,
        metric: str | None = None,
        hidden: Sequence[int] = (32,),
        evaluations: int = 32,
        time: float | str | None = None,
        population: int = 40,
        steps: int = 100,
        learning_rates: Sequence[float] = (0.003, 0.01),
        seeds: int = 2,
        batch_size: int = 32,
        baselines: Sequence[str] | None = None,
        refit: str = "best",
        run: str | Path | None = None,
        workers: int = 0,
        observer: Observer | None = None,
        random_state: Any = None,
    ) -> None:
        self.grammar = grammar
        self.metric = metric
        self.hidden = hidden
        self.evaluations = evaluations
        self.time = time
        self.population = population
        self.steps = steps
        self.learning_rates = learning_rates
        self.seeds = seeds
        self.batch_size = batch_size
        self.baselines = baselines
        self.refit = refit
        self.run = run
        self.workers = workers
        self.observer = observer
        self.random_state = random_state

    def _fit(self, x: NDArray[Any], y: NDArray[Any], outputs: int) -> None:
        """Search, choose and refit; x and y as the model is to see them."""
        if self.refit not in _REFITS:
            raise ValueError(f"refit: got {self.refit!r}. Allowed: {', '.join(_REFITS)}.")
        if len(x) < LEAST:
            rows = f"{len(x)} sample{'s' if len(x) != 1 else ''}"
            raise ValueError(f"X has {rows} (n_samples={len(x)}), and a search needs at least {LEAST}.")
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self._centre, self._spread = x.mean(0), np.where(x.std(0) > 0, x.std(0), 1.0)
        scaled = self._scaled(x)
        chosen = self._choose(self._search(scaled, y, outputs, seed))
        self.formula_, self.loss_name_ = chosen.formula.text, chosen.name
        self.learning_rate_ = chosen.learning_rate
        targets = torch.as_tensor(y if outputs > 1 else y.astype(np.float32))
        self.model_ = refit(
            torch.as_tensor(scaled), targets, outputs, tuple(self.hidden), chosen.formula, chosen.learning_rate,
            2 * self.steps, self.batch_size, seed,
        )  # fmt: skip

    def _search(self, x: NDArray[Any], y: NDArray[Any], outputs: int, seed: int) -> RunResult:
        with TemporaryDirectory() as folder:
            run = Path(self.run) if self.run is not None else Path(folder) / "run"
            factory = write_table(run.absolute(), x, y, outputs)
            try:
                with np.errstate(all="ignore"):  # few rows: some metrics have no value, which the run says in words
                    return search(self._experiment(factory, seed), run, self.workers, observer=self.observer)
            except ExperimentError as error:  # scikit-learn's callers know a wrong parameter by its type
                raise ValueError(str(error)) from error

    def _experiment(self, factory: Path, seed: int) -> dict[str, Any]:
        task: dict[str, Any] = {
            "factory": f"{factory.name}:task",
            "folder": str(factory.parent),
            "hidden": list(self.hidden),
        }
        task |= {"metric": self.metric or self._metric, "batch_size": self.batch_size}
        rates = [float(rate) for rate in self.learning_rates]
        stop = {"evaluations": self.evaluations} | ({} if self.time is None else {"time": self.time})
        finals = {"seeds": 3, "top": 3, "steps": 2 * self.steps, "learning_rates": rates, "resamples": 1000}
        return {
            "name": "table",
            "seed": seed,
            "grammar": self.grammar or self._grammar,
            "task": task,
            "search": {"population": self.population, "elites": max(1, self.population // 10)},
            "budget": {"steps": self.steps, "learning_rates": rates, "seeds": self.seeds, "stack": "stacked"},
            "stop": stop,
            "finals": finals | ({} if self.baselines is None else {"baselines": list(self.baselines)}),
        }

    def _choose(self, result: RunResult) -> _Chosen:
        """Return the formula with the best validation of all that entered the finals, or of the found ones."""
        if result.finals is None:
            raise KeyboardInterrupt  # of a person, which the run has heard and come to an end for
        finals: Finals = result.finals
        self.verdict_, self.finals_ = finals.sentence, finals.document()
        self.winner_ = finals.winner.text if finals.winner is not None else None
        self.n_evaluations_ = result.progress.evaluated
        rows = [row for row in finals.rows if row.validation is not None and row.learning_rate is not None]
        if self.refit == "found":
            rows = [row for row in rows if row.role == FOUND]
        if not rows:
            raise ValueError(f"no formula could be trained on these data: {finals.sentence}")
        sign = 1.0 if read_metric("metric", self.metric or self._metric).maximise else -1.0
        best = max(rows, key=lambda row: (sign * float(row.validation or 0.0), row.role == FOUND))
        return _Chosen(best.name, parse(best.formula, self._slot), float(best.learning_rate or 0.0))

    def _scaled(self, x: NDArray[Any]) -> NDArray[np.float32]:
        # In double precision, so that numbers beyond float32's range can be told apart.
        return np.asarray((x - self._centre) / self._spread, dtype=np.float32)

    def _outputs(self, X: Any) -> torch.Tensor:  # noqa: N803 - as scikit-learn names it
        check_is_fitted(self)
        x = validate_data(self, X, reset=False, dtype=np.float64)
        with torch.no_grad():
            output: torch.Tensor = self.model_(torch.as_tensor(self._scaled(x)))
        return output


class LossSearchClassifier(ClassifierMixin, _LossSearch):  # type: ignore[misc]
    """A perceptron, trained with a loss that was searched for its data.

    Args:
        grammar: a built-in grammar's name or a .toml file, over the slot classification; None for `compact`.
        metric: what the search maximises or minimises on validation: `accuracy`, `nll`, ...; None for accuracy.
        hidden: widths of the hidden layers.
        evaluations: distinct formulas that the search trains; the batch in which the number is reached is finished.
        time: stops the search earlier: seconds, or a text such as `10m`.
        population: formulas of a generation; about a third pass the free tests.
        steps: of Adam for each training of the search; finals and the last training take twice as many.
        learning_rates: every formula is trained at each and judged at its best.
        seeds: trainings for each formula and learning rate.
        batch_size: rows per step.
        baselines: published losses that enter the finals; None for all of the slot.
        refit: `best` refits with the best formula of the finals on validation, which may be a published one; `found`
            with the best found one.
        run: a new directory for the run, to look at with `symloss show`; the rows lie beside it. None keeps nothing.
        workers: processes that train; 0 for this process, as within joblib.
        observer: is told how the run goes; see `symloss.adapters.tracking.track`.
        random_state: an int for a result that is the same again.

    Attributes:
        classes_: labels, as they were given.
        n_features_in_: columns of X.
        formula_: the text of the loss that the model was trained with.
        loss_name_: its name in the finals, e.g. `found 1` or `gce`.
        learning_rate_: that it was trained with.
        winner_: the text of the winner of the finals; None when no found formula could be trained.
        verdict_: what the finals say of the winner, in words.
        finals_: all of the finals, as plain JSON.
        n_evaluations_: formulas trained.
        model_: the torch module.

    Raises:
        ValueError: X and y cannot be used, there is one class alone, or a parameter is not allowed.
        RunError: the directory of the run cannot be used.

    Example:
        >>> LossSearchClassifier(random_state=0).fit(X, y).predict(X)
    """

    _slot, _grammar, _metric = "classification", "compact", "accuracy"

    def fit(self, X: Any, y: Any) -> LossSearchClassifier:  # noqa: N803
        """Search a loss for these data, and train with it.

        Args:
            X: (rows, features), finite numbers.
            y: (rows,) labels of any type.
        """
        x, labels = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(labels)
        self.classes_, index = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError("y holds 1 class; a classifier needs at least 2 classes.")
        self._fit(x, index.astype(np.int64), len(self.classes_))
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """Return (rows, classes) softmax outputs; how well they are calibrated depends on the loss that was found."""
        return self._outputs(X).double().softmax(1).numpy()

    def predict(self, X: Any) -> NDArray[Any]:  # noqa: N803
        """Return (rows,) labels."""
        index = self._outputs(X).argmax(1).numpy()
        found: NDArray[Any] = self.classes_[index]
        return found


class LossSearchRegressor(RegressorMixin, _LossSearch):  # type: ignore[misc]
    """A perceptron, trained with a regression loss that was searched for its data.

    Targets are searched and trained on in units of their standard deviation. Parameters and attributes are those of
    `LossSearchClassifier`, with the grammar `regression` and the metric `mse` by default, and without `classes_`.

    Raises:
        ValueError: X and y cannot be used, or a parameter is not allowed.
        RunError: the directory of the run cannot be used.

    Example:
        >>> LossSearchRegressor(random_state=0).fit(X, y).predict(X)
    """

    _slot, _grammar, _metric = "regression", "regression", "mse"

    def fit(self, X: Any, y: Any) -> LossSearchRegressor:  # noqa: N803
        """Search a loss for these data, and train with it.

        Args:
            X: (rows, features), finite numbers.
            y: (rows,) values.
        """
        x, values = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        values = values.astype(np.float64)
        self._middle, self._unit = float(values.mean()), float(values.std()) or 1.0
        self._fit(x, (values - self._middle) / self._unit, 1)
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """Return (rows,) values."""
        found: NDArray[np.float64] = self._outputs(X)[:, 0].double().numpy() * self._unit + self._middle
        return found
