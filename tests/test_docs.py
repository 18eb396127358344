"""README and docs keep their word: every block of Python, shell and TOML runs, every link leads somewhere.

A page is worked through from top to bottom in one folder, as a reader would. Above a block may stand

- `<!-- run with: ARGUMENTS -->`: each of its symloss commands gets these arguments too, to take less time;
- `<!-- not run: why -->`: it is parsed only: commands must exist with their options, Python and TOML must be valid.

A block of Python or TOML whose first line is `# NAME.py` or `# NAME.toml` is written to that file instead.
"""

import re
import shlex
import shutil
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest

from symloss.cli import LazyGroup, main, symloss

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES = [page for page in PAGES if page.name != "gallery.md"]  # made when the documentation is built
BLOCK = re.compile(
    r"(?:<!-- (?P<mark>run with|not run): (?P<words>.*?) -->\n+)?^```(?P<language>[\w-]*)[^\n]*\n(?P<body>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
SHELL = ("sh", "bash", "shell", "console")
LANGUAGES = ("", "text", "toml", "python", "json", *SHELL)
HARMLESS = (
    "pip install ", ". .venv/bin/activate", "make", "cd ", "git ", "python -m pytest ", "python -m reproduce",
    "python -m tests.", "python -m benchmarks.",
)  # fmt: skip


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    body: str
    mark: str
    words: str

    @property
    def file(self) -> str:
        """Name of the file that the block is meant to be."""
        found = re.match(r"# ([\w./-]+\.(?:py|toml))\n", self.body)
        return found[1] if found and self.language in ("python", "toml") else ""

    @property
    def commands(self) -> list[str]:
        """Its commands; lines that end with a backslash go on."""
        lines = self.body.replace("\\\n", " ").splitlines()
        if self.language == "console":
            lines = [line[2:] for line in lines if line.startswith("$ ")]
        return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def blocks_of(page: Path) -> list[Block]:
    found = (match.groupdict("") for match in BLOCK.finditer(page.read_text(encoding="utf-8")))
    return [Block(each["language"], each["body"], each["mark"], each["words"]) for each in found]


PAGE_NAMES = [str(page.relative_to(ROOT)) for page in PAGES]


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder like a checkout's, to work in."""
    for name in ("experiments", "grammars", "docs"):
        shutil.copytree(ROOT / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


# The libraries that a loss is used with warn about habits of their own.
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize("page", PAGE_NAMES)
def test_every_block_of_a_page_runs(page: str, reader: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {"__name__": "page"}
    for block in blocks_of(ROOT / page):
        assert block.language in LANGUAGES or block.language == "", f"{page}: a block of {block.language}"
        if block.language == "toml":
            tomllib.loads(block.body)
        if block.language == "python":
            code = compile(block.body, page, "exec")
            if not block.file and block.mark != "not run":
                exec(code, names)  # noqa: S102 - the project's own pages
        if block.file:
            Path(block.file).write_text(block.body, encoding="utf-8")
        if block.language in SHELL:
            for line in block.commands:
                check_command(line, page)
                if line.startswith("symloss ") and block.mark != "not run":
                    more = shlex.split(block.words) if block.mark == "run with" else []
                    run_command([*shlex.split(line, comments=True)[1:], *more], f"{page}: {line}", capsys)


def check_command(line: str, page: str) -> None:
    """Refuse a command that does not exist, or has no such option."""
    if line.startswith("make "):
        targets = [word for word in shlex.split(line, comments=True)[1:] if word.isalpha()]
        known = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert set(targets) <= set(known), f"{page}: {line}"
        return
    if line.startswith("python -m benchmarks."):
        name = line.split()[2].removeprefix("benchmarks.")
        assert (ROOT / "benchmarks" / f"{name}.py").exists(), f"{page}: {line}"
        return
    if line.startswith(("python -m pytest ", "python -m tests.")):
        _, _, module, *words = shlex.split(line, comments=True)
        module = module if module != "pytest" else ""
        files = [word for word in words if word.startswith("tests/") and word.endswith(".py")]
        files += [f"{module.replace('.', '/')}{end}" for end in (".py", "/__main__.py") if module]
        there = [(ROOT / file).exists() for file in files]
        assert any(there) if module else all(there), f"{page}: {line}"
        return
    if not line.startswith("symloss "):
        assert line.startswith(HARMLESS), f"{page}: the tests do not know what '{line}' is; mark its block as not run"
        return
    _, *arguments = shlex.split(line, comments=True)
    while arguments[0] == "--use":
        del arguments[:2]
    name, *rest = arguments
    command = LazyGroup().get_command(click.Context(symloss), name)
    assert command is not None, f"{page}: {line}"
    command.make_context(name, rest, parent=click.Context(symloss))


def run_command(arguments: list[str], place: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0, f"{place}: {capsys.readouterr().err}"


@pytest.mark.parametrize("page", PAGE_NAMES)
def test_every_link_of_a_page_leads_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for link in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", text):
        made = link == "gallery.md"
        assert made or ((ROOT / page).parent / link).exists(), f"{page}: {link}"


def test_blocks_are_read() -> None:
    match = BLOCK.search("x\n<!-- run with: --workers 0 -->\n```sh\nsymloss show baikal \\\n  --json\n# no\n```\n")
    assert match is not None
    block = Block(**{key: match[key] or "" for key in ("language", "body", "mark", "words")})
    assert (block.mark, block.words) == ("run with", "--workers 0")
    assert [" ".join(line.split()) for line in block.commands] == ["symloss show baikal --json"]
    assert Block("console", "$ make test\nout\n", "", "").commands == ["make test"]
    assert Block("toml", "# a.toml\nx = 1\n", "", "").file == "a.toml"
    assert Block("sh", "# a.toml\nx = 1\n", "", "").file == ""


@pytest.mark.parametrize("page", ["README.md", "docs/start.md", "docs/own_problem.md", "docs/reading.md"])
def test_the_pages_hold_what_can_be_tried(page: str) -> None:
    blocks = blocks_of(ROOT / page)
    assert [block for block in blocks if block.language in SHELL and block.mark != "not run"]
    assert [block for block in blocks if block.language == "python" and block.mark != "not run"]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("symloss shw baikal", "None"),
        ("symloss show baikal --jsn", "jsn"),
        ("make serch", "serch"),
        ("rm -rf x", "rm"),
        ("python -m pytest tests/test_nothing.py", "nothing"),
        ("python -m tests.nothing", "nothing"),
    ],
)
def test_a_command_that_does_not_exist_is_found(line: str, fault: str) -> None:
    with pytest.raises((AssertionError, click.UsageError), match=fault):
        check_command(line, "x")
