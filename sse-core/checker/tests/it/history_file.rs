//! The suite of the history engines, over a file.

use sse_checker::engines::FileEngine;

sse_testkit::history_conformance!(FileEngine);
