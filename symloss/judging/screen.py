"""Screening: who is worth training, in the order in which candidates were asked, and what each free test has saved.

The tests themselves are made on the slot's probe points when a tree is proposed (`language/probing.py`), and on free
outputs when a cohort is about to train (`free_outputs.py`). Here equal fingerprints meet: a candidate whose gradient
equals that of any earlier one of the run is a duplicate and shares its twin's outcome.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from symloss.judging.evaluate import failed_test
from symloss.language.candidate import DUPLICATE, TRAINABLE, Candidate, Outcome, State


class Screen:
    """Tells candidates that are worth training from those that are not.

    Its state is a function of the candidates it has checked: to resume, feed it the same ones again. It takes about
    200 bytes for each candidate that was worth training, and nothing for the others.

    Attributes:
        counts: kind of end -> number of candidates, e.g. `{"trainable": 31, "missing variable": 4, "duplicate": 9}`.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._seen: dict[bytes, int] = {}  # fingerprint -> number of the first candidate with it

    def check(self, candidates: Iterable[Candidate]) -> list[Outcome | None]:
        """Return each candidate's outcome, in order: None when it is worth training."""
        return [self._check_one(candidate) for candidate in candidates]

    def learn(self, outcomes: Iterable[Outcome]) -> None:
        """Count those of a batch's outcomes that a worker's free tests have ended, once they were worth training."""
        ended = Counter(filter(None, map(failed_test, outcomes)))
        self.counts += ended
        self.counts[TRAINABLE] -= ended.total()

    def recall(self, passed: Mapping[bytes, int], counts: Mapping[str, int]) -> None:
        """Take up where candidates that were checked earlier had left it.

        Args:
            passed: digest of each that was worth training -> its number.
            counts: after the last of them.
        """
        self._seen |= {digest: number for digest, number in passed.items() if digest not in self._seen}
        self.counts = Counter(counts)

    def _check_one(self, candidate: Candidate) -> Outcome | None:
        finding = candidate.finding
        if finding.failed:
            self.counts[finding.failed] += 1
            return Outcome(candidate.number, State.REJECTED, finding.reason)
        twin = self._seen.setdefault(finding.digest, candidate.number)
        if twin != candidate.number:
            self.counts[DUPLICATE] += 1
            return Outcome(
                candidate.number, State.DUPLICATE, f"its gradient equals that of candidate {twin}", twin=twin
            )
        self.counts[TRAINABLE] += 1
        return None
