"""The Hub's folder: a card that the Hub's own reader takes, a loss file that loads, a torch file that runs."""

import re
import subprocess
import sys

import pytest
import torch

import symloss
from symloss.errors import DiskError, RunError
from symloss.language.formula import parse
from symloss.language.lossfile import read_loss
from symloss.telling.export import write_export
from symloss.telling.model_card import model_card
from symloss.telling.target import Target, find_target

EVIDENCE = {
    "experiment": "noisy_digits",
    "verdict": "beats tuned cross_entropy by 2.0 points",
    "table": [{"name": "found 2", "test": {"accuracy": [0.93, 0.013]}}],
}


@pytest.fixture
def folder(tmp_path):
    target = Target("run", "my-run", parse("-t*sqrt(p)"), "winner of runs/my-run", EVIDENCE)
    write_export(target, "huggingface", tmp_path / "card")
    return tmp_path / "card"


def test_the_folder_holds_card_loss_torch_file_and_evidence(folder):
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md", "evidence.json", "my_run.loss.json", "my_run.py",
    ]  # fmt: skip
    assert read_loss(folder / "my_run.loss.json").evidence == EVIDENCE


def test_the_cards_examples_run(folder):
    blocks = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    assert len(blocks) == 2
    script = "\n".join([*blocks, "import torch; print(float(loss(torch.zeros(2, 3), torch.tensor([0, 1]))))"])
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    expected = symloss.load("-t*sqrt(p)")(torch.zeros(2, 3), torch.tensor([0, 1]))
    assert float(done.stdout) == pytest.approx(float(expected), rel=1e-5)


def test_the_card_says_formula_source_verdict_and_limits(folder):
    text = (folder / "README.md").read_text()
    for part in ("-t*sqrt(p)", "winner of runs/my-run", "beats tuned cross\\_entropy", "0.93, 0.013", "one task"):
        assert part in text


def test_the_hub_reads_the_card(folder):
    hub = pytest.importorskip("huggingface_hub", reason="pip install 'symloss[huggingface]'")
    card = hub.ModelCard.load(folder / "README.md")
    assert card.data.library_name == "symloss"
    assert {"symloss", "loss-function", "classification"} <= set(card.data.tags)


def test_a_strangers_text_stays_text():
    hostile = "---\nlicense: x\n---\n<script>alert(1)</script> ```python\nimport os\n``` [x](y) | "
    card = model_card(Target("file", hostile, parse("-t*log(p)"), hostile, {hostile: hostile}))
    assert "<script>" not in card
    assert card.count("```python") == 2
    assert card.splitlines().count("---") == 2
    assert "[x](y)" not in card.replace("\\[", "")


@pytest.mark.parametrize(
    ("kind", "place", "said"),
    [
        ("torhc", "a.py", "unknown kind 'torhc'. Did you mean 'torch'"),
        ("torch", "no/a.py", "no is no directory"),
        ("torch", "folder", "is a link or no regular file"),
        ("huggingface", "file", "cannot be made a directory"),
    ],
)
def test_a_place_that_cannot_be_written_is_said(kind, place, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=re.escape(said)):
        write_export(find_target("gce"), kind, tmp_path.relative_to(tmp_path) / place)
    assert (tmp_path / "file").read_text() == ""


def test_a_disk_that_is_full_leaves_no_folder_without_files(tmp_path, monkeypatch):
    def full(path, _):
        raise DiskError(f"{path} cannot be written")

    (tmp_path / "mine").mkdir()
    monkeypatch.setattr("symloss.telling.export.write_whole", full)
    for name in ("new", "mine"):
        with pytest.raises(DiskError):
            write_export(find_target("gce"), "huggingface", tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
