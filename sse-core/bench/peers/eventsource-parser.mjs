// eventsource-parser on Node: decodes the same stream as often as it is told to.
//
// Its input is a line with the stream's length and a chunk's, the stream, and then lines that say how often; each is
// answered by the length of all data found, in UTF-16 units.

import { createParser } from "eventsource-parser";

let input = Buffer.alloc(0);
let chunks;
let found = 0;

function decode() {
  const decoder = new TextDecoder();
  const parser = createParser({ onEvent: (event) => (found += event.data.length) });
  for (const chunk of chunks) parser.feed(decoder.decode(chunk, { stream: true }));
}

function line() {
  const end = input.indexOf("\n");
  if (end < 0) return undefined;
  const text = input.toString("latin1", 0, end);
  input = input.subarray(end + 1);
  return text;
}

let lengths;
for await (const bytes of process.stdin) {
  input = Buffer.concat([input, bytes]);
  lengths ??= line()?.split(" ").map(Number);
  if (!chunks && lengths && input.length >= lengths[0]) {
    chunks = [];
    for (let at = 0; at < lengths[0]; at += lengths[1]) {
      chunks.push(new Uint8Array(input.subarray(at, Math.min(at + lengths[1], lengths[0]))));
    }
    input = input.subarray(lengths[0]);
  }
  for (let count; chunks && (count = line()) !== undefined; ) {
    found = 0;
    for (let left = Number(count); left > 0; left -= 1) decode();
    console.log(found);
  }
}
