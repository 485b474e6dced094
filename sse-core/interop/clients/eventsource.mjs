// npm `eventsource`.

import { load, read } from "./report.mjs";

read(load("eventsource").EventSource);
