//! The suite of the history engines, over NATS JetStream.

use sse_checker::engines::NatsEngine;

sse_testkit::history_conformance!(NatsEngine, server);
