"""The page as its visitors meet it: the form, texts and samples, and the look."""

import re

import pytest


def width_fits(page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


# The look


def test_every_control_is_reached_by_keyboard(reader):
    """Tabbing from the top reaches the ladder, the buttons and the form, and each shows where the focus is."""
    reached, unseen = set(), set()
    for _ in range(80):
        reader.page.keyboard.press("Tab")
        name, outline = reader.page.evaluate("""(() => { const e = document.activeElement, to = e.type === 'checkbox' ||
            e.type === 'radio' ? e.nextElementSibling : e; return [e.id || e.dataset.preset || e.dataset.switch || e.tagName,
            getComputedStyle(to).outlineStyle]; })()""")
        reached.add(name)
        if outline == "none" and name != "BODY":
            unseen.add(name)
        if "train" in reached and "SUMMARY" in reached:
            break
    assert {"theme", "train", "ladder/01-bigram"} <= reached and "SUMMARY" in reached
    assert not unseen


def test_chart_and_train_are_in_view_at_1440(reader):
    for selector in ("#train", "#chart-root .plot", "#status-step"):
        box = reader.page.locator(selector).bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= 900, selector
    assert width_fits(reader.page)


def test_phone_has_train_and_chart_first_and_nothing_overflows(visit):
    visitor = visit(width=390, height=844)
    assert width_fits(visitor.page)
    train, chart, form, model = (visitor.page.locator(s).bounding_box()["y"] for s in
                                 ("#train", "#chart-root .plot", "#settings", "#model"))
    assert train < 844 and chart < 844
    assert train < chart < min(form, model)
    visitor.finish(60)
    assert width_fits(visitor.page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_dark_mode_is_followed_and_can_be_switched(visit, scheme):
    visitor = visit(color_scheme=scheme)

    def lightness() -> float:
        red, green, blue = map(float, re.findall(r"[\d.]+", visitor.page.evaluate(
            "getComputedStyle(document.querySelector('#desk')).backgroundColor"))[:3])
        return (red + green + blue) / 765

    assert (lightness() < 0.3) == (scheme == "dark")
    visitor.page.click("#theme")
    assert (lightness() < 0.3) == (scheme == "light")
    visitor.finish(60)
    visitor.page.reload()
    visitor.page.wait_for_selector("#chart-root .main-svg")
    assert (lightness() < 0.3) == (scheme == "light"), "the choice was forgotten"


# The form


def test_options_without_effect_are_hidden_and_changes_can_be_reset(reader):
    reader.choose("modern/llama")
    reader.open("Position")
    assert reader.option("model.rope_base").is_visible()
    reader.option("model.position").locator("select").select_option("alibi")
    assert not reader.option("model.rope_base").is_visible()
    reader.option("model.position").locator(".reset").click()
    assert reader.option("model.rope_base").is_visible()


def test_parameter_count_follows_the_form(reader):
    reader.choose("ladder/12-gpu")
    reader.page.wait_for_function("document.querySelector('#total').textContent === '1,208,385'")
    reader.choose("ladder/11-deep")
    reader.page.wait_for_function("document.querySelector('#total').textContent === '309,313'")


def test_the_learning_rate_is_drawn_as_the_form_has_it(reader):
    def drawn(words: str, stale: bool = False) -> str:
        """The curve, once the drawing says so."""
        reader.page.wait_for_function("""([words, stale]) => { const figure = document.querySelector('#schedule');
            return figure.querySelector('title')?.textContent.includes(words) && figure.matches('.stale') === stale; }""",
            arg=[words, stale])
        return reader.page.locator("#schedule .rate:not(.dim)").get_attribute("d")

    reader.choose("ladder/03-multi-head")
    reader.open("Training")
    flat = drawn("stays at")
    reader.option("train.schedule").locator("select").select_option("cosine")
    falling = drawn("along half a cosine")
    reader.type("train.warmup", "50")
    rising = drawn("rises over 50 steps")
    assert len({flat, falling, rising}) == 3
    reader.type("train.warmup", "many")
    assert drawn("rises over 50 steps", stale=True) == rising
    reader.type("train.warmup", "0")
    assert drawn("falls from") == falling
    reader.option("train.optimizer").locator("select").select_option("muon")
    drawn("AdamW's does the same")
    assert reader.page.locator("#schedule .rate").count() == 2 and reader.page.locator("#schedule").is_visible()
    reader.page.click("#reset-all")
    assert drawn("stays at") == flat


def test_bad_input_is_said_beside_the_form_and_blocks_train(reader):
    reader.choose("ladder/03-multi-head")
    reader.open("Token mixing")
    reader.type("model.n_head", "5")
    problems = reader.page.locator("#problems")
    problems.wait_for(state="visible")
    assert "n_head" in problems.inner_text() and "1, 2, 4" in problems.inner_text()
    reader.page.wait_for_function("document.querySelector('#train').disabled")
    reader.type("model.n_head", "many")
    reader.page.wait_for_function("/many/.test(document.querySelector('#problems').textContent)")
    reader.type("model.n_head", "8")
    problems.wait_for(state="hidden")
    reader.page.wait_for_function("!document.querySelector('#train').disabled")


# Text


def own_text(visitor, text: str) -> None:
    visitor.open("Data")
    visitor.option("data.dataset").locator("select").select_option("own")
    visitor.page.locator("#pasted").fill(text)
    visitor.page.click("#paste")


@pytest.mark.parametrize("text, says", [("", "empty"), ("too short", "at least|short|needs")])
def test_bad_own_texts_are_refused_in_words(reader, text, says):
    own_text(reader, text)
    reader.page.wait_for_function(
        "(says) => new RegExp(says, 'i').test(document.querySelector('#own-text .help').textContent"
        " + document.querySelector('#problems').textContent)", arg=says)


def test_a_file_that_is_not_text_is_refused_in_words_and_one_that_is_is_used(reader, tmp_path):
    bad, good = tmp_path / "picture.txt", tmp_path / "play.txt"
    bad.write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe" * 100)
    good.write_bytes(b"Twelve thousand nights upon a quiet shore.\n" * 300)
    own_text(reader, "x")
    reader.page.set_input_files("#upload-file", str(bad))
    reader.page.wait_for_function("/UTF-8/.test(document.querySelector('#own-text .bad')?.textContent)")
    reader.page.wait_for_timeout(300)  # what was pasted just before is answered by now, and says nothing over it
    assert "UTF-8" in reader.page.locator("#own-text .bad").inner_text()
    reader.page.set_input_files("#upload-file", str(good))
    reader.page.wait_for_function("/12,900 bytes taken/.test(document.querySelector('#own-text .help').textContent)")
    reader.page.wait_for_function("!document.querySelector('#train').disabled")


def test_samples_appear_and_can_be_asked_for(visit):
    visitor = visit()
    visitor.finish()
    visitor.page.wait_for_function("document.querySelectorAll('#samples .sample').length >= 2")
    prompt = visitor.page.locator("#prompt textarea")
    prompt.fill("The King ")
    visitor.page.click("#sample")
    visitor.page.wait_for_function("document.querySelector('#sampled textarea').value.length === 'The King '.length + 200")
    assert visitor.page.locator("#sampled textarea").input_value().startswith("The King ")
    prompt.fill("naïve 東京")  # what the model cannot read is said where it is typed, before and after Sample
    visitor.page.wait_for_selector("#prompt-note :text('Unknown characters')")
    visitor.page.wait_for_function("document.querySelector('#train').disabled")
    visitor.page.click("#sample")
    visitor.page.wait_for_timeout(300)
    assert "Unknown characters" in visitor.page.locator("#prompt-note").inner_text()
    prompt.fill("The Queen ")
    visitor.page.wait_for_function("!document.querySelector('#train').disabled")
    assert visitor.page.locator("#prompt-note").inner_text() == ""


def test_model_text_is_never_html(visit):
    """A text full of markup, learnt by heart: what the model writes is shown letter by letter."""
    visitor = visit()
    visitor.brief()
    own_text(visitor, "<img src=x onerror=alert(1)><b>bold</b>\n" * 300)
    visitor.page.wait_for_function("/taken as/.test(document.querySelector('#own-text .help').textContent)")
    visitor.train()
    visitor.wait_status("finished")
    visitor.page.locator("#prompt textarea").fill("<img src=x")
    visitor.page.click("#sample")
    visitor.page.wait_for_function("document.querySelector('#sampled textarea').value.length > 100")
    visitor.page.wait_for_function("/</.test(document.querySelector('#samples .sample:last-child pre').textContent)")
    assert visitor.page.locator("#samples img, #samples b b, #sampled img, #runs img").count() == 0


def test_a_page_in_which_nothing_happens_is_not_drawn(visit):
    """Sixty frames a second of an unchanged page would take a tenth of a core from the training."""
    page = visit().page
    page.add_init_script("""window.drawn = 0; const native = window.requestAnimationFrame;
        window.requestAnimationFrame = (callback) => { window.drawn += 1; return native.call(window, callback); };""")
    page.reload()
    page.wait_for_selector("#chart-root .main-svg")
    frames = []
    while min(frames, default=60) > 5 and len(frames) < 20:
        page.evaluate("window.drawn = 0")
        page.wait_for_timeout(1000)
        frames.append(page.evaluate("window.drawn"))
    assert frames[-1] <= 5, f"frames in each second: {frames}"
