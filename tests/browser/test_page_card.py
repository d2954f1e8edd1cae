"""The card under the chart: guard rails, what came of a run, forks, and changes on the way."""

import re

import pytest


def wait_text(page, selector: str, pattern: str) -> str:
    """The text of an element once it holds `pattern`."""
    page.wait_for_function("([selector, pattern]) => new RegExp(pattern).test(document.querySelector(selector)?.textContent)",
                           arg=[selector, pattern])
    return page.locator(selector).inner_text()


def shown_after(visitor, press) -> str:
    """The run that is shown after a press, once it is another than before."""
    before = visitor.run
    press()
    visitor.page.wait_for_function("(before) => { const { run } = document.querySelector('#chart-root').dataset; "
                                   "return run && run !== before; }", arg=before)
    return visitor.run


def width_fits(page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_run_that_diverges_is_mended_by_one_press(visit):
    visitor = visit()
    visitor.brief()
    visitor.type("train.lr", "1")
    visitor.train()
    finding = visitor.page.locator(".finding[data-kind=diverged]")
    finding.wait_for()
    assert finding.locator("svg").first.is_visible() and "too" in finding.inner_text()
    visitor.wait_status("diverged", "finished")
    bad = visitor.run
    shown_after(visitor, finding.locator(".mend").click)
    visitor.wait_status("finished")
    wait_text(visitor.page, "#card .happened p", "[0-9]")
    assert finding.count() == 0
    assert float(visitor.option("train.lr").locator("input[type=text]").input_value()) < 0.5
    visitor.page.click(f"#runs .chip[data-run='{bad}']")
    finding.locator(".close").click()
    finding.wait_for(state="detached")
    visitor.page.locator("#runs .chip").first.click()
    visitor.page.click(f"#runs .chip[data-run='{bad}']")
    wait_text(visitor.page, "#card .happened p", ".")
    assert finding.count() == 0, "what was put away came back"


def test_the_end_says_what_changed_and_what_to_try_next(visit):
    visitor = visit()
    visitor.brief(200)
    visitor.train()
    assert visitor.page.locator("#card .told").is_hidden(), "the end is told before it has come"
    visitor.wait_status("finished")
    wait_text(visitor.page, "#card .happened p", "[0-9]")
    assert 1 <= visitor.page.locator("#card .next button").count() <= 2
    box = visitor.page.locator("#writing .strip").bounding_box()
    assert box["y"] < 880, "the card pushes the samples out of sight"
    visitor.open("Wiring")
    visitor.option("model.norm").locator("label", has_text="RMSNorm").click()
    visitor.train()
    visitor.wait_status("finished")
    wait_text(visitor.page, "#card .changed .tags", "RMSNorm")
    assert visitor.page.locator("#card .changed .tags li[data-part=norm]").count() == 1
    first = visitor.page.locator("#runs .chip").last.get_attribute("data-run")
    assert shown_after(visitor, visitor.page.locator("#card .against button").click) == first


def test_a_fork_trains_on_and_says_what_was_carried_over(visit):
    visitor = visit()
    visitor.finish(200)
    parent, page = visitor.run, visitor.page
    page.click("#fork-open")
    last, half = page.locator("#fork .stop").last, page.locator("#fork .stop", has_text="100")
    last.click()
    assert page.locator("#fork-here").is_disabled()
    page.locator("#fork .refused button", has_text="Set steps to 300").click()
    page.wait_for_function("!document.querySelector('#fork-here').disabled")
    half.click()
    visitor.type("train.lr", "3e-4")
    wait_text(page, "#fork .with", "step 100 on, with.*lr 3e-4")
    child = shown_after(visitor, page.locator("#fork-here").click)
    wait_text(page, "#card .origin", "Forked from .* at step 100.*carried over")
    visitor.wait_status("finished")
    visitor.wait_step(300)
    assert child != parent and page.locator("#fork").is_hidden()
    assert shown_after(visitor, page.locator("#card .origin button").click) == parent


def test_a_fork_that_is_refused_says_why(visit):
    visitor = visit()
    visitor.finish(60)
    visitor.page.click("#fork-open")
    visitor.open("Data")
    visitor.option("data.tokenizer").locator("label", has_text=re.compile("byte", re.I)).click()
    wait_text(visitor.page, "#fork .refused", "text")
    visitor.page.locator("#fork .refused button").click()
    assert "data.tokenizer" not in visitor.page.evaluate("localStorage.getItem('gpt-playground-form')")
    visitor.page.route("**/playground/do/fork", lambda route: route.fulfill(json={"refused": "Not at <b>this</b> step."}))
    visitor.page.locator("#fork .stop").first.click()
    visitor.page.click("#fork-here")
    assert "<b>this</b>" in wait_text(visitor.page, "#fork .refused", "Not at")


def test_the_learning_rate_of_a_run_can_be_changed_while_it_goes(visit):
    visitor = visit()
    visitor.brief(50_000)
    visitor.train()
    visitor.wait_step(50)
    page, apply = visitor.page, visitor.page.locator("#apply")
    assert apply.is_hidden()
    height = "document.querySelector('#chart .tools').getBoundingClientRect().top - document.querySelector('#desk').getBoundingClientRect().top"
    before = page.evaluate(height)
    visitor.type("train.lr", "3e-4")
    apply.wait_for()
    assert page.evaluate(height) == before, "the page jumps under the visitor"
    visitor.type("train.steps", "50_001".replace("_", ""))
    apply.wait_for(state="hidden")
    visitor.type("train.steps", "50000")
    apply.click()
    apply.wait_for(state="hidden")
    wait_text(page, "#card .made", "lr 3e-4.*from step [0-9]")
    page.wait_for_function("document.querySelector('#train').textContent.trim() === 'Train'")
    run, at = visitor.run, visitor.steps_done
    visitor.wait_step(at + 20)
    page.reload()
    page.wait_for_selector(f"#chart-root[data-run='{run}']")
    wait_text(page, "#card .made", "lr 3e-4.*from step [0-9]")
    assert apply.is_hidden()
    visitor.end()


def test_a_change_that_is_refused_is_said(visit):
    visitor = visit()
    visitor.brief(50_000)
    visitor.train()
    visitor.wait_step(10)
    visitor.page.route("**/playground/do/change", lambda route: route.fulfill(json={"refused": "It has just ended."}))
    visitor.type("train.lr", "3e-4")
    visitor.page.click("#apply")
    assert "just ended" in wait_text(visitor.page, "#note", "ended")
    visitor.end()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_card_fits_a_phone(visit, scheme):
    visitor = visit(width=390, height=844, color_scheme=scheme)
    visitor.finish(60)
    wait_text(visitor.page, "#card .happened p", "[0-9]")
    visitor.page.click("#fork-open")
    visitor.page.locator("#fork .stop").first.click()
    assert width_fits(visitor.page)
