"""A real server and a real browser. Each test gets a new visitor, whose page may not log a single error."""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gpt.store import RunStore

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All in one process: they share a server, and two browsers at once would be slow on two cores."""
    for item in items:
        if "browser" in item.path.parts:
            item.add_marker(pytest.mark.xdist_group("browser"))


class Server:
    """`python -m playground` as a process of its own, which can be killed and started again on the same port."""

    def __init__(self, home: Path):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.home, self.url = home, f"http://127.0.0.1:{self.port}/"
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "playground" / "app.py"), "--port", str(self.port)], cwd=self.home, text=True,
            stdout=subprocess.PIPE, env=os.environ | {"GPT_PLAYGROUND_HOME": str(self.home), "GRADIO_ANALYTICS_ENABLED": "False"})
        for line in self.process.stdout:
            if line.startswith("GPT Playground:"):
                return
        raise RuntimeError(f"the server ended with status {self.process.wait()}")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def going(self) -> list[str]:
        """The runs that still use the machine."""
        store = RunStore(self.home)
        try:
            return [run.id for run in store.runs() if run.status in ("queued", "running")]
        finally:
            store.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("home"))
    yield server
    server.kill()


@pytest.fixture(scope="session")
def browser():
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        reason = f"no browser: install one of {', '.join(NAMES)}"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


class Visitor:
    """One visitor's page, and what people do on it."""

    def __init__(self, page):
        self.page = page

    def load(self, url: str) -> None:
        """Opens the page and waits until the chart is drawn and the form has been checked."""
        self.page.goto(url)
        self.page.wait_for_selector("#chart-root .main-svg")
        self.page.wait_for_function("/parameters/.test(document.querySelector('#estimate').textContent)")

    def choose(self, preset: str) -> None:
        self.page.click(f"button[data-preset='{preset}']")

    def open(self, group: str) -> None:
        """Opens a group of the form, if it is closed."""
        details = self.page.locator(f".group[data-group='{group}'] details")
        if details.get_attribute("open") is None:
            details.locator("summary").click()

    def option(self, path: str):
        return self.page.locator(f"#settings [data-path='{path}']")

    def type(self, path: str, value: str) -> None:
        """Types a number into an option whose group is open."""
        box = self.option(path).locator("input[type=text]")
        box.fill(value)
        box.press("Enter")

    def train(self) -> None:
        """Presses Train, and waits until a new run is shown."""
        before = self.run
        self.page.wait_for_function("!document.querySelector('#train').disabled")
        self.page.click("#train")
        self.page.wait_for_function("(before) => { const { run } = document.querySelector('#chart-root').dataset; "
                                    "return run && run !== before; }", arg=before)

    @property
    def run(self) -> str:
        """The id of the run shown, or ""."""
        return self.chart.get("run", "")

    @property
    def chart(self) -> dict[str, str]:
        return self.page.evaluate("({...document.querySelector('#chart-root').dataset})")

    def brief(self, steps: int = 300) -> None:
        """The multi-head step, for a few steps."""
        self.choose("ladder/03-multi-head")
        self.open("Training")
        self.type("train.steps", str(steps))

    def finish(self, steps: int = 300) -> None:
        self.brief(steps)
        self.train()
        self.wait_status("finished")

    def end(self) -> None:
        """Stops the shown run, if it has not ended by itself."""
        self.page.evaluate("document.querySelector('#stop').click()")
        self.wait_status("stopped", "finished")

    @property
    def steps_done(self) -> int:
        """The steps done as the status says; not yet while it says that the run is starting."""
        self.page.wait_for_function("/^step [0-9]/.test(document.querySelector('#status-step').textContent)")
        return int(re.sub(r"\D", "", self.page.locator("#status-step").inner_text().split(" of ")[0]))

    def wait_step(self, step: int) -> None:
        self.page.wait_for_function("(step) => Number(document.querySelector('#chart-root').dataset.step) >= step", arg=step)

    def wait_status(self, *statuses: str) -> None:
        self.page.wait_for_function("(wanted) => wanted.includes(document.querySelector('#chart-root').dataset.status)",
                                    arg=list(statuses))

    def curve(self, name: str) -> dict[str, list]:
        """A trace of the chart as Plotly holds it."""
        return self.page.evaluate("""(name) => { const t = document.querySelector('#chart-root .js-plotly-plot').data
            .find((t) => t.name === name); return t && { x: [...t.x], y: [...t.y] }; }""", name)


def watched(page, errors: list[str]) -> "Visitor":
    """A visitor on `page`, whose errors are gathered."""
    page.set_default_timeout(45_000)
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    return Visitor(page)


@pytest.fixture
def visit(browser, server):
    """visit(): the page of a new visitor; visit(width=390, height=844, color_scheme="dark") on a dark phone."""
    contexts, errors = [], []
    if server.process.poll() is not None:
        server.start()

    def visit(width: int = 1440, height: int = 900, **context) -> Visitor:
        contexts.append(browser.new_context(viewport={"width": width, "height": height}, **context))
        visitor = watched(contexts[-1].new_page(), errors)
        visitor.load(server.url)
        return visitor

    visit.errors = errors
    yield visit
    for context in contexts:
        context.close()
    left = server.going()
    if left:  # or the tests after this one would wait for the machine
        server.kill()
        server.start()
    assert errors == [], "the browser's console has errors"
    assert left == [], "runs were left going"


@pytest.fixture(scope="module")
def reader(browser, server):
    """One visitor who trains nothing, for all tests of a file that only look or fill in the form."""
    context, errors = browser.new_context(viewport={"width": 1440, "height": 900}), []
    visitor = watched(context.new_page(), errors)
    visitor.load(server.url)
    yield visitor
    context.close()
    assert errors == [], "the browser's console has errors"
