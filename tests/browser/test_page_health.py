"""The card of signal health in the Inspect view: drawings, sentences, and what is said where there is nothing to draw."""

import pytest


def inspect(visitor):
    visitor.page.click(".views button[data-view=inspect]")
    return visitor.page.locator("#signals")


def said(visitor) -> str:
    """The sentence about the shown run, once its last measurement is drawn."""
    visitor.page.wait_for_function("document.querySelector('#signals .said span').textContent"
                                   " && document.querySelector('#signals .map svg')")
    return visitor.page.locator("#signals .said span").inner_text()


def deep(visitor, residual: bool) -> None:
    """Trains eight layers for a few steps."""
    visitor.choose("ladder/06-residual")
    for group, path, value in (("Training", "train.steps", "40"), ("Size", "model.n_layer", "8")):
        visitor.open(group)
        visitor.type(path, value)
    for path in () if residual else ("model.residual_attn", "model.residual_mlp"):
        visitor.page.evaluate("(path) => document.querySelector(`#settings [data-path='${path}'] input`).click()", path)
    visitor.train()
    visitor.wait_status("finished")


def test_the_sentence_tells_residuals_on_from_off(visit):
    visitor = visit()
    card = inspect(visitor)
    assert card.is_hidden()  # what an empty view says is said above it
    told = []
    for residual in (True, False):
        visitor.page.click(".views button[data-view=train]")
        deep(visitor, residual)
        inspect(visitor)
        visitor.page.wait_for_function("/−residual/.test(document.querySelector('#signals .hint-right').textContent) === %s"
                                       % ("false" if residual else "true"))
        told.append(said(visitor))
    assert "vanish" not in told[0] and "vanish" in told[1] and "layer 1" in told[1]
    assert card.locator(".said.warns").count() == 1 and card.locator(".switches .warns").count() >= 1
    assert "measured at 4 of 40 steps" in card.locator(".hint-right").inner_text()

    names = card.locator(".map .row").all_text_contents()
    assert names == ["embedding", *(f"layer {n}" for n in range(1, 9))]
    assert card.locator(".lines .line").count() == 17

    card.locator("[name=health-measure][value=updates]").press("Space")  # by keyboard
    assert "of the weights" in said(visitor) and "%" in card.locator(".ramp").inner_text()
    assert card.locator("[name=health-where]").first.is_hidden()
    card.locator("[name=health-measure][value=activations]").press("Space")
    card.locator("[name=health-where][value=part]").press("Space")
    assert card.locator(".map .row").last.text_content() == "head"


def test_numbers_are_read_by_pointer_and_by_keys(visit):
    visitor = visit(width=390, height=844, color_scheme="dark")
    visitor.finish(64)
    card = inspect(visitor)
    said(visitor)
    assert visitor.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    read = card.locator("#signals-read")
    card.locator(".map .plot").focus()
    visitor.page.keyboard.press("ArrowUp")
    assert read.inner_text().startswith("embedding · step 64 · ")
    visitor.page.keyboard.press("ArrowUp")
    visitor.page.keyboard.press("ArrowLeft")
    assert read.inner_text().startswith("layer 1 attention · step 32 · ")
    assert card.locator(".map .mark").get_attribute("visibility") == "visible" and card.locator(".lines .on").count() == 1
    visitor.page.keyboard.press("Escape")
    assert "arrow keys" in read.inner_text()
    card.locator(".lines .plot").hover(position={"x": 120, "y": 60})
    assert " · step " in read.inner_text()


@pytest.mark.parametrize("view", ["train", "inspect"])
def test_it_asks_only_while_it_is_looked_at(visit, view):
    visitor = visit()
    visitor.page.click(f".views button[data-view={view}]")
    asked = []
    visitor.page.on("request", lambda request: asked.append(request.url) if request.url.endswith("ask/health") else None)
    if view == "inspect":
        visitor.page.click(".views button[data-view=train]")
    visitor.finish(64)
    assert not asked
    inspect(visitor)
    said(visitor)
    assert len(asked) in (1, 2)
    visitor.page.wait_for_timeout(4500)
    assert len(asked) in (1, 2)  # a run that has ended is not asked about again
