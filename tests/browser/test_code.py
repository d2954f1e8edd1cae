"""The Code view: the form's script and its differences, and weights out and in."""

from pathlib import Path


def open_code(visitor) -> None:
    visitor.page.click("button[data-view=code]")
    visitor.page.wait_for_selector(".code-frame:not(.stale) .code-box code")


def settled(visitor, words: str) -> None:
    """Waits until the line over the code says this."""
    visitor.page.wait_for_function("(words) => document.querySelector('#code-differ').textContent.includes(words) "
                                   "&& !document.querySelector('.code-frame.stale')", arg=words)


def trained(visitor) -> None:
    visitor.choose("ladder/03-multi-head")
    visitor.open("Training")
    visitor.type("train.steps", "20")
    visitor.train()
    visitor.wait_status("finished")


def test_the_code_follows_the_form_and_shows_what_differs(visit):
    visitor = visit(permissions=["clipboard-read", "clipboard-write"])
    page = visitor.page
    visitor.choose("ladder/09-pre-ln")
    open_code(visitor)
    settled(visitor, "from Post-LN")
    page.select_option("#code-against", "ladder/09-pre-ln")
    settled(visitor, "No line differs from Pre-LN.")
    assert page.locator(".code-box code.new").count() == 0 and page.locator("#code-next").is_hidden()
    visitor.open("Size")
    visitor.type("model.n_layer", "4")
    settled(visitor, "lines differ from Pre-LN")
    changed = page.locator(".code-box code.new").all_inner_texts()
    assert any("N_LAYER = 4" in line for line in changed) and len(changed) < 6
    page.click("#code-next")
    page.wait_for_function("document.querySelector('.code-box').scrollTop > 0")
    page.click("#code-copy")
    page.wait_for_function("document.querySelector('#code-copy').textContent === 'Copied'")
    copied = page.evaluate("navigator.clipboard.readText()")
    with page.expect_download() as saved:
        page.click("#code-save")
    assert saved.value.suggested_filename == "09-pre-ln.py" and Path(saved.value.path()).read_text() == copied
    assert copied == page.evaluate("[...document.querySelectorAll('.code-box code')].map((line) => line.textContent).join('')")
    compile(copied, "09-pre-ln.py", "exec")


def test_what_does_not_fit_is_said_and_the_code_stays(visit):
    visitor = visit()
    visitor.choose("ladder/09-pre-ln")
    open_code(visitor)
    visitor.open("Token mixing")
    visitor.type("model.n_head", "5")
    visitor.page.wait_for_selector("#code .refused:visible")
    assert "n_head = 5" in visitor.page.locator("#code .refused").inner_text()
    assert visitor.page.locator(".code-box code").count() > 50


def test_code_fits_a_phone(visit):
    visitor = visit(390, 844)
    open_code(visitor)
    assert visitor.page.evaluate("document.documentElement.scrollWidth") <= 390
    box = visitor.page.locator(".code-box")
    assert box.evaluate("(box) => box.scrollWidth > box.clientWidth")
    for button in ("#copy-link", "#theme", ".views button[data-view=code]"):
        place = visitor.page.locator(button).bounding_box()
        assert 0 <= place["x"] and place["x"] + place["width"] <= 390, button


def test_weights_go_out_and_come_in_as_a_run_that_writes(visit, tmp_path):
    visitor = visit()
    page = visitor.page
    visitor.page.click("button[data-view=code]")
    assert page.locator("#take").is_disabled()
    page.click("button[data-view=train]")
    trained(visitor)
    first = visitor.run
    open_code(visitor)
    page.wait_for_selector("#take:enabled")
    assert page.locator("#take-transformers").is_disabled() and "GPT-2" in page.locator("#take-why").inner_text()
    with page.expect_download() as saved:
        page.click("#take")
    file = tmp_path / saved.value.suggested_filename
    saved.value.save_as(file)
    assert file.suffix == ".safetensors" and file.stat().st_size > 1000
    page.set_input_files("#bring-file", file)
    page.wait_for_function("/are here/.test(document.querySelector('#weights-said').textContent)")
    page.wait_for_function("(first) => document.querySelector('#chart-root').dataset.run !== first", arg=first)
    visitor.wait_status("stopped")
    page.click("button[data-view=train]")
    page.click("#sample")
    page.wait_for_function("document.querySelector('#sampled textarea').value.length > 20")


def test_a_forged_file_is_refused_in_words_and_the_shown_run_stays(visit, tmp_path):
    visitor = visit()
    page = visitor.page
    open_code(visitor)
    file = tmp_path / "forged.safetensors"
    file.write_bytes(b"\x10\0\0\0\0\0\0\0" + b'{"a":{}}        ' + b"x" * 50)
    page.set_input_files("#bring-file", file)
    page.wait_for_selector("#weights-said.bad:visible")
    assert "not of the playground" in page.locator("#weights-said").inner_text()
    assert visitor.run == "" and page.locator("#bring").is_enabled()
