"""Weights as one file to take along: a safetensors file with the run's options and tokenizer inside.

The file may come from anyone, so nothing in it is believed before it is checked, and nothing in it can run: it is JSON and
numbers. Options, tokenizer and all are strings in its metadata; its tensors are the model's `state_dict`, and no optimiser's
memory.
"""

import hashlib
import json
import os
import re
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from gpt.changes import after
from gpt.config import RunConfig
from gpt.model import ARCHITECTURES
from gpt.options import ConfigError, Refusal, quoted, replace, shorten, values
from gpt.records import StoredRun
from gpt.run import Checkpoint, encode_prompt
from gpt.tokenizers import TOKENIZERS, Tokenizer, from_json, unsound

VERSION = 1
MOST_BYTES = 64_000_000
MOST_HEADER_BYTES = 1 << 20  # the largest tokenizer and the names of the deepest model need a third of it
MOST_TENSORS = 4096
KEYS = {"gpt_playground", "options", "preset", "step", "tokenizer", "text", "versions", "checksum"}
AGAIN = "Export it again, with `python -m gpt export RUN` or on the page, and copy it whole."


@dataclass(frozen=True, eq=False)
class Uploaded:
    """What a file of weights says, checked: the weights are those of a model of these options and this tokenizer."""

    config: RunConfig
    preset: str  # an id, which this version need not know
    step: int
    tokenizer: Tokenizer
    weights: dict[str, Tensor]  # named as in the model's state_dict
    fingerprint: str  # SHA-256 of the text it was trained on
    unigram: float  # of that text, nats a token
    bigram: float
    train_tokens: int
    characters: float  # that a token of the held-out text holds; 0 where it is not known
    versions: dict[str, str]


# Out -----------------------------------------------------------------------------------------------------------------


def pack(run: StoredRun, checkpoint: Checkpoint, tokenizer: Tokenizer) -> bytes:
    """The file: a run's weights after the steps of `checkpoint`. Raises Refusal if they are no longer numbers."""
    step, tensors, _ = checkpoint
    config = after(run.config, [change for change in run.plan if change[0] < step])
    text = {"sha256": run.fingerprint, "unigram": run.unigram, "bigram": run.bigram, "train_tokens": run.train_tokens or 0,
            "characters": run.characters or 0.0}
    meta = {"gpt_playground": str(VERSION), "options": json.dumps(values(config)), "preset": run.preset, "step": str(step),
            "tokenizer": json.dumps(tokenizer.to_json(), ensure_ascii=False), "text": json.dumps(text),
            "versions": json.dumps(run.versions or {})}
    weights = weights_in(checkpoint)
    if not_numbers(weights):
        raise Refusal(f"The weights of run {run.id} are no longer numbers, since its training diverged: export a step before.")
    header: dict[str, Any] = {"__metadata__": meta}
    data = bytearray()
    for name in sorted(weights):
        begin = len(data)
        data += weights[name].numpy().tobytes()
        header[name] = {"dtype": "F32", "shape": list(weights[name].shape), "data_offsets": [begin, len(data)]}
    meta["checksum"] = checksum(header, data)
    written = json.dumps(header, sort_keys=True).encode()  # in one order: the same weights make the same file
    written += b" " * (-len(written) % 8)  # data that is aligned can be read in place
    return len(written).to_bytes(8, "little") + written + data


def write(path: Path, run: StoredRun, checkpoint: Checkpoint, tokenizer: Tokenizer) -> int:
    """Writes the file, whole or not at all, and returns its size. Raises Refusal."""
    raw, temporary = pack(run, checkpoint, tokenizer), path.parent / f".{path.name}.{os.getpid()}.tmp"
    try:
        try:
            temporary.write_bytes(raw)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise Refusal(f"{path} cannot be written: {error.strerror}. Name another file with --out.") from error
    return len(raw)


def weights_in(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """A copy of a checkpoint's weights on the CPU, named as in the model's state_dict."""
    weights = {name.removeprefix("model."): tensor for name, tensor in checkpoint[1].items() if name.startswith("model.")}
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in weights.items()}


# In ------------------------------------------------------------------------------------------------------------------


def read(raw: bytes) -> Uploaded:
    """What a file holds. Raises Refusal that says what is wrong with it; a caller need read one byte more than MOST_BYTES."""
    header, data = split(raw)
    meta = metadata(header)
    if meta["checksum"] != checksum(header, data):
        raise Refusal(f"The file was damaged on its way: its checksum does not match. {AGAIN}")
    try:
        config = replace(RunConfig(), _json(meta, "options"))
    except ConfigError as error:
        raise ConfigError(["The options in the file do not work here: use the version that wrote it, or change them "
                           "there and export a new run.", *error.problems]) from error
    tokenizer = tokenizer_of(_json(meta, "tokenizer"), config.data.tokenizer)
    if wrong := config.problems(tokenizer.vocab_size):
        raise ConfigError(["The options in the file do not work here.", *wrong])
    encode_prompt(tokenizer, config.sample.prompt)
    step, preset = meta["step"], meta["preset"]
    if not re.fullmatch("[0-9]{1,6}", step) or int(step) > config.train.steps:
        raise Refusal(f"The file says its run has done {quoted(step)} of {config.train.steps:,} steps. {AGAIN}")
    if not re.fullmatch("[A-Za-z0-9/_.-]{0,100}", preset):
        raise Refusal(f"The file names a preset that is no name: {quoted(preset)}. {AGAIN}")
    return Uploaded(config=config, preset=preset, step=int(step), tokenizer=tokenizer, **_text(_json(meta, "text"), config),
                    weights=checked_weights(raw, header, config, tokenizer.vocab_size), versions=_versions(_json(meta, "versions")))


def split(raw: bytes) -> tuple[dict[str, Any], memoryview]:
    """A safetensors file's header and its data; the header's length is checked before it is read. Raises Refusal."""
    if len(raw) > MOST_BYTES:
        raise Refusal(f"The file is larger than {MOST_BYTES / 1e6:g} MB: train its run here, or use a smaller model.")
    length = int.from_bytes(raw[:8], "little")
    if len(raw) < 8 or length > len(raw) - 8:
        raise Refusal(f"This is no safetensors file, or not all of one. {AGAIN}")
    if length > MOST_HEADER_BYTES:
        raise Refusal(f"This is no file of the playground: its header has {length:,} bytes, and none of ours has more than "
                      f"{MOST_HEADER_BYTES:,}. {AGAIN}")
    try:
        header = json.loads(raw[8 : 8 + length].decode(), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise Refusal(f"This is no safetensors file, or it was damaged: its header is not JSON. {AGAIN}") from None
    if not isinstance(header, dict) or len(header) > MOST_TENSORS or not all(map(_plain, header.values())):
        raise Refusal(f"This is no file of the playground: its header is not a list of at most {MOST_TENSORS:,} tensors. {AGAIN}")
    return header, memoryview(raw)[8 + length :]


def _plain(record: Any) -> bool:
    """Whether an object of JSON is flat, but for lists of numbers: what is deeper can exhaust whoever looks at it."""
    def scalar(value: Any) -> bool:
        return value is None or isinstance(value, str | float) or isinstance(value, int) and abs(value) < 1 << 63

    return isinstance(record, dict) and all(
        all(map(scalar, value)) if isinstance(value, list) else scalar(value) for value in record.values())


def metadata(header: dict[str, Any]) -> dict[str, str]:
    """The metadata of a file of ours. Raises Refusal for any other."""
    meta = header.get("__metadata__")
    if meta is None or "gpt_playground" not in meta:
        raise Refusal("This safetensors file is not of the playground: it does not say which model its weights are of. Only "
                      "what `python -m gpt export RUN` or the page has written can be imported.")
    if (version := meta["gpt_playground"]) != str(VERSION):
        raise Refusal(f"The file has format {quoted(version)} and this version reads {VERSION}: update the playground that is "
                      "older, and export it again.")
    if meta.keys() != KEYS or not all(isinstance(value, str) for value in meta.values()):
        differ = ", ".join(shorten(key) for key in sorted(meta.keys() ^ KEYS)[:5]) or "something else than text"
        raise Refusal(f"The file does not say what it should of its weights: it lacks or adds {differ}. {AGAIN}")
    return meta


def checksum(header: dict[str, Any], data: bytearray | memoryview) -> str:
    """SHA-256 of all that a file says but the checksum itself: it tells damage, not who wrote the file."""
    about = {key: value for key, value in header.get("__metadata__", {}).items() if key != "checksum"}
    digest = hashlib.sha256(json.dumps({**header, "__metadata__": about}, sort_keys=True).encode())
    digest.update(data)
    return digest.hexdigest()


def tokenizer_of(record: Any, kind: str) -> Tokenizer:
    """The tokenizer that JSON from outside describes, which must be of this kind. Raises Refusal."""
    if not isinstance(record, dict) or kind not in TOKENIZERS or record.get("kind") != kind:
        raise Refusal(f"The file's tokenizer is not the one of its options, {kind}. {AGAIN}")
    if wrong := unsound(record, kind):
        raise Refusal(f"The file's tokenizer {wrong}. {AGAIN}")
    return from_json(record)


def checked_weights(raw: bytes, header: dict[str, Any], config: RunConfig, vocab_size: int) -> dict[str, Tensor]:
    """The tensors of a file, which must be those that the options' model has, of its shapes, and numbers. Raises Refusal."""
    with torch.device("meta"):
        model = ARCHITECTURES[config.model.architecture](config.model, vocab_size)
    wanted = {name: ("F32", list(tensor.shape)) for name, tensor in model.state_dict().items()}
    found = {name: (about.get("dtype"), about.get("shape")) for name, about in header.items() if name != "__metadata__"}
    if wrong := [name for name in {**wanted, **found} if wanted.get(name) != found.get(name)]:
        name = wrong[0]
        more = f" {len(wrong) - 1:,} more differ." if len(wrong) > 1 else ""
        raise Refusal(f"The weights are not those of the file's options: {shorten(name)} is {_shape(found.get(name))} and "
                      f"should be {_shape(wanted.get(name))}.{more} {AGAIN}")
    try:
        weights = load(raw)
    except (SafetensorError, ValueError, RuntimeError) as error:
        raise Refusal(f"The weights in the file overlap, have gaps or end early ({shorten(str(error))}). {AGAIN}") from None
    if name := not_numbers(weights):
        raise Refusal(f"The weights in the file are not all numbers ({name}): export a step before its training diverged.")
    if config.model.tie_weights and "head.weight" in weights and not torch.equal(weights["head.weight"], weights["embed.weight"]):
        raise Refusal(f"The file has two tables for reading and writing, and its options say they are one (tie_weights). {AGAIN}")
    return weights


def not_numbers(weights: dict[str, Tensor]) -> str | None:
    """The first tensor that is not finite."""
    return next((name for name, tensor in weights.items() if not tensor.isfinite().all()), None)


def _shape(about: tuple[Any, Any] | None) -> str:
    return "not there" if about is None else shorten(" ".join(map(str, about)))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object. One that says two things under one name could mean different things to different readers."""
    if len(found := dict(pairs)) < len(pairs):
        raise ValueError("a key is there twice")
    return found


def _json(meta: dict[str, str], key: str) -> Any:
    try:
        found = json.loads(meta[key], object_pairs_hook=_once)
    except (ValueError, RecursionError):
        found = None
    if not _plain(found):
        raise Refusal(f"The file's {key} cannot be read: it is no flat JSON object. {AGAIN}")
    return found


def _text(record: dict[str, Any], config: RunConfig) -> dict[str, Any]:
    """What is known of the text. Raises Refusal."""
    fingerprint, tokens = record.get("sha256"), record.get("train_tokens")
    entropies = [record.get("unigram"), record.get("bigram")]
    characters = record.get("characters", 0.0)  # files of a former version do not say it
    known = record.keys() | {"characters"} == {"sha256", "unigram", "bigram", "train_tokens", "characters"} and type(tokens) is int and 0 <= tokens < 1 << 40
    known = known and isinstance(fingerprint, str) and bool(re.fullmatch("[0-9a-f]{64}", fingerprint))
    if not known or not all(type(n) is float and isfinite(n) and n >= 0 for n in [*entropies, characters]):
        raise Refusal(f"What the file says of its text cannot be: {quoted(record)}. {AGAIN}")
    if config.data.dataset == "own" and config.data.text != fingerprint:
        raise Refusal(f"The file names two different texts that it was trained on. {AGAIN}")
    return {"fingerprint": fingerprint, "unigram": entropies[0], "bigram": entropies[1], "train_tokens": tokens,
            "characters": characters}


def _versions(record: dict[str, Any]) -> dict[str, str]:
    """Names and versions of what trained it. They are shown to people: few, and short."""
    plain = "[A-Za-z0-9+._ -]{1,40}"
    if len(record) > 10 or not all(isinstance(v, str) and re.fullmatch(plain, v) and re.fullmatch(plain, k) for k, v in record.items()):
        raise Refusal(f"The versions that the file names cannot be: {quoted(record)}. {AGAIN}")
    return record
