"""Inspect: guesses, attention and knock-outs of the shown run, at any kept step and while it trains."""

import re

import pytest

GUESSES = "#inspecting-card .guesses"


def inspect(visitor) -> None:
    """Opens the view and waits for the first look."""
    visitor.page.click("button[data-view=inspect]")
    visitor.page.wait_for_selector("#inspecting-card .in-body", state="visible")
    visitor.page.wait_for_selector("#inspecting-card .in-next .tok")


def holds(page, selector: str, pattern: str) -> None:
    page.wait_for_function("([selector, pattern]) => new RegExp(pattern).test(document.querySelector(selector)?.textContent)",
                           arg=[selector, pattern])


def write(page, text: str) -> None:
    if page.locator("#in-text").is_hidden():
        page.click("#inspecting-card .yours .own")
    page.fill("#in-text", text)


@pytest.fixture(scope="module")
def trained(reader):
    """A visitor with a brief run of four heads, looked into."""
    reader.finish(300)
    inspect(reader)
    return reader


def test_each_token_has_a_surprise_and_ten_candidates(trained):
    page = trained.page
    assert page.locator(".in-next .tok").count() > 40 and page.locator(".in-next .tok.coming").count() == 1
    page.locator(".in-next .tok").nth(5).hover()
    holds(page, f"{GUESSES} .sub", r"guess, at .* %: a surprise of \d+\.\d+ nats")
    assert page.locator(".candidates li:not(.beyond)").count() == 10 and page.locator(".candidates li.true").count() == 1
    assert page.locator(".candidates .meter.draws").count() >= 10, "the sampling options of the form leave no mark"
    assert page.locator(".lens li .stage").all_inner_texts() == ["input", "layer 1"]
    tints = page.evaluate("new Set([...document.querySelectorAll('.in-next .tok')].map((t) => t.style.background)).size")
    assert tints > 8
    page.locator(".in-next .tok.coming").click()
    holds(page, f"{GUESSES} .sub", "would be written next")
    assert page.locator(".candidates li.true").count() == 0
    page.locator(".in-next .tok").nth(8).hover()
    holds(page, f"{GUESSES} .sub", "would be written next")  # pressed, it stays
    page.locator(".in-next .tok.coming").click()


def test_the_keys_go_through_the_text(trained):
    page = trained.page
    box = page.locator(".in-next .toks")
    box.focus()
    page.keyboard.press("Home")
    holds(page, f"{GUESSES} .sub", "Nothing comes before it")
    page.keyboard.press("ArrowRight")
    assert page.locator(".in-next .tok.here").get_attribute("data-i") == "1"
    page.keyboard.press("End")
    assert box.get_attribute("aria-activedescendant") == page.locator(".in-next .tok.coming").get_attribute("id")
    page.keyboard.press("ArrowUp")
    assert 0 < int(page.locator(".in-next .tok.here").get_attribute("data-i")) < page.locator(".in-next .tok").count() - 1


def test_a_head_is_chosen_and_the_text_shows_where_it_looks(trained):
    page = trained.page
    thumbs = page.locator(".thumbs button")
    assert thumbs.count() == 4
    thumbs.nth(2).click()
    holds(page, ".in-attention .which", "layer 1 · head 3")
    page.keyboard.press("ArrowLeft")
    holds(page, ".in-attention .which", "layer 1 · head 2")
    page.locator(".gaze .tok").nth(20).hover()
    holds(page, ".gaze .says", r"looks at .* \d+ %")
    seen = page.evaluate("[...document.querySelectorAll('.gaze .tok')].flatMap((t, i) => t.style.background ? [i] : [])")
    assert seen and min(seen) >= 13 and max(seen) <= 20, "it looks further than its context"
    canvas = page.locator(".large canvas")
    last = page.locator(".gaze .tok").count() - 1
    for turn in range(20):  # the card may still be settling under the pointer
        canvas.hover(position={"x": 30 + turn % 2, "y": canvas.bounding_box()["height"] - 8})
        if page.locator(f".gaze .tok.here[data-i='{last}']").count():
            break
        page.wait_for_timeout(100)
    page.wait_for_selector(f".gaze .tok.here[data-i='{last}']")


def test_own_text_is_looked_at_and_unknown_letters_are_refused(trained):
    page = trained.page
    write(page, "To be, or not")
    page.wait_for_function("document.querySelectorAll('.in-next .tok').length === 14")
    write(page, "東")
    holds(page, ".in-next .bad", "Unknown characters")
    assert page.locator(".in-next .tok").count() == 14 and page.locator("#in-text").get_attribute("aria-invalid") is not None
    page.click("#inspecting-card .another")
    page.wait_for_function("document.querySelectorAll('.in-next .tok').length > 40")
    assert page.locator(".in-next .bad").is_hidden()


def test_earlier_weights_are_a_step_of_the_slider_away(trained):
    page = trained.page
    holds(page, ".weights-at output", "300, the newest")
    newest = page.locator(".in-next .facts").inner_text()
    page.locator("#in-step").focus()
    page.keyboard.press("Home")
    page.wait_for_function("(newest) => document.querySelector('.in-next .facts').textContent !== newest", arg=newest)
    assert page.locator(".weights-at output").inner_text() == "0, before training"
    page.keyboard.press("End")
    page.wait_for_function("(newest) => document.querySelector('.in-next .facts').textContent === newest", arg=newest)


def test_parts_are_knocked_out_beside_the_other_question(trained):
    page = trained.page
    page.click(".in-knock .knock")
    page.wait_for_selector(".in-knock .parts tr")
    assert page.locator(".in-knock .parts button").count() == 6  # the layer, its attention, four heads
    assert re.search(r"relies most on .* rises by \d", page.locator(".in-knock .most").inner_text())
    assert "another question" in page.locator(".in-knock .about").inner_text()
    page.click(".in-knock [data-ablate]")
    page.wait_for_selector("#ablate-dialog[open]")
    page.keyboard.press("Escape")


def test_at_rest_nothing_moves(trained):
    page = trained.page
    page.wait_for_selector(".belief:not(.waits) path.line")
    page.wait_for_function("!document.querySelector('.texts figure:not([hidden]) .waits')")
    moved = page.evaluate("""() => new Promise((done) => { let n = 0;
        new MutationObserver((all) => { n += all.length; }).observe(document.getElementById('inspecting-card'),
            { subtree: true, childList: true, attributes: true, characterData: true });
        setTimeout(() => done(n), 2500); })""")
    assert moved == 0


def test_without_a_run_it_says_what_to_do(visit):
    page = visit().page
    page.click("button[data-view=inspect]")
    page.wait_for_selector(".in-empty", state="visible")
    page.click(".in-empty .start")
    page.wait_for_function("document.body.dataset.view === 'train'")


def test_a_table_has_neither_attention_nor_layers(visit):
    visitor = visit(width=390, height=844, color_scheme="dark")
    visitor.choose("ladder/01-bigram")
    visitor.open("Training")
    visitor.type("train.steps", "40")
    visitor.train()
    visitor.wait_status("finished")
    inspect(visitor)
    page = visitor.page
    assert "bigram table has no attention" in page.locator(".in-attention .off").inner_text()
    assert page.locator(".looks").is_hidden() and page.locator(".lens").is_hidden()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_run_is_looked_into_while_it_trains(visit):
    visitor = visit()
    visitor.brief(50_000)
    visitor.train()
    visitor.wait_step(20)
    inspect(visitor)
    page = visitor.page
    holds(page, ".in-bar .state", "training")
    before = page.locator(".weights-at output").inner_text()
    page.wait_for_function("(before) => document.querySelector('.weights-at output').textContent !== before", arg=before)
    assert "newest" in page.locator(".weights-at output").inner_text()
    visitor.end()
    page.wait_for_function("document.querySelector('.in-bar .state').textContent === ''")


# Through the training -------------------------------------------------------------------------------------------------


def shown_step(page, words: str) -> None:
    holds(page, ".in-embeddings .which", words)


def spot(page, name: str) -> str:
    """Where a token's point lies."""
    return page.evaluate("(name) => [...document.querySelectorAll('.in-embeddings .pt')]"
                         ".find((point) => point.querySelector('text').textContent === name).style.transform", name)


def test_tokens_move_as_points_through_the_steps_that_were_kept(trained):
    page = trained.page
    page.click(".in-index a[href='#in-embeddings']")
    page.wait_for_selector(".in-embeddings .pt")
    shown_step(page, "step 300")
    assert page.locator(".in-embeddings .pt").count() > 55 and page.locator(".in-embeddings .near li").count() == 5
    late = spot(page, "e")
    page.evaluate("""() => { const which = document.querySelector('.in-embeddings .which'); window.told = [];
        new MutationObserver(() => window.told.push(which.textContent)).observe(which, { childList: true }); }""")
    page.locator(".in-embeddings button.play").click()
    shown_step(page, "before training")
    assert spot(page, "e") != late
    page.wait_for_function("window.told.some((words) => words.includes('step 75'))")  # it goes on by itself, and rests at the end
    shown_step(page, "step 300")
    page.wait_for_function("!document.querySelector('.in-embeddings button.play').classList.contains('on')")
    assert spot(page, "e") == late
    assert re.search(r"shows \d+ % of the variance", page.locator(".in-embeddings .shares").inner_text())


def test_letter_keys_choose_a_token_and_arrows_go_on_from_it(trained):
    page = trained.page
    page.locator(".in-embeddings .plot").focus()
    page.keyboard.press("t")
    assert page.locator(".in-embeddings .near h3").inner_text() == "Nearest to t"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowRight")
    assert "nearest:" in page.locator(".in-embeddings .read").inner_text()
    page.keyboard.press("Enter")
    assert page.locator(".in-embeddings .near h3").inner_text() == "Nearest to ↵"
    assert page.locator(".in-embeddings .pt.chosen").count() == 1


def test_positions_are_a_path(trained):
    page = trained.page
    page.locator("[name=embeddings-of][value=positions]").press("Space")
    page.wait_for_function("document.querySelectorAll('.in-embeddings .pt').length === 8")
    assert page.locator(".in-embeddings .plot line.step").count() == 7
    page.locator("[name=embeddings-of][value=tokens]").press("Space")
    page.wait_for_function("document.querySelectorAll('.in-embeddings .pt').length > 55")


def test_a_guess_is_followed_through_the_steps(trained):
    page = trained.page
    page.locator(".in-next .tok").nth(9).click()
    page.wait_for_function("document.querySelectorAll('.belief:not(.waits) path.line').length >= 5")
    page.wait_for_function("!/on their way/.test(document.querySelector('.belief .sub').textContent)")
    assert page.locator(".belief path.line.true").count() == 1
    steps = page.locator(".belief .step").all_text_contents()
    assert "0" in steps and "300" in steps and page.locator(".belief .step.now").text_content() == "300"
    now = float(page.locator(".belief text.value.true").text_content().split()[0].strip("<"))
    listed = page.locator(".candidates .true .share").first.inner_text()
    assert now == float(listed.split()[0].strip("<")), "the newest step is not what is listed beside it"
    box = page.locator(".belief .plot").bounding_box()
    page.mouse.click(box["x"] + 38, box["y"] + 60)
    holds(page, ".weights-at output", "before training")
    page.wait_for_function("document.querySelector('.belief .step.now').textContent === '0'")
    page.locator("#in-step").press("End")
    page.locator(".in-next .tok").nth(9).click()


def test_a_part_taken_out_stands_beside_the_run_trained_without_it(trained):
    page = trained.page
    page.click(".in-knock .knock")
    page.wait_for_selector(".pairs .out .number")
    names = page.locator(".pairs th[scope=row]").all_inner_texts()
    assert names == ["attention", "position encoding", "one layer", "one head"]
    assert "one layer" in page.locator(".pairs tr").nth(3).inner_text() and page.locator(".pairs button.strong").count() == 3
    assert "3 heads do not share the width of 64, so with 2" in page.locator(".pairs tr").nth(4).inner_text()
    shown = trained.run
    page.locator(".pairs button[data-part=position]").press("Enter")
    page.wait_for_selector(".pairs .other .link")  # first its way through training, then its number
    position = page.locator(".pairs tr", has_text="position encoding")
    page.wait_for_function("/^[+−]?\\d\\.\\d\\d/.test(document.querySelectorAll('.pairs .other')[1].innerText)")
    assert trained.run == shown, "the page turned to another run"
    assert "−position" in position.inner_text()
    position.locator(".out button").click()
    page.wait_for_function("[...document.querySelectorAll('.texts figure:not([hidden]) pre')]"
                           ".filter((pre) => pre.textContent.length > 100).length === 3")
    texts = page.locator(".texts pre").all_inner_texts()
    assert len(set(texts)) == 3 and page.locator(".texts figcaption").nth(1).inner_text() == "Without its position encoding"
    page.locator(".in-knock .parts button").nth(3).press("Enter")
    holds(page, ".texts h3", "head 2 of layer 1")
    assert page.locator(".in-knock .parts button[aria-pressed=true]").count() == 1
