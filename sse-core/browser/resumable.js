// Reads server-sent events in a page, and continues where it stopped: `new ResumableSource(url, options)`.
//
// Used like an EventSource. In addition it sends headers, shares one connection among the tabs of a browser, polls where
// a proxy holds streams back, and reports gaps. Options and events are described in resumable.d.ts; the guide is the
// page `browser` of the documentation of sse-core.
//
// Minified and gzipped, this file must stay below 4 KiB: a test measures it.

const isObject = (value) => Object(value) === value;
const isList = Array.isArray;
const isMap = (value) => isObject(value) && !isList(value);

// ---------------------------------------------------------------------------------------------------------------------
// Cursors. A hub's id is `<epoch>-<seq>`. Positions can be compared only within one epoch.

/** Whether a reader at `cursor` has everything up to `id`. */
function covers(cursor, id) {
  const [epoch, seq] = cursor.split('-');
  const [other, otherSeq] = id.split('-');
  return cursor === id || (epoch === other && +otherSeq <= +seq);
}

// ---------------------------------------------------------------------------------------------------------------------
// Decoding, as the HTML standard describes it.

/**
 * Returns a function that takes the next text of a stream, however it is cut. It calls `emit` for each block that has
 * data or a new id, and `retry` with each reconnection time in ms.
 */
export function decoder(emit, retry, id = '') {
  let rest = '';
  let endsWithCr;
  let type = '';
  let data = '';
  let last = id;

  function take(line) {
    if (!line) {
      // A block without data dispatches nothing, but its id is remembered.
      if (data || id !== last) emit({ type: type || 'message', data: data ? data.slice(0, -1) : undefined, id });
      last = id;
      type = data = '';
      return;
    }
    const [, name, value] = /^([^:]*):? ?(.*)/s.exec(line);
    if (name === 'data') data += `${value}\n`;
    if (name === 'event') type = value;
    if (name === 'id' && !value.includes('\0')) id = value;
    if (name === 'retry' && /^\d+$/.test(value)) retry(+value);
  }

  return (text) => {
    if (!text) return;
    if (endsWithCr && text[0] === '\n') text = text.slice(1);            // a CRLF may be cut in its middle
    endsWithCr = text.endsWith('\r');
    const lines = text.split(/\r\n|\r|\n/);
    lines[0] = rest + lines[0];
    rest = lines.pop();
    lines.forEach(take);
  };
}

// ---------------------------------------------------------------------------------------------------------------------
// State: JSON Patch (RFC 6902) and merge patch (RFC 7396). Both return a new value and leave the old one as it is, so a
// page can compare them. A JSON Patch that does not fit throws.

function member(node, key) {
  if (!isObject(node) || !Object.hasOwn(node, key)) throw Error(key);
  return node[key];
}

/** As text that does not depend on the order of members. */
const canonical = (value) => JSON.stringify(value, (_, part) => (isMap(part) ? Object.entries(part).sort() : part));

function patched(root, patch) {
  // In a box, so that the root is a member like any other.
  const box = structuredClone({ '': root });
  for (let { op, path, from, value } of patch) {
    const at = (pointer) => {
      const keys = pointer.split('/').map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
      const key = keys.pop();
      return [keys.reduce(member, box), key];
    };
    const take = ([node, key], isKept) => {
      const old = member(node, key);
      if (!isKept) isList(node) ? node.splice(key, 1) : delete node[key];
      return old;
    };
    if (from !== undefined) value = structuredClone(take(at(from), op === 'copy'));
    const place = at(path);
    const [node, key] = place;
    const index = key === '-' ? node.length : key;
    if (op === 'test') canonical(take(place, true)) === canonical(value) || member();
    else if (op === 'remove') take(place);
    else if (op === 'replace' ? take(place, true) || true : !isList(node)) node[key] = value;
    else index <= node.length ? node.splice(index, 0, value) : member();
  }
  return box[''];
}

function merged(target, patch) {
  if (!isMap(patch)) return patch;
  const copy = isMap(target) ? { ...target } : {};
  for (const key in patch) {
    if (patch[key] === null) delete copy[key];
    else copy[key] = merged(copy[key], patch[key]);
  }
  return copy;
}

// ---------------------------------------------------------------------------------------------------------------------
// Options.

/** The defaults, and with them the type of each option; null is for what is checked by others. */
const DEFAULTS = {
  headers: null, method: '', body: null, credentials: 'same-origin',
  signal: null, topics: [], lastEventId: '', storage: null, share: '', parse: '',
  fallback: { after: 5000, pace: 500, again: 60_000 },
  retry: { min: 500, max: 60_000, attempts: Infinity },
  silence: 40_000,
  value: { snapshot: '', patch: '', merge: '' },
};

function settle(options, defaults) {
  const chosen = { ...defaults };
  for (const name in options) {
    const value = options[name];
    const usual = defaults[name];
    // `undefined` and `false` are as if left out.
    if (usual === undefined || (value && usual !== null && typeof value !== typeof usual)) {
      throw TypeError(`${name}: use ${JSON.stringify(defaults)}`);
    }
    if (value || value === 0) chosen[name] = isMap(usual) ? settle(value, usual) : value;
  }
  return chosen;
}

// ---------------------------------------------------------------------------------------------------------------------
// The source.

const LATE = 5000;                     // how late a reading tab may be, and how often the others look
const SHORT = 3;                       // streams that break at once, before the source polls
const FULL = 60_000;                   // a page of this length is continued at once
const HOUR = 3_600_000;                // the longest wait
const ENDED = 'ended';                 // the reason after 204
const READY = { live: 1, polling: 1, closed: 2 };

const nothing = () => {};

/** An error with what to do: `final` closes, `now` tries again without a pause, `after` is the server's wish in ms. */
const failure = (reason, more) => Object.assign(Error(reason), more);

/** A controller whose `until` also aborts with a signal. */
function within(signal) {
  const controller = new AbortController();
  controller.until = AbortSignal.any([signal, controller.signal]);
  return controller;
}

/** Returns a function that sets a timer anew, and clears it if called without a time. */
function alarm(ring) {
  let timer;
  return (ms) => {
    clearTimeout(timer);
    if (ms) timer = setTimeout(ring, ms);
  };
}

export class ResumableSource extends EventTarget {
  constructor(url, options = {}) {
    super();
    read(this, url, options);
  }
}

function read(source, address, options) {
  const chosen = settle(options, DEFAULTS);
  const { headers, body, credentials, signal, storage, share, silence } = chosen;
  const { after } = chosen.fallback;
  const { snapshot, patch, merge } = chosen.value;
  const method = chosen.method || (body ? 'POST' : 'GET');
  const target = new URL(address, document.baseURI);
  for (const topic of chosen.topics) target.searchParams.append('topic', topic);
  const url = target.href;
  const name = [url, share, method, body].join();
  const closed = new AbortController();
  const listened = new Set(['message', 'sse.gap', 'sse.end', 'sse.checkpoint', snapshot, patch, merge]);
  const isShared = share && navigator.locks && self.BroadcastChannel;

  const init = { method, body, credentials, cache: 'no-store' };
  // The headers, unless a function returns them.
  const fixed = headers?.call ? [] : headers || [];
  // Throws what `fetch` would throw later.
  new Request(url, { ...init, signal, headers: fixed });

  let life = new AbortController();    // aborts when the page is left; there is another when it is shown again
  // A value begins with its snapshot.
  let cursor = (!snapshot && (chosen.lastEventId || storage?.getItem(name))) || '';
  let mode = headers || chosen.method || body || credentials === 'omit' || options.retry || isShared ? stream : listen;
  let tail = Promise.withResolvers();  // of the list of events, for iterators
  let canPoll = options.fallback !== false;
  let retry = 3000;
  let failures = 0;
  let short = 0;
  let refusal;                         // the last status
  let ends;                            // the last event was `sse.end`
  let native = nothing;                // makes the EventSource listen to a type
  let look = nothing;                  // aborts the stream if it is silent for too long

  // Of shared sources only.
  let channel;
  let leads;                           // is set while this tab holds the lock and reads
  let heardAt;                         // when the reading tab was last heard
  let isLate;                          // it should have been heard
  let fill;                            // ends the request of a tab that is behind, and holds messages back

  // -------------------------------------------------------------------------------------------------------------------
  // Beginning and ending: also when the page enters and leaves the back/forward cache, or is frozen. There it must hold
  // neither connection nor lock nor channel: it would be evicted, or other tabs would starve.

  function start() {
    if (source.readyState > 1 || !life.signal.aborted) return;
    life = new AbortController();
    // A new EventSource cannot send a cursor.
    if (cursor && mode === listen) mode = stream;
    (isShared ? join : run)(life.signal);
  }

  const leave = () => life.abort();

  function restart() {
    leave();
    mode = stream;
    start();
  }

  function close() {
    leads = false;                 // the other tabs go on
    set('closed');
    tail.resolve();
    closed.abort();
    leave();
  }

  function finish(reason) {
    set('closed', reason);
    if (reason === ENDED) fire('end');
    close();
  }

  const fire = (type, fields) => source.dispatchEvent(Object.assign(new Event(type), fields));

  function set(state, reason = '', retryAt = null) {
    const { readyState } = source;
    if (readyState > 1 || (state === source.state && retryAt === source.retryAt)) return;
    const now = { state, reason, retryAt };
    Object.assign(source, now).readyState = READY[state] || 0;
    relay();
    fire('state', now);
    if (source.readyState === 1 && !readyState) {
      failures = 0;
      fire('open');
    }
    if (reason) fire('error', now);
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Events.

  const patience = () => (canPoll ? after : silence);

  /** Moves the cursor and dispatches; returns the event as other tabs get it, with the cursor before and after. */
  function deliver({ type, data, id, prev = cursor }) {
    const event = { type, data, prev: cursor };
    // A handler has closed the source in the middle of a batch.
    if (source.readyState > 1) return event;
    if (id !== prev) cursor = id;
    event.id = cursor;
    if (data !== undefined) dispatch(type, data);
    try {
      storage?.setItem(name, cursor);
    } catch { /* full, or forbidden: a reload begins anew */ }
    return event;
  }

  function dispatch(type, data) {
    const isGap = type === 'sse.gap';
    const isState = [snapshot, patch, merge].includes(type);
    const isCheckpoint = type === 'sse.checkpoint';
    try {
      const json = (chosen.parse || isGap || isState) && !isCheckpoint ? JSON.parse(data) : data;
      const event = new MessageEvent(type, { data: chosen.parse ? json : data, lastEventId: cursor, origin: target.origin });
      if (!isCheckpoint) {
        ends = type === 'sse.end';
        const { resolve } = tail;
        tail = Promise.withResolvers();
        resolve({ event, next: tail.promise });
      }
      source.dispatchEvent(event);
      if (isGap) fire('gap', json);
      // A change of a state that is not known waits for the snapshot.
      if (!isState || (type !== snapshot && source.value === undefined)) return;
      source.value = type === snapshot ? json : (type === patch ? patched : merged)(source.value, json);
      fire('value', { value: source.value });
    } catch (error) {
      if (!isState) return fire('error', { reason: 'not JSON', data });
      // The state is not what the server has: begin anew, with a snapshot.
      source.value = undefined;
      fire('gap', { reason: 'unknown' });
      setTimeout(() => {
        cursor = '';
        restart();
      });
    }
  }

  // -------------------------------------------------------------------------------------------------------------------
  // One connection, again and again.

  /** Waits, until there is a network again or the signal aborts. */
  function pause(ms, until) {
    return new Promise((done) => {
      const over = within(until);
      over.until.onabort = done;
      look = () => over.abort();
      setTimeout(look, ms);
      // An aborted signal fires no event.
      if (until.aborted) done();
    });
  }

  async function run(until) {
    while (!until.aborted) {
      if (mode !== poll) set('connecting');
      // After the end of its topics the next answer is 204, so it is asked for soon.
      const error = await mode(until).then(() => failure('lost', { after: ends }), (thrown) => thrown);
      if (until.aborted || error.now) continue;
      if (error.final || ++failures > chosen.retry.attempts) return finish(error.message);
      const least = Math.max(error.after || retry, chosen.retry.min);
      const delay = Math.min(least * 2 ** (failures - 1), Math.max(chosen.retry.max, least), HOUR);
      set('waiting', error.message, Date.now() + delay);
      await pause(delay, until);
    }
  }

  /** Sends a request; returns the response if it is what was asked for. */
  async function request(accept, until, begin = nothing) {
    const sent = new Headers(headers?.call ? await headers({ status: refusal }) : fixed);
    sent.set('accept', accept);
    // UTF-8, as an EventSource sends it.
    if (cursor) sent.set('last-event-id', unescape(encodeURIComponent(cursor)));
    begin();
    const response = await fetch(url, { ...init, signal: until, headers: sent });
    const { status } = response;
    const type = response.headers.get('content-type') || '';
    // A token may have expired: the function is asked once for another.
    const now = status === 401 && refusal !== 401;
    refusal = status;
    if (status === 200 && type.startsWith(accept)) return response;
    throw failure(status === 204 ? ENDED : `HTTP ${status} ${type}`, {
      now, after: 1000 * response.headers.get('retry-after'), final: !now && !/408|42[59]|5../.test(status),
    });
  }

  /**
   * Reads a stream to its end, or until this id is reached. With null it reads only whether the first bytes arrive in time:
   * nothing else means the same in all browsers.
   */
  async function stream(until, id) {
    const guard = within(until);
    const cut = () => guard.abort();
    const watch = alarm(cut);
    let readAt = 0;
    let beganAt;
    try {
      const response = await request('text/event-stream', guard.until, () => watch(patience()));
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      const batch = [];
      const decode = decoder((event) => until.aborted || batch.push(deliver(event)), (ms) => { retry = ms; }, cursor);
      beganAt = Date.now();
      for (;;) {
        const { done, value } = await reader.read();
        if (done || id === null || until.aborted) return !done;
        readAt = Date.now();
        watch(silence);
        // Timers stop while the computer sleeps.
        look = () => Date.now() - readAt > silence && cut();
        set('live');
        decode(value);
        // At keep-alives too: that this tab reads is what the others must know.
        relay(batch.splice(0));
        if (id && covers(cursor, id)) return;
      }
    } catch (error) {
      if (!guard.signal.aborted) throw error;
      if (readAt || !canPoll) throw failure('silent');
      mode = poll;
      throw failure('', { now: true });
    } finally {
      watch();
      cut();
      // Streams that break at once: something on the way does not let them live.
      if (id === undefined && beganAt) short = Date.now() - beganAt < after && !ends ? short + 1 : 0;
      if (canPoll && short >= SHORT) mode = poll;
    }
  }

  /** An EventSource, which the browser's tools show. It is replaced by `fetch` when it is silent or gives up. */
  function listen(until) {
    return new Promise((_, reject) => {
      const events = new EventSource(url, { withCredentials: credentials === 'include' });
      const stop = (next) => {
        mode = next || stream;
        native = nothing;
        watch();
        events.close();
        reject(failure('', { now: true }));
      };
      // A hub sends a new reader an event at once.
      const watch = alarm(() => stop(canPoll && !cursor && poll));
      const begin = () => watch(patience());
      native = (type) => events.addEventListener(type, ({ data, lastEventId: id }) => {
        // Its own `open` and `error` have no data.
        if (data === undefined) return;
        watch(silence);
        deliver({ type, data, id });
      });
      events.onopen = () => {
        begin();
        set('live');
      };
      events.onerror = () => {
        begin();
        if (events.readyState > 1) stop();
        else set('waiting', 'lost');
      };
      listened.forEach(native);
      until.onabort = () => stop();
      begin();
    });
  }

  /** One poll: dispatches its events. */
  async function page(until) {
    const response = await request('application/json', AbortSignal.any([until, AbortSignal.timeout(silence)]));
    const text = await response.text();
    const { events, cursor: place, retry: wait } = JSON.parse(text);
    if (until.aborted) throw failure();
    set('polling');
    const batch = events.map(({ type, data, lastEventId: id }) => deliver({ type, data, id: id || cursor }));
    if (place) batch.push(deliver({ id: place }));
    relay(batch);
    if (wait) throw failure('lost', { after: wait });
    return text.length > FULL;
  }

  /** Polls, a few times a second at most, until a probe of the stream succeeds. */
  async function poll(until) {
    const turn = within(until);
    let wait = chosen.fallback.again;
    const probe = alarm(async () => {
      if (await stream(turn.until, null).catch(nothing)) turn.abort();
      else if (!turn.until.aborted) probe(wait *= 2);
    });
    probe(wait);
    try {
      for (;;) {
        const beganAt = Date.now();
        if (!await page(turn.until)) await pause(beganAt + chosen.fallback.pace - Date.now(), turn.until);
      }
    } catch (error) {
      mode = stream;
      if (error.final && error.message !== ENDED) canPoll = false;       // the server does not answer polls
      error.now ||= !canPoll || turn.signal.aborted;
      throw error;
    } finally {
      probe();
      turn.abort();
    }
  }

  // -------------------------------------------------------------------------------------------------------------------
  // One connection for all tabs. The tab that holds the lock reads, and sends what it dispatched to the others. Each tab
  // keeps its own cursor and dispatches only what follows it.

  function join(until) {
    channel = new BroadcastChannel(name);
    channel.onmessage = ({ data }) => receive(data);

    const hold = (how) => {
      const mine = within(until);
      return navigator.locks.request(name, how, () => {
        fill?.abort();
        leads = mine;
        return run(mine.until);
      }).catch(nothing).then(() => {
        // Also if the lock was stolen, when the callback goes on.
        mine.abort();
        if (leads === mine) leads = isLate = false;
      });
    };
    const queue = () => until.aborted || hold({ signal: until }).then(() => setTimeout(queue));

    const watch = setInterval(() => {
      if (leads || Date.now() - heardAt < silence + LATE) return;
      if (isLate) return hold({ steal: true });
      isLate = true;
      // Makes Chromium evict a page in its back/forward cache that holds the lock.
      navigator.locks.request(name, { ifAvailable: true }, nothing);
    }, LATE);

    until.onabort = () => {
      clearInterval(watch);
      leads = false;
      channel.close();
    };
    heardAt = Date.now();
    channel.postMessage(0);
    queue();
  }

  /** Sends events and the state to the other tabs, if this one reads. */
  function relay(events = []) {
    if (leads) channel.postMessage([events, cursor, source.state, source.reason, source.retryAt, mode === poll]);
  }

  function receive(message) {
    // A new tab asks for the state.
    if (!message) return relay();
    if (leads) return;
    const [events, head, state, reason, retryAt, polls] = message;
    // A tab that waits to reconnect is silent until then.
    heardAt = Math.max(Date.now(), retryAt);
    isLate = false;
    if (fill) return fill.held.push(message);
    mode = polls ? poll : stream;
    const isEnd = state === 'closed';
    if (!isEnd) set(state, reason, retryAt);
    for (const event of events) {
      // A gap is not compared, nor is an event without an id, such as a signal.
      if (event.type !== 'sse.gap' && event.id !== event.prev && covers(cursor, event.id)) continue;
      if (!covers(cursor, event.prev)) break;
      deliver(event);
    }
    if (!covers(cursor, head)) catchUp(message, head);
    else if (isEnd) finish(reason);
  }

  /**
   * Reads from this tab's own cursor until it has reached the reading tab, and holds messages back meanwhile. So does a new
   * tab, because the server may have a state or earlier events for it.
   */
  async function catchUp(message, head) {
    const mine = fill = within(life.signal);
    mine.held = [message];
    try {
      if (mode === poll) while (await page(mine.until));
      else await stream(mine.until, head);
    } catch (error) {
      if (error.message === ENDED) return finish(ENDED);
    }
    if (!covers(cursor, head)) await pause(retry, mine.until);
    fill = undefined;
    if (!mine.until.aborted) mine.held.forEach(receive);
  }

  leave();
  set('connecting');
  const on = (target, type, listener) => target.addEventListener(type, listener, closed);
  on(self, 'pagehide', leave);
  on(self, 'pageshow', start);
  on(self, 'online', () => look());
  on(document, 'visibilitychange', () => look());
  on(document, 'freeze', leave);
  on(document, 'resume', start);
  signal?.addEventListener('abort', close, closed);

  // As listeners, so that an error in a handler is reported and stops nothing.
  for (const type of ['open', 'message', 'error', 'gap', 'end', 'state', 'value']) {
    source.addEventListener(type, (event) => source[`on${type}`]?.(event));
  }
  source.close = close;
  const { addEventListener } = source;
  source.addEventListener = (...rest) => {
    addEventListener.apply(source, rest);
    listened.add(rest[0]);
    native(rest[0]);
  };
  /** The events one by one, without checkpoints. Ends when the source does, and throws if it was refused. */
  source[Symbol.asyncIterator] = async function* iterate() {
    let next = tail.promise;
    // An EventSource delivers only the types that it is asked for.
    if (mode === listen) restart();
    for (let item; (item = await next); next = item.next) yield item.event;
    if (source.reason && source.reason !== ENDED) throw Error(source.reason);
  };
  if (signal?.aborted) close();
  else queueMicrotask(start);
}
