"""What the page asks and has done, answered past Gradio: its own way to a function costs several times the answer."""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from gpt.options import Refusal
from playground.asked import sendable

MOST_BYTES = 100_000  # of what is asked
UPLOADS, UPLOAD_SECONDS = 2, 120.0  # files received at once, each in memory; how long one may take
Endpoint = Callable[[Request], Any]


def direct(answer: Callable[[Any], Any]) -> Endpoint:
    """A route's endpoint that answers with JSON; what is no JSON, or too long, is asked as nothing."""

    async def endpoint(request: Request) -> Response:
        if is_foreign(request):
            return PlainTextResponse("Only this page may ask.", 403)
        return JSONResponse(await run_in_threadpool(answer, await asked_by(request)))

    return endpoint


def streamed(pieces: Callable[[Any], Iterator[str]]) -> Endpoint:
    """A route's endpoint that sends pieces of text as they come; a refusal before the first one is marked by a header: a
    status of its own would be an error in the browser's console, and it is none."""

    async def endpoint(request: Request) -> Response:
        if is_foreign(request):
            return PlainTextResponse("Only this page may ask.", 403)
        asked = await asked_by(request)
        try:
            begun = await run_in_threadpool(pieces, asked)
            first = await run_in_threadpool(next, begun, "")
        except Refusal as error:
            return PlainTextResponse(sendable(str(error)), headers={"Refused": "true"})

        def rest() -> Iterator[str]:
            yield first
            yield from begun

        return StreamingResponse(iterate_in_threadpool(rest()), media_type="text/plain; charset=utf-8")

    return endpoint


def binary(answer: Callable[[Any], tuple[str, bytes]]) -> Endpoint:
    """A route's endpoint that answers with a file to save, (name, bytes); a refusal is marked as that of `streamed`."""

    async def endpoint(request: Request) -> Response:
        if is_foreign(request):
            return PlainTextResponse("Only this page may ask.", 403)
        try:
            name, raw = await run_in_threadpool(answer, await asked_by(request))
        except Refusal as error:
            return PlainTextResponse(sendable(str(error)), headers={"Refused": "true"})
        return Response(raw, media_type="application/octet-stream", headers={
            "Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"})

    return endpoint


def received(answer: Callable[[Any, bytes], Any], most: int, too_large: str) -> Endpoint:
    """A route's endpoint that takes a file as its body from the visitor that a header names, and answers with JSON.

    What is larger than `most`, or does not say how large it is, is refused before it is read.
    """
    places = asyncio.Semaphore(UPLOADS)

    async def endpoint(request: Request) -> Response:
        if is_foreign(request):
            return PlainTextResponse("Only this page may ask.", 403)
        length = request.headers.get("content-length", "")
        if not length.isdecimal() or len(length) > 15 or int(length) > most:
            return JSONResponse({"refused": too_large}, 413)
        async with places:
            try:
                async with asyncio.timeout(UPLOAD_SECONDS):
                    raw = await request.body()
            except (TimeoutError, ClientDisconnect):
                return JSONResponse({"refused": "The file did not arrive in time: try again in a while."}, 408)
            return JSONResponse(await run_in_threadpool(answer, {"visitor": request.headers.get("x-visitor")}, raw))

    return endpoint


def is_foreign(request: Request) -> bool:
    """Whether another site's page sent it: such a page could not read the answer, but have things done."""
    return request.headers.get("sec-fetch-site") in ("cross-site", "same-site")


async def asked_by(request: Request) -> Any:
    try:
        fits = 0 < int(request.headers["content-length"]) <= MOST_BYTES
        return json.loads(await request.body()) if fits else None
    except (KeyError, ValueError, RecursionError):
        return None
