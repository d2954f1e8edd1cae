"""What the page asks past Gradio, and what it puts before Gradio's own scripts."""

import json

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from playground.app import Ahead
from playground.direct import MOST_BYTES, direct

PAGE = "<!doctype html><html><head><script src='gradio.js'></script></head></html>"


@pytest.fixture
def client():
    routes = [Route("/poll", direct(lambda asked: {"asked": asked}), methods=["POST"]),
              Route("/", lambda request: HTMLResponse(PAGE)), Route("/other", lambda request: PlainTextResponse(PAGE))]
    return TestClient(Starlette(routes=routes, middleware=[Middleware(Ahead)]))


def test_a_question_gets_the_json_that_was_sent(client):
    assert client.post("/poll", content='{"run": ["é", 1.5, null]}').json() == {"asked": {"run": ["é", 1.5, None]}}


@pytest.mark.parametrize("sent", [b"", b"{", b"\xff", b"[" * 5000, json.dumps("x" * MOST_BYTES).encode(), iter([b"1"])],
                         ids=["nothing", "no JSON", "no text", "deep", "long", "of unknown length"])
def test_anything_else_asks_nothing(client, sent):
    assert client.post("/poll", content=sent).json() == {"asked": None}


def test_our_script_comes_before_gradios_in_the_page_alone(client):
    page = client.get("/").text
    assert page.index("frames.js") < page.index("gradio.js") and page.replace(Ahead.SCRIPT.decode(), "") == PAGE
    assert client.get("/other").text == PAGE
