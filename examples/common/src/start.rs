use std::{
    env, io,
    process::{self, ExitCode},
};

use tracing_subscriber::{EnvFilter, filter::LevelFilter};

use crate::{App, Options, metrics, options::Asked};

/// The whole of an application's `main`: reads the command line, opens the hub, publishes the metrics, and serves until
/// the shutdown has ended.
///
/// Exits with 0 after a shutdown, 1 if it cannot serve, and 2, after one line on stderr, if the command line cannot be
/// followed.
pub async fn main(
    framework: &'static str,
    serve: impl AsyncFnOnce(App) -> Result<(), io::Error>,
) -> ExitCode {
    let options = match Options::parse(env::args().skip(1)) {
        Ok(Asked::Help) => {
            println!("{}", Options::help(framework));
            return ExitCode::SUCCESS;
        }
        Ok(Asked::Run(options)) => *options,
        Err(error) => return refused(framework, &error.to_string()),
    };
    let from_env = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).from_env_lossy();
    tracing_subscriber::fmt().with_env_filter(from_env).with_writer(io::stderr).init();

    let addr = options.addr;
    let app = match App::open(framework, options).await {
        Ok(app) => app,
        Err(error) => return refused(framework, &error),
    };
    tokio::spawn(metrics::publish(app.hub.clone(), app.shutdown.clone()));
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

fn refused(framework: &str, error: &str) -> ExitCode {
    eprintln!("example-{framework}: {error}");
    ExitCode::from(2)
}
