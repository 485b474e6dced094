"""sse-starlette on uvicorn: numbers from the reader's id on, a fixed number per connection, and odd texts."""

import json
import logging
import socket
import sys

import uvicorn
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

COUNT, PER_CONNECTION, ODD = int(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])


async def numbers(request):
    first = int(request.headers.get("last-event-id", -1)) + 1
    if first >= COUNT:
        return Response(status_code=204)

    async def events():
        yield ServerSentEvent(comment="hello", retry=1)
        for number in range(first, min(first + PER_CONNECTION, COUNT)):
            yield ServerSentEvent(str(number), event="number", id=str(number))

    return EventSourceResponse(events())


async def odd(request):
    async def events():
        for text in ODD:
            yield ServerSentEvent(text)
        yield ServerSentEvent("x", event="end")

    return EventSourceResponse(events())


app = Starlette(routes=[Route("/numbers", numbers), Route("/odd", odd)])
# asyncio warns of each write to a broken connection, and many break.
logging.getLogger("asyncio").setLevel(logging.ERROR)
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(app, log_level="error")).run([listener])
