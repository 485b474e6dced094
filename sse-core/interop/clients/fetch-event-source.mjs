// npm `@microsoft/fetch-event-source`. It is made for browsers, and it treats a clean end as final unless
// `onclose` throws.

import { load, report, url } from "./report.mjs";

const { fetchEventSource } = load("@microsoft/fetch-event-source");

class Finished extends Error {}

let last = "";

globalThis.window = globalThis;
globalThis.document = { removeEventListener() {} };

await fetchEventSource(url, {
  openWhenHidden: true,
  // The library stores an id before the event has ended. If the connection breaks right then, it would resume after an
  // event that it never dispatched.
  fetch(input, { headers, ...options }) {
    return fetch(input, { ...options, headers: { ...headers, "last-event-id": last } });
  },
  async onopen(response) {
    if (response.status === 204) throw new Finished();
    if (!response.ok) throw new Error(`status ${response.status}`);
  },
  onmessage(message) {
    last = message.id || last;
    report(message.event || "message", message.id, message.data);
  },
  onclose() {
    throw new Error("the connection has ended");
  },
  onerror(error) {
    if (error instanceof Finished) throw error;
    return 300;
  },
}).catch((error) => {
  if (!(error instanceof Finished)) throw error;
});
