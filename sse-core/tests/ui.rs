//! Compiler messages for common mistakes: `ui/*.rs` fail to compile with the messages beside them.
//!
//! After a change of a message or of the compiler,
//! `TRYBUILD=overwrite cargo test -p sse-core --all-features --test ui` writes them again; review the result.

#[test]
fn mistakes_are_explained() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
