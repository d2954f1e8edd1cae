"""What the page costs the runs behind it, and how soon it shows them: `python -m playground.bench`.

The app is served by a process of its own, from a folder of its own. Two ways are compared by letting one run for a moment while
the other is stopped, in turn, so that what disturbs one disturbs both.
"""

import contextlib
import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from gpt.bench.table import Row, print_rows
from gpt.home import home

ROOT = Path(__file__).resolve().parent.parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
LONG = {"train.steps": 100_000, "train.eval_every": 10_000}  # no end and no check while it is measured
WATCHERS, POLL_SECONDS = 10, 0.4
# Pairs of processes, which differ by several per cent for as long as they live, and rounds of each: short steps differ more.
WATCHED = {"ladder/09-pre-ln": (3, 8), "ladder/12-gpu": (1, 5)}


class Process:
    """A program that trains, in a folder of its own, which can be halted and read."""

    def __init__(self, *arguments: str, **options: Any):
        self.home = Path(tempfile.mkdtemp(prefix="gpt-playground-bench-"))
        if (home() / "texts").exists():
            (self.home / "texts").symlink_to(home() / "texts")
        self.process = subprocess.Popen([sys.executable, "-m", *arguments], cwd=ROOT, text=True, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, env=os.environ | {"GPT_PLAYGROUND_HOME": str(self.home)})
        self.beside: list[int] = []  # processes that belong to it

    def signal(self, number: int) -> None:
        for pid in (self.process.pid, *self.beside):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def progress(self) -> tuple[int, float]:
        """Steps and training seconds of the newest run."""
        with contextlib.suppress(sqlite3.OperationalError):  # no table yet
            with contextlib.closing(sqlite3.connect(self.home / "runs.sqlite")) as db:
                return db.execute("SELECT step, seconds FROM runs ORDER BY created DESC LIMIT 1").fetchone() or (0, 0.0)
        return 0, 0.0

    def close(self) -> None:
        self.signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        shutil.rmtree(self.home, ignore_errors=True)


class App(Process):
    """The served page."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        super().__init__("playground", "--port", str(self.port))
        self.url = f"http://127.0.0.1:{self.port}/"
        next(line for line in self.process.stdout if line.startswith("GPT Playground:"))

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Visitor:
    """What a browser sends, without a browser."""

    def __init__(self, app: App):
        self.app, self.id = app, secrets.token_urlsafe(16)
        self.connection = http.client.HTTPConnection("127.0.0.1", app.port, timeout=60)

    def send(self, path: str, **asked: Any) -> http.client.HTTPResponse:
        self.connection.request("POST", f"/playground/{path}", json.dumps({"visitor": self.id, **asked}))
        return self.connection.getresponse()

    def request(self, path: str, **asked: Any) -> dict[str, Any]:
        return json.loads(self.send(path, **asked).read())

    def train(self, preset: str, changes: dict[str, Any] = LONG) -> str:
        return self.request("do/train", preset=preset, changes=changes)["run"]

    def poll(self, **asked: Any) -> dict[str, Any]:
        return self.request("ask/poll", **asked)


# In a browser -------------------------------------------------------------------------------------------------------

@contextlib.contextmanager
def browser(app: App) -> Iterator[Any]:
    """A page of the app in Chromium, 1440 x 900. Raises ImportError or LookupError where there is none."""
    from playwright.sync_api import sync_playwright

    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        raise LookupError("no Chromium")
    before = {int(pid) for pid in os.listdir("/proc") if pid.isdigit()}
    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=path, args=FLAGS)
        page = chromium.new_context(viewport={"width": 1440, "height": 900}).new_page()
        page.goto(app.url)
        page.wait_for_selector("#chart-root .main-svg")
        app.beside = [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and int(pid) not in before
                      and "chrom" in Path(f"/proc/{pid}/comm").read_text()]
        yield page
        app.signal(signal.SIGCONT)
        chromium.close()


def train_in(page: Any, preset: str, changes: dict[str, Any]) -> None:
    """Choose a preset with changes, and press Train."""
    page.evaluate("form => localStorage.setItem('gpt-playground-form', JSON.stringify(form))", {"preset": preset, "changes": changes})
    page.reload()
    page.wait_for_function("/parameters/.test(document.querySelector('#estimate')?.textContent)")
    page.click("#train")


def speeds(sides: list[Process], rounds: int, seconds: float = 1.5) -> list[list[float]]:
    """Steps a second of each, in turn while the others are halted."""
    for side in sides:
        while side.progress()[0] < 20:
            time.sleep(0.1)
        side.signal(signal.SIGSTOP)
    found: list[list[float]] = [[] for _ in sides]
    for _ in range(rounds):
        for side, rates in zip(sides, found):
            side.signal(signal.SIGCONT)
            rates.append(rate(side, seconds))
            side.signal(signal.SIGSTOP)
    return found


def rate(side: Process, seconds: float) -> float:
    """Steps a second between the first and the last news within `seconds`."""
    end, news = time.perf_counter() + seconds, []
    while time.perf_counter() < end or len(news) < 3:
        step = side.progress()[0]
        if not news or step != news[-1][1]:
            news.append((time.perf_counter(), step))
        time.sleep(0.005)
    (began, first), (ended, last) = news[1], news[-1]  # before the first change it may have stood for long
    return (last - first) / (ended - began) if len(news) > 2 else 0.0


# Rows ---------------------------------------------------------------------------------------------------------------

def rows() -> Iterator[Row]:
    """Every figure of the page; those that need a browser only where there is one."""
    yield from first_tokens()
    yield polling()
    try:
        yield from watched()
    except (ImportError, LookupError) as error:
        yield Row("with a browser watching", f"not measured: {error}; it takes Playwright and Chromium")


def first_tokens(requests: int = 15) -> Iterator[Row]:
    """From the press of Sample, as the browser sends it, to the first character that comes back."""
    app = App()
    try:
        visitor = Visitor(app)
        for preset in ("modern/fast", "ladder/12-gpu", "ladder/03-multi-head"):
            run = visitor.train(preset)
            while app.progress()[0] < 20:
                time.sleep(0.1)
            visitor.connection.close()  # the server may have, while it was idle
            taken = sorted(first_token(visitor, run) for _ in range(requests))
            visitor.request("do/stop", run=run)
            most = taken[int(0.9 * requests)]
            yield Row(f"first token over HTTP while {preset} trains", f"{median(taken):.0f} ms, nine of ten within {most:.0f} ms",
                      "", None, "50 ms", most <= 50)
    finally:
        app.close()


def first_token(visitor: Visitor, run: str) -> float:
    """Milliseconds; the rest is read, too, or the next request would get it."""
    time.sleep(0.2)
    began = time.perf_counter()
    response = visitor.send("write", run=run, length=8)
    response.read(1)
    taken = 1000 * (time.perf_counter() - began)
    response.read()
    return taken


def polling(seconds: float = 6.0) -> Row:
    """The server's processor time with ten watching a run, less that with none."""
    app = App()
    try:
        visitor = Visitor(app)
        run = visitor.train("ladder/03-multi-head", {"train.steps": 500, "train.eval_every": 500})
        while app.progress()[0] < 500:
            time.sleep(0.1)
        time.sleep(1.0)  # the last check and sample
        alone = burnt(app, seconds)
        ended = threading.Event()
        watchers = [threading.Thread(target=watch, args=(app, visitor.id, run, ended)) for _ in range(WATCHERS)]
        for watcher in watchers:
            watcher.start()
        time.sleep(1.0)
        share = burnt(app, seconds) - alone
        ended.set()
        for watcher in watchers:
            watcher.join()
    finally:
        app.close()
    return Row(f"{WATCHERS} visitors watching, nothing training", f"{share:.0%} of one core", "", None, "15 %", share <= 0.15)


def burnt(app: App, seconds: float) -> float:
    """The share of one core that the server takes."""
    before = app.cpu_seconds()
    time.sleep(seconds)
    return (app.cpu_seconds() - before) / seconds


def watch(app: App, visitor: str, run: str, ended: threading.Event) -> None:
    """Asks for news as a page does, with the last steps always new."""
    watcher = Visitor(app)
    watcher.id = visitor
    while not ended.wait(POLL_SECONDS):
        watcher.poll(run=run, after=400, seq=0, stride=1, seconds=0, head=0)


def watched() -> Iterator[Row]:
    """With a page of the app in a browser: speed against the command line, and how soon a point is seen."""
    for preset, (pairs, rounds) in WATCHED.items():
        by_itself, shown = [], []
        for pair in range(pairs):
            app, flags = App(), [f"--{path}={value}" for path, value in LONG.items()]
            try:
                with browser(app) as page:
                    train_in(page, preset, LONG)
                    if preset == "ladder/09-pre-ln" and pair == 0:
                        yield from latencies(app, page)
                    alone = Process("gpt", "train", preset, *flags)
                    try:
                        first, second = speeds([alone, app], rounds)
                    finally:
                        alone.close()
            finally:
                app.close()
            by_itself += first
            shown += second
        low, kept, high = quantiles(b / a for a, b in zip(by_itself, shown))
        yield Row(f"{preset} in the app, one browser watching", f"{median(shown):,.0f} steps/s",
                  f"command line: {median(by_itself):,.0f} steps/s; half of {len(shown)} ratios from {low:.2f} to {high:.2f}",
                  kept, "0.95 x", kept >= 0.95)


CLICK = """() => new Promise((done) => {
  const root = document.querySelector("#chart-root"), before = root.dataset.run, began = performance.now();
  document.querySelector("#train").click();
  const look = () => {
    if (root.dataset.run !== before && Number(root.dataset.points)) done(performance.now() - began);
    else setTimeout(look, 5);
  };
  look();
})"""
NEWEST = """() => { window.shown = []; let last = 0; setInterval(() => {
  const step = Number(document.querySelector("#chart-root").dataset.step);
  if (step !== last) window.shown.push([Date.now() / 1000, last = step]);
}, 5); }"""


def latencies(app: App, page: Any, clicks: int = 8, seconds: float = 6.0) -> Iterator[Row]:
    """Click to first point; and from a step's end to its point, with the longest wait before it is stored."""
    from gpt.recording import FLUSH_SECONDS

    taken = []
    for _ in range(clicks):
        page.click("#stop")  # the run before: two would share the machine
        page.wait_for_selector("#chart-root[data-status=stopped]")
        taken.append(page.evaluate(CLICK))
    yield Row("click on Train to the first point, once warm", f"{median(taken):.0f} ms, at most {max(taken):.0f} ms", "", None, "1 s",
              max(taken) <= 1000)
    page.evaluate(NEWEST)
    stored, end = [], time.time() + seconds
    while time.time() < end:
        stored.append((time.time(), app.progress()[0]))
        time.sleep(0.005)
    late = [at - next(when for when, step in stored if step >= shown) for at, shown in page.evaluate("window.shown")[2:]
            if stored[0][1] < shown <= stored[-1][1]]
    most = max(late) + FLUSH_SECONDS
    yield Row("a computed point on the screen", f"within {median(late) + FLUSH_SECONDS:.2f} s, at most {most:.2f} s", "", None, "0.6 s",
              most <= 0.6)


if __name__ == "__main__":
    print_rows(rows())
