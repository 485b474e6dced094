// Runs the decoder of the module for pages on the cases of the files that are given: as given, whole, byte by byte, with
// empty chunks, and in every two parts. Prints the number of cases and of runs.
import { deepStrictEqual } from 'node:assert';
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const [module, ...files] = process.argv.slice(2);
const { decoder } = await import(pathToFileURL(module));
const count = { cases: 0, runs: 0 };

const bytesOf = (chunk) => (typeof chunk === 'string'
  ? Buffer.from(chunk, 'hex') : Buffer.concat(Array(chunk.count).fill(Buffer.from(chunk.repeat_hex, 'hex'))));
const bytewise = (bytes) => [...bytes].map((byte) => Buffer.from([byte]));

/** What a browser's stream of text makes of the bytes: one byte order mark is dropped, at the beginning. */
function* texts(chunks) {
  // Node's own decoder drops a second mark if the first is cut, which browsers' do not.
  const text = new TextDecoder('utf-8', { ignoreBOM: true });
  let isFirst = true;
  for (const chunk of chunks) {
    const part = text.decode(chunk, { stream: true });
    yield isFirst && part[0] === '\ufeff' ? part.slice(1) : part;
    isFirst &&= part === '';
  }
}

function run(name, how, chunks, lastEventId, outcome) {
  const seen = { events: [], last_event_id: lastEventId, retry_ms: null };
  const decode = decoder(({ type, data, id }) => {
    seen.last_event_id = id;
    if (data !== undefined) seen.events.push({ type, data, lastEventId: id });
  }, (ms) => { seen.retry_ms = ms; }, lastEventId);
  for (const text of texts(chunks)) decode(text);
  const { events, last_event_id, retry_ms } = outcome;
  const expected = events.map(({ type, data, data_len, lastEventId }) => ({ type, data: data ?? data_len, lastEventId }));
  seen.events.forEach((event, at) => {
    if (typeof expected[at]?.data === 'number') event.data = Buffer.byteLength(event.data);
  });
  deepStrictEqual(seen, { events: expected, last_event_id, retry_ms: retry_ms == null ? null : Number(retry_ms) }, `${name}, ${how}`);
  count.runs += 1;
}

for (const file of files) {
  for (const { name, action, limit, spec, connections } of JSON.parse(readFileSync(file, 'utf8')).cases) {
    // Otherwise the client is closed in the middle of the stream, or has limits.
    if (action !== undefined || limit !== undefined) continue;
    let last = '';
    const read = connections.filter(({ outcome }) => outcome.open === true);
    for (const { response, outcome } of read) {
      const chunks = response.chunks.map(bytesOf);
      const bytes = Buffer.concat(chunks);
      run(name, 'as given', chunks, last, outcome);
      run(name, 'as one chunk', [bytes], last, outcome);
      run(name, 'byte by byte', bytewise(bytes), last, outcome);
      run(name, 'with empty chunks', bytewise(bytes).flatMap((byte) => [Buffer.alloc(0), byte]), last, outcome);
      // Every two parts of a long stream would be quadratic, and would test nothing new.
      for (let at = 1; spec === 'must' && bytes.length <= 2000 && at < bytes.length; at += 1) {
        run(name, `split at ${at}`, [bytes.subarray(0, at), bytes.subarray(at)], last, outcome);
      }
      last = outcome.last_event_id;
    }
    count.cases += Math.min(read.length, 1);
  }
}
console.log(`${count.cases} ${count.runs}`);
