//! The example application on Rocket. All four have the same functions in the same order, so `diff -r` between two
//! of them shows how the adapters differ.

mod extract;
mod routes;

use std::{collections::HashSet, io};

use example_common::{App, MAX_BODY};
use rocket::{Config, config, fairing::AdHoc};

/// Serves until the shutdown has ended.
///
/// Rocket opens its listener itself, so `sse_rocket::listen` cannot be used here: a dead or stalled peer is
/// detected only when the kernel gives up on it, which takes minutes rather than two keep-alives.
///
/// # Errors
/// If the application cannot listen on the address.
pub async fn serve(app: App) -> io::Result<()> {
    let listening = app.clone();
    let origins = app.options.origins.clone();
    let preflight = sse_rocket::origin::preflight(origins.clone());
    let tenant = sse_rocket::mount(app.hub.clone(), routes::access).origins(origins).publish(MAX_BODY);
    let rocket = rocket::custom(config(&app))
        .attach(AdHoc::on_liftoff("listening", move |rocket| {
            let config = rocket.config();
            listening.listening((config.address, config.port).into());
            Box::pin(async {})
        }))
        .attach(sse_rocket::fairing(app.hub.clone()))
        .manage(app.clone())
        .mount("/", routes::routes())
        .mount("/resumable.js", sse_rocket::browser::resumable_js())
        .mount("/tenant", tenant)
        .mount("/events", preflight)
        .register("/", extract::catchers());
    app.shutdown.serve(rocket.launch()).await.map_or(Ok(()), |ended| ended.map(drop).map_err(failed))
}

/// The application handles signals, and the fairing sets Rocket's shutdown time to ours. Rocket logs to stdout, so
/// its log is off.
fn config(app: &App) -> Config {
    let shutdown = config::Shutdown { ctrlc: false, signals: HashSet::new(), ..config::Shutdown::default() };
    Config {
        address: app.options.addr.ip(),
        port: app.options.addr.port(),
        log_level: config::LogLevel::Off,
        cli_colors: false,
        shutdown,
        ..Config::release_default()
    }
}

fn failed(error: rocket::Error) -> io::Error {
    io::Error::other(error.to_string())
}
