"""A link opens the form as it says, and the form's changes stand in the address; a teacher's link holds, hides and asks."""

from urllib.parse import unquote

HELD = "preset=09-pre-ln&model.norm=rms&train.lr=3e-4&lock=model.norm,train&hide=Sampling&ask=Which%20norm%3F"


def opened(visit, server, text: str):
    """A new visitor's page, opened by a link."""
    visitor = visit()
    visitor.page.goto("about:blank")
    visitor.load(f"{server.url}#{text}")
    return visitor


def form(visitor) -> dict:
    return visitor.page.evaluate("""() => import(new URL('playground/state.js', document.baseURI).href)
        .then(({ form }) => ({ preset: form.preset.id, changes: form.changes }))""")


def wait_address(visitor, part: str) -> str:
    visitor.page.wait_for_function("(part) => decodeURIComponent(location.hash).includes(part)", arg=part)
    return unquote(visitor.page.evaluate("location.hash"))


def test_a_link_opens_the_form_and_the_form_makes_the_link(visit, server):
    visitor = opened(visit, server, "preset=09-pre-ln&model.norm=rms&train.lr=3e-4&model.tie_weights=on&sample.prompt=O%20%26%20A%0A")
    told = {"preset": "ladder/09-pre-ln", "changes": {"model.norm": "rms", "train.lr": 3e-4, "model.tie_weights": True,
                                                      "sample.prompt": "O & A\n"}}
    assert form(visitor) == told
    assert visitor.page.locator("#prompt textarea").input_value() == "O & A\n"
    visitor.open("Size")
    visitor.type("model.n_layer", "4")
    wait_address(visitor, "model.n_layer=4")
    other = opened(visit, server, visitor.page.evaluate("location.hash.slice(1)"))
    told["changes"]["model.n_layer"] = 4
    assert form(other) == told
    assert other.page.locator("#linked").is_hidden()


def test_the_address_of_a_new_visitor_is_plain_and_a_query_is_a_link_too(visit, server):
    visitor = visit()
    visitor.page.wait_for_timeout(500)
    assert visitor.page.url == server.url
    visitor.page.goto("about:blank")
    visitor.load(f"{server.url}?preset=07-deep-mlp&__theme=dark&model.n_head=8")
    assert form(visitor) == {"preset": "ladder/07-deep-mlp", "changes": {"model.n_head": 8}}
    wait_address(visitor, "model.n_head=8")
    assert "?__theme=dark#" in visitor.page.url


def test_what_a_link_says_wrong_is_named_and_left_out(visit, server):
    visitor = opened(visit, server, "preset=nosuch&model.norm=%3Cb%3E&model.n_layer=1e9&train.lr=&model.foo=1&model.bias=maybe"
                     "&model.n_head=8&__proto__=1&lock=nothing&%E0%A4%A")
    assert form(visitor) == {"preset": "ladder/01-bigram", "changes": {"model.n_head": 8}}
    said = visitor.page.locator("#linked").inner_text()
    assert "“nosuch”" in said and "“<b>”: use" in said and "And 5 more." in said
    visitor.page.click("#linked button")
    assert visitor.page.locator("#linked").is_hidden()


def test_a_link_wins_over_what_was_remembered_which_can_be_had_back(visit, server):
    visitor = visit()
    visitor.choose("ladder/08-post-ln")
    visitor.open("Size")
    visitor.type("model.n_layer", "5")
    before = form(visitor)
    visitor.page.goto("about:blank")
    visitor.load(f"{server.url}#preset=03-multi-head")
    assert form(visitor) == {"preset": "ladder/03-multi-head", "changes": {}}
    visitor.page.click(".toast button")
    assert form(visitor) == before
    visitor.page.evaluate("location.hash = 'preset=06-residual'")
    visitor.page.wait_for_selector("button[data-preset='ladder/06-residual'][aria-pressed=true]")


def test_copy_link_copies_what_opens_this_form(visit, server):
    visitor = visit(permissions=["clipboard-read", "clipboard-write"])
    visitor.choose("ladder/09-pre-ln")
    visitor.page.click("#copy-link")
    visitor.page.wait_for_function("document.querySelector('#copy-link').textContent.trim() === 'Copied'")
    assert visitor.page.evaluate("navigator.clipboard.readText()") == f"{server.url}#preset=09-pre-ln"
    visitor.page.evaluate("""() => import(new URL('playground/state.js', document.baseURI).href)
        .then(({ set }) => set({ 'data.dataset': 'own', 'data.text': 'a'.repeat(64) }))""")
    visitor.page.click("#copy-link")
    visitor.page.wait_for_function("/does not travel/.test(document.querySelector('.toast')?.textContent)")
    assert f"data.text={'a' * 64}" in wait_address(visitor, "data.text")


def test_a_teachers_link_holds_hides_and_asks(visit, server):
    visitor = opened(visit, server, HELD)
    page = visitor.page
    assert page.locator("#question").inner_text() == "Which norm?"
    assert page.locator(".group[data-group=Sampling]").is_hidden() and page.locator(".group[data-group=Size]").is_visible()
    assert page.locator("[data-switch=Normalisation]").is_disabled() and page.locator("[data-switch=Attention]").is_enabled()
    visitor.open("Training")
    assert visitor.option("train.lr").locator("input[type=text]").is_disabled()
    assert visitor.option("train.lr").locator(".lock").count() == 1 and visitor.option("train.lr").locator(".reset").is_hidden()
    assert page.locator("#reset-all").is_hidden()
    visitor.choose("ladder/12-gpu")  # another step, and still what the link holds
    told = form(visitor)
    assert told["preset"] == "ladder/12-gpu" and told["changes"]["model.norm"] == "rms" and told["changes"]["train.lr"] == 3e-4
    address = wait_address(visitor, "12-gpu")
    assert "lock=model.norm,train&hide=Sampling&ask=Which norm?" in address
    page.evaluate("location.hash = 'preset=09-pre-ln'")
    page.wait_for_selector("#question", state="hidden")
    assert visitor.option("train.lr").locator("input[type=text]").is_enabled()
    assert page.locator(".lock").count() == 0 and page.locator(".group[data-group=Sampling]").is_visible()
    assert form(visitor) == {"preset": "ladder/09-pre-ln", "changes": {}}


def test_a_question_is_text_and_no_longer_than_a_few_lines(visit, server):
    visitor = opened(visit, server, "ask=" + "%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E" + "x" * 300)
    assert visitor.page.locator("#question").inner_text().startswith("<img src=x onerror=alert(1)>xxx")
    assert len(visitor.page.locator("#question").inner_text()) == 200
    assert "cut after 200" in visitor.page.locator("#linked").inner_text()
