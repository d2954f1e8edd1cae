"""The page as its visitors meet it."""

import csv
import io
import re

import pytest


def brief(visitor, steps: int = 300) -> None:
    """The multi-head step, for a few steps."""
    visitor.choose("ladder/03-multi-head")
    visitor.open("Training")
    visitor.type("train.steps", str(steps))


def finish(visitor, steps: int = 300) -> None:
    brief(visitor, steps)
    visitor.train()
    visitor.wait_status("finished")


def steps_done(visitor) -> int:
    """The steps done as the status says."""
    return int(re.sub(r"\D", "", visitor.page.locator("#status-step").inner_text().split(" of ")[0]))


def width_fits(page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


# Training


def test_multi_head_step_beats_the_bigram_table(visit):
    """The whole job: one click on the ladder, one on Train, points arrive, and attention earns its place."""
    visitor = visit()
    visitor.choose("ladder/03-multi-head")
    visitor.train()
    visitor.wait_step(50)
    early = int(visitor.chart["points"])
    visitor.page.wait_for_function("(n) => Number(document.querySelector('#chart-root').dataset.points) > n", arg=early)
    bigram = visitor.page.evaluate("document.querySelector('#chart-root .js-plotly-plot').layout.shapes[2].y0")
    assert 2.3 < bigram < 2.5
    visitor.page.wait_for_function("""(line) => { const { y } = document.querySelector('#chart-root .js-plotly-plot').data
        .find((t) => t.name === 'validation'); return y.length > 1 && y.at(-1) < line; }""", arg=bigram)
    assert visitor.curve("validation")["y"][0] > 4
    visitor.page.wait_for_function("/bigram table|words/.test(document.querySelector('#status-words').textContent)")


def test_pause_resume_step_stop_extend(visit):
    visitor = visit()
    brief(visitor, 20_000)
    visitor.train()
    visitor.wait_step(10)
    visitor.page.click("#pause")
    visitor.wait_status("paused")
    at = steps_done(visitor)
    visitor.page.wait_for_timeout(1500)
    assert steps_done(visitor) == at, "paused, yet training"
    visitor.page.click("#step")
    visitor.page.wait_for_function("(text) => document.querySelector('#status-step').textContent.startsWith(text)",
                                   arg=f"step {at + 1:,} of")
    visitor.wait_status("paused")
    visitor.page.click("#pause")
    visitor.wait_step(at + 10)
    visitor.page.click("#stop")
    visitor.wait_status("stopped")
    visitor.page.click("#extend")
    visitor.wait_status("running", "finished")


def test_train_button_says_when_the_form_differs_from_the_run(visit):
    visitor = visit()
    finish(visitor)
    button = visitor.page.locator("#train")
    assert button.inner_text() == "Train"
    visitor.type("train.steps", "310")
    visitor.page.wait_for_function("document.querySelector('#train').textContent.trim() === 'Train changes'")
    visitor.option("train.steps").locator(".reset").click()
    visitor.type("train.steps", "300")
    visitor.page.wait_for_function("document.querySelector('#train').textContent.trim() === 'Train'")


def test_a_second_run_is_named_by_its_difference(visit):
    visitor = visit()
    finish(visitor)
    visitor.open("Wiring")
    visitor.option("model.norm").locator("label", has_text="RMSNorm").click()
    visitor.train()
    visitor.wait_status("finished")
    chips = visitor.page.locator("#runs .chip")
    assert chips.count() == 2
    assert "RMSNorm" in chips.first.inner_text()
    assert visitor.page.evaluate("document.querySelector('#chart-root .js-plotly-plot').data.length") >= 5, "no earlier run"


# Runs belong to the server and to their visitor


def test_reload_finds_the_run_and_the_form(visit, server):
    visitor = visit()
    brief(visitor, 5000)
    visitor.train()
    visitor.wait_step(100)
    run = visitor.run
    visitor.load(server.url)
    visitor.wait_step(100)
    assert visitor.run == run
    visitor.open("Training")
    assert visitor.option("train.steps").locator("input[type=text]").input_value() == "5,000"
    visitor.wait_status("finished")


def test_a_run_goes_on_while_no_page_is_open(visit, server):
    visitor = visit()
    brief(visitor, 4000)
    visitor.train()
    visitor.wait_step(10)
    second = visitor.page.context.new_page()
    visitor.page.close()
    second.wait_for_timeout(1500)
    visitor.page = second
    second.on("console", lambda m: visit.errors.append(m.text) if m.type == "error" else None)
    visitor.load(server.url)
    visitor.wait_step(500)


def test_visitors_do_not_see_each_others_runs(visit):
    ann, bob = visit(), visit()
    asked = []
    ann.page.on("request", lambda r: asked.append(r) if "component_server" in r.url and "visitor" in (r.post_data or "") else None)
    finish(ann)
    ann.page.wait_for_function("document.querySelectorAll('#runs .chip').length === 1")
    ann.page.click("#csv")
    bob.load(bob.page.url)
    assert bob.page.locator("#runs .chip").count() == 0 and bob.run == ""
    questions = {}
    for request in asked:
        body = request.post_data_json
        if "run" in body["data"]:
            questions[body["fn_name"]] = (request.url, body)
    assert {"poll", "table", "writing"} <= set(questions)
    for url, body in questions.values():
        assert bob.page.request.post(url, data=body).json() != {"status": "gone"}
        stolen = body | {"data": body["data"] | {"visitor": "somebody else"}}
        assert bob.page.request.post(url, data=stolen).json() == {"status": "gone"}


def test_two_visitors_train_at_once(visit):
    ann, bob = visit(), visit()
    for visitor in (ann, bob):
        brief(visitor, 4000)
        visitor.train()
    for visitor in (ann, bob):
        visitor.wait_status("finished")


def test_runs_over_the_limit_show_their_place(visit):
    visitor = visit()
    brief(visitor, 50_000)
    for _ in range(5):
        visitor.train()
    visitor.page.wait_for_function("/number 1 in the queue/.test(document.querySelector('#status-step').textContent)")
    visitor.page.click("#stop")
    visitor.wait_status("stopped")
    for chip in visitor.page.locator("#runs .chip").all()[1:]:
        chip.click()
        visitor.wait_status("running", "queued")
        visitor.page.click("#stop")
        visitor.wait_status("stopped")


# The chart


def test_an_update_is_under_two_kilobytes_and_keeps_the_zoom(visit):
    visitor = visit()
    brief(visitor, 20_000)
    sizes = []
    visitor.page.on("response", lambda r: sizes.append(len(r.body())) if "component_server" in r.url and '"poll"' in
                    (r.request.post_data or "") else None)
    visitor.train()
    visitor.wait_step(300)
    visitor.page.evaluate("""Plotly.relayout(document.querySelector('#chart-root .js-plotly-plot'),
        {'xaxis.range': [50, 150], 'yaxis.range': [2, 3]})""")
    visitor.wait_step(1500)
    shown = visitor.page.evaluate("document.querySelector('#chart-root .js-plotly-plot')._fullLayout.xaxis.range")
    assert shown == [50, 150]
    visitor.page.click("#stop")
    visitor.wait_status("stopped")
    assert len(sizes) > 3 and max(sizes) < 2000


def test_smoothing_never_rewrites_the_past(visit):
    visitor = visit()
    brief(visitor, 20_000)
    visitor.train()
    visitor.wait_step(200)
    early = visitor.curve("training")["y"]
    visitor.wait_step(1200)
    assert visitor.curve("training")["y"][: len(early)] == early
    visitor.page.click("#stop")
    visitor.wait_status("stopped")


def test_axes_and_exports(visit):
    visitor = visit()
    finish(visitor)
    page = visitor.page
    assert max(visitor.curve("batch")["x"]) == 300
    page.click("input[value=tokens] + span")
    assert max(visitor.curve("batch")["x"]) == 300 * 32
    page.click("input[value=seconds] + span")
    assert 0 < max(visitor.curve("batch")["x"]) < 60
    page.click("#log-x + span")
    assert page.evaluate("document.querySelector('#chart-root .js-plotly-plot')._fullLayout.xaxis.type") == "log"
    with page.expect_download() as saved:
        page.click("#csv")
    rows = list(csv.DictReader(io.StringIO(saved.value.path().read_text())))
    steps = [row for row in rows if row["train_loss"]]
    assert len(steps) == 300 and float(steps[-1]["train_loss"]) < float(steps[0]["train_loss"])
    with page.expect_download() as saved:
        page.click("#png")
    assert saved.value.path().read_bytes().startswith(b"\x89PNG")


# The form


def test_bad_input_is_said_beside_the_form_and_blocks_train(visit):
    visitor = visit()
    visitor.choose("ladder/03-multi-head")
    visitor.open("Token mixing")
    visitor.type("model.n_head", "5")
    problems = visitor.page.locator("#problems")
    problems.wait_for(state="visible")
    assert "n_head" in problems.inner_text() and "1, 2, 4" in problems.inner_text()
    visitor.page.wait_for_function("document.querySelector('#train').disabled")
    visitor.type("model.n_head", "many")
    visitor.page.wait_for_function("/many/.test(document.querySelector('#problems').textContent)")
    visitor.type("model.n_head", "8")
    problems.wait_for(state="hidden")
    visitor.page.wait_for_function("!document.querySelector('#train').disabled")


def test_options_without_effect_are_hidden_and_changes_can_be_reset(visit):
    visitor = visit()
    visitor.choose("modern/llama")
    visitor.open("Position")
    assert visitor.option("model.rope_base").is_visible()
    visitor.option("model.position").locator("select").select_option("alibi")
    assert not visitor.option("model.rope_base").is_visible()
    visitor.option("model.position").locator(".reset").click()
    assert visitor.option("model.rope_base").is_visible()


def test_parameter_count_follows_the_form(visit):
    visitor = visit()
    visitor.choose("ladder/12-gpu")
    visitor.page.wait_for_function("document.querySelector('#total').textContent === '1,208,385'")
    visitor.choose("ladder/11-deep")
    visitor.page.wait_for_function("document.querySelector('#total').textContent === '309,313'")


# Text


def test_samples_appear_and_can_be_asked_for(visit):
    visitor = visit()
    finish(visitor)
    visitor.page.wait_for_function("document.querySelectorAll('#samples .sample').length >= 2")
    prompt = visitor.page.locator("#prompt textarea")
    prompt.fill("The King ")
    visitor.page.click("#sample")
    visitor.page.wait_for_function("document.querySelector('#sampled textarea').value.length === 'The King '.length + 200")
    assert visitor.page.locator("#sampled textarea").input_value().startswith("The King ")


def test_sampling_while_training(visit):
    visitor = visit()
    brief(visitor, 50_000)
    visitor.train()
    visitor.wait_step(20)
    visitor.page.click("#sample")
    visitor.page.wait_for_function("document.querySelector('#sampled textarea').value.length > 50")
    assert visitor.chart["status"] == "running"
    visitor.page.click("#stop")
    visitor.wait_status("stopped")


def test_a_prompt_the_model_cannot_read_is_refused_in_words(visit):
    visitor = visit()
    finish(visitor)
    visitor.page.locator("#prompt textarea").fill("naïve 東京")
    visitor.page.click("#sample")
    visitor.page.wait_for_selector("text=Unknown characters")


def own_text(visitor, text: str) -> None:
    visitor.open("Data")
    dataset = visitor.option("data.dataset")
    if dataset.locator("select").count():
        dataset.locator("select").select_option("own")
    else:
        dataset.locator("label", has_text="my own text").click()
    visitor.page.locator("#pasted textarea").fill(text)
    visitor.page.click("#paste")


def test_model_text_is_never_html(visit):
    """A text full of markup, learnt by heart: what the model writes is shown letter by letter."""
    visitor = visit()
    brief(visitor)
    own_text(visitor, "<img src=x onerror=alert(1)><b>bold</b>\n" * 300)
    visitor.page.wait_for_function("/taken as/.test(document.querySelector('#text-note').textContent)")
    visitor.train()
    visitor.wait_status("finished")
    visitor.page.locator("#prompt textarea").fill("<img src=x")
    visitor.page.click("#sample")
    visitor.page.wait_for_function("document.querySelector('#sampled textarea').value.length > 100")
    visitor.page.wait_for_function("/</.test(document.querySelector('#samples .sample:last-child pre').textContent)")
    assert visitor.page.locator("#samples img, #samples b b, #sampled img, #runs img").count() == 0


@pytest.mark.parametrize("text, says", [("", "empty"), ("too short", "at least|short|needs")])
def test_bad_own_texts_are_refused_in_words(visit, text, says):
    visitor = visit()
    own_text(visitor, text)
    visitor.page.wait_for_function(
        "(says) => new RegExp(says, 'i').test(document.querySelector('#text-note').textContent"
        " + document.querySelector('#problems').textContent)", arg=says)


def test_an_upload_that_is_not_text_is_refused_in_words(visit, tmp_path):
    file = tmp_path / "picture.txt"
    file.write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe" * 100)
    visitor = visit()
    visitor.open("Data")
    own_text(visitor, "x")
    visitor.page.set_input_files("#own-text input[type=file]", str(file))
    visitor.page.wait_for_function("/UTF-8/.test(document.querySelector('#text-note .bad, #text-note p').textContent)")


# The look


def test_chart_and_train_are_in_view_at_1440(visit):
    visitor = visit()
    for selector in ("#train", "#chart-root .plot", "#status-step"):
        box = visitor.page.locator(selector).bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= 900, selector
    assert width_fits(visitor.page)


def test_phone_has_train_and_chart_first_and_nothing_overflows(visit):
    visitor = visit(width=390, height=844)
    assert width_fits(visitor.page)
    train, chart, form, model = (visitor.page.locator(s).bounding_box()["y"] for s in
                                 ("#train", "#chart-root .plot", "#settings", "#model"))
    assert train < 844 and chart < 844
    assert train < chart < min(form, model)
    finish(visitor)
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
    finish(visitor)
    visitor.page.reload()
    visitor.page.wait_for_selector("#chart-root .main-svg")
    assert (lightness() < 0.3) == (scheme == "light"), "the choice was forgotten"


def test_every_control_is_reached_by_keyboard(visit):
    """Tabbing from the top reaches the ladder, the buttons and the form, and each shows where the focus is."""
    visitor = visit()
    reached = set()
    for _ in range(80):
        visitor.page.keyboard.press("Tab")
        reached.add(visitor.page.evaluate("""(() => { const e = document.activeElement;
            return e.id || e.dataset.preset || e.dataset.switch || e.tagName; })()"""))
        if "train" in reached and "SUMMARY" in reached:
            break
    assert {"theme", "train", "ladder/01-bigram"} <= reached and "SUMMARY" in reached
