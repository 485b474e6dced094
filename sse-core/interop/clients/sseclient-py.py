"""PyPI `sseclient-py` on `requests`, with the reconnect code that its users write themselves."""

import sys

import requests
from sseclient import SSEClient

from report import URL, pause, report

last = ""
while True:
    headers = {"accept": "text/event-stream"}
    if last:
        headers["last-event-id"] = last
    try:
        with requests.get(URL, stream=True, headers=headers, timeout=30) as response:
            if response.status_code == 204:
                break
            response.raise_for_status()
            for event in SSEClient(response).events():
                last = event.id or last
                report(event.event, last, event.data)
    except requests.RequestException as error:
        print(repr(error), file=sys.stderr)
    pause()
