//! The application on Axum: its routes, command line and shutdown; in real browsers; behind real proxies; with
//! third-party clients. Every test is written once, in `sse-core/interop`.

const PROGRAM: &str = env!("CARGO_BIN_EXE_example-axum");

mod application {
    sse_interop::application!(super::PROGRAM);
}

mod browsers {
    sse_interop::browsers!(super::PROGRAM, sse_interop::ALL);
}

mod pages {
    sse_interop::pages!(super::PROGRAM);
}

mod clients {
    sse_interop::clients!(super::PROGRAM, 10_000);
}

mod proxies {
    sse_interop::proxies!(crate::PROGRAM);
}
