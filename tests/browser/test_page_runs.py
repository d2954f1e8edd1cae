"""Training as visitors meet it: runs, the chart, and what belongs to whom."""

import csv
import io
import re

from gpt.store import RunStore


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
    assert re.search("CPU|CUDA|MPS", visitor.page.locator("#device").inner_text())
    visitor.end()


def test_pause_resume_step_stop_extend(visit):
    visitor = visit()
    visitor.brief(20_000)
    visitor.train()
    visitor.wait_step(10)
    visitor.page.click("#pause")
    visitor.wait_status("paused")
    at = visitor.steps_done
    visitor.page.wait_for_timeout(700)
    assert visitor.steps_done == at, "paused, yet training"
    visitor.page.click("#step")
    visitor.page.wait_for_function("(text) => document.querySelector('#status-step').textContent.startsWith(text)",
                                   arg=f"step {at + 1:,} of")
    visitor.wait_status("paused")
    visitor.page.click("#pause")
    visitor.wait_step(at + 10)
    visitor.page.click("#stop")
    visitor.wait_status("stopped")
    done, more = visitor.steps_done, visitor.page.locator("#extend").inner_text()
    visitor.page.click("#extend")
    visitor.wait_status("running", "finished")
    total = done + int(re.sub(r"\D", "", more))
    visitor.page.wait_for_function("(text) => document.querySelector('#status-step').textContent.endsWith(text)",
                                   arg=f"of {total:,}")
    visitor.end()


def test_a_changed_form_trains_a_second_run_named_by_its_difference(visit):
    visitor = visit()
    visitor.finish()
    button = visitor.page.locator("#train")
    assert button.inner_text() == "Train"
    visitor.type("train.steps", "310")
    visitor.page.wait_for_function("document.querySelector('#train').textContent.trim() === 'Train changes'")
    visitor.option("train.steps").locator(".reset").click()
    visitor.type("train.steps", "300")
    visitor.page.wait_for_function("document.querySelector('#train').textContent.trim() === 'Train'")
    visitor.open("Wiring")
    visitor.option("model.norm").locator("label", has_text="RMSNorm").click()
    visitor.train()
    visitor.wait_status("finished")
    chips = visitor.page.locator("#runs .chip")
    assert chips.count() == 2
    assert "RMSNorm" in chips.first.inner_text()
    assert visitor.page.evaluate("document.querySelector('#chart-root .js-plotly-plot').data.length") >= 5, "no earlier run"
    chips.last.click()  # shows the first run, and puts its options back into the form
    norm = "document.querySelector('#settings [data-path=\"model.norm\"] input:checked').value"
    visitor.page.wait_for_function(norm + " !== 'rms'")
    axes_and_exports(visitor)


def axes_and_exports(visitor) -> None:
    """The shown run has 300 steps of 32 tokens."""
    page = visitor.page
    visitor.wait_step(300)
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


def test_a_run_outlives_its_page_and_is_found_again(visit, server):
    visitor = visit()
    visitor.brief(50_000)
    visitor.train()
    visitor.wait_step(100)
    run = visitor.run
    visitor.load(server.url)
    visitor.wait_step(100)
    assert visitor.run == run
    visitor.open("Training")
    assert visitor.option("train.steps").locator("input[type=text]").input_value() == "50,000"
    second = visitor.page.context.new_page()
    visitor.page.close()
    store = RunStore(server.home)
    before = store.run(run).step
    second.wait_for_timeout(1200)
    assert store.run(run).step > before, "the run stood still while no page was open"
    store.close()
    visitor.page = second
    second.on("console", lambda m: visit.errors.append(m.text) if m.type == "error" else None)
    visitor.load(server.url)
    visitor.wait_step(before + 100)
    assert visitor.run == run
    visitor.end()


def test_visitors_train_at_once_and_do_not_see_each_others_runs(visit):
    ann, bob = visit(), visit()
    asked = []

    def watch(request) -> None:
        if "/playground/ask/" in request.url and "visitor" in (request.post_data or ""):
            asked.append(request)

    ann.page.on("request", watch)
    ann.finish(60)
    ann.page.wait_for_function("document.querySelectorAll('#runs .chip').length === 1")
    ann.page.click("#csv")
    ann.page.locator("#runs .chip").click()
    ann.page.wait_for_timeout(300)
    bob.load(bob.page.url)
    assert bob.page.locator("#runs .chip").count() == 0 and bob.run == ""
    questions = {request.url: request.post_data_json for request in asked if "run" in request.post_data_json}
    assert {"poll", "table", "writing", "settings"} <= {url.rsplit("/", 1)[1] for url in questions}
    for url, asks in questions.items():
        assert bob.page.request.post(url, data=asks).json() != {"status": "gone"}
        for visitor in ("somebody else", "command line", "Bob_----------------02"):
            assert bob.page.request.post(url, data=asks | {"visitor": visitor}).json() == {"status": "gone"}
    for visitor in (ann, bob):
        visitor.brief(800)
        visitor.train()
    for visitor in (ann, bob):
        visitor.wait_status("finished")


def test_runs_over_the_limit_show_their_place(visit, server):
    visitor = visit()
    visitor.brief(50_000)
    runs = []
    for _ in range(5):
        visitor.train()
        runs.append(visitor.run)
    visitor.page.wait_for_function("/number 1 in the queue/.test(document.querySelector('#status-step').textContent)")
    assert set(server.going()) == set(runs)
    visitor.page.click("#stop")
    visitor.wait_status("stopped")
    for run in runs[:-1]:
        visitor.page.click(f"#runs .chip[data-run='{run}']")
        visitor.page.wait_for_function("(run) => document.querySelector('#chart-root').dataset.run === run", arg=run)
        visitor.wait_status("running")
        visitor.page.click("#stop")
        visitor.wait_status("stopped")
    assert server.going() == []


TAIL = """() => {
  const plot = document.querySelector('#chart-root .js-plotly-plot'), { xaxis, yaxis } = plot._fullLayout;
  const at = (line) => line.points[line.points.length - 1], lines = [...document.querySelectorAll('.tail polyline')];
  const words = plot.querySelector(".annotation[data-index='0']"), drawn = plot.data.find((t) => t.name === 'batch').x.at(-1);
  if (lines.length !== 2 || lines[1].points.length < 2 || !words) return null;
  return { drawn, step: Math.round(xaxis.p2d(at(lines[1]).x)), loss: yaxis.p2d(at(lines[1]).y), words: words.textContent,
    moved: words.getAttribute('transform') !== null };
}"""


def test_what_comes_between_two_drawings_of_plotly_is_drawn_over_them(visit):
    visitor = visit()
    visitor.brief(100_000)
    visitor.train()
    visitor.wait_step(200)
    tail = visitor.page.wait_for_function(TAIL).json_value()
    assert tail["step"] > tail["drawn"], "nothing that Plotly has not drawn"
    assert tail["moved"] and tail["words"] == f"this run {tail['loss']:.2f}"
    visitor.end()
    visitor.page.wait_for_function("!document.querySelector('.tail polyline')")
    batch, smooth = visitor.curve("batch"), visitor.curve("training")
    assert batch["x"][-1] == smooth["x"][-1] == int(visitor.chart["step"])
    step, loss = min(zip(smooth["x"], smooth["y"]), key=lambda point: abs(point[0] - tail["step"]))
    assert abs(step - tail["step"]) <= 2 and abs(loss - tail["loss"]) < 1e-3  # px are of single precision


def test_a_long_run_comes_in_small_updates_that_leave_the_zoom_and_the_past_alone(visit):
    visitor = visit()
    visitor.brief(50_000)
    sizes = []
    visitor.page.on("response", lambda r: sizes.append(len(r.body())) if r.url.endswith("/ask/poll") else None)
    visitor.train()
    visitor.wait_step(200)
    early = visitor.curve("training")["y"]
    visitor.page.evaluate("""Plotly.relayout(document.querySelector('#chart-root .js-plotly-plot'),
        {'xaxis.range': [50, 150], 'yaxis.range': [2, 3]})""")
    visitor.wait_step(1200)
    assert visitor.curve("training")["y"][: len(early)] == early, "smoothing rewrote the past"
    shown = visitor.page.evaluate("document.querySelector('#chart-root .js-plotly-plot')._fullLayout.xaxis.range")
    assert shown == [50, 150]
    visitor.page.click("#sample")
    visitor.page.wait_for_function("document.querySelector('#sampled textarea').value.length > 50")
    assert visitor.chart["status"] == "running", "sampling ended the training"
    visitor.end()
    assert len(sizes) > 3 and max(sizes) < 2000
