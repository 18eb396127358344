"""What a candidate's own computation raises is said in words, whatever it is."""

import pytest

from symloss.judging.failures import Failures, blamed, in_words
from symloss.language.candidate import State


class MuteError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("a\n b"), "ValueError: a b"),
        (FileNotFoundError(2, "None", "a\udcff.csv"), r"FileNotFoundError: [Errno 2] None: 'a\udcff.csv'"),
        (ValueError("\x00\x1b[2J\ud800"), r"ValueError: \x00\x1b[2J\ud800"),
        (ValueError("y" * 10**6), "ValueError: " + "y" * 300),
        (MuteError(), "MuteError: its text cannot be made: RuntimeError"),
    ],
)  # fmt: skip
def test_any_error_becomes_one_line_that_every_file_can_hold(error: Exception, words: str) -> None:
    failures: Failures = {}
    with blamed(3, failures):
        raise error
    assert failures == {3: (State.CRASHED, words)}
    assert in_words(error).encode().decode() == words
