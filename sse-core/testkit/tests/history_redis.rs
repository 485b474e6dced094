//! The suite of the history engines, over Redis.

use sse_testkit::engines::RedisEngine;

sse_testkit::history_conformance!(RedisEngine, server);
