"""Warm starts: the first candidates are those that the experiment names, whatever searches."""

from pathlib import Path

import pytest

from symloss.errors import ExperimentError
from symloss.judging.tasks import make_task
from symloss.language.formula import parse
from symloss.language.grammar import load_grammar
from symloss.language.lossfile import write_loss
from symloss.language.zoo import zoo
from symloss.running.config import check_fit, experiment_toml, read_experiment
from symloss.searching.searches import SEARCHES, make_search
from symloss.settings import read_toml
from tests.laws.test_searches import SMALL
from tests.searching import JUDGE, Bench

INITIAL = ["cross_entropy", "sce", "t*p - log(p)"]


def table(**search: object) -> dict:
    return {"name": "warm", "task": {"name": "digits"}, "search": search, "stop": {"generations": 1}}


@pytest.mark.parametrize("name", SEARCHES)
def test_every_search_begins_with_them(name: str) -> None:
    search = make_search(name, load_grammar("compact"), JUDGE, 0, SMALL[name] | {"initial": INITIAL})
    candidates = search.ask()
    assert [each.variation == "warm start" for each in candidates[:4]] == [True] * 3 + [False]
    read = [parse(each.text).key for each in candidates[:3]]
    assert read[0] == zoo["cross_entropy"].key
    assert read[2] == parse("t*p - log(p)").key
    told = search.tell(Bench()(candidates))
    assert told[0].text == candidates[0].text
    assert search.ask()[0].variation != "warm start"


def test_an_experiment_keeps_texts_so_that_a_run_needs_no_file(tmp_path: Path) -> None:
    write_loss(tmp_path / "mine.loss.json", parse("-t*sqrt(p)"))
    read = read_experiment(table(initial=["sce", "mine.loss.json", "-t*p"]), "x.toml", tmp_path)
    assert read.search["initial"] == [zoo["sce"].text, "-t*sqrt(p)", "-t*p"]
    again = read_experiment(read_toml(experiment_toml(read), "again"), "again", Path("/nowhere"))
    assert again.search == read.search


@pytest.mark.parametrize(
    ("initial", "said"),
    [
        (["nothing.json"], r"\[search\] initial: .*nothing.json"),
        ([3], r"\[search\].*initial is \[3\]"),
        ("sce", r"initial is 'sce'"),
        (["-t*log(p)", "-t*log(p)"], "different values"),
    ],
)
def test_what_cannot_be_read_is_named_at_once(initial: object, said: str, tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match=said):
        read_experiment(table(initial=initial), "x.toml", tmp_path)


@pytest.mark.parametrize(("text", "said"), [("-t*lgo(p)", "lgo"), ("mse", "'r' is not a variable here")])
def test_what_does_not_fit_is_named_before_anything_is_made(text: str, said: str) -> None:
    read = read_experiment({**table(), "search": {"initial": [text]}}, "x.toml", Path())
    with pytest.raises(ExperimentError, match=rf"warm: \[search\] initial: .*{said}"):
        check_fit(read, load_grammar("compact"), make_task(read.task))
