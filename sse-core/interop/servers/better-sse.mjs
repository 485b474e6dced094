// better-sse on Node's own server: numbers from the reader's id on, a fixed number per connection, and odd texts.

import http from "node:http";
import { createRequire } from "node:module";

const { createSession } = createRequire(`${process.env.SSE_TOOLS}/node/`)("better-sse");
const [count, perConnection] = process.argv.slice(2, 4).map(Number);
const odd = JSON.parse(process.argv[4]);

const server = http.createServer(async (request, response) => {
  const last = request.headers["last-event-id"];
  const first = last === undefined ? 0 : Number(last) + 1;
  if (first >= count) {
    response.writeHead(204).end();
    return;
  }
  const session = await createSession(request, response, { serializer: String, retry: 1 });
  if (request.url === "/odd") {
    for (const text of odd) session.push(text);
    session.push("x", "end");
  } else {
    for (let number = first; number < Math.min(first + perConnection, count); number += 1) {
      session.push(String(number), "number", String(number));
    }
  }
  response.end();
});

server.listen(0, "127.0.0.1", () => console.log(server.address().port));
