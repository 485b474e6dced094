//! The example application on Rocket. The same functions stand in the same order in all four, so `diff -r` between two
//! of them shows what an adapter looks like.

mod extract;
mod routes;

use std::{collections::HashSet, io};

use example_common::{App, MAX_BODY};
use rocket::{Config, config, fairing::AdHoc};

/// Serves until the shutdown has ended.
///
/// Rocket opens its listener itself, so `sse_rocket::listen` has no place here: a peer that is dead, or does not read, is
/// noticed when the kernel gives up on it, which takes minutes rather than two keep-alives.
///
/// # Errors
/// If the address cannot be listened on.
pub async fn serve(app: App) -> io::Result<()> {
    let listening = app.clone();
    let origins = app.options.origins.clone();
    let preflight = sse_rocket::preflight(origins.clone());
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
        .mount("/tenant", tenant)
        .mount("/events", preflight)
        .register("/", extract::catchers());
    app.shutdown.serve(rocket.launch()).await.map_or(Ok(()), |ended| ended.map(drop).map_err(failed))
}

/// The signals are ours, and the fairing gives Rocket as long as our shutdown has. Rocket's log goes to stdout, so it is off.
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
