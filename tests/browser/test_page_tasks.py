"""A task on the page: its exact answers as a curve, wrong ones, and the visitor's own question."""


def exact(page) -> str:
    return page.locator("#answers-now").text_content()


def test_a_task_shows_its_answers_and_a_text_does_not(reader):
    page = reader.page
    assert not page.locator("#answers").is_visible() and page.locator("#samples").is_visible()
    reader.choose("tasks/copy")
    assert page.locator("#answers").is_visible() and not page.locator("#samples").is_visible()
    assert page.locator("#text-name").text_content() == "copy"
    reader.open("Training")
    reader.type("train.warmup", "10")
    reader.type("train.eval_every", "40")
    reader.type("train.steps", "120")
    reader.train()
    page.wait_for_function("document.querySelector('#chart-root').dataset.status === 'finished'", timeout=90_000)
    page.wait_for_function("document.querySelector('#answers-now').textContent === '100 % exact at step 120'")
    assert "All 2,000 held-out questions" in page.locator("#answers .wrong").text_content()
    assert page.locator("#answers circle").count() == 4
    assert page.locator("#status-words").text_content().startswith("100.0 % exact · ")

    page.locator("#answers .exact").focus()
    page.keyboard.press("Home")  # the first check, before any training
    page.wait_for_selector("#answers mark")
    assert exact(page) == "0 % exact at step 0"
    for row in page.locator("#answers tbody tr").all():
        question, right, given = (cell.text_content() for cell in row.locator("td").all())
        assert question == f"{right}=" and len(given) == len(right)
        differing = "".join(a for a, b in zip(given, right) if a != b)
        assert "".join(row.locator("mark").all_text_contents()) == differing

    page.fill("#prompt textarea", "playtime=")
    page.click("#sample")
    page.wait_for_function("document.querySelector('#sampled textarea').value === 'playtime=playtime'")

    page.click("button[data-view='compare']")
    page.wait_for_function("document.querySelector('.grid-row .exact')?.textContent === '100.0 %'")
    page.click("button[data-view='train']")
    reader.choose("ladder/03-multi-head")
    assert page.locator("#text-name").text_content() == "tiny plays"
    assert page.input_value("#prompt textarea") == ""  # the question went with its task
