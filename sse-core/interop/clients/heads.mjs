// The behaviour of Node's `fetch` and npm's `eventsource` with each of a server's heads: `heads.mjs ORIGIN COUNT` prints it as
// JSON.

import { createRequire } from "node:module";

const { EventSource } = createRequire(`${process.env.SSE_TOOLS}/node/`)("eventsource");
const [, , origin, count] = process.argv;

async function fetched(at) {
  try {
    const response = await fetch(`${origin}/${at}`, { signal: AbortSignal.timeout(20000) });
    let text = "";
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      if (text.includes("data: hello\n\n")) return "reads";
    }
    return "garbles";
  } catch {
    return "refuses";
  }
}

function listened(at) {
  return new Promise((done) => {
    const source = new EventSource(`${origin}/${at}`);
    const end = (what) => {
      source.close();
      clearTimeout(waiting);
      done(what);
    };
    const waiting = setTimeout(() => end("waits"), 20000);
    source.onmessage = (event) => end(event.data === "hello" ? "reads" : "garbles");
    source.onerror = () => end(source.readyState === source.CLOSED ? "refuses" : "retries");
  });
}

const seen = { fetch: [], eventsource: [] };
for (let at = 0; at < count; at++) {
  seen.fetch.push(await fetched(at));
  seen.eventsource.push(await listened(at));
}
console.log(JSON.stringify(seen));
process.exit(0);
