"""What the README says is so."""

import re
from pathlib import Path

from gpt.config import RunConfig
from gpt.options import table, walk

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_option_table_is_the_declarations():
    assert table(RunConfig) in README, "run `python -m gpt options` and put its table into the README"
    assert README.count("| `model.") + README.count("| `data.") + README.count("| `train.") + README.count("| `sample.") \
        == len(list(walk(RunConfig)))


def test_space_runs_the_pinned_gradio():
    front = re.match(r"---\n(.*?)\n---\n", README, re.S)[1]
    settings = dict(line.split(": ", 1) for line in front.splitlines())
    pins = dict(line.split("==") for line in (ROOT / "requirements.txt").read_text().split())
    assert settings["sdk_version"] == pins["gradio"]
    assert (ROOT / settings["app_file"]).is_file()
    assert len(settings["short_description"]) <= 60, "Spaces refuse a longer one"


def test_every_linked_file_exists():
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    for link in links:
        assert link.startswith("http") or (ROOT / link).exists(), link


def test_the_two_commands_install_what_is_pinned():
    blocks = re.findall(r"<!-- the (\w+) -->\n```sh\n(.*)\n```", README)
    assert [name for name, _ in blocks] == ["page", "tests"]
    for _, command in blocks:
        for file in re.findall(r"-r (\S+)", command):
            assert (ROOT / file).is_file()
