"""Exported models are loaded by transformers and its tokenizers, and score and read as ours do. Nothing is downloaded."""

import json
import random
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from gpt.__main__ import main
from gpt.config import ModelConfig, RunConfig, SampleConfig
from gpt.generate import generate
from gpt.options import Refusal, options
from gpt.presets import list_presets, load
from gpt.tokenizers import ByteTokenizer, CharTokenizer, Tokenizer, build
from gpt.transformers_export import files, letters_of_bytes, shape_of, write
from support import each_other_value, moved, small_text, tokens

ROOT = Path(__file__).resolve().parent.parent
TEXT = "\n\n\t  “Öl”, said he: it's 3.50 € , don't !\r\nZ̈ 猫 🐈‍⬛ \u3000\u200b <unk> </s> ▁Ġ##a\x00\x7f"
SMALL = {"n_layer": 2, "n_head": 4, "n_embd": 24, "block_size": 12}
GPT2 = replace(ModelConfig(), **SMALL)
LLAMA = replace(ModelConfig(), **SMALL, position="rope", norm="rms", activation="swiglu", qkv_bias=False, bias=False)

KINDS = {
    "gpt2": GPT2, "gpt2 untied": replace(GPT2, tie_weights=False), "gpt2 without biases": replace(GPT2, bias=False, qkv_bias=False),
    "gpt2 of sines": replace(GPT2, position="sinusoidal", n_embd=20), "gpt2 without positions": replace(GPT2, position="none"),
    "gpt2 of one head": replace(GPT2, attention="single", expansion=0.7, queries_per_kv=2),
    "gpt2 with dropout and an idle window": replace(GPT2, dropout_embd=0.1, dropout_attn=0.2, dropout_resid=0.3, window=12),
    **{f"gpt2 {name}": replace(GPT2, activation=name) for name in ("relu", "silu", "relu2", "identity")},
    "llama": LLAMA, "llama untied": replace(LLAMA, tie_weights=False), "llama with shared keys": replace(LLAMA, queries_per_kv=2),
    "llama with one key": replace(LLAMA, queries_per_kv=4, tie_weights=False, rope_base=300.0),
    "llama with a bias on queries": replace(LLAMA, qkv_bias=True, queries_per_kv=2), "llama with the others": replace(LLAMA, bias=True),
    "llama with all biases": replace(LLAMA, bias=True, qkv_bias=True, expansion=2.7), "llama of one head": replace(LLAMA, attention="single"),
    "llama of GELU": replace(LLAMA, activation="geglu"),
}
SIZES = {"gpt2": CharTokenizer("abcdefgh"), "llama": CharTokenizer("".join(map(chr, range(97, 110))))}

PIECES = build("bpe", 9 * TEXT + small_text(words=500) + "\n\n   it's 1234567 naïve\n" * 9, 10_000, 400)


def exported(folder: Path, cfg: ModelConfig, tokenizer: Tokenizer, seed: int = 1, sample: SampleConfig = SampleConfig()) -> Any:
    """Our model off its start, and what transformers makes of its export."""
    from transformers import AutoModelForCausalLM

    ours = moved(cfg, seed, tokenizer.vocab_size).eval()
    write(folder, RunConfig(model=cfg, sample=sample), ours.state_dict(), tokenizer)
    theirs, told = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert not any(told.values()), "a weight is missing, or one too many"
    return ours, theirs.eval()


@pytest.mark.parametrize("kind", KINDS)
def test_scores_equal_ours(kind, tmp_path):
    shape = kind.split()[0]
    ours, theirs = exported(tmp_path, KINDS[kind], SIZES[shape])
    assert shape_of(RunConfig(model=KINDS[kind])) == theirs.config.model_type == shape
    x = tokens(3, 12, vocab_size=SIZES[shape].vocab_size)
    with torch.inference_mode():
        expected = ours(x)
        assert expected.std() > 0.3
        torch.testing.assert_close(theirs(x).logits, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("preset", ["modern/gpt2", "modern/llama"])
def test_the_presets_are_exported_at_any_size(preset, seed, tmp_path):
    chance = random.Random(seed)
    heads = chance.choice((2, 4, 6))
    cfg = replace(load(preset).config.model, n_layer=chance.randint(1, 3), n_head=heads, n_embd=heads * 2 * chance.randint(1, 6),
                  block_size=chance.randint(5, 24), expansion=chance.choice((0.5, 3.3)))
    ours, theirs = exported(tmp_path, cfg, ByteTokenizer(), seed)
    x = tokens(2, cfg.block_size, vocab_size=256)
    with torch.inference_mode():
        torch.testing.assert_close(theirs(x).logits, ours(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("cfg", [GPT2, replace(LLAMA, queries_per_kv=2)], ids=["gpt2", "llama"])
def test_they_write_what_ours_writes(cfg, tmp_path):
    """By their own `generate`, from the settings that were exported: always the likeliest, to the end of a context."""
    likeliest = SampleConfig(temperature=0.0, length=11)
    ours, theirs = exported(tmp_path, cfg, SIZES["llama"], sample=likeliest)
    wanted = [3, *generate(ours, [3], likeliest)]
    assert theirs.generate(torch.tensor([[3]]))[0].tolist() == wanted and len(wanted) == cfg.block_size


def test_how_samples_are_drawn_is_exported(tmp_path):
    _, theirs = exported(tmp_path, GPT2, SIZES["gpt2"], sample=SampleConfig(temperature=0.7, top_k=0, top_p=0.9))
    told = theirs.generation_config
    assert (told.do_sample, told.temperature, told.top_k, told.top_p, told.max_length) == (True, 0.7, 0, 0.9, 12)
    assert theirs.generate(torch.tensor([[3]])).shape == (1, 12)


# Tokenizers ---------------------------------------------------------------------------------------------------------


def their_tokenizer(folder: Path, cfg: ModelConfig, ours: Tokenizer) -> Any:
    from transformers import AutoTokenizer

    exported(folder, cfg, ours)
    return AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize("cfg", [GPT2, LLAMA], ids=["gpt2", "llama"])
@pytest.mark.parametrize("ours", [build("char", TEXT, 0, 0), ByteTokenizer(), PIECES], ids=["char", "byte", "bpe"])
def test_texts_become_the_same_tokens_and_come_back(ours, cfg, tmp_path):
    theirs, chance = their_tokenizer(tmp_path, cfg, ours), random.Random(1)
    assert len(theirs) == ours.vocab_size
    for text in [TEXT, "", " ", "\n", *("".join(chance.choices(TEXT, k=chance.randint(1, 60))) for _ in range(300))]:
        ids = theirs(text)["input_ids"]
        assert ids == ours.encode(text)
        assert theirs.decode(ids) == text == ours.decode(ids)


def test_bytes_that_are_no_text_are_read_as_ours_are(tmp_path):
    ours, chance = ByteTokenizer(), random.Random(1)
    theirs = their_tokenizer(tmp_path, GPT2, ours)
    assert theirs.convert_ids_to_tokens(range(256)) == [*letters_of_bytes()] and len(set(letters_of_bytes())) == 256
    known = [*TEXT.encode(), *range(0x80, 0x100)]
    for _ in range(300):
        ids = chance.choices(known, k=chance.randint(1, 20))
        assert theirs.decode(ids) == ours.decode(ids)


def test_a_character_that_is_not_known_is_an_error_there_too(tmp_path):
    theirs = their_tokenizer(tmp_path, GPT2, SIZES["gpt2"])
    with pytest.raises(Exception, match="UNK"):
        theirs("abz")


def test_the_largest_tokenizer_is_exported(tmp_path):
    characters = "".join(c for c in map(chr, range(9, 12_000)) if c.isprintable())[:8192]
    ours = CharTokenizer(characters)
    theirs = their_tokenizer(tmp_path, GPT2, ours)
    text = "".join(random.Random(1).choices(characters, k=5000))
    assert theirs(text, truncation=False)["input_ids"] == ours.encode(text) and theirs.decode(ours.encode(text)) == text


# What does not fit --------------------------------------------------------------------------------------------------


def test_the_refusal_lists_every_option_and_what_would_fit():
    cfg = replace(GPT2, norm="rms", norm_place="post", qk_norm=True, head_bias=True, softcap=15.0, window=4)
    with pytest.raises(Refusal) as refused:
        shape_of(RunConfig(model=cfg))
    _, gpt2, llama = str(refused.value).split("\n")
    both = ["qk_norm = on (use off)", "window = 4 (use off)", "softcap = 15 (use off)", "norm_place = post (use pre)", "head_bias = on (use off)"]
    assert gpt2.startswith("For GPT-2: ") and llama.startswith("For Llama: ")
    assert all(words in line for line in (gpt2, llama) for words in both)
    assert "norm = rms (use layer)" in gpt2 and "position" not in gpt2 and "activation" not in gpt2
    assert "position = learned (use rope)" in llama and "activation = gelu (use swiglu or geglu)" in llama and ", norm = " not in llama


def test_a_bigram_table_lacks_one_thing_only():
    with pytest.raises(Refusal, match=r"For GPT-2: architecture = bigram \(use transformer\)\."):
        shape_of(RunConfig(model=ModelConfig(architecture="bigram")))


def test_every_option_is_exported_or_refused(tmp_path):
    """Each option moved to each of its other values: where a shape is said to fit, its scores are ours."""
    from transformers import AutoModelForCausalLM

    values = {"queries_per_kv": (2,), "window": (4,), "softcap": (2.0,), "n_head": (2,), "expansion": (0.5,), "rope_base": (500.0,)}
    fits = 0
    for base in (GPT2, LLAMA):
        for name, option in options(ModelConfig).items():
            if option.kind == "number" and name not in values:
                continue
            for cfg in each_other_value(option, base, lambda option: values.get(option.name) or tuple(option.choices) or (True, False)):
                config = RunConfig(model=cfg)
                assert not config.problems()
                try:
                    shape_of(config)
                except Refusal:
                    continue
                ours, fits, folder = moved(cfg).eval(), fits + 1, tmp_path / f"{fits}"
                write(folder, config, ours.state_dict(), CharTokenizer("abcdefghijk"))
                x = tokens(1, 12)
                with torch.inference_mode():
                    theirs = AutoModelForCausalLM.from_pretrained(folder)(x).logits
                    torch.testing.assert_close(theirs, ours(x), rtol=1e-4, atol=1e-4, msg=lambda told: f"{name}: {cfg}: {told}")
    assert fits > 15


def test_presets_that_fit():
    fits = {}
    for preset in list_presets():
        try:
            fits[preset.id] = shape_of(preset.config)
        except Refusal as refused:
            assert "(use " in str(refused)
    assert {"modern/gpt2": "gpt2", "modern/llama": "llama"}.items() <= fits.items()


# Files --------------------------------------------------------------------------------------------------------------


def test_nothing_of_transformers_is_needed_to_write():
    code = ("import sys; import gpt.transformers_export, gpt.importing; "
            "sys.exit(any(name.split('.')[0] in ('transformers', 'tokenizers') for name in sys.modules))")
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
    for path in (ROOT / "gpt").rglob("*.py"):
        assert not re.search(r"^\s*(import|from) (transformers|tokenizers)\b", path.read_text(encoding="utf-8"), re.M), path


def test_files_in_memory_are_those_of_the_folder(tmp_path):
    ours = moved(GPT2, vocab_size=8)
    made = files(RunConfig(model=GPT2), ours.state_dict(), SIZES["gpt2"])
    write(tmp_path / "a" / "b", RunConfig(model=GPT2), ours.state_dict(), SIZES["gpt2"])
    assert {path.name: path.read_bytes() for path in (tmp_path / "a" / "b").iterdir()} == made
    assert sorted(made) == ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
    assert json.loads(made["config.json"])["vocab_size"] == 8


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Refusal, match="--out"):
        write(tmp_path / "file", RunConfig(model=GPT2), moved(GPT2, vocab_size=8).state_dict(), SIZES["gpt2"])


def test_a_run_is_exported_on_the_command_line(tmp_path, monkeypatch, capsys):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    monkeypatch.setenv("GPT_PLAYGROUND_HOME", str(tmp_path / "home"))
    flags = ["--train.steps=60", "--train.eval_every=60", "--train.eval_tokens=64", "--sample.length=5", "--model.n_layer=1", "--model.n_embd=24",
             "--model.n_head=2", "--model.block_size=16", "--json"]
    assert main(["train", "gpt2", *flags]) == 0
    run = json.loads(capsys.readouterr().out.splitlines()[-1])["run"]
    assert main(["export", run, "--to", "transformers", "--out", str(tmp_path / "mine")]) == 0
    assert "mine  (the weights after 60 steps)" in capsys.readouterr().out
    assert main(["sample", run, "--sample.temperature=0", "--sample.length=15"]) == 0
    wanted = capsys.readouterr().out[:-1]
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "mine")
    found = AutoModelForCausalLM.from_pretrained(tmp_path / "mine").generate(**tokenizer("\n", return_tensors="pt"), do_sample=False)
    assert tokenizer.decode(found[0]) == "\n" + wanted
    assert main(["train", "06", "--train.steps=2", "--train.eval_tokens=64", "--sample.length=5", "--json"]) == 0
    run = json.loads(capsys.readouterr().out.splitlines()[-1])["run"]
    assert main(["export", run, "--to", "transformers", "--out", str(tmp_path / "other")]) == 2
    assert "For GPT-2: " in capsys.readouterr().err and not (tmp_path / "other").exists()
