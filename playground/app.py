"""The page, put together and served. Also runs as a plain script, from any folder, as Hugging Face Spaces does."""

import argparse
import gc
import secrets
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:  # run as a script, Python looks for modules in this folder instead of the one above
    sys.path.insert(0, str(ROOT))

import gradio as gr
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gpt.options import Refusal
from gpt.store import RunStore
from gpt.texts import MAX_TEXT_BYTES
from playground.actions import actions, write_for
from playground.api import add_endpoints
from playground.asked import visitor_of
from playground.bringing import MOST_BYTES, TEXT_TOO_LARGE, TOO_LARGE, bring_text, bring_weights_for, take_for
from playground.direct import binary, direct, received, streamed
from playground.panels import (
    card, code, health, inspecting, learn, masthead, model, result, runs_table, settings, studies, training, writing,
)
from playground.panels.island import ROUTE
from playground.questions import questions
from playground.scheduler import Scheduler

STATIC = Path(__file__).resolve().parent / "static"
LOOK_SECONDS = 0.1  # between two looks at Gradio's queue, which would look a thousand times a second and disturb training;
# what waits in it is a program's call
SWITCH_SECONDS = 0.001  # for which the server may keep the interpreter from the trainer, and the other way round
BROWSER_STATE = {"storage_key": "gpt-playground", "secret": "gpt-playground"}  # fixed, or a restart forgets everyone


def build(store: RunStore, scheduler: Scheduler) -> gr.Blocks:
    """The page over `store`. Serve it with `serve`, which adds its look and files."""
    with gr.Blocks(title="GPT Playground", fill_width=True, analytics_enabled=False) as demo:
        visitor = gr.BrowserState(None, **BROWSER_STATE)
        masthead.masthead()
        masthead.ladder()
        with gr.Row(elem_id="bench"):
            with gr.Column(elem_id="left"):
                model.model()
            with gr.Column(elem_id="middle"):
                desk = training.training()
                card.card()
                writing.writing()
                with gr.Column(elem_id="learning"):
                    learn.learn()
                with gr.Column(elem_id="comparing"):
                    runs_table.runs_table()
                    studies.differences()
                    studies.studies()
                with gr.Column(elem_id="inspecting"):
                    inspecting.inspecting()
                    health.health()
                with gr.Column(elem_id="coding"):
                    code.code()
            with gr.Column(elem_id="right"):
                settings.settings()
        studies.ablate()
        result.result()
        add_endpoints(store, scheduler)
        demo.load(lambda known: enter(store, known), visitor, [visitor, desk], queue=False, show_progress="hidden",
                  api_visibility="private")
    return demo


def enter(store: RunStore, known: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A visitor opens the page, known from before or new: what the browser keeps of them, and that with their newest run."""
    visitor = visitor_of(known) or secrets.token_urlsafe(16)
    newest = store.runs(visitor, 1)
    return {"visitor": visitor}, {"visitor": visitor, "run": newest[0].id if newest else None}


def serve(demo: gr.Blocks, store: RunStore, scheduler: Scheduler, **launch: Any) -> str:
    """Starts serving the page in the background and returns its address; `launch` goes to Gradio. Raises Refusal."""
    font = gr.themes.utils.fonts.LocalFont
    theme = gr.themes.Base(font=[font("IBM Plex Sans", weights=(400, 700)), "ui-sans-serif", "system-ui", "sans-serif"],
                           font_mono=[font("IBM Plex Mono", weights=(400, 700)), "ui-monospace", "monospace"])
    answers = {f"ask/{name}": direct(question) for name, question in vars(questions(store, scheduler)).items()}
    answers |= {f"do/{name}": direct(action) for name, action in vars(actions(store, scheduler)).items()}
    answers |= {"write": streamed(write_for(store, scheduler)), "take": binary(take_for(store)),
                "bring/weights": received(bring_weights_for(store, scheduler), MOST_BYTES, TOO_LARGE),
                "bring/text": received(bring_text(), MAX_TEXT_BYTES, TEXT_TOO_LARGE)}
    routes = [*(Route(f"/{ROUTE}/{path}", endpoint, methods=["POST"]) for path, endpoint in answers.items()),
              Mount(f"/{ROUTE}/plotly", Files(directory=plotly_folder(), lasting=True)),
              Mount(f"/{ROUTE}", Files(directory=STATIC))]
    sheets = ("page", "form", "diagram", "chart", "card", "compare", "studies", "inspect", "embeddings", "health", "code",
              "learn", "result", "answers")
    try:
        _, local, shared = demo.launch(
            prevent_thread_lock=True, ssr_mode=False, run_history=False, footer_links=[], theme=theme,
            head="".join(f'<link rel="stylesheet" href="{ROUTE}/{sheet}.css">' for sheet in sheets),
            app_kwargs={"routes": routes, "middleware": [Middleware(Ahead)]}, max_file_size="20mb", **launch)
    except OSError as error:  # what it says names options of Gradio, not ours
        raise Refusal("The page cannot be served there: the port is in use, or the host is not this machine. "
                      "Choose another --port or --host.") from error
    demo._queue.sleep_when_free = demo._queue.progress_update_sleep_when_free = LOOK_SECONDS
    return shared or local


class Ahead:
    """Puts a script into the page before Gradio's own, which have begun when those of `head` come."""

    SCRIPT = f'<script src="{ROUTE}/frames.js"></script>'.encode()

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def put(message: Message) -> None:
            if message["type"] == "http.response.start":
                del MutableHeaders(raw=message["headers"])["content-length"]
            elif message["type"] == "http.response.body":
                message["body"] = message["body"].replace(b"<head>", b"<head>" + self.SCRIPT, 1)
            await send(message)

        await self.app(scope, receive, put if scope["type"] == "http" and scope["path"] == "/" else send)


class Files(StaticFiles):
    """The page's own files: asked for anew each time, unless they last as long as their version does."""

    def __init__(self, *, directory: Path, lasting: bool = False):
        super().__init__(directory=directory)
        self.cache = "public, max-age=604800" if lasting else "no-cache"

    async def get_response(self, path: str, scope: Scope) -> Any:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = self.cache
        return response


def plotly_folder() -> Path:
    """Where the plotly wheel keeps plotly.js; found without importing plotly."""
    from importlib.util import find_spec

    return Path(find_spec("plotly").origin).parent / "package_data"


def main(argv: Sequence[str] | None = None) -> int:
    """Serves the page until Ctrl-C or SIGTERM, then saves the runs. Returns the exit status: 0, or 2 if it cannot."""
    global demo
    given, scheduler = read(argv), None
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what services and containers send
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        store = RunStore()
        scheduler = Scheduler(store)
        demo = build(store, scheduler)
        address = serve(demo, store, scheduler, server_name=given.host, server_port=given.port, share=given.share, quiet=True)
        print(f"GPT Playground: {address}", flush=True)
        warm_up()
        demo.block_thread()
    except Refusal as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        pass  # before it blocked, which has its own way to end
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if scheduler:
            scheduler.close()
    return 0


def read(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line's arguments; ends the program with status 2 if they are wrong."""
    parser = argparse.ArgumentParser(prog="python -m playground", description="Serves the GPT playground.")
    parser.add_argument("--host", help="address to listen on (default: 127.0.0.1, or GRADIO_SERVER_NAME)")
    parser.add_argument("--port", type=int, help="port (default: the first free one from 7860, or GRADIO_SERVER_PORT)")
    parser.add_argument("--share", action="store_true", help="also make a public address through Gradio's servers")
    given = parser.parse_args(argv)
    if given.port is not None and not 1 <= given.port <= 65535:
        parser.exit(2, f"--port {given.port}: use a number from 1 to 65535.\n")
    return given


def warm_up() -> None:
    """Imports torch and times the machine, in the main thread, once the server already answers."""
    from gpt import estimate, recording  # noqa: F401
    from gpt.config import RunConfig
    from gpt.device import prepare

    prepare()
    estimate.seconds(RunConfig())
    gc.collect()
    gc.freeze()  # what is there now stays: looking through it again and again would cost the trainer


demo: gr.Blocks | None = None  # a module's variable, which is where Spaces looks for the page

if __name__ == "__main__":
    sys.exit(main())
