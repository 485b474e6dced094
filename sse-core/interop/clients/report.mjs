// Shared code of the scripts for Node: the URL, the event types, and how to print the events.
//
// Each script reads a topic to its end and prints one line per event: its type, its id and its data, with tabs between
// them and `\n` for a line break. The script exits with 0 when the server answers 204.

import { createRequire } from "node:module";

export const url = process.argv[2];

/** Loads a package that was installed for the tests. */
export const load = createRequire(`${process.env.SSE_TOOLS}/node/`);

/** The types that an EventSource must listen for by name. */
export const types = ["message", "price", "sse.gap", "sse.checkpoint", "sse.end"];

export function report(type, id, data) {
  console.log([type, id, data.replaceAll("\n", "\\n")].join("\t"));
}

/** Reads with a client that has the browsers' interface. */
export function read(EventSource) {
  const source = new EventSource(url);
  // A pending reconnect does not keep the process alive.
  const waiting = setInterval(() => {
    if (source.readyState === source.CLOSED) clearInterval(waiting);
  }, 100);
  for (const type of types) {
    source.addEventListener(type, (event) => report(type, event.lastEventId, event.data));
  }
}

/** The pause of scripts that implement the reconnect themselves. */
export const pause = () => new Promise((resolve) => setTimeout(resolve, 300));
