"""PyPI `httpx-sse`, with the reconnect code that its users write themselves."""

import sys

import httpx
from httpx_sse import connect_sse

from report import URL, pause, report

last = ""
with httpx.Client(timeout=30) as client:
    while True:
        headers = {"last-event-id": last} if last else {}
        try:
            with connect_sse(client, "GET", URL, headers=headers) as source:
                if source.response.status_code == 204:
                    break
                source.response.raise_for_status()
                for event in source.iter_sse():
                    last = event.id
                    report(event.event, event.id, event.data)
        except httpx.TransportError as error:
            print(repr(error), file=sys.stderr)
        pause()
