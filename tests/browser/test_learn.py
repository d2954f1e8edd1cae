"""The ladder as lessons, in a browser: a guess, the training, what came of it; the market street; all of it by keyboard."""

import pytest
import torch
import torch.nn.functional as F


def learn(visitor, number: int = 1):
    """Opens the view at a lesson; returns the page."""
    page = visitor.page
    page.click("button[data-view=learn]")
    page.click(f".rail button[data-lesson='{number}']")
    page.wait_for_function("(n) => document.querySelector('.lesson .where').textContent === `Step ${n} of 12`", arg=number)
    return page


def guess(page, keys: int) -> None:
    """Moves the marker by so many hundredths."""
    page.locator(".guess input").focus()
    for _ in range(abs(keys)):
        page.keyboard.press("ArrowRight" if keys > 0 else "ArrowLeft")


def test_guess_train_and_see(visit):
    visitor = visit()
    page = learn(visitor)
    begin, outcome = page.locator(".guess .start-training"), page.locator(".guess .outcome")
    assert begin.is_disabled() and outcome.is_hidden()
    guess(page, -150)
    page.wait_for_function("document.querySelector('.guessed').textContent.startsWith("
                           "'I think the loss falls by 1.50, from 4.17 to 2.67')")
    begin.click()
    page.wait_for_selector(".small-curve .now")  # the run is the one that Train shows
    visitor.wait_status("finished")
    outcome.wait_for()
    assert page.locator(".came-out").inner_text().startswith("The loss fell by 1.")
    assert "your run" in outcome.inner_text() and "You guessed a fall of 1.50: the right way" in outcome.inner_text()
    assert page.locator(".rail button[data-lesson='1'] .tick").inner_text() == "✓"
    page.reload()  # the guess and what came of it are still there
    outcome.wait_for(timeout=45_000)
    assert "You guessed a fall of 1.50" in outcome.inner_text()
    page.click(".pager .onward")
    page.wait_for_function("document.querySelector('#lesson-title').textContent === 'One head'")
    guess(page, 5)
    page.click(".guess .only")
    outcome.wait_for()
    told = outcome.inner_text()
    assert "your run" in told and "measured for this project" in told and "it went the other way" in told
    page.click(".guess .anew")
    assert outcome.is_hidden() and begin.is_disabled()


def test_a_run_that_was_stopped_is_not_judged(visit):
    visitor = visit()
    page = learn(visitor, 9)
    guess(page, 3)
    page.click(".guess .start-training")
    page.wait_for_selector(".guess .halt:visible")
    visitor.wait_step(1)
    page.click(".guess .halt")
    page.locator(".outcome .aside").wait_for()
    assert page.locator(".outcome .aside").inner_text().startswith("You stopped it after")
    assert page.locator(".outcome dl").inner_text().count("measured for this project") == 2


def test_each_lesson_lights_what_is_new_and_has_its_formula(reader):
    for number in range(1, 13):
        page = learn(reader, number)
        assert page.locator(".sketch .diagram .part.lit").count() > 0, number
        assert page.locator(".equations math").count() > 0 and page.locator(".formula dt math").count() > 0, number
        assert page.locator(".sketch").get_attribute("aria-label")
    assert page.locator(".pager .onward").inner_text().startswith("Build your own")


def test_the_lessons_by_keyboard(reader):
    page = learn(reader, 2)
    page.locator(".rail button[aria-current]").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('#lesson-title').textContent === 'Multi-head'")
    assert page.evaluate("document.activeElement.id") == "lesson-title"  # read out, and the next Tab goes on from there
    page.locator(".guess input").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className").endswith("start-training")


def test_the_market_street_is_attention(reader):
    page = learn(reader, 2)
    rows = page.locator(".market tbody tr")
    assert rows.locator("td.shares").count() == 6
    before = rows.nth(0).inner_text()
    page.locator(".plane [aria-label^='query of']").focus()
    for _ in range(12):
        page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("query of")
    assert rows.nth(0).inner_text() != before
    page.locator(".street button").nth(5).focus()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    assert rows.locator("td.shares").count() == 3  # the mask: stalls further on have not opened
    assert page.locator(".market tr.shut").count() == 3
    assert rows.nth(0).locator("td.shares").inner_text().endswith("%")
    page.click(".market h3 button")
    assert rows.nth(0).inner_text() == before


def test_the_market_street_computes_what_attention_does(reader):
    draw = torch.Generator().manual_seed(5)
    q, k, v = (torch.randn(5, 3, generator=draw, dtype=torch.float64) * 3 for _ in range(3))
    for at in range(5):
        found = reader.page.evaluate("""([q, k, v, at]) => import(new URL('playground/learn_attend.js', document.baseURI).href)
            .then(({ attend }) => attend(q, k, v, at))""", [q[at].tolist(), k.tolist(), v.tolist(), at])
        expected = F.scaled_dot_product_attention(q, k, v, is_causal=True)[at]
        assert found["mixture"] == pytest.approx(expected.tolist())
        assert sum(found["shares"]) == pytest.approx(1) and found["shares"][at + 1 :] == [0] * (4 - at)


def test_the_picture_is_found_from_the_options_help_and_lessons_from_the_ladder(reader):
    page = reader.page
    page.click("button[data-view=train]")
    reader.choose("ladder/05-blocks")
    page.click("#say [data-lesson]")
    page.wait_for_function("document.querySelector('#lesson-title').textContent === 'Blocks'")
    page.click("button[data-view=train]")
    reader.open("Token mixing")
    page.click("[data-path='model.attention'] [data-lesson]")
    page.wait_for_selector(".market:visible")
    assert page.locator("#lesson-title").inner_text() == "One head"


def test_an_experiment_is_put_into_the_form(reader):
    page = learn(reader, 4)
    page.click(".errand button")
    assert page.evaluate("document.body.dataset.view") == "train"
    form = page.evaluate("""import(new URL('playground/state.js', document.baseURI).href)
        .then(({ form }) => [form.preset.id, form.changes])""")
    assert form == ["ladder/04-mlp", {"model.activation": "identity"}]
    slip = page.locator(".slip")
    assert "press Train" in slip.inner_text()
    slip.get_by_role("button", name="Back to the lesson").click()
    page.wait_for_function("document.querySelector('#lesson-title').textContent === 'MLP'")
    assert slip.is_hidden()
    page = learn(reader, 2)  # nothing is trained yet that Inspect could open
    page.click(".errand button")
    assert "train this step first" in page.locator(".errand .bad").inner_text()
    assert page.evaluate("document.body.dataset.view") == "learn"


def test_a_link_opens_a_lesson_and_the_address_says_which(visit, server):
    visitor = visit()
    page = visitor.page
    page.goto("about:blank")
    page.goto(f"{server.url}#lesson=6")
    page.wait_for_function("document.querySelector('#lesson-title')?.textContent === 'Residual'")
    page.click(".pager .onward")
    page.wait_for_function("location.hash.includes('lesson=7')")
    page.click("button[data-view=train]")
    page.wait_for_function("!location.hash.includes('lesson')")
    page.goto("about:blank")
    page.goto(f"{server.url}#lesson=13")
    page.wait_for_selector("#linked:visible")
    assert "There is no lesson “13”" in page.locator("#linked").inner_text()


def test_a_phone_shows_all_of_it_without_scrolling_sideways(visit):
    page = learn(visit(width=390, height=844, color_scheme="dark"), 2)
    for number in (2, 3, 11):
        page.click(f".rail button[data-lesson='{number}']")
        page.wait_for_function("(n) => document.querySelector('.lesson .where').textContent === `Step ${n} of 12`", arg=number)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
