/** The state of the connection; `polling` is a state in which events arrive as well. */
export type State = 'connecting' | 'live' | 'polling' | 'waiting' | 'closed';

export interface ResumableOptions {
  /**
   * Headers of each request, or a function that returns them. It is called before each request; `status` is the status of
   * the last response. After a 401 it is called once more, and the request is repeated at once: for tokens that expire.
   */
  headers?: HeadersInit | ((last: { status?: number }) => HeadersInit | Promise<HeadersInit>);
  /** GET by default, or POST if there is a body. The request is repeated at each reconnect. */
  method?: string;
  /** Anything that `fetch` can send more than once. */
  body?: string | FormData | URLSearchParams | Blob | ArrayBuffer;
  /** As in `fetch`; `include` sends cookies to another origin. `same-origin` by default. */
  credentials?: RequestCredentials;
  /** Closes the source when it aborts. */
  signal?: AbortSignal;
  /** Adds `topic=` to the address for each. */
  topics?: string[];
  /** Where to begin, such as the position of a state that the page was rendered with. */
  lastEventId?: string;
  /** Keeps the cursor over a reload, under a key made of the address, `share`, the method and the body. */
  storage?: Pick<Storage, 'getItem' | 'setItem'>;
  /**
   * One connection for all tabs of this origin with the same address and the same text. It names who reads, such as the id
   * of the user, so that two users of one browser never share. The server must be a hub. Without Web Locks, as on plain http,
   * each tab connects by itself.
   */
  share?: string;
  /**
   * Polling where a stream is held back, or false. In ms: the time that the first byte of a stream may take (5,000), the
   * shortest time between two polls (500), and the time until a stream is tried again (60,000; then twice as long).
   */
  fallback?: false | { after?: number; pace?: number; again?: number };
  /** In ms, the shortest and the longest wait before a reconnect (500, 60,000), and how many may fail in a row (Infinity). */
  retry?: { min?: number; max?: number; attempts?: number };
  /** In ms, how long a stream may be silent before it is replaced: 40,000, which is 2.5 keep-alives of a hub. */
  silence?: number;
  /** With `json`, `data` is the parsed value. An event that is not JSON becomes an `error` with its `data`. */
  parse?: 'json';
  /**
   * A state: the event type of the snapshot, and that of the changes, as JSON Patch (RFC 6902) or merge patch (RFC 7396).
   * `value` is then the state. It begins with a snapshot, so `lastEventId` and `storage` have no effect.
   */
  value?: { snapshot: string; patch?: string; merge?: string };
}

export interface StateEvent extends Event {
  readonly state: State;
  /** Why, or an empty text: a status, the browser's own error, `lost`, `silent`, or `ended`. */
  readonly reason: string;
  /** When it tries again, as a time in ms like `Date.now()`, or null. */
  readonly retryAt: number | null;
}

/** Events are missing; read what is shown anew. The event `sse.gap` has more. */
export interface GapEvent extends Event {
  /** `epoch`, `fork`, `future`, `malformed`, `trimmed`, or `unknown`. */
  readonly reason: string;
  /** At most how many, if that is known. */
  readonly missed?: number | null;
}

export interface ValueEvent<T> extends Event {
  readonly value: T;
}

export interface ResumableEventMap<T> {
  open: Event;
  message: MessageEvent;
  /** The connection was lost, or the source has closed by itself: `state` has the difference. */
  error: StateEvent;
  gap: GapEvent;
  /** The server has ended all topics: no more events will come. */
  end: Event;
  state: StateEvent;
  value: ValueEvent<T>;
  'sse.gap': MessageEvent;
  'sse.end': MessageEvent;
  'sse.checkpoint': MessageEvent;
}

/** Reads server-sent events and continues where it stopped. Used like an `EventSource`. */
export class ResumableSource<T = unknown> extends EventTarget implements AsyncIterable<MessageEvent> {
  /** Throws a TypeError if an option is unknown or wrong. */
  constructor(url: string | URL, options?: ResumableOptions);
  /** 0 connecting, 1 open, 2 closed, as in an `EventSource`. */
  readonly readyState: 0 | 1 | 2;
  readonly state: State;
  readonly reason: string;
  readonly retryAt: number | null;
  /** The state, with the option `value`; undefined until the snapshot has arrived. */
  readonly value: T | undefined;
  close(): void;

  onopen: ((event: Event) => void) | null;
  onmessage: ((event: MessageEvent) => void) | null;
  onerror: ((event: StateEvent) => void) | null;
  ongap: ((event: GapEvent) => void) | null;
  onend: ((event: Event) => void) | null;
  onstate: ((event: StateEvent) => void) | null;
  onvalue: ((event: ValueEvent<T>) => void) | null;

  addEventListener<K extends keyof ResumableEventMap<T>>(
    type: K, listener: (event: ResumableEventMap<T>[K]) => void, options?: AddEventListenerOptions | boolean): void;
  /** An event of the server has the type that the server gave it. */
  addEventListener(type: string, listener: (event: MessageEvent) => void, options?: AddEventListenerOptions | boolean): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: AddEventListenerOptions | boolean): void;

  /**
   * All events from now on, one by one, without checkpoints. Ends when the source does, and throws if it was refused.
   * Events wait in memory until the loop takes them. Leaving the loop does not close the source.
   */
  [Symbol.asyncIterator](): AsyncIterator<MessageEvent>;
}

/**
 * The decoder: returns a function that takes the next text of a stream, however it is cut. `emit` gets each block that has
 * data or a new id; without data, only the cursor moves.
 */
export function decoder(
  emit: (event: { type: string; data?: string; id: string }) => void, retry: (ms: number) => void, lastEventId?: string): (text: string) => void;
