"""Data read from scikit-learn's files are what scikit-learn itself gives, and nothing imports it for them."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits

from symloss.judging.tasks import bundled
from symloss.judging.tasks.bundled import read_bundled


def never() -> np.ndarray:
    raise AssertionError("the file is there")


def test_the_files_hold_what_scikit_learn_gives() -> None:
    images, labels = load_digits(return_X_y=True)
    table = read_bundled("digits.csv.gz", never, ",")
    assert (table[:, :-1] == images).all()
    assert (table[:, -1] == labels).all()
    x, y = load_diabetes(return_X_y=True, scaled=False)
    assert (read_bundled("diabetes_data_raw.csv.gz", never) == x).all()
    assert (read_bundled("diabetes_target.csv.gz", never) == y).all()


@pytest.mark.parametrize("name", ["digits", "diabetes"])
def test_where_a_file_is_missing_scikit_learn_is_asked(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from symloss.judging.seal import data_digest
    from symloss.judging.tasks import make_task

    usual = data_digest(make_task({"name": name}))
    monkeypatch.setattr(bundled.importlib.util, "find_spec", lambda package: None)
    assert data_digest(make_task({"name": name})) == usual


def test_a_task_is_made_without_importing_scikit_learn() -> None:
    made = "from symloss.judging.tasks import make_task; make_task({'name': 'digits'})"
    code = f"import sys; {made}; print('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
