"""The thresholds of a search's rungs: what the trainings told so far say is promising.

Successive halving (Jamieson and Talwalkar 2016, arXiv:1502.07943) over finished generations, so that who is stopped
depends on no timing: the thresholds are a function of the outcomes that the search was told.
"""

import math
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from statistics import fmean

from symloss.language.candidate import Outcome

LEAST = 20  # trainings measured at a rung before it stops anybody: a quantile of fewer is a matter of luck
MEMORY = 512  # trainings: a long search's later ones are better than what it began with, so fewer would be stopped


class Halving:
    """Learns from told outcomes how good a learning rate must be at each rung to train on.

    A training here is a candidate at a learning rate, its score the mean over the seeds. Of the trainings of
    the last batches, as many as make `MEMORY`, the best share 1 / factor at the first rung goes on; of these the best
    share 1 / factor at the second, and so on. The threshold of a rung is the score of the last that goes on. Duplicates
    were not trained and do not count.

    Args:
        rungs: steps, increasing, without the last step of a whole training.
        factor: of the trainings at a rung, one in so many goes on; 1 lets all go on.
        metric: by which candidates are judged.
        maximise: whether more of it is better.

    Example:
        >>> halving = Halving((50,), 3, "accuracy", maximise=True)
        >>> halving.tell(outcomes)
        >>> halving.thresholds()
        (0.61,)
    """

    def __init__(self, rungs: Sequence[int], factor: float, metric: str, maximise: bool) -> None:
        self._rungs = tuple(rungs)
        self._factor = factor
        self._metric = metric
        self._sign = 1 if maximise else -1
        self._batches = deque[list[tuple[float, ...]]]()  # scores at the rungs that were reached; higher is better

    @property
    def decides(self) -> bool:
        """Whether there is a rung at which anybody could be stopped."""
        return bool(self._rungs) and self._factor != 1

    def tell(self, outcomes: Iterable[Outcome]) -> None:
        """Take the outcomes of a finished batch, and forget whole batches alone: within one, order means nothing."""
        batch = [scores for outcome in outcomes for scores in self._scores(outcome)] if self.decides else []
        if not batch:
            return
        self._batches.append(batch)
        while sum(map(len, self._batches)) - len(self._batches[0]) >= MEMORY:
            self._batches.popleft()

    def thresholds(self) -> tuple[float | None, ...]:
        """Return each rung's threshold in the metric's own units, None where too little is known; () to stop nobody."""
        if not self.decides:
            return ()
        found: list[float | None] = []
        going_on = [scores for batch in self._batches for scores in batch]
        for rung in range(len(self._rungs)):
            here = sorted((scores for scores in going_on if len(scores) > rung), key=lambda s: s[rung], reverse=True)
            last = here[math.ceil(len(here) / self._factor) - 1][rung] if len(here) >= LEAST else None
            found.append(None if last is None else self._sign * last)
            going_on = [scores for scores in here if last is None or scores[rung] >= last]
        return tuple(found)

    def _scores(self, outcome: Outcome) -> list[tuple[float, ...]]:
        by_rate: dict[float, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
        for each in outcome.measurements:
            if each.step in self._rungs:
                by_rate[each.learning_rate][each.step].append(self._sign * each.values[self._metric])
        return [tuple(fmean(steps[rung]) for rung in self._rungs if rung in steps) for steps in by_rate.values()]
