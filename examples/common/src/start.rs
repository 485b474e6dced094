use std::{
    env, io,
    process::{self, ExitCode},
};

use tracing_subscriber::{EnvFilter, filter::LevelFilter};

use crate::{App, Options, options::Asked};

/// The whole `main` of an application: parses the command line, opens the hub, publishes the metrics, and serves
/// until the shutdown has ended.
///
/// Exits with 0 after a shutdown, 1 if it cannot serve, and 2, after one line on stderr, if the command line is
/// invalid.
pub async fn main(
    framework: &'static str,
    serve: impl AsyncFnOnce(App) -> Result<(), io::Error>,
) -> ExitCode {
    let options = match command_line(framework, env::args().skip(1)) {
        Ok(options) => options,
        Err(exit) => return exit,
    };
    log_to_stderr();

    let addr = options.addr;
    let app = match App::open(framework, options).await {
        Ok(app) => app,
        Err(error) => return refused(framework, &error),
    };
    tokio::spawn(app.clone().publish_metrics());
    match serve(app).await {
        Ok(()) => {
            tracing::info!(pid = process::id(), "ended");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("example-{framework}: {addr}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Parses the arguments that follow the program's name.
///
/// # Errors
/// The exit code, after the help on stdout or one line on stderr.
pub fn command_line(program: &str, arguments: impl IntoIterator<Item = String>) -> Result<Options, ExitCode> {
    match Options::parse(arguments) {
        Ok(Asked::Run(options)) => Ok(*options),
        Ok(Asked::Help) => {
            println!("{}", Options::help(program));
            Err(ExitCode::SUCCESS)
        }
        Err(error) => Err(refused(program, &error.to_string())),
    }
}

/// Logs to stderr as `RUST_LOG` requests.
pub fn log_to_stderr() {
    let from_env = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).from_env_lossy();
    tracing_subscriber::fmt().with_env_filter(from_env).with_writer(io::stderr).init();
}

/// Prints on stderr why a program fails.
#[must_use]
pub fn refused(program: &str, error: &str) -> ExitCode {
    eprintln!("example-{program}: {error}");
    ExitCode::from(2)
}
