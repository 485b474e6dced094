// npm `eventsource-parser` on `fetch`, with the reconnect code that its users write themselves.

import { load, pause, report, url } from "./report.mjs";

const { createParser } = load("eventsource-parser");

let last = "";

for (;;) {
  try {
    const response = await fetch(url, { headers: last ? { "last-event-id": last } : {} });
    if (response.status === 204) break;
    if (!response.ok) throw new Error(`status ${response.status}`);
    const parser = createParser({
      onEvent({ event, id, data }) {
        last = id ?? last;
        report(event ?? "message", last, data);
      },
    });
    const decoder = new TextDecoder();
    for await (const chunk of response.body) parser.feed(decoder.decode(chunk, { stream: true }));
  } catch (error) {
    console.error(error.message);
  }
  await pause();
}
