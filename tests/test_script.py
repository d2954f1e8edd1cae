"""Scripts: each trains as the playground does, has nothing of what its config leaves out, and reads well."""

import ast
import contextlib
import io
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from gpt import kernels, script_fold, script_source
from gpt.__main__ import main
from gpt.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from gpt.events import Answers, Eval, Sample, Step
from gpt.model import build
from gpt.options import ConfigError, get
from gpt.options import replace as change
from gpt.presets import Preset, list_presets, load
from gpt.run import Run
from gpt.script import differences, script, whole
from gpt.script_rules import PLAIN
from gpt.script_syntax import parse, pattern
from gpt.texts import import_text
from support import VOCAB, moved, pairwise, small_text, tokens

TEXT = small_text(words=2500)
COVER = pairwise()[::5]
PRESETS = {preset.id: preset for preset in list_presets()}
TINY = {"model.n_embd": 16, "model.n_layer": 2, "model.block_size": 16, "train.batch_size": 4}

# Options of training, texts and samples, in combinations; each value that changes a script comes up at least once.
ROWS: list[dict[str, Any]] = [
    {"train.optimizer": "adam", "train.weight_decay": 0.1, "train.schedule": "linear", "data.tokenizer": "byte",
     "sample.top_k": 5},
    {"train.optimizer": "lion", "train.lr": 3e-4, "train.warmup": 3, "sample.top_p": 0.7, "train.device": "cpu"},
    {"train.optimizer": "lion", "train.weight_decay": 0.1, "train.schedule": "wsd", "train.decay": 0.5,
     "sample.temperature": 0.0},
    {"train.optimizer": "sgd", "train.lr": 0.1, "train.momentum": 0.9, "train.grad_clip": 1.0,
     "sample.prompt": "the cat sat on the mat"},
    {"train.optimizer": "muon", "train.weight_decay": 0.1, "train.schedule": "cosine", "train.lr_end": 0.0,
     "model.queries_per_kv": 2},
    {"train.optimizer": "muon", "model.architecture": "bigram", "model.dropout_resid": 0.2, "data.val_fraction": 0.17},
    {"train.optimizer": "muon", "model.dropout_resid": 0.2, "model.dropout_embd": 0.1, "train.device": "cpu",
     "train.seed": 0},
    {"model.attention": "none", "model.mlp": False, "train.precision": "bfloat16", "sample.prompt": "the"},
    {"model.attention": "none", "train.precision": "bfloat16", "train.device": "cpu", "model.norm": "rms",
     "data.tokenizer": "byte"},
    {"data.tokenizer": "bpe", "data.vocab_size": 300, "sample.prompt": "the cat"},
    {"data.tokenizer": "bpe", "data.vocab_size": 280, "train.optimizer": "muon", "train.device": "cpu"},
]


def shrunk(config: RunConfig) -> RunConfig:
    """The same options on a small text, or on the same task, with sizes for a test."""
    small = {"sample.length": 30, "train.eval_tokens": 512}
    if not config.data.asks:
        small |= {"data.dataset": "own", "data.text": import_text(TEXT.encode())}
    for path, most in {"model.n_embd": 64, "model.n_layer": 2, "model.block_size": 32, "train.batch_size": 8}.items():
        small[path] = min(most, get(config, path))
    return change(config, small)


def lasting(config: RunConfig, steps: int) -> RunConfig:
    warmup = min(config.train.warmup, steps // 2)
    return change(config, {"train.steps": steps, "train.warmup": warmup, "train.eval_every": steps // 2})


@pytest.fixture
def run_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs a script on the small text; what it has in the end, and what it prints."""
    (tmp_path / "text.txt").write_text(TEXT)
    monkeypatch.setattr(sys, "argv", ["my_gpt.py", str(tmp_path / "text.txt")])

    def run(source: str) -> tuple[dict[str, Any], str]:
        space: dict[str, Any] = {"__name__": "__main__"}
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(source, "my_gpt.py", "exec"), space)
        return space, printed.getvalue()

    return run


def check_reads_well(source: str) -> None:
    """Nothing that a person would not have written."""
    assert max(map(len, source.splitlines())) <= 110
    assert not re.search(r"\bcfg\b|\bkernels\b|\bif (True|False)\b|Identity|lambda|\(\(\(|\n\n\n\n|[ \t]\n", source)
    imported = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Import | ast.ImportFrom)]
    roots = {(n.module if isinstance(n, ast.ImportFrom) else n.names[0].name).split(".")[0] for n in imported}
    assert roots <= {"torch"} | sys.stdlib_module_names
    assert all(len(re.findall(rf"\b{a.asname or a.name}\b", source)) > 1 for n in imported for a in n.names)


def check_trains_alike(config: RunConfig, run_script, monkeypatch) -> None:
    """The losses of all steps and checks, the number of parameters and the sample are those of a run."""
    monkeypatch.setattr(kernels, "bfloat16_is_fast", lambda device: False)  # as scripts have it on a CPU
    source = script(config)
    check_reads_well(source)
    run = Run(config)
    events = list(run.events())
    space, printed = run_script(source)
    expected = [event.loss for event in events if isinstance(event, Step)]
    torch.testing.assert_close(space["losses"], expected, atol=1e-5, rtol=0)
    first, *_, last = [f"{event.loss:.4f}" for event in events if isinstance(event, Eval)]
    size = sum(p.numel() for p in run.model.parameters())
    assert printed.startswith(f"{size:,} parameters, validation loss {first}\n")
    sample = [event.text for event in events if isinstance(event, Sample)][-1]
    found = [f"exact answers: {e.right:,} of {e.total:,} held-out questions\n" for e in events if isinstance(e, Answers)]
    assert printed.endswith(f"validation loss {last}\n{''.join(found[-1:])}{sample}\n")


# Training -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_presets_train_as_in_the_playground(preset: Preset, run_script, monkeypatch):
    """And the scripts of the ladder are short enough to be read at once."""
    config = lasting(shrunk(preset.config), 50)
    check_trains_alike(config, run_script, monkeypatch)
    lines = [line for line in whole(config).splitlines() if line.strip()]
    assert len(lines) <= {None: 245, 1: 90}.get(preset.number, 160)


@pytest.mark.parametrize("row", ROWS, ids=[" ".join(map(str, row.values())) for row in ROWS])
def test_options_train_as_in_the_playground(row, run_script, monkeypatch):
    check_trains_alike(lasting(shrunk(change(RunConfig(), {**TINY, **row})), 8), run_script, monkeypatch)


# Models -------------------------------------------------------------------------------------------------------------

def namespace(source: str) -> dict[str, Any]:
    """The definitions of a script, without its training."""
    space: dict[str, Any] = {}
    exec(compile(source[: source.index("\n# The text")], "my_gpt.py", "exec"), space)
    return space


@pytest.mark.parametrize("cfg", COVER, ids=map(str, range(len(COVER))))
def test_models_are_those_of_the_playground(cfg: ModelConfig):
    """Same starting weights; with the same weights off their start, same scores for any number of tokens."""
    source = script(RunConfig(model=cfg, train=TrainConfig(device="cpu")))
    check_reads_well(source)
    space = namespace(source)
    theirs = space["GPT" if cfg.architecture == "transformer" else "Bigram"](VOCAB)
    space["init_weights"](theirs)
    for mine, other in zip(theirs.parameters(), build(cfg, VOCAB, 1).parameters(), strict=True):
        assert torch.equal(mine, other)
    ours = moved(cfg).eval()
    with torch.inference_mode():
        for mine, other in zip(theirs.eval().parameters(), ours.parameters(), strict=True):
            mine.copy_(other)
        for T in (1, 3, cfg.block_size):
            x = tokens(2, T)
            torch.testing.assert_close(theirs(x), ours(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("cfg", COVER, ids=map(str, range(len(COVER))))
def test_nothing_is_there_of_what_is_off(cfg: ModelConfig):
    source = whole(RunConfig(model=cfg, train=TrainConfig(device="cpu")))
    table = cfg.architecture == "bigram"
    off = {
        "GPT": table, "Bigram": not table,
        "Attention|attn": table or cfg.attention == "none", "MLP|mlp": table or not cfg.mlp,
        "Learned": cfg.position != "learned", "Sinusoidal": cfg.position != "sinusoidal",
        "Rope|rotate": cfg.position != "rope", "Alibi|slopes": cfg.position != "alibi",
        "LayerNorm": cfg.norm != "layer", "RMSNorm": cfg.norm != "rms" and not cfg.qk_norm,
        "q_norm|k_norm": not cfg.qk_norm, "WINDOW": not cfg.window, "KV_HEADS": cfg.queries_per_kv == 1,
        "tanh": not cfg.softcap and cfg.activation not in ("gelu", "geglu"), "final_norm": not cfg.final_norm,
        "Dropout|manual_seed\\(seed|eval\\(\\)": not cfg.drops, "gate": cfg.activation not in ("swiglu", "geglu"),
        "before_": cfg.norm_place == "post", "after_": cfg.norm_place != "post",
        "out_(attn|mlp|both)": cfg.norm_place != "both", "cache|decay|Lion|Muon|autocast|device\\b.*cuda": True,
    }
    assert [words for words, absent in off.items() if absent and re.search(rf"\b({words})", source)] == []


def test_a_change_of_the_source_is_a_change_of_the_script(monkeypatch):
    tree, config = script_source.module_tree, change(RunConfig(), {"model.activation": "relu2"})
    before = whole(config)
    text = Path(sys.modules["gpt.model"].__file__).read_text(encoding="utf-8")
    changed = text.replace("F.relu(x).square()", "F.relu(x).pow(3)").replace("x + self.table.w", "2 * x + self.table.w")
    monkeypatch.setattr(script_source, "module_tree", lambda name: parse(changed) if name == "gpt.model" else tree(name))
    lines = {line.strip() for line, differs in differences(whole.__wrapped__(config), before) if differs}
    assert lines == {"y = F.relu(self.fc(x)).pow(3)  # (B, T, F)", "return 2 * x + self.table.weight[:x.shape[1]]"}


def test_what_a_script_has_no_words_for_is_refused(monkeypatch):
    tree = script_source.module_tree
    text = Path(sys.modules["gpt.model"].__file__).read_text(encoding="utf-8")
    changed = text.replace("F.relu(x).square()", "kernels.other(x)")
    monkeypatch.setattr(script_source, "module_tree", lambda name: parse(changed) if name == "gpt.model" else tree(name))
    with pytest.raises(ConfigError, match="cannot be written as a script: it would need kernels"):
        whole.__wrapped__(change(RunConfig(), {"model.activation": "relu2"}))
    with pytest.raises(ConfigError, match="n_embd = 65 cannot be shared"):
        script(replace(RunConfig(), model=ModelConfig(n_embd=65)))


def test_every_rule_is_of_use(monkeypatch):
    """A rule for a form that the source no longer has would only mislead."""
    used = set()

    def noted(wanted: ast.AST, node: Any, found: dict[str, Any]) -> bool:
        if matches := match(wanted, node, found):
            used.add(id(wanted))
        return matches

    match = script_fold.match
    monkeypatch.setattr(script_fold, "match", noted)
    rows = [{"model.expansion": 2.5, "model.parallel": True, "model.init": "normal"}, {"model.attention": "single"},
            {"model.attention": "none", "model.mlp": False}, ROWS[4], ROWS[6]]
    for row in rows:
        whole.__wrapped__(change(RunConfig(), row))
    assert [before for before, _ in PLAIN if id(pattern(before)) not in used] == []


# Reading ------------------------------------------------------------------------------------------------------------

def test_a_script_says_what_it_is_and_how_it_was_made():
    preset = load("09")
    options = {"model.norm": "rms", "model.tie_weights": True, "train.lr": 3e-4, "data.tokenizer": "byte"}
    changed = change(preset.config, options)
    source = re.sub(r" \\\n +", " ", script(changed, preset))
    assert source.startswith('r"""Pre-LN, but RMSNorm, +tying, bytes, lr 3e-4.\n')
    assert ("    python -m gpt script 09-pre-ln --model.norm rms --model.tie_weights on --data.tokenizer byte "
            "--train.lr 0.0003 > my_gpt.py\n    python my_gpt.py data/tinyplays.txt\n") in source
    plain = script(preset.config, preset)
    assert plain.startswith(f'"""Pre-LN: {preset.adds}\n\nAll of one model of GPT Playground: 158,401 parameters with')
    shakespeare = script(change(preset.config, {"data.dataset": "tinyshakespeare"}), preset)  # needs no download
    assert "158,401 parameters with the 65 characters" in shakespeare and "tinyshakespeare/input.txt" in shakespeare
    lost = script(replace(preset.config, data=DataConfig(dataset="own", text="0" * 64)), preset)
    assert "its size depends on the text" in lost and "--data.text FILE" in lost


def test_any_prompt_is_written_safely():
    for prompt in ('"""\\', "\n'''\"é\t{x}", "\\N{x}" * 30):
        config = change(RunConfig(), {"sample.prompt": prompt})
        tree = ast.parse(script(config, load("gpt2")))
        assert prompt in [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)]


def test_differences_mark_the_lines_that_another_script_lacks():
    a, b = (script(change(RunConfig(), {"model.norm": norm})) for norm in ("layer", "rms"))
    assert "".join(f"{line}\n" for line, _ in differences(a, b)) == a
    changed = [line for line, differs in differences(a, b) if differs]
    assert changed and all("LayerNorm" in line or "parameters" in line for line in changed)
    assert not any(differs for _, differs in differences(a, a))


def test_the_command_prints_a_script(capsys):
    assert main(["script", "09", "--model.norm", "rms"]) == 0
    preset = load("09")
    assert capsys.readouterr().out == script(change(preset.config, {"model.norm": "rms"}), preset)
    assert main(["script", "09", "--model.n_embd", "65"]) == 2
