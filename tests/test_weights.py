"""Weights out and in: what a file holds, and that nothing wrong with one gets past its reader."""

import hashlib
import json
import pickle
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save

from gpt import weights
from gpt.__main__ import main
from gpt.config import DataConfig, ModelConfig, RunConfig, SampleConfig
from gpt.events import Finished
from gpt.forking import fork
from gpt.importing import keep, preset_of, sampler, stored_sampler, text_is_here, tokenizer_for
from gpt.options import Refusal, options, values
from gpt.recording import Recording
from gpt.run import Run
from gpt.store import RunStore
from gpt.tokenizers import TextError
from gpt.weights import Uploaded, checksum, pack, read, split
from support import LEVELS, SMALL, each_other_value, own_text, shake, small_run

TEXT = "The cat sat – on “the” mat.\n" * 40


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("GPT_PLAYGROUND_HOME", str(tmp_path / "home"))


@pytest.fixture
def store():
    store = RunStore()
    yield store
    store.close()


def trained(store: RunStore, **sections: Any) -> str:
    """A small run, trained to its end; returns its id."""
    id = store.create(small_run(**sections), owner="me", preset="modern/gpt2")
    assert isinstance([*Recording(store, id)][-1], Finished)
    return id


def packed(store: RunStore, id: str, step: int | None = None) -> bytes:
    run, checkpoint = store.run(id), store.load_checkpoint(id, step)
    return pack(run, checkpoint, tokenizer_for(run, checkpoint))


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> bytes:
    """A file of a run of six steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GPT_PLAYGROUND_HOME", str(tmp_path_factory.mktemp("home")))
        store = RunStore()
        made = packed(store, trained(store))
        store.close()
    return made


def signed(header: dict[str, Any], data: bytes) -> bytes:
    """A file of this header and data whose checksum is right."""
    header = json.loads(json.dumps(header))
    header["__metadata__"]["checksum"] = checksum(header, memoryview(data))
    written = json.dumps(header).encode()
    return len(written).to_bytes(8, "little") + written + data


def changed(raw: bytes, change: Callable[[dict, bytearray], Any]) -> bytes:
    """The file with its header and data changed, and a checksum that is right again."""
    header, data = split(raw)
    data = bytearray(data)
    change(header, data)
    return signed(header, bytes(data))


def with_meta(raw: bytes, key: str, **parts: Any) -> bytes:
    """The file with parts of one of its records of JSON changed; None takes one away."""
    def change(header: dict, data: bytearray) -> None:
        record = {**json.loads(header["__metadata__"][key]), **parts}
        header["__metadata__"][key] = json.dumps({k: v for k, v in record.items() if v is not None})
    return changed(raw, change)


# What comes back ----------------------------------------------------------------------------------------------------


def test_a_file_holds_all_of_its_run(store):
    id = trained(store)
    run, (step, tensors, meta) = store.run(id), store.load_checkpoint(id)
    found = read(packed(store, id))
    assert (found.config, found.preset, found.step) == (run.config, "modern/gpt2", 6) and step == 6
    assert found.tokenizer.to_json() == Run(run.config).data.tokenizer.to_json()
    assert (found.fingerprint, found.unigram, found.bigram) == (run.fingerprint, run.unigram, run.bigram)
    assert (found.train_tokens, found.versions) == (run.train_tokens, run.versions)
    assert {f"model.{name}" for name in found.weights} == {name for name in tensors if name.startswith("model.")}
    for name, weight in found.weights.items():
        assert torch.equal(weight, tensors[f"model.{name}"])


def test_a_file_is_safetensors_without_the_optimisers_memory(store, tmp_path):
    id = trained(store)
    size = weights.write(tmp_path / "a.safetensors", store.run(id), store.load_checkpoint(id), Run(store.run(id).config).data.tokenizer)
    assert (tmp_path / "a.safetensors").stat().st_size == size and [path.name for path in tmp_path.glob("*a.*")] == ["a.safetensors"]
    with safe_open(tmp_path / "a.safetensors", "pt") as file:
        assert set(file.keys()) == set(Run(store.run(id).config).model.state_dict())
        assert json.loads(file.metadata()["options"]) == values(store.run(id).config)
        assert file.metadata()["step"] == "6" and file.metadata()["gpt_playground"] == "1"


def test_options_changed_on_the_way_are_those_of_their_step(store):
    id = store.create(small_run(), owner="me", preset="modern/gpt2", plan=[(2, {"train.lr": 0.01}), (6, {"train.lr": 0.02})])
    [*Recording(store, id)]
    assert read(packed(store, id)).config.train.lr == 0.01
    assert store.run(id).config.train.lr == 1e-3


MODELS = [SMALL, replace(SMALL, architecture="bigram"), replace(SMALL, tie_weights=False)] + [
    model for name, option in options(ModelConfig).items() if name not in ("n_layer", "n_embd", "init")
    for model in each_other_value(option, SMALL, lambda option: LEVELS.get(option.name, tuple(option.choices) or (True, False)))
    if option.kind != "number" or option.name in LEVELS]


def test_every_part_of_the_model_comes_back(store):
    """Each option moved to each of its other values: the file is read, and its sampler writes what the run would."""
    assert len(MODELS) > 30
    for model in MODELS:
        config = small_run(model=model)
        run = Run(config)
        shake(run.model)
        id = store.create(config, owner="me", preset="modern/gpt2")
        store.append(id, [run.started()])
        found = read(pack(store.run(id), run.checkpoint(), run.data.tokenizer))
        assert found.config == config
        wanted = "".join(run.sample(config.sample))
        assert "".join(sampler(found).sample(config.sample)) == wanted, model


@pytest.mark.parametrize("kind", ["char", "byte", "bpe"])
def test_tokenizers_come_back(store, kind):
    found = read(packed(store, trained(store, data=replace(own_text(TEXT), tokenizer=kind, vocab_size=270))))
    said = found.tokenizer.encode("“mat” –\n")
    assert found.tokenizer.kind == kind and found.tokenizer.decode(said) == "“mat” –\n"


def test_bad_merges_are_refused(store):
    """Here one that doubles what is doubled; more of them are in test_bpe."""
    raw = packed(store, trained(store, data=replace(own_text(TEXT), tokenizer="bpe", vocab_size=270)))
    with pytest.raises(Refusal, match="merges tokens 300 and 97 when there are 256. Export it again"):
        read(with_meta(raw, "tokenizer", merges=[300, 97]))
    with pytest.raises(Refusal, match="flat JSON object"):
        read(with_meta(raw, "tokenizer", merges=[[97, 97]]))


def test_weights_that_are_no_numbers_are_not_written(store):
    id = trained(store)
    step, tensors, meta = store.load_checkpoint(id)
    tensors["model.embed.weight"][0, 0] = float("inf")
    with pytest.raises(Refusal, match="no longer numbers.*step before"):
        pack(store.run(id), (step, tensors, meta), Run(store.run(id).config).data.tokenizer)


def test_a_file_that_cannot_be_written_is_said_and_leaves_nothing(store, tmp_path):
    id = trained(store)
    about = store.run(id), store.load_checkpoint(id), Run(store.run(id).config).data.tokenizer
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "none" / "a.safetensors", tmp_path / "folder", Path(".")):
        with pytest.raises(Refusal, match="--out"):
            weights.write(path, *about)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "home"]


# What is refused ----------------------------------------------------------------------------------------------------

FOREIGN = save({"a": torch.zeros(2)}, {"format": "pt"})


def header_of(length: int, rest: bytes = b"{}") -> bytes:
    return length.to_bytes(8, "little") + rest


@pytest.mark.parametrize("file, says", [
    (b"", "no safetensors file"), (b"\x01", "no safetensors file"), (header_of(0, b""), "not JSON"),
    (header_of(2), "not of the playground"), (header_of(3), "not all of one"), (header_of(1 << 63), "not all of one"),
    (header_of((1 << 64) - 1), "not all of one"), (header_of(2, b"[]"), "list of at most"), (header_of(4, b"null"), "list of at most"),
    (header_of(2, b"\xff\xff"), "not JSON"), (header_of(9, b'{"a":{}, '), "not JSON"),
    (header_of(17, b'{"a":{}, "a":{}} '), "not JSON"), (header_of((1 << 20) + 1, b" " * (1 << 21)), "1,048,577 bytes"),
    (header_of(1 << 20, b"[" * (1 << 20)), "not JSON"), (b"\x00" * (weights.MOST_BYTES + 1), "larger than 64 MB"),
    (header_of(606, b'{"a":{"b":' + b"[" * 298 + b"]" * 298), "not JSON"),
    (header_of(608, b'{"a":{"b":' + b"[" * 298 + b"]" * 298 + b"}}"), "list of at most"),
    (header_of(60_010, b"{" + b",".join(b'"%05d":{}' % n for n in range(5455)) + b"}    "), "list of at most"),
    (FOREIGN, "not of the playground"), (save({"a": torch.zeros(2)}), "not of the playground"),
    (pickle.dumps({"a": [1, 2]}), "no safetensors file"), (b"PK\x03\x04" + b"\x00" * 40, "no safetensors file"),
    (save({"a": torch.zeros(2)}, {"gpt_playground": "2"}), "format '2' and this version reads 1: update"),
    (save({"a": torch.zeros(2)}, {"gpt_playground": "1"}), "lacks or adds checksum, options"),
], ids=range(24))
def test_what_is_no_file_of_ours_is_refused_in_words(file, says):
    with pytest.raises(Refusal) as refused:
        read(file)
    assert says in str(refused.value)
    assert any(way in str(refused.value) for way in ("xport", "train its run here", "update")), "it names no way out"


@pytest.mark.parametrize("key, parts, says", [
    ("options", {"model.colour": "red"}, "model.colour: there is no such option"),
    ("options", {"model.norm": "foo"}, "none, layer, rms"), ("options", {"model.norm": ["layer"]}, "none, layer, rms"),
    ("options", {"model.n_head": 5}, "n_head"), ("options", {"model.n_layer": 10**9}, "n_layer"),
    ("options", {"train.lr": float("nan")}, "lr = nan"), ("options", {"train.lr": float("inf")}, "lr = inf"),
    ("options", {"train.lr": 10**400}, "flat JSON object"), ("options", {"train.steps": {"a": 1}}, "flat JSON object"),
    ("options", {"train.steps": 5}, "done '6' of 5 steps"), ("options", {"train.batch_size": 512, "model.block_size": 1024}, "GiB of memory"),
    ("options", {"model.n_embd": 24}, "embed.weight is F32 [16, 16] and should be F32 [16, 24]"),
    ("options", {"model.n_layer": 3}, "blocks.2.attn.before.weight is not there and should be F32 [16]"),
    ("options", {"model.architecture": "bigram"}, "is not there and should be F32 [16, 16]"),
    ("options", {"data.tokenizer": "byte"}, "not the one of its options, byte"),
    ("options", {"data.text": "0" * 64}, "two different texts"), ("options", {"data.text": "../../etc/passwd"}, "two different texts"),
    ("options", {"sample.prompt": "ß"}, "ß"),
    ("tokenizer", {"kind": "byte"}, "not the one of its options, char"), ("tokenizer", {"kind": "__class__"}, "not the one of its"),
    ("tokenizer", {"characters": 7}, "does not hold"), ("tokenizer", {"characters": None}, "does not hold"),
    ("tokenizer", {"more": 7}, "does not hold"), ("tokenizer", {"characters": ""}, "0 characters"),
    ("tokenizer", {"characters": "".join(map(chr, range(8193)))}, "8,193 characters"),
    ("tokenizer", {"characters": "\n abcdefghijkk"}, "different whole characters"), ("tokenizer", {"characters": "ba"}, "in their order"),
    ("tokenizer", {"characters": "\n abcdefghijk\ud800"}, "whole characters"),
    ("tokenizer", {"characters": "\n abc"}, "embed.weight is F32 [16, 16] and should be F32 [5, 16]"),
    ("text", {"sha256": "no"}, "of its text"), ("text", {"unigram": float("nan")}, "of its text"), ("text", {"bigram": -1.0}, "of its text"),
    ("text", {"train_tokens": True}, "of its text"), ("text", {"train_tokens": 1 << 60}, "of its text"), ("text", {"more": 1}, "of its text"),
    ("versions", {"torch": "<b>"}, "versions"), ("versions", {"torch": 2}, "versions"), ("versions", {str(n): "1" for n in range(11)}, "versions"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_records_that_cannot_be_are_refused_in_words(raw, key, parts, says):
    with pytest.raises(Refusal) as refused:
        read(with_meta(raw, key, **parts))
    assert says in str(refused.value) and len(str(refused.value)) < 1000


FC = "blocks.0.mlp.inner.fc.weight"


def edit(**meta: str) -> Callable[[dict, bytearray], None]:
    return lambda header, data: header["__metadata__"].update(meta)


def entry(name: str, **parts: Any) -> Callable[[dict, bytearray], None]:
    return lambda header, data: header[name].update(parts)


def write_value(value: float) -> Callable[[dict, bytearray], None]:
    def change(header: dict, data: bytearray) -> None:
        at = header["final_norm.weight"]["data_offsets"][0]
        data[at : at + 4] = torch.tensor([value]).numpy().tobytes()
    return change


def untie(header: dict, data: bytearray) -> None:
    at = header["head.weight"]["data_offsets"][0]
    data[at : at + 4] = bytes(4)


def overlap(header: dict, data: bytearray) -> None:
    header["final_norm.weight"]["data_offsets"] = header["final_norm.bias"]["data_offsets"]


@pytest.mark.parametrize("change, says", [
    (edit(step="-1"), "done '-1' of"), (edit(step="7"), "done '7' of"), (edit(step="1e3"), "done"), (edit(step="٣"), "done"),
    (edit(preset="<script>"), "no name"), (edit(preset="a" * 101), "no name"), (edit(more=""), "lacks or adds more"),
    (edit(options="[]"), "flat JSON object"), (edit(options="{"), "flat JSON object"),
    (edit(options='{"a":1,"a":2}'), "flat JSON object"),
    (edit(options="[" * 100_000), "flat JSON object"), (edit(tokenizer="9" * 5000), "flat JSON object"),
    (lambda h, d: h["__metadata__"].pop("preset"), "lacks or adds preset"), (lambda h, d: h["__metadata__"].update(step=6), "something else"),
    (lambda h, d: h.pop("head.weight"), "head.weight is not there"),
    (lambda h, d: h.update(x=h["head.weight"]), "x is F32 [16, 16] and should be not there"),
    (entry(FC, shape=[16, 32]), "is F32 [16, 32] and should be F32 [32, 16]"), (entry("head.weight", shape=[1 << 40, 1 << 40]), "head.weight"),
    (entry("head.weight", dtype="F16"), "F16"), (entry("head.weight", dtype="I32"), "I32"), (entry("head.weight", shape=[]), "head.weight"),
    (entry("head.weight", data_offsets=[0, 1 << 62]), "overlap, have gaps"), (entry("head.weight", data_offsets=[-4, 4]), "overlap"),
    (entry("head.weight", data_offsets="no"), "overlap"), (overlap, "overlap, have gaps"),
    (lambda h, d: d.extend(b"\0" * 64), "overlap, have gaps"), (lambda h, d: d.__delitem__(slice(-64, None)), "overlap, have gaps"),
    (write_value(float("nan")), "not all numbers (final_norm.weight)"), (write_value(float("-inf")), "not all numbers"),
    (untie, "tie_weights"),
], ids=range(30))
def test_forgeries_with_a_right_checksum_are_refused(raw, change, says):
    with pytest.raises(Refusal) as refused:
        read(changed(raw, change))
    assert says in str(refused.value) and len(str(refused.value)) < 1000


def test_a_file_cut_anywhere_is_refused(raw):
    for length in {*range(0, 3000, 37), *range(0, len(raw), len(raw) // 100), len(raw) - 1}:
        with pytest.raises(Refusal):
            read(raw[:length])
    with pytest.raises(Refusal, match="damaged"):
        read(raw + b"\0")


def test_every_flipped_bit_is_noticed(raw):
    chance, header_end = random.Random(1), 8 + int.from_bytes(raw[:8], "little")
    places = [*range(8), *(chance.randrange(8, header_end) for _ in range(600)), *(chance.randrange(len(raw)) for _ in range(300))]
    for place in places:
        damaged = bytearray(raw)
        damaged[place] ^= 1 << chance.randrange(8)
        with pytest.raises(Refusal):
            read(bytes(damaged))


NASTY = [None, True, -1, 0, 1, 3.5, float("nan"), 1 << 62, 1 << 70, "", "\0", "x" * 5000, "\ud800", [], [[]], {}, {"a": {}}, [1, 1 << 62],
         "F32", "../..", "__class__"]


def test_random_forgeries_are_refused_or_harmless(raw):
    """Values of any kind at any place of the header, or bytes in it, the checksum made right: refused, or all that is read is valid."""
    chance, header, passed = random.Random(2), split(raw)[0], 0
    data = bytes(split(raw)[1])
    for _ in range(1500):
        forged = json.loads(json.dumps(header))
        name = chance.choice([*forged, *["__metadata__"] * 60])
        part = chance.choice([*forged[name]])
        where, key, written = forged[name], part, None
        if name == "__metadata__" and str(where[part]).startswith("{") and chance.random() < 0.8:
            where = written = json.loads(where[part])
            key = chance.choice([*where])
        chance.choice([lambda: where.pop(key), lambda: where.update({key: chance.choice(NASTY)}),
                       lambda: where.update({chance.choice(["a", "", "x" * 100]): where[key]})])()
        if written is not None:
            forged[name][part] = json.dumps(written)
        try:
            made = signed(forged, data) if isinstance(forged["__metadata__"], dict) else b""
        except Refusal:
            continue
        try:
            found = read(made)
        except Refusal as refused:
            assert str(refused) and len(str(refused)) < 2000
        else:
            passed += 1
            assert isinstance(found, Uploaded) and not found.config.problems(found.tokenizer.vocab_size)
            if found.config.sample.length:
                assert "".join(sampler(found).sample(replace(found.config.sample, length=2)))
    assert passed > 20, "nothing but refusals would prove little"


# Runs of this machine -----------------------------------------------------------------------------------------------


def moved_away(monkeypatch, tmp_path) -> None:
    """Another machine: no runs, and no texts."""
    monkeypatch.setenv("GPT_PLAYGROUND_HOME", str(tmp_path / "elsewhere"))


def test_an_imported_run_is_stopped_at_its_step_and_samples_as_before(store):
    id = trained(store)
    run, found = store.run(id), read(packed(store, id))
    kept = store.run(keep(store, found, "you"))
    assert (kept.owner, kept.status, kept.step, kept.options) == ("you", "stopped", 6, run.options)
    assert (kept.parameters, kept.vocab_size, kept.fingerprint, kept.flops) == (run.parameters, run.vocab_size, run.fingerprint, run.flops)
    assert (kept.unigram, kept.bigram, kept.train_tokens, kept.preset) == (run.unigram, run.bigram, run.train_tokens, run.preset)
    assert kept.labels and "6 steps" in kept.message and store.checkpoint_steps(kept.id) == [6]
    checkpoint = store.load_checkpoint(kept.id)
    wanted = "".join(Run(run.config, store.load_checkpoint(id)).sample(run.config.sample))
    for source in (sampler(found), stored_sampler(kept, checkpoint), Run(kept.config, checkpoint)):
        assert "".join(source.sample(run.config.sample)) == wanted
    assert packed(store, kept.id) == packed(store, id), "out again, it is the same file"


def test_an_imported_run_goes_on_where_its_text_is(store):
    config = small_run()
    id = store.create(config, owner="me", preset="modern/gpt2")
    recording = Recording(store, id)
    while recording.run.state.step < 3:
        next(recording)
    recording.leave("stopped")
    found = read(packed(store, id))
    assert text_is_here(found) and found.step == 3
    kept = keep(store, found, "you")
    ended = [*Recording(store, kept)][-1]
    assert isinstance(ended, Finished) and store.run(kept).status == "finished"
    assert [step for step, *_ in store.points(kept)] == [4, 5, 6]
    assert [line.split(",")[0] for line in store.csv(kept)][1:] == ["4", "5", "6"]
    longer = replace(config, train=replace(config.train, steps=8))
    child, told = fork(store, store.run(keep(store, found, "you")), 3, longer, owner="you", preset="modern/gpt2")
    assert not told.fresh and isinstance([*Recording(store, child)][-1], Finished)


def test_without_its_text_an_imported_run_can_be_sampled_only(store, monkeypatch, tmp_path):
    found = read(packed(store, trained(store)))
    moved_away(monkeypatch, tmp_path)
    other = RunStore()
    assert not text_is_here(found)
    kept = other.run(keep(other, found, "you"))
    checkpoint = other.load_checkpoint(kept.id)
    assert "".join(stored_sampler(kept, checkpoint).sample(SampleConfig(length=30)))
    with pytest.raises(TextError, match="not on this machine"):
        Recording(other, kept.id)
    assert packed(other, kept.id)
    other.close()


def test_a_tokenizer_of_another_text_is_not_kept(store, raw):
    """Read, it is a model that writes; trained on its text, it would take one character for another."""
    id = trained(store)
    characters = json.loads(split(packed(store, id))[0]["__metadata__"]["tokenizer"])["characters"]
    other = characters.replace(max(characters), "z")
    found = read(with_meta(packed(store, id), "tokenizer", characters=other))
    with pytest.raises(Refusal, match="not the one of the text"):
        keep(store, found, "you")
    assert len(store.runs()) == 1


def test_the_bundled_texts_are_known_by_their_fingerprint(raw, monkeypatch):
    found = read(raw)
    monkeypatch.setattr("gpt.texts._download", lambda: pytest.fail("nothing may be downloaded to look at a file"))
    shakespeare = replace(found.config, data=DataConfig(dataset="tinyshakespeare"))
    assert not text_is_here(replace(found, config=shakespeare))
    from gpt.texts import BUNDLED, SHAKESPEARE_SHA256

    assert text_is_here(replace(found, config=shakespeare, fingerprint=SHAKESPEARE_SHA256))
    plays = replace(found, config=replace(found.config, data=DataConfig()))
    assert not text_is_here(plays)
    assert text_is_here(replace(plays, fingerprint=hashlib.sha256(BUNDLED.read_bytes()).hexdigest()))


def test_a_preset_that_is_not_there_becomes_the_nearest(raw):
    found = read(raw)
    assert preset_of(found).id == "modern/gpt2"
    assert preset_of(replace(found, preset="modern/gone", config=RunConfig(model=ModelConfig(architecture="bigram")))).id == "ladder/01-bigram"


# The command line ---------------------------------------------------------------------------------------------------


def test_out_and_in_on_the_command_line(store, monkeypatch, tmp_path, capsys):
    id, file = trained(store), str(tmp_path / "mine.safetensors")
    assert main(["export", id[:8], "--out", file]) == 0 and "mine.safetensors  (the weights after 6 steps)" in capsys.readouterr().out
    assert main(["sample", id, "--sample.length", "30"]) == 0
    wanted = capsys.readouterr().out
    moved_away(monkeypatch, tmp_path)
    assert main(["sample", file, "--sample.length", "30"]) == 0 and capsys.readouterr().out == wanted
    assert main(["import", file]) == 0
    said = capsys.readouterr().out
    run = said.split()[1].rstrip(":")
    assert "6 of 6 steps" in said and "is not on this machine" in said and said.splitlines()[0].endswith(f"gpt sample {run}")
    assert main(["sample", run, "--sample.length", "30"]) == 0 and capsys.readouterr().out == wanted
    for command in ("eval", "resume", "fork"):
        assert main([command, run]) == 2
        assert "is not on this machine" in capsys.readouterr().err or command == "fork"
    assert main(["runs"]) == 0 and f"{run:14} modern/gpt2" in capsys.readouterr().out


def test_import_says_where_the_text_is_here(store, tmp_path, capsys):
    id, file = trained(store), str(tmp_path / "mine.safetensors")
    assert main(["export", id, "--out", file, "--at", "3"]) == 0 and main(["import", file]) == 0
    said = capsys.readouterr().out
    assert "3 of 6 steps" in said and "is here, so it can be evaluated, resumed and forked too" in said
    run = next(run for run in store.runs() if run.id != id)
    assert main(["eval", run.id]) == 0 and "after 3 steps" in capsys.readouterr().out


@pytest.mark.parametrize("arguments, says", [
    (["import", "nothing.safetensors"], "cannot be read"), (["sample", "nothing.safetensors"], "cannot be read"),
    (["import", __file__], "no safetensors file"), (["export", "nothing"], "There is no run nothing"),
])
def test_what_cannot_go_out_or_in_is_refused(arguments, says, capsys):
    assert main(arguments) == 2
    assert says in capsys.readouterr().err


def test_a_step_that_was_not_kept_is_refused_with_those_that_were(store, capsys):
    id = trained(store)
    kept, lacking = ", ".join(map(str, store.checkpoint_steps(id))), 1 + max(store.checkpoint_steps(id))
    assert main(["export", id, "--at", str(lacking)]) == 2
    assert capsys.readouterr().err == f"Step {lacking} of run {id} was not kept: use --at {kept}.\n"
    untrained = store.create(small_run(), owner="me", preset="modern/gpt2")
    assert main(["export", untrained]) == 2 and "has no weights yet" in capsys.readouterr().err


def test_a_file_too_large_to_come_back_is_noted(store, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(weights, "MOST_BYTES", 1000)
    file = str(tmp_path / "mine.safetensors")
    assert main(["export", trained(store), "--out", file]) == 0 and "larger than" in capsys.readouterr().err
    assert main(["import", file]) == 2 and "larger than" in capsys.readouterr().err
