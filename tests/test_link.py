"""A result link: everything it shows is in it, and it stays short. How the page reads it: tests/browser/test_result_links.py."""

import base64
import json
import math
import zlib
from random import Random

import pytest

from gpt import link
from gpt.config import RunConfig
from gpt.events import Changed, Diverged, Eval, Finished, Sample, Started, Step
from gpt.options import Refusal, replace
from gpt.presets import load, named
from gpt.store import RunStore

PRESET = "ladder/03-multi-head"
STARTED = Started(0, 21_185, 65, 3.32, 2.45, 32, "CPU", "c0ffee" + "0" * 58, {}, characters=1.0)


@pytest.fixture
def store(tmp_path):
    store = RunStore(tmp_path)
    yield store
    store.close()


def told(store: RunStore, *runs: str) -> list[dict]:
    """What the link of runs holds."""
    version, code = link.fragment(store, [store.run(run) for run in runs]).removeprefix("result=").split(".")
    assert version == "1"
    return json.loads(zlib.decompress(base64.urlsafe_b64decode(code + "=" * (-len(code) % 4)), wbits=-15))["runs"]


def create(store: RunStore, changes: dict | None = None, **about: object) -> str:
    preset = load(PRESET)
    config: RunConfig = replace(preset.config, changes or {})
    return store.create(config, owner="me", preset=PRESET, **named(config, preset.config) | about)


def undone(values: list) -> list:
    """The values that differences stand for."""
    sums, last = [], 0
    for value in values:
        last += value or 0
        sums.append(None if value is None else last)
    return sums


def test_a_link_holds_what_came_of_a_run(store):
    run = create(store, {"train.steps": 720, "train.seed": 7, "model.norm": "rms"}, plan=[(300, {"train.lr": 1e-4})])
    losses = [4 - 2 * n / 720 for n in range(720)]
    text = "<b>O</b> " * 100
    store.append(run, [STARTED, Eval(0, 4.1741, 0.0), *(Step(n + 1, loss, 0.01 * n) for n, loss in enumerate(losses)),
                       Changed(300, {"train.lr": 1e-4}), Eval(720, 2.1, 7.0), Sample(720, "\n", text),
                       Finished(720, 2.2222, 7.2, 1000)])
    [about] = told(store, run)
    curve, every = undone(about["curve"]["loss"]), about["curve"]["every"]
    assert every == 10 and len(curve) == 72
    assert curve[-1] == round(1000 * sum(losses[-10:]) / 10)
    assert undone(about["checks"]["step"]) == [0, 720] and undone(about["checks"]["loss"]) == [4174, 2100]
    assert about["changes"] == {"train.steps": 720, "train.seed": 7, "model.norm": "rms", "train.lr": 1e-4}
    assert (about["best"], about["final"], about["status"], about["step"]) == ([720, 2.1], 2.222, "finished", 720)
    assert about["marks"] == [[300, "lr 1e-4"]] and about["text"]["print"] == "c0ffee00"
    assert about["text"]["bits"] == pytest.approx(1.442695)
    assert about["sample"]["text"].startswith("<b>O</b>") and len(about["sample"]["text"]) == link.SAMPLE
    assert "me" not in about.values() and run not in json.dumps(about)


def test_a_loss_that_is_no_number_is_a_gap(store):
    run = create(store, {"train.steps": 5})
    losses = [3.0, math.nan, math.inf, 1e9, 2.5]
    steps = [Step(n + 1, loss, 0.1) for n, loss in enumerate(losses)]
    store.append(run, [STARTED, *steps, Eval(5, math.nan, 1.0), Diverged(5, "no")])
    [about] = told(store, run)
    assert about["curve"]["loss"] == [3000, None, None, None, -500]
    assert about["checks"]["loss"] == [None] and about["best"] is None and about["final"] is None


def test_ones_own_text_does_not_travel(store):
    run = create(store, {"data.dataset": "own", "data.text": "ab" * 32})
    store.append(run, [STARTED])
    assert told(store, run)[0]["changes"] == {"data.dataset": "own"}


def test_links_are_short_and_those_that_would_not_be_are_refused(store):
    runs, noise = [], [math.sin(99 * n) for n in range(10_001)]
    for seed in range(5):
        run = create(store, {"train.seed": seed, "train.steps": 10_000, "model.mlp": True, "train.lr": 3e-4})
        checks = [Eval(n, 2 + noise[n], 1.0) for n in range(0, 10_001, 100)]
        store.append(run, [STARTED, *checks, Sample(10_000, "O ", "word and " * 60)])
        store.append(run, [Step(n, 2 + noise[n], 0.1) for n in range(1, 10_001)])
        runs.append(run)
    stored = [store.run(run) for run in runs]
    assert len(link.fragment(store, stored[:1])) < 1500 and len(link.fragment(store, stored[:4])) < 5000
    for some in ([], stored):
        with pytest.raises(Refusal, match="1 to 4 runs"):
            link.fragment(store, some)
    with pytest.raises(Refusal, match="not begun"):
        link.fragment(store, [store.run(create(store))])
    longs = []
    for seed in (1, 2):
        prompt = "".join(map(chr, Random(seed).choices(range(0x4E00, 0x9000), k=2000)))
        longs.append(create(store, {"sample.prompt": prompt}))
        store.append(longs[-1], [STARTED])
    with pytest.raises(Refusal, match="shorter prompt"):
        link.fragment(store, [store.run(long) for long in longs])
