// better-sse on Node's own server: one channel, and a control connection that says how much is broadcast.
//
// It keeps to what the bench's own servers do: it prints its port and the control connection's, publishes as many
// events as each line of that says, answers `done`, and ends with it.

import http from "node:http";
import net from "node:net";
import { createChannel, createSession } from "better-sse";

const data = "~" + "x".repeat(99);
const channel = createChannel();
let next = 0;

const server = http.createServer(async (request, response) => {
  channel.register(await createSession(request, response));
});

const control = net.createServer((connection) => {
  let rest = "";
  connection.on("data", (text) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      for (let count = Number(line); count > 0; count -= 1) {
        channel.broadcast(data, "price", { eventId: String((next += 1)) });
      }
      connection.write("done\n");
    }
  });
  connection.on("close", () => process.exit(0));
});

server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () => {
  control.listen(0, "127.0.0.1", () => {
    console.log(`${server.address().port} ${control.address().port}`);
  });
});
