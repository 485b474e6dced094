// Node's own EventSource, behind `--experimental-eventsource`.

import { read } from "./report.mjs";

read(EventSource);
