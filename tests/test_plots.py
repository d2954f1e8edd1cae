"""The chart: its figure, what an update sends, the average that forgets, and losses in words."""

import json
import math

import pytest

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
    figure = {"data": plots.traces() + [plots.earlier(i) for i in range(6)], "layout": plots.layout()}
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
