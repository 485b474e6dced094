//! The program; all Axum code is in the library, so that `examples/cluster` can serve it as well.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    example_common::main("axum", example_axum::serve).await
}
