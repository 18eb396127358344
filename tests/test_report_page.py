"""The report as a page: whole for every run, small, and closed to whatever a run says."""

import base64
import contextlib
import hashlib
import json
import re
import sqlite3
from html.parser import HTMLParser
from pathlib import Path

import pytest

import symloss
from symloss.language.formula import parse
from symloss.language.slots import SLOTS
from symloss.language.zoo import ZOO, zoo
from symloss.telling.report.material import gather
from symloss.telling.report.page import LARGEST, REFRESH, page
from symloss.telling.report.payload import as_json
from symloss.telling.report.sections import SECTIONS
from symloss.telling.report.source import public
from tests.runs import EVIL, finals, formula_of, make_run

ALLOWED = {
    *("html", "head", "meta", "title", "style", "script", "noscript"),
    *("body", "header", "nav", "main", "section", "footer"),
    *("h1", "h2", "h3", "p", "a", "b", "i", "small", "span", "div", "code", "pre", "ins", "del", "dl", "dt", "dd"),
    *("figure", "figcaption", "table", "thead", "tbody", "tr", "th", "td", "ol", "ul", "li", "details", "summary"),
    *("svg", "path", "line", "circle", "rect", "text", "g"),
    *("math", "mrow", "mi", "mo", "mn", "mfrac", "msup", "msqrt"),
}  # fmt: skip
VOID = {"meta"}


class Reader(HTMLParser):
    """Reads a page as a browser does, and keeps what matters here."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags, self.scripts, self.open, self.text, self.ids = [], [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        known = dict(attributes)
        self.tags.append((tag, known))
        if "id" in known:
            self.ids.append(known["id"])
        if tag not in VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append([known.get("type"), ""])

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts[-1][1] += data
        elif self.open and self.open[-1] != "style":
            self.text.append(data)

    @property
    def data(self):
        return json.loads(next(text for kind, text in self.scripts if kind == "application/json"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


def evil_run(path):
    names = (EVIL[0], EVIL[3], EVIL[9], "gce")
    facts = {"name": EVIL[0], "metric": EVIL[1], "ended": EVIL[4], "stack_reason": EVIL[5]}
    facts["finals"] = {**finals(formula_of(297), names, EVIL[1]), "sentence": EVIL[7]}
    session = {"started": EVIL[2], "workers": 2, "platform": EVIL[9], "cpus": 4, "seconds": 1.0}
    facts["sessions"] = [{**session, "versions": {EVIL[0]: EVIL[1], "torch": EVIL[2]}}]
    return make_run(path, 300, text=lambda number: EVIL[number % len(EVIL)], **facts)


def polished_run(path):
    document = finals(POLISHED)
    rows = [{**document["rows"][0], "name": "polished 1"}, {**document["rows"][1], "formula": formula_of(99)}]
    rows[1] |= {"name": "found 1"}
    make_run(path, 100, finals={**document, "rows": [*rows, *document["rows"][2:]]})
    with contextlib.closing(sqlite3.connect(path / "run.sqlite")) as connection, connection:
        connection.execute("UPDATE candidates SET key = ? WHERE number = 99", (parse(formula_of(99)).key,))
    return path


POLISHED = "-1.2345*t*log(p) + 98.76*p"
RUNS = {
    "polished": polished_run,
    "usual": lambda path: make_run(path, 100, finals=finals(formula_of(99))),
    "evil": evil_run,
    "empty": lambda path: make_run(path, 0, ended="", sessions=[]),
    "unfinished": lambda path: make_run(path, 60, ended="stopped by SIGINT", rungs=(50, 100)),
    "minimised": lambda path: make_run(
        path, 60, metric="nll", maximise=False, finals=finals(formula_of(9), metric="nll")
    ),
    "regression": lambda path: make_run(path, 60, slot="regression", metric="mse", maximise=False),
    "few": lambda path: make_run(path, 8),
    "damaged finals": lambda path: make_run(path, 60, finals={**finals("no formula ("), "winner": "no formula ("}),
}


@pytest.fixture(scope="module", params=RUNS)
def material(request, folder):
    path = folder / request.param.replace(" ", "_")
    return gather(path if path.exists() else RUNS[request.param](path))


def test_every_run_gives_a_whole_page_of_known_elements(material):
    text = page(material)
    read = Reader(text)
    assert read.open == []
    assert {tag for tag, _ in read.tags} <= ALLOWED
    assert len(read.ids) == len(set(read.ids))
    assert len(text.encode()) < LARGEST
    assert "None" not in "".join(read.text)


def test_nothing_is_let_in(material):
    read = Reader(page(material))
    for tag, attributes in read.tags:
        assert not [
            name for name in attributes if name.startswith("on") or name in ("style", "src", "srcset", "action")
        ]
        if "href" in attributes:
            assert tag == "a"
            assert attributes["href"].removeprefix("#") in read.ids
    assert [kind for kind, _ in read.scripts] == ["application/json", None]


def test_the_policy_names_the_page_s_own_script_and_style(material):
    text = page(material)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text).group(1).replace("&#39;", "'")
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules.pop("default-src") == rules.pop("base-uri") == rules.pop("form-action") == "'none'"
    for tag in ("script", "style"):
        inside = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside[-1].encode()).digest()).decode()
        assert (len(inside), rules.pop(f"{tag}-src")) == (1, f"'sha256-{digest}'")
    assert not rules


def test_parts_without_anything_to_say_are_left_out(material):
    shown = {part for part in SECTIONS if f'<section id="{part}">' in page(material)}
    assert {"opening", "progress", "candidates", "source"} <= shown
    assert ("proof" in shown) == (material.finals is not None)
    assert ("front" in shown) == bool(material.front)
    assert ("curves" in shown) == (material.formula is not None)


def test_a_winner_whose_numbers_were_polished_is_shown_as_it_is_with_the_family_of_what_it_was(folder):
    path = folder / "polished"
    material = gather(path if path.exists() else polished_run(path))
    assert (material.winner.number, material.winner.formula) == (99, parse(POLISHED).text)
    assert material.winner.complexity == parse(POLISHED).complexity
    text = page(material)
    headline = text.split('<div class="headline">')[1].split("</div>")[0]
    assert "1.2345" in headline
    assert "before its numbers were polished" in text
    assert "its numbers were tuned once more" in text
    assert "its numbers" not in page(gather(RUNS["usual"](folder / "unpolished")))


@pytest.mark.parametrize("live", [True, False])
def test_a_page_loads_itself_again_only_while_there_is_more_to_come(folder, live):
    path = folder / "usual"
    text = page(gather(path if path.exists() else RUNS["usual"](path), live=live))
    assert (f'<noscript><meta http-equiv="refresh" content="{REFRESH}"></noscript>' in text) == live
    assert Reader(text).data["live"] is live


def test_evil_texts_are_shown_as_texts(folder):
    path = folder / "evil"
    read = Reader(page(gather(path if path.exists() else evil_run(path))))
    said = "".join(read.text)
    for text in (EVIL[0], EVIL[1], EVIL[7], EVIL[3]):
        assert text in said
    assert "7*7" in said
    assert "\x1b" not in said
    assert "\u202e" not in said + json.dumps(read.data, ensure_ascii=False)
    assert "\\x1b[2J" in said


@pytest.mark.parametrize("text", EVIL)
def test_json_keeps_every_text_and_holds_no_markup(text):
    made = as_json({text: [text]})
    assert json.loads(made) == {text: [text]}
    assert not set(made) & set("<>&\u2028\u2029")


@pytest.mark.parametrize("slot", SLOTS)
def test_winners_of_every_slot_are_shown_with_their_curves(folder, slot):
    name = next(name for name, entry in ZOO.items() if entry.slot == slot)
    path = make_run(folder / f"slot_{slot}", 20, slot=slot, finals=finals(zoo[name].text))
    with sqlite3.connect(path / "run.sqlite") as connection:
        connection.execute(
            "UPDATE candidates SET formula = ?, complexity = 3 WHERE formula IS NOT NULL", (zoo[name].text,)
        )
    connection.close()
    read = Reader(page(gather(path)))
    lines = read.data["curves"]["lines"]
    assert lines[0]["text"] == zoo[name].text
    assert {line["name"] for line in lines[1:]} <= {each for each, entry in ZOO.items() if entry.slot == slot}
    assert sum(line["on"] for line in lines) >= 2
    assert all(len(line["values"]) == len(read.data["curves"]["x"]) for line in lines)


def test_what_is_drawn_is_what_the_store_holds(folder):
    path = make_run(folder / "drawn", 200)
    data = Reader(page(gather(path))).data
    rows = data["rows"]
    assert rows["number"] == list(range(200))
    assert data["total"] == 200
    held = dict(zip(rows["number"], rows["fitness"], strict=True))
    assert all(held[number] == fitness for _, fitness, number in [*data["best"], *data["front"]])
    assert data["best"] == sorted(data["best"])
    assert rows["states"][rows["state"][6 + 10]] == "duplicate"
    assert held[16] == held[rows["twin"][16]]
    assert rows["reasons"][rows["reason"][1]].startswith("its value is not finite at 1 of")


def test_twenty_thousand_candidates_stay_small_and_are_said_to_be_thinned(folder):
    path = make_run(
        folder / "large", 20_000, text=lambda number: " and so on" * (number % 40), finals=finals(formula_of(19989))
    )
    text = page(gather(path))
    assert len(text.encode()) < LARGEST
    read = Reader(text)
    said = "".join(read.text)
    assert f"{len(read.data['rows']['number']):,} of 20,000 candidates".replace(",", "\u202f") in said


def test_long_formulas_leave_a_page_small(folder):
    path = make_run(folder / "long", 400, finals=finals(formula_of(399)))
    with sqlite3.connect(path / "run.sqlite") as connection:
        for number in range(400):  # each scored one is more complex and better than those before
            text = " + ".join(f"t*log(p)*{number + each}.125" for each in range(40))
            row = (text, 10 + number, f"mul(t, {number})" * 100, number)
            connection.execute("UPDATE candidates SET formula = ?, complexity = ?, text = ? WHERE number = ?", row)
            connection.execute("UPDATE measurements SET value = ? WHERE candidate = ?", (number / 400, number))
    connection.close()
    text = page(gather(path))
    assert len(text.encode()) < LARGEST
    assert "formulas of the front are listed" in text


def test_the_vendored_library_is_what_its_page_says_and_its_licence_goes_with_it(folder):
    vendored = Path(symloss.__file__).parent / "telling" / "report" / "vendor" / "uplot"
    lines = (vendored / "README.md").read_text().splitlines()
    said = {line.split()[1]: line.split()[0] for line in lines if line.startswith("    ")}
    assert set(said) == {"uPlot.iife.min.js", "uPlot.min.css", "LICENSE"}
    for name, digest in said.items():
        assert hashlib.sha256((vendored / name).read_bytes()).hexdigest() == digest
    path = folder / "usual"
    text = page(gather(path if path.exists() else RUNS["usual"](path)))
    assert (vendored / "LICENSE").read_text().splitlines()[0] in text
    assert "Permission is hereby granted" in text


def test_paths_of_a_machine_stay_there():
    text = 'grammar = "/home/me/it\'s/mine.toml"\n[task]\nfolder = "/home/me"\nfactory = "mine.py:task"\n'
    shown = public(text)
    assert "/home/me" not in shown
    assert 'grammar = "mine.toml"' in shown
    assert 'factory = "mine.py:task"' in shown
    assert public('grammar = "compact"') == 'grammar = "compact"'
