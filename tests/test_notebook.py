"""The notebook: objects show themselves, progress appears under the cell, an interrupted run is continued."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import pytest

import symloss
from symloss.markup import Math, Shown, cell_html, fields_html, table_html
from symloss.running.notebook import EVERY, NotebookLine, notebook_display, usual_observer
from symloss.running.observer import Progress, Silent
from symloss.running.proof.verdict import Interval, Unit, Verdict
from symloss.running.run import RunResult

RUN = """
import sys
import nbformat
from nbclient import NotebookClient

notebook = nbformat.read(sys.argv[1], 4)
NotebookClient(notebook, timeout=280, resources={"metadata": {"path": sys.argv[2]}}).execute()
nbformat.write(notebook, sys.argv[1])
"""
CELLS = [
    "import os, signal\nimport symloss\nsymloss.zoo",
    "symloss.parse('t/p - log(p)')",
    "symloss.load('baikal', label_smoothing=0.1)",
    """
table = {
    "seed": 3, "grammar": "evomal", "task": {"name": "digits"}, "search": {"population": 8, "elites": 2},
    "budget": {"steps": 3, "seeds": 1, "cohort": 4, "stack": "single", "learning_rates": [0.01]},
    "stop": {"generations": 3},
    "finals": {"seeds": 2, "top": 1, "resamples": 100, "learning_rates": [0.01], "baselines": ["cross_entropy"]},
}
whole = symloss.search(table, out="whole", workers=0)
whole
""",
    """
from symloss.running.notebook import NotebookLine, notebook_display

class Impatient(NotebookLine):
    def batch_done(self, progress):
        super().batch_done(progress)
        os.kill(os.getpid(), signal.SIGINT)  # what the notebook's stop button sends

cut = symloss.search(table, out="cut", workers=0, observer=Impatient(notebook_display()))
cut
""",
    "rest = symloss.resume(cut.directory, workers=0)\nassert rest.winner == whole.winner\n"
    "assert rest.finals == whole.finals\nassert cut.interrupted == signal.SIGINT and cut.finals is None\nrest.finals",
    "try:\n    signal.raise_signal(signal.SIGINT)\nexcept KeyboardInterrupt:\n    print('the stop button works again')",
]


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The cells of a notebook that ran in a kernel of its own."""
    folder = tmp_path_factory.mktemp("notebook")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    nbformat.write(notebook, folder / "x.ipynb")
    command = [sys.executable, "-c", RUN, str(folder / "x.ipynb"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    cells: list[dict[str, Any]] = nbformat.read(folder / "x.ipynb", 4).cells
    return cells


def shown(cell: dict[str, Any], kind: str = "text/html") -> str:
    return "\n".join(output["data"][kind] for output in cell["outputs"] if kind in output.get("data", {}))


def test_objects_show_themselves(executed: list[dict[str, Any]]) -> None:
    latex = symloss.zoo["baikal"].latex()
    assert "\\frac{t}{p}" in latex
    assert f"<td>${latex}$</td>" in shown(executed[0])
    assert shown(executed[1], "text/latex") == f"$\\displaystyle {latex}$"
    assert "<th>label_smoothing</th>" in shown(executed[2])
    assert "t/p - log(p)" in shown(executed[2])


def test_a_run_shows_how_it_goes_and_what_it_came_to(executed: list[dict[str, Any]]) -> None:
    displays = [each for each in executed[3]["outputs"] if each["output_type"] == "display_data"]
    assert len(displays) == 1  # one line, written anew
    assert "ended: 3 generations are done" in displays[0]["data"]["text/html"]
    assert "<th>finals</th>" in displays[0]["data"]["text/html"]
    result = next(
        each["data"]["text/html"] for each in executed[3]["outputs"] if each["output_type"] == "execute_result"
    )
    for words in ("<caption>Front", "cross_entropy", "<th>verdict</th>", "tuned cross_entropy"):
        assert words in result
    assert not [each for each in executed[3]["outputs"] if each["output_type"] == "stream"]


def test_the_stop_button_ends_a_run_that_can_be_continued(executed: list[dict[str, Any]]) -> None:
    result = shown(executed[4])
    assert "interrupted by SIGINT" in result
    assert "go on with symloss.resume(&#x27;cut&#x27;)" in result
    assert "<caption>2 fresh seeds" in shown(executed[5])
    assert executed[6]["outputs"][0]["text"] == "the stop button works again\n"


def test_outside_a_notebook_nobody_watches() -> None:
    assert notebook_display() is None
    assert isinstance(usual_observer(), Silent)


def test_a_line_is_updated_and_not_too_often() -> None:
    shown_texts: list[str] = []

    class Handle:
        def update(self, shown: Shown) -> None:
            shown_texts.append(repr(shown))

    def display(shown: Shown, display_id: bool) -> Handle:
        shown_texts.append("first " + repr(shown))
        return Handle()

    now = [0.0]
    line = NotebookLine(display, lambda: now[0])
    line.progressed(Progress(generation=1))
    line.batch_done(Progress(generation=2))
    assert len(shown_texts) == 1
    assert shown_texts[0].startswith("first symloss; generation 1")
    now[0] = EVERY
    line.batch_done(Progress(generation=3))
    assert "generation 3" in shown_texts[1]
    line.trial_done(1, 2)
    line.finals_done("beats <all>")
    assert "beats <all>" in shown_texts[-1]
    assert len(shown_texts) == 3


def test_markup_escapes_everything() -> None:
    evil = "<script>alert('x')</script>"
    rows = table_html([{evil: evil, "n": 0.123456}], evil)
    fields = fields_html([(evil, evil), ("tex", Math("a < b"))])
    assert "<script>" not in rows + fields
    assert rows.count("&lt;script&gt;") == 3
    assert ">0.1235</td>" in rows
    assert "<td>$a &lt; b$</td>" in fields
    assert cell_html(None) == "<td></td>"
    assert cell_html(True) == '<td style="text-align: left">True</td>'


def test_a_strangers_names_are_shown_as_text() -> None:
    from symloss.running.proof.recheck import Check, RowCheck, Verification
    from symloss.running.proof.transferring import Column, Transfer

    evil = "<img src=x>"
    verification = Verification(
        False, evil, True, False, 3, (RowCheck(evil, Check.EQUAL, {evil: 1.0}, {}, evil),), (), evil, evil
    )
    column = Column(evil, {}, "m", 1, 2, (), (Verdict(evil, Interval(1, 0, 2, 0.1, 2)),), Unit("points", 100), evil)
    transfer = Transfer(evil, "ce", {evil: "t", "ce": "p"}, (column,))
    for html in (verification._repr_html_(), transfer._repr_html_()):
        assert "<img" not in html
        assert "&lt;img src=x&gt;" in html
    assert "100.0 (0.0 to 200.0) points" in transfer._repr_html_()


def test_a_result_without_finals_says_how_to_go_on() -> None:
    result = RunResult(Path("runs/x"), "interrupted by SIGINT", Progress(), (), None, 2)
    assert "symloss.resume(&#x27;runs/x&#x27;)" in result._repr_html_()
    assert "resume" not in replace(result, interrupted=None)._repr_html_()
    assert repr(symloss.zoo).startswith("<zoo of ")
