"""The chart: its figure, what an update sends, the average that forgets, losses in words; the schedule's curve."""

import json
import math

import pytest

from gpt.config import TrainConfig
from gpt.schedules import SCHEDULES, learning_rate
from playground import plots
from playground.verdicts import verdict, verdicts

V, UNIGRAM, BIGRAM = 65, 3.3, 2.4


def colours(figure):
    """Every "var(--name)" in a figure."""
    if isinstance(figure, dict):
        return set().union(*map(colours, figure.values())) if figure else set()
    if isinstance(figure, list):
        return set().union(*map(colours, figure)) if figure else set()
    return {figure[4:-1]} if isinstance(figure, str) and figure.startswith("var(") else set()


def test_plotly_accepts_the_figure():
    graph = pytest.importorskip("plotly.graph_objects")
    others = [plots.compared(), plots.inherited(), *(plots.earlier(i) for i in range(6))]
    figure = {"data": [*others, *plots.traces(), *plots.traces(held_out=True)], "layout": plots.layout()}
    graph.Figure(plots.paint(figure, plots.LIGHT))


@pytest.mark.parametrize("palette", [plots.LIGHT, plots.DARK], ids=["light", "dark"])
def test_painting_leaves_no_variable(palette):
    figure = {"data": plots.traces(), "layout": plots.layout()}
    assert colours(figure) and not colours(plots.paint(figure, palette))


def test_the_page_s_style_has_the_palettes():
    from pathlib import Path

    style = (Path(plots.__file__).parent / "static" / "page.css").read_text()
    light, dark = style.split(".dark {")[:2]
    for palette, sheet in ((plots.LIGHT, light), (plots.DARK, dark)):
        for name, colour in palette.items():
            assert f"{name}: {colour};" in sheet, (name, colour)


def test_both_ways_to_look_at_a_run_have_the_same_traces():
    """The page finds them by their place."""
    names = [trace["name"] for trace in plots.traces()]
    assert names == [trace["name"] for trace in plots.traces(held_out=True)] and len(set(names)) == len(names)


def test_what_is_looked_at_stands_out():
    for held_out, front, back in ((False, "training", "validation"), (True, "validation", "training")):
        lines = {trace["name"]: trace["opacity"] * trace["line"]["width"] for trace in plots.traces(held_out)[:3]}
        assert lines[front] == max(lines.values()) > 1.5 * lines[back]


def test_earlier_runs_stand_back_and_differ():
    drawn = [plots.earlier(place) for place in range(plots.EARLIER)]
    assert len({trace["line"]["dash"] for trace in drawn}) == plots.EARLIER
    assert all(trace["opacity"] < plots.compared()["opacity"] for trace in [*drawn, plots.inherited()])


def test_an_unknown_colour_is_an_error():
    with pytest.raises(KeyError):
        plots.paint({"color": "var(--nothing)"}, plots.LIGHT)


def test_an_update_is_under_two_kilobytes_at_any_length():
    points = [(99_000 + i, 10.12345, 3600 + 0.123456 * i) for i in range(plots.POINTS)]
    sent = json.dumps(plots.delta(points, points[0][2]), separators=(",", ":"))
    assert len(sent) < 1500  # the rest of the answer is about 400 bytes


def test_a_delta_adds_up_to_the_seconds():
    points = [(i, 3.0, 0.0137 * i) for i in range(1, 500)]
    last = 0.0
    for start in range(0, 499, 100):
        sent = plots.delta(points[start:start + 100], last)
        last += sum(sent["ms"]) / 1000
    assert last == pytest.approx(points[-1][2], abs=2e-3)


def test_a_loss_that_is_no_number_is_sent_as_none():
    assert json.loads(json.dumps(plots.delta([(1, math.nan, 0.1), (2, math.inf, 0.2)], 0.0)))["loss"] == [None, None]


@pytest.mark.parametrize("total", [1, 50, 2000, 2001, 10_000, 100_000])
def test_a_browser_holds_a_bounded_number_of_points(total):
    stride = plots.stride_for(total)
    assert stride >= 1 and total / stride <= plots.KEPT


def test_smoothing_never_rewrites_the_past():
    steps, losses = list(range(1, 200)), [4 / (1 + i / 20) + 0.1 * (i % 7) for i in range(199)]
    whole = plots.smooth(steps, losses, 30)
    for cut in (1, 50, 150):
        assert plots.smooth(steps[:cut], losses[:cut], 30) == whole[:cut]


def test_smoothing_knows_how_far_apart_points_are():
    """A thousand steps later the old is forgotten; the next step, hardly."""
    assert plots.smooth([1, 1001], [4.0, 2.0], 30)[1] == pytest.approx(2.0, abs=1e-6)
    assert plots.smooth([1, 2], [4.0, 2.0], 30)[1] > 2.9


def test_smoothing_starts_at_the_first_loss_and_can_be_off():
    assert plots.smooth([5], [4.2], 100) == [pytest.approx(4.2)]
    assert plots.smooth([1, 2, 3], [4.0, 3.0, 2.0], 0) == [4.0, 3.0, 2.0]
    assert plots.smooth([1, 2, 3], [2.0, 2.0, 2.0], 50) == pytest.approx([2.0] * 3)


def test_references_fall_from_guessing_to_the_bigram_table():
    lines = plots.references(V, UNIGRAM, BIGRAM)
    assert [name for name, _ in lines] == ["guessing", "letter counts", "bigram table"]
    losses = [loss for _, loss in lines]
    assert losses[0] == pytest.approx(math.log(65)) and losses == sorted(losses, reverse=True)


@pytest.mark.parametrize("loss, words", [
    (50.0, "worse than guessing"), (1e12, "worse than guessing"), (4.17, "guessing"), (3.3, "knows letter frequencies"),
    (2.42, "knows letter pairs"), (2.3, "past the bigram table"), (2.0, "past the bigram table: short words"),
    (1.4, "phrases"), (math.nan, "no longer a number"),
])
def test_losses_in_words(loss, words):
    assert verdict(loss, verdicts(V, UNIGRAM, BIGRAM)) == words


@pytest.mark.parametrize("text", [(65, 3.3, 2.4), (256, 3.1, 2.3), (17, 2.75, 0.2), (2, 0.6, 0.5), (1, 0.0, 0.0)])
def test_words_fall_with_the_loss_for_any_text(text):
    limits = [limit for limit, _ in verdicts(*text)]
    assert limits == sorted(limits, reverse=True)


# The schedule


SHAPES = [{}, {"warmup": 100}, {"warmup": 1}, {"lr_end": 0.0}, {"lr_end": 1.0}, {"decay": 1.0, "warmup": 7}]


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("steps", [1, 2, 3, 10, 57, 100, 2000, 100_000])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_schedule_s_points_are_few_and_lie_on_it(name, steps, shape):
    fitting = shape | {"warmup": min(steps, shape.get("warmup", 0))}
    cfg = TrainConfig(schedule=name, steps=steps, lr=0.00123456, **fitting)
    points = plots.schedule(cfg)["points"]
    at = [step for step, _ in points]
    assert at == sorted(set(at)) and at[0] == 1 and at[-1] == steps and len(at) <= min(steps, 60)
    assert [rate for _, rate in points] == pytest.approx([learning_rate(step - 1, cfg) for step in at], rel=1e-3)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("shape", [{}, {"warmup": 1234}, {"warmup": 777, "decay": 0.123}], ids=str)
def test_nothing_is_lost_between_a_schedule_s_points(name, shape):
    """A straight line between two points is nowhere far from the rate: no bend is cut off."""
    cfg = TrainConfig(schedule=name, steps=9876, lr=1.0, **shape)
    points = plots.schedule(cfg)["points"]
    for (left, low), (right, high) in zip(points, points[1:], strict=False):
        for step in range(left, right):
            drawn = low + (high - low) * (step - left) / (right - left)
            assert drawn == pytest.approx(learning_rate(step - 1, cfg), abs=1e-3)


@pytest.mark.parametrize("change, bends", [
    ({}, []), ({"warmup": 100}, [100]), ({"schedule": "cosine"}, []), ({"schedule": "cosine", "warmup": 100}, [100]),
    ({"schedule": "wsd"}, [1601]), ({"schedule": "wsd", "warmup": 100}, [100, 1621]), ({"warmup": 2000}, []),
])
def test_bends_are_where_a_schedule_changes_its_course(change, bends):
    assert plots.schedule(TrainConfig(steps=2000, **change))["bends"] == bends


@pytest.mark.parametrize("change, says", [
    ({}, "stays at 0.001 until step 2,000."),
    ({"warmup": 100}, "rises over 100 steps to 0.001, then stays there until step 2,000."),
    ({"warmup": 2000}, "rises over 2,000 steps to 0.001."),
    ({"schedule": "linear"}, "falls from 0.001 in a straight line to 0.0001 at step 2,000."),
    ({"schedule": "cosine", "warmup": 100},
     "rises over 100 steps to 0.001, then falls along half a cosine to 0.0001 at step 2,000."),
    ({"schedule": "cosine", "lr_end": 0.0, "lr": 1e-5},
     "falls from 0.00001 along half a cosine to almost 0 at step 2,000."),
    ({"schedule": "wsd", "lr_end": 0.05},
     "stays at 0.001 until step 1,601, then falls in a straight line to 0.000052 at step 2,000."),
    ({"schedule": "linear", "lr_end": 1.0}, "stays at 0.001 until step 2,000."),
])
def test_a_schedule_in_words(change, says):
    assert plots.schedule(TrainConfig(steps=2000, **change))["words"] == f"The learning rate {says}"


def test_a_second_rate_is_drawn_only_where_there_is_one():
    assert plots.schedule(TrainConfig(lr_rest=0.02))["peaks"] == [("", 1e-3)]
    two = plots.schedule(TrainConfig(optimizer="muon", lr=0.02, lr_rest=0.003))
    assert two["peaks"] == [("Muon", 0.02), ("AdamW", 0.003)]
    assert two["words"].startswith("Muon's learning rate stays")
    assert two["words"].endswith("AdamW's does the same, with 0.003 at its peak.")


@pytest.mark.parametrize("change, end", [
    ({}, 1.0), ({"schedule": "cosine", "lr_end": 0.25}, 0.25), ({"schedule": "linear", "lr_end": 0.0}, 0.0)])
def test_the_last_rate_s_share_of_the_peak(change, end):
    assert plots.schedule(TrainConfig(steps=2000, **change))["end"] == end


def test_a_schedule_is_small():
    worst = TrainConfig(schedule="cosine", steps=100_000, warmup=10_000, lr=1.23456e-5, optimizer="muon")
    assert len(json.dumps(plots.schedule(worst), separators=(",", ":"))) < 1600
