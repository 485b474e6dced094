//! The program; all Rocket code is in the library, so that `examples/cluster` can serve it as well.

use std::process::ExitCode;

#[rocket::main]
async fn main() -> ExitCode {
    example_common::main("rocket", example_rocket::serve).await
}
