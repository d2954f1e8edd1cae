"""What is done with weights from a file: text is drawn from them, or they become a run of this machine."""

import json

from torch import Tensor

from gpt.config import RunConfig
from gpt.data import load
from gpt.estimate import floating_point_operations
from gpt.events import Started
from gpt.model import build, count_parameters
from gpt.options import Refusal, difference
from gpt.presets import Preset, list_presets, named
from gpt.records import ELSEWHERE, StoredRun
from gpt.run import Checkpoint, Sampler
from gpt.store import RunStore
from gpt.texts import SHAKESPEARE_SHA256, read_text, sha256
from gpt.tokenizers import TextError, Tokenizer
from gpt.weights import AGAIN, Uploaded, tokenizer_of, weights_in


def sampler(uploaded: Uploaded) -> Sampler:
    """Draws text from a file's weights: no text and no store is needed."""
    return _sampler(uploaded.config, uploaded.weights, uploaded.tokenizer)


def stored_sampler(run: StoredRun, checkpoint: Checkpoint) -> Sampler:
    """Draws text from a stored run's weights; from an imported run's also where its text is not. Raises TextError."""
    return _sampler(run.config, weights_in(checkpoint), tokenizer_for(run, checkpoint))


def _sampler(config: RunConfig, weights: dict[str, Tensor], tokenizer: Tokenizer) -> Sampler:
    model = build(config.model, tokenizer.vocab_size, seed=0)
    model.load_state_dict(weights)
    return Sampler(model.eval(), tokenizer, config.data)


def tokenizer_for(run: StoredRun, checkpoint: Checkpoint) -> Tokenizer:
    """The tokenizer of a stored run: an imported one brought it along, another one has it from its text. Raises TextError."""
    if brought := checkpoint[2].get("tokenizer"):
        return tokenizer_of(json.loads(brought), run.config.data.tokenizer)
    data = load(run.config.data, run.config.model.block_size)
    if run.fingerprint not in (None, data.fingerprint):
        raise TextError("The text has changed since this run began: put the former one back, or train a new run.")
    return data.tokenizer


def keep(store: RunStore, uploaded: Uploaded, owner: str) -> str:
    """Makes a stopped run of a file's weights and returns its id. Raises Refusal.

    It can be sampled. What needs its text, to evaluate, resume or fork it, is refused where that is not; its optimiser
    starts anew.
    """
    check_tokenizer(uploaded)
    preset, config = preset_of(uploaded), uploaded.config
    tensors = {f"model.{name}": tensor for name, tensor in uploaded.weights.items()}
    meta = {"seconds": "0.0", "tokenizer": json.dumps(uploaded.tokenizer.to_json())}
    id = store.create(config, owner=owner, preset=preset.id, **named(config, preset.config))
    try:
        store.append(id, [started(uploaded)])
        store.save_checkpoint(id, uploaded.step, tensors, meta, lasting=True)
        store.set_status(id, "stopped", f"Its weights came from a file, after {uploaded.step:,} steps elsewhere.")
    except BaseException:
        store.delete(id)
        raise
    return id


def started(uploaded: Uploaded) -> Started:
    """What is known of an imported run. It begins where the file was written, so that its next step is a new one."""
    config, vocab_size = uploaded.config, uploaded.tokenizer.vocab_size
    return Started(
        step=uploaded.step, parameters=count_parameters(config.model, vocab_size)["total"], vocab_size=vocab_size,
        unigram=uploaded.unigram, bigram=uploaded.bigram, tokens_per_step=config.tokens_per_step, device=ELSEWHERE,
        fingerprint=uploaded.fingerprint, versions=uploaded.versions,
        flops=floating_point_operations(config, vocab_size), train_tokens=uploaded.train_tokens,
        characters=uploaded.characters,
    )


def preset_of(uploaded: Uploaded) -> Preset:
    """The preset that the file names; where that is not there, the one that differs least."""
    with_id = {preset.id: preset for preset in list_presets()}
    return with_id.get(uploaded.preset) or min(with_id.values(), key=lambda p: len(difference(uploaded.config, p.config)))


def text_is_here(uploaded: Uploaded) -> bool:
    """Whether the text it was trained on is on this machine, or is one that can be downloaded."""
    return uploaded.fingerprint in (SHAKESPEARE_SHA256, _present(uploaded))


def check_tokenizer(uploaded: Uploaded) -> None:
    """Raises Refusal if the file's tokenizer is not the one of its text, where that is here: training would mix them up."""
    if _present(uploaded) == uploaded.fingerprint:
        own = load(uploaded.config.data, uploaded.config.model.block_size).tokenizer
        if own.to_json() != uploaded.tokenizer.to_json():
            raise Refusal(f"The file's tokenizer is not the one of the text that it names. {AGAIN}")


def _present(uploaded: Uploaded) -> str:
    """The SHA-256 of the text that the file's options name, as it is on this machine; "" without one."""
    if uploaded.config.data.dataset == "tinyshakespeare":  # asked for, it would be downloaded
        return ""
    try:
        return sha256(read_text(uploaded.config.data).encode())
    except TextError:
        return ""


def words(uploaded: Uploaded, id: str) -> str:
    """What can be done with an imported run, for whoever imported it."""
    config, text = uploaded.config, f"The text it was trained on (SHA-256 {uploaded.fingerprint[:12]}...)"
    said = (f"run {id}: the weights after {uploaded.step:,} of {config.train.steps:,} steps. "
            f"To draw text from them: python -m gpt sample {id}\n")
    if text_is_here(uploaded):
        return said + f"{text} is here, so it can be evaluated, resumed and forked too; its optimiser starts anew."
    return said + (f"{text} is not on this machine, and no file brings it along: once that text has been imported here, "
                   "the run can be evaluated, resumed and forked too.")
