//! The application on Warp: its routes, command line and shutdown; in real browsers; behind real proxies; with
//! third-party clients. Every test is written once, in `sse-core/interop`.

const PROGRAM: &str = env!("CARGO_BIN_EXE_example-warp");

mod application {
    sse_interop::application!(super::PROGRAM);
}

mod browsers {
    sse_interop::browsers!(super::PROGRAM, sse_interop::MAIN);
}

mod clients {
    sse_interop::clients!(super::PROGRAM, 1_000);
}

mod proxies {
    sse_interop::proxies!(crate::PROGRAM);
}
