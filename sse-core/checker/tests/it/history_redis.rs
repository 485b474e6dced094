//! The suite of the history engines, over Redis.

use sse_checker::engines::RedisEngine;

sse_testkit::history_conformance!(RedisEngine, server);
