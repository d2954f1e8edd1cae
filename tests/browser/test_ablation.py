"""Studies as visitors meet them: set up in the dialog, filled in while they train, ranked; and runs side by side."""

import re

import pytest

STEP = "ladder/03-multi-head"
PARTS = ("model.attention=none", "model.position=none")


def open_dialog(visitor):
    """The dialog over the multi-head step, with what it offers."""
    visitor.page.click("button[data-view=train]")
    visitor.choose(STEP)
    visitor.page.click("#ablate-open")
    dialog = visitor.page.locator("#ablate-dialog")
    dialog.locator(".arm").first.wait_for(state="attached")
    return dialog


def cheap(dialog, seeds: int, steps: int) -> None:
    dialog.locator(f"input[name=ablate-seeds][value='{seeds}'] + span").click()
    box = dialog.locator("#ablate-steps-number")
    box.fill(str(steps))
    box.press("Tab")


def start(visitor) -> None:
    """Presses Start as soon as the plan fits, and waits until the study shown has ended."""
    page = visitor.page
    page.wait_for_function("!document.querySelector('#ablate-start').disabled")
    page.click("#ablate-start")
    page.wait_for_function("document.body.dataset.view === 'compare' && !document.querySelector('#ablate-dialog').open")
    page.wait_for_selector(".study .going", state="visible")
    page.wait_for_selector(".study .going", state="hidden")


@pytest.fixture(scope="module")
def studied(reader):
    """A visitor who has taken two parts away, with two seeds."""
    dialog = open_dialog(reader)
    dialog.locator(".whole [data-set=none]").click()
    for key in PARTS:
        dialog.locator(f".arm:has(input[value='{key}'])").click()
    cheap(dialog, seeds=2, steps=60)
    reader.page.wait_for_function("/2 variants × 2 seeds = 6 runs/.test(document.querySelector('#ablate-runs').textContent)")
    start(reader)
    return reader


def test_the_study_ends_ranked_with_verdicts_and_curves(studied):
    page = studied.page
    rows = page.locator(".ranked tbody tr")
    assert rows.count() == 3
    assert sorted(row.get_attribute("data-row") for row in rows.all()) == ["-attention", "-position", "base"]
    assert all(verdict.strip() for verdict in page.locator(".ranked tbody tr:not(.base) .verdict").all_inner_texts())
    assert page.locator(".ranked .seed").count() >= 4, "each seed's difference is a dot"
    assert re.search("loss is|chance", page.locator(".study .found").inner_text())
    assert "equal steps: 60 · 2 seeds" in page.locator(".study .conditions").inner_text()
    page.locator(".study .curves").scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('.study .curves').data?.length >= 3")
    page.hover(".ranked tr[data-row='-attention'] .effect")
    page.wait_for_selector(".study .tip:has-text('seed 2')")
    page.mouse.move(5, 5)


def test_a_row_goes_into_the_form_and_its_runs_onto_the_chart(studied):
    page = studied.page
    page.click(".ranked tr[data-row='-position'] [data-act=runs]")
    page.wait_for_function("/2 /.test(document.querySelector('#selection-count').textContent)")
    page.click(".ranked tr[data-row='-position'] [data-act=train]")
    page.wait_for_function("document.body.dataset.view === 'train'")
    page.wait_for_function("document.querySelector('#settings [data-path=\"train.steps\"] input').value === '60'")
    assert page.locator("#settings [data-path='model.position'] select").input_value() == "none"
    page.click("button[data-view=compare]")


def test_reports_are_saved_as_files(studied):
    for words, ending, begins in (("HTML", ".html", b"<!"), ("Markdown", ".md", b"# ")):
        with studied.page.expect_download() as saved:
            studied.page.click(f".study .report button:has-text('{words}')")
        assert saved.value.suggested_filename.endswith(ending)
        assert saved.value.path().read_bytes().startswith(begins)


def test_chosen_runs_stand_side_by_side_and_write_together(studied):
    page = studied.page
    page.locator(".study header button:has-text('Show runs')").click()
    card = page.locator("#differences-card")
    card.locator("table").wait_for()
    page.click("#differences-open")
    texts = card.locator("tbody th[scope=row]").all_inner_texts()
    assert any("Where am I" in text for text in texts) and any("Look back" in text for text in texts)
    assert card.locator("td.changed").count() >= 2
    page.locator(".run-acts button:has-text('×')").last.click()
    page.wait_for_function("document.querySelectorAll('#differences-card .columns article').length === 5")
    card.locator("textarea").fill("The King")
    card.locator("button:has-text('Let them write')").click()
    page.wait_for_function("[...document.querySelectorAll('#differences-card pre')].every((p) => p.textContent.length > 100)")
    assert all(text.startswith("The King") for text in card.locator("pre").all_inner_texts())
    card.locator("button:has-text('Let them write')").wait_for()


def test_a_deleted_study_comes_back(studied):
    page = studied.page
    page.click(".study header button:has-text('Delete')")
    page.wait_for_selector("#studies .none", state="visible")
    page.click(".toast button:has-text('Undo')")
    page.wait_for_selector(".ranked tr[data-row='-attention']")


def test_a_bad_value_is_refused_in_words_and_a_sweep_of_two_runs(visit):
    visitor = visit()
    dialog, page = open_dialog(visitor), visitor.page
    dialog.locator("#tab-number").click()
    dialog.locator("#sweep-path").select_option("train.lr")
    while dialog.locator(".value button").count():
        dialog.locator(".value button").first.click()
    dialog.locator("#sweep-add").fill("0.01 many 0.02")
    cheap(dialog, seeds=1, steps=60)
    page.wait_for_function("/many/.test(document.querySelector('#ablate-dialog .problems').textContent)")
    assert page.locator("#ablate-start").is_disabled()
    assert dialog.locator(".value b").all_inner_texts() == ["0.01", "0.02", "many"], "what was typed is lost"
    dialog.locator(".value.wrong button").click()
    start(visitor)
    assert page.locator(".sweep-chart .point").count() == 3
    assert page.locator(".study .found").inner_text().startswith(("Best", "The base is the best"))


def test_what_the_server_refuses_is_said_in_the_dialog(visit):
    visitor = visit()
    dialog = open_dialog(visitor)
    visitor.page.route("**/do/ablate", lambda route: route.fulfill(json={"refused": "Too many wait already."}))
    visitor.page.wait_for_function("!document.querySelector('#ablate-start').disabled")
    ticked = dialog.locator(".arm input:checked").count()
    visitor.page.click("#ablate-start")
    visitor.page.wait_for_selector("#ablate-dialog .problems:has-text('Too many wait already')")
    assert dialog.locator(".arm input:checked").count() == ticked and visitor.page.locator("#ablate-start").is_enabled()


def test_escape_closes_and_focus_returns(visit):
    visitor = visit()
    dialog, page = open_dialog(visitor), visitor.page
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    assert dialog.locator("#tab-number").get_attribute("aria-selected") == "true"
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert page.evaluate("document.activeElement.id") == "ablate-open"


def test_nothing_is_wider_than_a_phone(visit):
    visitor = visit(width=390, height=844, color_scheme="dark")
    dialog = open_dialog(visitor)
    wide = "(box) => box.scrollWidth > box.clientWidth"
    assert not dialog.locator(".body").evaluate(wide)
    dialog.locator("#tab-number").click()
    assert not dialog.locator(".body").evaluate(wide)
    dialog.locator(".close").click()
    visitor.page.click("button[data-view=compare]")
    visitor.page.wait_for_selector("#studies .none", state="visible")
    assert visitor.page.evaluate("document.documentElement.scrollWidth") <= 390
