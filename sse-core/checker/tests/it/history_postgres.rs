//! The suite of the history engines, over PostgreSQL.

use sse_checker::engines::PostgresEngine;

sse_testkit::history_conformance!(PostgresEngine, server);
