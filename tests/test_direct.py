"""What the page asks past Gradio, and what it puts before Gradio's own scripts."""

import json

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from gpt.options import Refusal
from playground.app import Ahead
from playground.direct import MOST_BYTES, direct, streamed

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


def refuses(asked):
    raise Refusal("not \ud800 here")
    yield ""


@pytest.fixture
def writer():
    def letters(asked):
        yield from asked["text"]

    return TestClient(Starlette(routes=[Route("/write", streamed(letters), methods=["POST"]),
                                        Route("/refused", streamed(refuses), methods=["POST"])]))


def test_text_is_sent_in_pieces_and_a_refusal_in_words(writer):
    assert writer.post("/write", json={"text": "héllo"}).text == "héllo"
    assert writer.post("/write", json={"text": ""}).text == ""
    refused = writer.post("/refused", json={})
    assert (refused.status_code, refused.text, refused.headers["Refused"]) == (200, "not ? here", "true")
    assert "Refused" not in writer.post("/write", json={"text": "a"}).headers


@pytest.mark.parametrize("path", ["/poll", "/write"])
@pytest.mark.parametrize("site, status", [("same-origin", 200), ("none", 200), (None, 200), ("cross-site", 403), ("same-site", 403)])
def test_another_sites_page_may_not_ask(client, writer, path, site, status):
    """It could have runs trained on a visitor's machine, though it could not read the answers."""
    headers = {"Sec-Fetch-Site": site} if site else {}
    asked = client if path == "/poll" else writer
    assert asked.post(path, json={"text": "a"}, headers=headers).status_code == status
