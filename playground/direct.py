"""The questions of the browser, answered past Gradio: its own way to a function costs several times the answer."""

import json
from collections.abc import Awaitable, Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from playground.questions import Question

MOST_BYTES = 100_000  # of what is asked


def direct(question: Question) -> Callable[[Request], Awaitable[Response]]:
    """A route's endpoint that answers `question`; what is no JSON, or too long, is asked as nothing."""

    async def endpoint(request: Request) -> Response:
        try:
            fits = 0 < int(request.headers["content-length"]) <= MOST_BYTES
            asked = json.loads(await request.body()) if fits else None
        except (KeyError, ValueError, RecursionError):
            asked = None
        return JSONResponse(await run_in_threadpool(question, asked))

    return endpoint
